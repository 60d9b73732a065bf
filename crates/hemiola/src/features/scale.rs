//! Compression of magnitudes and powers: logarithms and decibels.

use serde::{Deserialize, Serialize};

/// What becomes of every value of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Compression {
    /// It stays as it is.
    #[default]
    None,
    /// ln(x + offset).
    Ln { offset: f32 },
    /// 10 log10(max(x, floor)): decibels of a power relative to 1.
    PowerDb { floor: f32 },
    /// 20 log10(max(x, floor)): decibels of a magnitude relative to 1.
    AmplitudeDb { floor: f32 },
}

impl Compression {
    pub fn apply(&self, values: &mut [f32]) {
        match *self {
            Self::None => {}
            Self::Ln { offset } => ln(values, offset),
            Self::PowerDb { floor } => power_to_db(values, 1.0, floor, None),
            Self::AmplitudeDb { floor } => amplitude_to_db(values, 1.0, floor, None),
        }
    }

    /// The value that digital silence takes.
    pub fn silence(&self) -> f32 {
        let mut silence = [0.0];
        self.apply(&mut silence);
        silence[0]
    }

    /// What is wrong with its numbers, if anything.
    pub(crate) fn check(&self) -> crate::Result<()> {
        let (name, value) = match *self {
            Self::None => return Ok(()),
            Self::Ln { offset } => ("the offset of ln", offset),
            Self::PowerDb { floor } => ("the floor of power_db", floor),
            Self::AmplitudeDb { floor } => ("the floor of amplitude_db", floor),
        };
        if value > 0.0 && value.is_finite() {
            return Ok(());
        }
        Err(crate::Error::config(format!(
            "{name} is {value}; it must be positive, or silence has no logarithm"
        )))
    }
}

/// ln(x + offset) of every value.
pub fn ln(values: &mut [f32], offset: f32) {
    for value in values {
        *value = (*value + offset).ln();
    }
}

/// Powers to decibels relative to `reference`, as librosa's `power_to_db`: powers below `amin` count as `amin`;
/// with `top_db`, nothing lies further than that below the loudest of `values`.
pub fn power_to_db(values: &mut [f32], reference: f32, amin: f32, top_db: Option<f32>) {
    decibels(values, 10.0, reference, amin, top_db);
}

/// Magnitudes to decibels relative to `reference`, as librosa's `amplitude_to_db`: like [`power_to_db`] of the squares.
pub fn amplitude_to_db(values: &mut [f32], reference: f32, amin: f32, top_db: Option<f32>) {
    for value in values.iter_mut() {
        *value = value.abs();
    }
    decibels(values, 20.0, reference, amin, top_db);
}

fn decibels(values: &mut [f32], factor: f32, reference: f32, amin: f32, top_db: Option<f32>) {
    let offset = factor * reference.abs().max(amin).log10();
    for value in values.iter_mut() {
        *value = factor * value.max(amin).log10() - offset;
    }
    if let Some(top_db) = top_db {
        let loudest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for value in values {
            *value = value.max(loudest - top_db);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_are_those_of_the_definition() {
        let mut powers = [100.0, 1.0, 0.0];
        power_to_db(&mut powers, 1.0, 1e-10, None);
        assert_eq!(powers, [20.0, 0.0, -100.0]);
        let mut powers = [100.0, 1.0, 0.0];
        power_to_db(&mut powers, 100.0, 1e-10, Some(80.0));
        assert_eq!(powers, [0.0, -20.0, -80.0]);
        let mut magnitudes = [10.0, -1.0, 0.0];
        amplitude_to_db(&mut magnitudes, 1.0, 1e-5, None);
        assert_eq!(magnitudes, [20.0, 0.0, -100.0]);
        assert!((Compression::Ln { offset: 1e-9 }.silence() - 1e-9f32.ln()).abs() < 1e-6);
    }
}

//! Where quarter notes and bars lie in time.

use super::{Score, TimeSignature};
use crate::{Error, Result};

/// A score has no more quarter notes than this; more come from damaged tempi.
const MOST_QUARTERS: usize = 1_000_000;
/// Quarter notes that a position may be off because of rounded times.
const ROUNDING_QUARTERS: f64 = 1e-3;
/// Until a file says another.
const COMMON_TIME: TimeSignature = TimeSignature {
    time_s: 0.0,
    numerator: 4,
    denominator: 4,
};

impl Score {
    /// When quarter notes begin, by the tempi, from 0 s to the first at or after the score's end; two at least.
    ///
    /// # Errors
    /// At the tempi there are more than a million.
    pub fn quarters_s(&self) -> Result<Vec<f64>> {
        let mut times_s: Vec<f64> = Vec::new();
        // How many quarter notes lie before the tempo.
        let mut before = 0.0;
        for (index, tempo) in self.tempo_changes.iter().enumerate() {
            let quarter_s = 60.0 / tempo.bpm;
            let next = self.tempo_changes.get(index + 1);
            let until = next.map(|next| before + (next.time_s - tempo.time_s) / quarter_s);
            loop {
                let number = times_s.len();
                let is_last = times_s
                    .last()
                    .is_some_and(|&last_s| last_s >= self.end_time_s);
                if until.is_some_and(|until| number as f64 >= until) || (number >= 2 && is_last) {
                    break;
                }
                if number == MOST_QUARTERS {
                    return Err(Error::config(format!(
                        "at its tempi it has more than {MOST_QUARTERS} quarter notes; count frames per second"
                    )));
                }
                times_s.push(tempo.time_s + (number as f64 - before) * quarter_s);
            }
            before = until.unwrap_or(before);
        }
        Ok(times_s)
    }

    /// When the bar begins in which a time lies, by the time signatures; four quarter notes a bar where there are none.
    ///
    /// # Errors
    /// As [`Self::quarters_s`].
    pub fn bar_start_s(&self, time_s: f64) -> Result<f64> {
        let quarters_s = self.quarters_s()?;
        let position = |time_s: f64| position(&quarters_s, time_s);
        let now = position(time_s) + ROUNDING_QUARTERS;
        let signature = (self.time_signatures.iter())
            .rfind(|signature| position(signature.time_s) <= now)
            .unwrap_or(&COMMON_TIME);
        let bar = 4.0 * f64::from(signature.numerator) / f64::from(signature.denominator);
        if !(bar.is_finite() && bar > 0.0) {
            return Ok(time_s);
        }
        let first = position(signature.time_s);
        let start = first + ((now - first) / bar).floor() * bar;
        let [whole, part] = [start.floor(), start.fract()];
        let quarter = whole as usize;
        match quarters_s.get(quarter..=quarter + 1) {
            Some(&[from_s, to_s]) => Ok(from_s + part * (to_s - from_s)),
            _ => Ok(time_s),
        }
    }
}

/// Quarter notes before a time; the last one goes on for ever.
fn position(quarters_s: &[f64], time_s: f64) -> f64 {
    let after = quarters_s.partition_point(|&start_s| start_s <= time_s);
    let before = after
        .saturating_sub(1)
        .min(quarters_s.len().saturating_sub(2));
    match quarters_s.get(before..=before + 1) {
        Some(&[from_s, to_s]) => before as f64 + (time_s - from_s) / (to_s - from_s),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::midi::TempoChange;

    /// Two bars of 3/4 at 60 BPM, then 6/8 at 120 BPM.
    fn score() -> Score {
        let signature = |time_s, numerator, denominator| TimeSignature {
            time_s,
            numerator,
            denominator,
        };
        Score {
            tempo_changes: [(0.0, 60.0), (6.0, 120.0)]
                .map(|(time_s, bpm)| TempoChange { time_s, bpm })
                .to_vec(),
            time_signatures: vec![signature(0.0, 3, 4), signature(6.0, 6, 8)],
            end_time_s: 12.0,
            ..Score::default()
        }
    }

    #[test]
    fn bars_follow_time_signatures_and_tempi() {
        let score = score();
        for (time_s, bar_s) in [
            (0.0, 0.0),
            (2.9, 0.0),
            (3.0, 3.0),
            (5.0, 3.0),
            (6.0, 6.0),
            (7.4, 6.0),
            (7.5, 7.5),
            (11.9, 10.5),
        ] {
            let found = score.bar_start_s(time_s).unwrap();
            assert!((found - bar_s).abs() < 1e-9, "{time_s}: {found}");
        }
    }

    #[test]
    fn bars_have_four_quarter_notes_where_nothing_is_said() {
        let mut score = score();
        score.time_signatures.clear();
        assert_eq!(score.bar_start_s(3.9).unwrap(), 0.0);
        assert_eq!(score.bar_start_s(4.0).unwrap(), 4.0);
        // The fourth bar begins with the twelfth quarter note.
        assert_eq!(score.bar_start_s(9.5).unwrap(), 9.0);
    }
}

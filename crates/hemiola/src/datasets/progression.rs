//! Chord progressions with what every chord is in its key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::music::SoundingChord;
use crate::music::roman::{LocalKey, Mode};

/// The seven diatonic modes, by the degree of the major scale that is their tonic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiatonicMode {
    Ionian,
    Dorian,
    Phrygian,
    Lydian,
    Mixolydian,
    Aeolian,
    Locrian,
}

impl DiatonicMode {
    pub const ALL: [Self; 7] = [
        Self::Ionian,
        Self::Dorian,
        Self::Phrygian,
        Self::Lydian,
        Self::Mixolydian,
        Self::Aeolian,
        Self::Locrian,
    ];

    /// 0 (Ionian) to 6 (Locrian).
    pub fn index(self) -> usize {
        self as usize
    }

    /// By the third above the tonic.
    pub fn key_mode(self) -> Mode {
        match self {
            Self::Ionian | Self::Lydian | Self::Mixolydian => Mode::Major,
            Self::Dorian | Self::Phrygian | Self::Aeolian | Self::Locrian => Mode::Minor,
        }
    }

    /// Semitones of the seven degrees above the tonic.
    pub fn scale(self) -> [u8; 7] {
        const IONIAN: [u8; 7] = [0, 2, 4, 5, 7, 9, 11];
        let first = self.index();
        std::array::from_fn(|step| (IONIAN[(first + step) % 7] + 12 - IONIAN[first]) % 12)
    }

    /// Ionian for major, Aeolian for minor.
    pub fn of_key_mode(mode: Mode) -> Self {
        match mode {
            Mode::Major => Self::Ionian,
            Mode::Minor => Self::Aeolian,
        }
    }
}

/// A chord with its analysis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledChord {
    /// In quarter notes, or in whatever the data set counts.
    pub onset: f64,
    pub chord: SoundingChord,
    /// Pitch class of the root that the analysis says.
    pub root: u8,
    pub key: LocalKey,
    /// Degree of the root in the key, 1 to 7.
    pub degree: u8,
}

/// A progression with its analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledProgression {
    /// Unique within its data set.
    pub name: String,
    pub chords: Vec<LabelledChord>,
    pub mode: DiatonicMode,
}

impl LabelledProgression {
    /// The key that most chords are in; the lower by [`LocalKey::index`] of two alike. `None` without chords.
    pub fn main_key(&self) -> Option<LocalKey> {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for chord in &self.chords {
            *counts.entry(chord.key.index()).or_default() += 1;
        }
        let most = counts.into_iter().rev().max_by_key(|&(_, count)| count);
        most.map(|(index, _)| LocalKey::of_index(index))
    }
}

/// Progressions, and what was left out of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progressions {
    pub progressions: Vec<LabelledProgression>,
    /// How many of what, by the reason.
    pub left_out: BTreeMap<&'static str, usize>,
    /// One sentence for each piece that could not be read.
    pub skipped: Vec<String>,
}

impl Progressions {
    pub fn chords(&self) -> usize {
        self.progressions.iter().map(|p| p.chords.len()).sum()
    }

    pub(super) fn leave_out(&mut self, reason: &'static str, count: usize) {
        if count > 0 {
            *self.left_out.entry(reason).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_their_scales() {
        assert_eq!(DiatonicMode::Dorian.scale(), [0, 2, 3, 5, 7, 9, 10]);
        assert_eq!(DiatonicMode::Lydian.scale(), [0, 2, 4, 6, 7, 9, 11]);
        assert_eq!(DiatonicMode::Locrian.scale(), [0, 1, 3, 5, 6, 8, 10]);
        for mode in DiatonicMode::ALL {
            let minor = mode.scale()[2] == 3;
            assert_eq!(mode.key_mode() == Mode::Minor, minor, "{mode:?}");
        }
    }
}

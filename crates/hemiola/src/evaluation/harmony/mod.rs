//! Keys and degrees of chords: how many are right, and what simple methods make of them.

mod hidden_markov;
mod template;

use serde::Serialize;

use super::share;
use crate::datasets::progression::LabelledProgression;
use crate::music::roman::LocalKey;

pub use hidden_markov::KeyChain;
pub use template::read_by_template;

/// What somebody says of a chord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChordReading {
    pub key: LocalKey,
    /// Degree of the root in the key, 1 to 7.
    pub degree: u8,
}

/// Shares of chords that are right, over all chords alike.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct HarmonyScores {
    pub chords: usize,
    /// The degree, whatever the key.
    pub degree_accuracy: f64,
    /// Tonic and mode; tonics that sound alike are the same.
    pub key_accuracy: f64,
    /// Major or minor, whatever the tonic.
    pub mode_accuracy: f64,
    /// Key and degree.
    pub key_and_degree_accuracy: f64,
}

/// Counts what is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HarmonyCounts {
    chords: usize,
    degrees: usize,
    keys: usize,
    modes: usize,
    both: usize,
}

impl HarmonyCounts {
    /// Counts the readings of a progression, one for each chord; chords without one are wrong.
    pub fn add(&mut self, reference: &LabelledProgression, estimate: &[ChordReading]) {
        self.chords += reference.chords.len();
        for (right, found) in reference.chords.iter().zip(estimate) {
            let degree = right.degree == found.degree;
            let key = right.key == found.key;
            self.degrees += usize::from(degree);
            self.keys += usize::from(key);
            self.modes += usize::from(right.key.mode() == found.key.mode());
            self.both += usize::from(degree && key);
        }
    }

    pub fn scores(&self) -> HarmonyScores {
        HarmonyScores {
            chords: self.chords,
            degree_accuracy: share(self.degrees, self.chords),
            key_accuracy: share(self.keys, self.chords),
            mode_accuracy: share(self.modes, self.chords),
            key_and_degree_accuracy: share(self.both, self.chords),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::progression::{DiatonicMode, LabelledChord};
    use crate::formats::romantext;
    use crate::music::SoundingChord;

    /// The progression of an analysis.
    pub(super) fn progression(text: &str) -> LabelledProgression {
        let chords = romantext::parse(text).chords.into_iter().map(|analysed| {
            let sound = analysed.numeral.sound(analysed.key);
            LabelledChord {
                onset: analysed.onset,
                chord: SoundingChord::new(sound.pitch_classes, sound.bass).unwrap(),
                root: sound.root,
                key: analysed.key,
                degree: sound.degree,
            }
        });
        LabelledProgression {
            name: String::new(),
            chords: chords.collect(),
            mode: DiatonicMode::Ionian,
        }
    }

    #[test]
    fn each_chord_counts_once() {
        let piece = progression("m1 C: I b2 IV b3 V b4 vi\n");
        let reading = |key: &str, degree| ChordReading {
            key: LocalKey::parse(key).unwrap(),
            degree,
        };
        let found = [
            reading("C", 1),
            reading("C", 5),
            reading("c", 5),
            reading("a", 1),
        ];
        let mut counts = HarmonyCounts::default();
        counts.add(&piece, &found);
        let scores = counts.scores();
        assert_eq!(scores.chords, 4);
        assert_eq!(scores.degree_accuracy, 0.5);
        assert_eq!(scores.key_accuracy, 0.5);
        assert_eq!(scores.mode_accuracy, 0.5);
        assert_eq!(scores.key_and_degree_accuracy, 0.25);
        counts.add(&piece, &[]);
        assert_eq!(counts.scores().degree_accuracy, 0.25);
        assert_eq!(HarmonyCounts::default().scores(), HarmonyScores::default());
    }
}

//! Sets of pitch classes and the motion from one to another.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Pitch classes of an octave.
pub const N_PITCH_CLASSES: usize = 12;

/// A set of pitch classes, 0 (C) to 11 (B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct PitchClassSet(u16);

impl PitchClassSet {
    pub const EMPTY: Self = Self(0);

    /// # Errors
    /// When a number is above 11.
    pub fn new(pitch_classes: impl IntoIterator<Item = u8>) -> Result<Self> {
        let mut bits = 0;
        for pitch_class in pitch_classes {
            if usize::from(pitch_class) >= N_PITCH_CLASSES {
                return Err(Error::config(format!(
                    "pitch class {pitch_class}: expected 0 (C) to 11 (B); \
                     a MIDI pitch modulo 12 is its pitch class"
                )));
            }
            bits |= 1 << pitch_class;
        }
        Ok(Self(bits))
    }

    /// Of pitches modulo 12.
    pub(crate) fn of(pitches: impl IntoIterator<Item = u8>) -> Self {
        let octave = N_PITCH_CLASSES as u8;
        Self((pitches.into_iter()).fold(0, |bits, pitch| bits | 1 << (pitch % octave)))
    }

    pub fn contains(self, pitch_class: u8) -> bool {
        usize::from(pitch_class) < N_PITCH_CLASSES && self.0 >> pitch_class & 1 == 1
    }

    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In ascending order from C.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..N_PITCH_CLASSES as u8).filter(move |&pitch_class| self.contains(pitch_class))
    }

    /// All pitch classes moved up by `semitones`, or down where negative.
    pub fn transposed(self, semitones: i32) -> Self {
        let up = semitones.rem_euclid(N_PITCH_CLASSES as i32);
        let moved = u32::from(self.0) << up;
        Self(((moved | moved >> N_PITCH_CLASSES) & 0xfff) as u16)
    }

    /// The least total motion in semitones from one chord to the other, if every tone of the larger goes to a tone of the
    /// smaller, every tone of the smaller is reached, and each voice moves the shorter way round the octave: for chords of
    /// the same size, the least over all bijections. Symmetric; `None` where a set is empty.
    ///
    /// Tymoczko, The Geometry of Musical Chords, Science 313, 2006: voice leadings by their taxicab size. A least one can
    /// be found among those without crossing voices, which keep the circular order.
    pub fn voice_leading_distance(self, other: Self) -> Option<u32> {
        let (larger, smaller) = if self.len() >= other.len() {
            (self, other)
        } else {
            (other, self)
        };
        let voices: Vec<u8> = larger.iter().collect();
        let tones: Vec<u8> = smaller.iter().collect();
        if tones.is_empty() {
            return None;
        }
        // Without crossings, some voice is the first to go to the first tone; from there on, each voice goes to the tone
        // of the one before it or to the next.
        (0..voices.len())
            .map(|first| {
                let mut least = vec![u32::MAX; tones.len()];
                for index in 0..voices.len() {
                    let voice = voices[(first + index) % voices.len()];
                    for tone in (0..tones.len()).rev() {
                        let before = match (index, tone) {
                            (0, 0) => 0,
                            (0, _) => u32::MAX,
                            (_, 0) => least[0],
                            _ => least[tone].min(least[tone - 1]),
                        };
                        least[tone] = before.saturating_add(circular_distance(voice, tones[tone]));
                    }
                }
                least[tones.len() - 1]
            })
            .min()
    }
}

/// Semitones between pitch classes, the shorter way round the octave.
fn circular_distance(a: u8, b: u8) -> u32 {
    let up = u32::from(a.abs_diff(b));
    up.min(N_PITCH_CLASSES as u32 - up)
}

impl TryFrom<Vec<u8>> for PitchClassSet {
    type Error = Error;

    fn try_from(pitch_classes: Vec<u8>) -> Result<Self> {
        Self::new(pitch_classes)
    }
}

impl From<PitchClassSet> for Vec<u8> {
    fn from(set: PitchClassSet) -> Self {
        set.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pitch_classes: &[u8]) -> PitchClassSet {
        PitchClassSet::new(pitch_classes.iter().copied()).unwrap()
    }

    /// By trying every map of the larger set's tones to the smaller's.
    fn distance_by_trial(a: PitchClassSet, b: PitchClassSet) -> u32 {
        let (larger, smaller) = if a.len() >= b.len() { (a, b) } else { (b, a) };
        let tones: Vec<u8> = smaller.iter().collect();
        fn go(voices: &[u8], tones: &[u8], reached: u32) -> u32 {
            let Some((&voice, rest)) = voices.split_first() else {
                let all = reached == (1 << tones.len()) - 1;
                return if all { 0 } else { u32::MAX };
            };
            (tones.iter().enumerate())
                .map(|(index, &tone)| {
                    let steps = (voice + 12 - tone) % 12;
                    let steps = u32::from(steps.min(12 - steps));
                    go(rest, tones, reached | 1 << index).saturating_add(steps)
                })
                .min()
                .unwrap()
        }
        go(&larger.iter().collect::<Vec<_>>(), &tones, 0)
    }

    #[test]
    fn parsimonious_triads_are_as_far_apart_as_the_literature_says() {
        // Cohn, Neo-Riemannian Operations, Parsimonious Trichords, and Their Tonnetz Representations, 1997.
        let c_major = set(&[0, 4, 7]);
        for (name, triad, expected) in [
            ("itself", set(&[0, 4, 7]), 0),
            ("P: C minor", set(&[0, 3, 7]), 1),
            ("L: E minor", set(&[4, 7, 11]), 1),
            ("R: A minor", set(&[9, 0, 4]), 2),
            ("F major", set(&[5, 9, 0]), 3),
            ("G major", set(&[7, 11, 2]), 3),
            ("C augmented", set(&[0, 4, 8]), 1),
            // G–G, B–C, D–E, F–E.
            ("G7", set(&[7, 11, 2, 5]), 4),
        ] {
            assert_eq!(
                c_major.voice_leading_distance(triad),
                Some(expected),
                "{name}"
            );
            assert_eq!(
                triad.voice_leading_distance(c_major),
                Some(expected),
                "{name}"
            );
        }
        // Two diminished sevenths a semitone apart: every voice moves.
        let diminished = set(&[0, 3, 6, 9]);
        assert_eq!(
            diminished.voice_leading_distance(diminished.transposed(1)),
            Some(4)
        );
    }

    #[test]
    fn the_distance_is_the_least_of_all_maps() {
        let all = |sizes: std::ops::RangeInclusive<usize>| {
            (1..4096)
                .map(PitchClassSet)
                .filter(move |s| sizes.contains(&s.len()))
        };
        // Up to transposition, one of the two contains C.
        for a in all(1..=4).filter(|a| a.contains(0)) {
            for b in all(1..=4) {
                assert_eq!(
                    a.voice_leading_distance(b),
                    Some(distance_by_trial(a, b)),
                    "{a:?} {b:?}"
                );
            }
        }
        for a in all(5..=6).filter(|a| a.contains(0)).step_by(29) {
            for b in all(2..=6).step_by(41) {
                assert_eq!(
                    a.voice_leading_distance(b),
                    Some(distance_by_trial(a, b)),
                    "{a:?} {b:?}"
                );
            }
        }
    }

    #[test]
    fn an_empty_set_has_no_distance() {
        let c_major = set(&[0, 4, 7]);
        assert_eq!(c_major.voice_leading_distance(PitchClassSet::EMPTY), None);
        assert_eq!(PitchClassSet::EMPTY.voice_leading_distance(c_major), None);
    }

    #[test]
    fn transposition_goes_round_the_octave() {
        assert_eq!(set(&[0, 4, 7]).transposed(7), set(&[7, 11, 2]));
        assert_eq!(set(&[0, 4, 7]).transposed(-1), set(&[11, 3, 6]));
        assert_eq!(set(&[0, 4, 7]).transposed(24), set(&[0, 4, 7]));
    }

    #[test]
    fn a_pitch_is_no_pitch_class() {
        let message = PitchClassSet::new([0, 60]).unwrap_err().to_string();
        assert!(message.contains("pitch class 60"), "{message}");
    }
}

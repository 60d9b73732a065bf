//! A chain of hidden keys, counted.

use std::collections::HashMap;

use super::ChordReading;
use crate::datasets::progression::LabelledProgression;
use crate::music::roman::{KeyTransitions, LocalKey, N_KEYS, likeliest_keys};
use crate::music::{N_PITCH_CLASSES, SoundingChord};

/// Each change of key, and staying, counts as seen so often besides.
const TRANSITION_PRIOR: f64 = 0.1;
/// How much the exact chord, the chord over any bass, and single tones count in how likely a chord is.
const SHARES: [f64; 3] = [0.7, 0.2, 0.1];

/// A hidden Markov model of the 24 keys: how likely each chord is in a key, and each key after another; the same in all
/// transpositions (as in Raphael and Stoddard, "Functional Harmonic Analysis Using Probabilistic Models", Computer Music
/// Journal 28(3), 2004).
#[derive(Debug, Clone)]
pub struct KeyChain {
    transitions: KeyTransitions,
    /// By mode.
    chords: [ChordCounts; 2],
}

#[derive(Debug, Clone, Default)]
struct ChordCounts {
    total: f64,
    /// Chords as seen from the tonic.
    exact: HashMap<SoundingChord, f64>,
    over_any_bass: HashMap<Vec<u8>, f64>,
    tones: [f64; N_PITCH_CLASSES],
    /// How often each degree had the chord.
    degrees: HashMap<SoundingChord, [u32; 7]>,
}

impl KeyChain {
    /// Counts progressions.
    pub fn of(progressions: &[LabelledProgression]) -> Self {
        let mut moves = [[TRANSITION_PRIOR; N_KEYS]; 2];
        let mut chords: [ChordCounts; 2] = Default::default();
        for progression in progressions {
            for chord in &progression.chords {
                let seen = from_tonic(chord.chord, chord.key);
                chords[mode(chord.key)].add(seen, chord.degree);
            }
            for pair in progression.chords.windows(2) {
                let (from, to) = (pair[0].key, pair[1].key);
                moves[mode(from)][to.transposed(-i32::from(from.tonic())).index()] += 1.0;
            }
        }
        let log = std::array::from_fn(|from| {
            let from = LocalKey::of_index(from);
            let row = &moves[mode(from)];
            let total: f64 = row.iter().sum();
            std::array::from_fn(|to| {
                let to = LocalKey::of_index(to).transposed(-i32::from(from.tonic()));
                (row[to.index()] / total).ln()
            })
        });
        Self {
            transitions: KeyTransitions { log },
            chords,
        }
    }

    /// The likeliest keys of a progression, and the commonest degrees of its chords in them.
    pub fn read(&self, chords: &[SoundingChord]) -> Vec<ChordReading> {
        let emissions: Vec<[f64; N_KEYS]> = (chords.iter())
            .map(|&chord| {
                std::array::from_fn(|key| {
                    let key = LocalKey::of_index(key);
                    self.chords[mode(key)].log_likelihood(from_tonic(chord, key))
                })
            })
            .collect();
        let keys = likeliest_keys(&emissions, &self.transitions);
        let reading = |(&chord, key): (&SoundingChord, LocalKey)| ChordReading {
            key,
            degree: self.degree(chord, key),
        };
        chords.iter().zip(keys).map(reading).collect()
    }

    fn degree(&self, chord: SoundingChord, key: LocalKey) -> u8 {
        let seen = self.chords[mode(key)].degrees.get(&from_tonic(chord, key));
        let commonest =
            seen.and_then(|counts| (1..=7u8).rev().max_by_key(|d| counts[usize::from(*d) - 1]));
        let by_root = || chord.probable_root().map_or(1, |root| key.degree_of(root));
        commonest.unwrap_or_else(by_root)
    }
}

impl ChordCounts {
    fn add(&mut self, seen: SoundingChord, degree: u8) {
        self.total += 1.0;
        *self.exact.entry(seen).or_default() += 1.0;
        let tones: Vec<u8> = seen.pitch_classes().iter().collect();
        for &tone in &tones {
            self.tones[usize::from(tone)] += 1.0;
        }
        *self.over_any_bass.entry(tones).or_default() += 1.0;
        let degrees = self.degrees.entry(seen).or_default();
        if let Some(count) = degrees.get_mut(usize::from(degree).wrapping_sub(1)) {
            *count += 1;
        }
    }

    fn log_likelihood(&self, seen: SoundingChord) -> f64 {
        // One more chord with each tone and one without.
        let with = |tone: usize| (self.tones[tone] + 1.0) / (self.total + 2.0);
        let single: f64 = (0..N_PITCH_CLASSES)
            .map(|tone| match seen.pitch_classes().contains(tone as u8) {
                true => with(tone),
                false => 1.0 - with(tone),
            })
            .product();
        let total = self.total.max(1.0);
        let tones: Vec<u8> = seen.pitch_classes().iter().collect();
        let basses = tones.len().max(1) as f64;
        let exact = self.exact.get(&seen).copied().unwrap_or_default() / total;
        let any_bass = self.over_any_bass.get(&tones).copied().unwrap_or_default() / total;
        let [of_exact, of_any, of_single] = SHARES;
        (of_exact * exact + (of_any * any_bass + of_single * single) / basses).ln()
    }
}

fn mode(key: LocalKey) -> usize {
    key.index() / N_PITCH_CLASSES
}

fn from_tonic(chord: SoundingChord, key: LocalKey) -> SoundingChord {
    chord.transposed(-i32::from(key.tonic()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::progression;
    use super::*;

    #[test]
    fn what_was_counted_in_one_key_is_known_in_all() {
        let lesson = progression(
            "m1 C: I b2 ii6 b3 V7 b4 I b5 IV b6 V b7 I b8 vi b9 ii65 b10 V b11 I b12 G: I b13 ii65 b14 V7 b15 I\n",
        );
        let chain = KeyChain::of(&[lesson]);
        let piece = progression(
            "m1 Ab: I b2 IV b3 V7 b4 I b5 ii6 b6 V b7 I b8 Eb: V7 b9 I b10 ii65 b11 V7 b12 I b13 V b14 I\n",
        );
        let chords: Vec<_> = piece.chords.iter().map(|c| c.chord).collect();
        let found = chain.read(&chords);
        let right: Vec<_> = (piece.chords.iter())
            .map(|c| ChordReading {
                key: c.key,
                degree: c.degree,
            })
            .collect();
        // Ab: I is Eb: IV as well; the change may come a chord early.
        assert_eq!(found[..6], right[..6]);
        assert_eq!(found[7..], right[7..]);
    }
}

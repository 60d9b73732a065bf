//! The key of a piece, from what sounds in it.

use crate::error::{Error, Result};
use crate::music::key::{Key, Mode};
use crate::music::{Chroma, N_PITCH_CLASSES, Note};

/// How often each degree of the chromatic scale sounds in music in major, from the tonic up.
///
/// J. Albrecht and D. Shanahan, "The Use of Large Corpora to Train a New Type of Key-Finding Algorithm", Music Perception
/// 31(1), 2013.
const MAJOR: [f64; N_PITCH_CLASSES] = [
    0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081,
];
/// The same in minor.
const MINOR: [f64; N_PITCH_CLASSES] = [
    0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052,
];

/// A key and how well it fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyFit {
    pub key: Key,
    /// Correlation of what sounds with what sounds in that key, −1 to 1.
    pub correlation: f64,
}

/// All 24 keys, the likeliest first, of how much each pitch class sounds, on any scale.
///
/// # Errors
/// When nothing sounds, or everything alike: then there is no key.
pub fn rank_keys(profile: &[f64; N_PITCH_CLASSES]) -> Result<Vec<KeyFit>> {
    let mean = profile.iter().sum::<f64>() / N_PITCH_CLASSES as f64;
    let spread = |values: &[f64; N_PITCH_CLASSES], mean: f64| -> f64 {
        values
            .iter()
            .map(|v| (v - mean).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let ours = spread(profile, mean);
    if !(ours > 1e-9 * mean.abs() && ours > 0.0 && ours.is_finite()) {
        return Err(Error::config(
            "there is no key where no pitch stands out; expected music with pitches",
        ));
    }
    let mut fits = Vec::with_capacity(2 * N_PITCH_CLASSES);
    for (mode, weights) in [(Mode::Major, &MAJOR), (Mode::Minor, &MINOR)] {
        let theirs = weights.iter().sum::<f64>() / N_PITCH_CLASSES as f64;
        for tonic in 0..N_PITCH_CLASSES {
            let together: f64 = (0..N_PITCH_CLASSES)
                .map(|degree| {
                    let sounding = profile[(tonic + degree) % N_PITCH_CLASSES] - mean;
                    sounding * (weights[degree] - theirs)
                })
                .sum();
            fits.push(KeyFit {
                key: Key::usual(tonic as u8, mode),
                correlation: together / (ours * spread(weights, theirs)),
            });
        }
    }
    fits.sort_by(|a, b| b.correlation.total_cmp(&a.correlation));
    Ok(fits)
}

/// How present the most present pitch class must be on average; noise and drums stay below.
const PRESENT: f64 = 0.1;

/// The keys of a chroma; see [`rank_keys`].
///
/// # Errors
/// As [`rank_keys`], and when hardly a pitch sounds.
pub fn keys_of_chroma(chroma: &Chroma) -> Result<Vec<KeyFit>> {
    keys_of_presence(&chroma.mean().unwrap_or_default().map(f64::from))
}

fn keys_of_presence(presence: &[f64; N_PITCH_CLASSES]) -> Result<Vec<KeyFit>> {
    match presence.iter().any(|&presence| presence >= PRESENT) {
        true => rank_keys(presence),
        false => Err(Error::config("there is no key where hardly a pitch sounds")),
    }
}

/// How long each pitch class sounds in notes.
///
/// # Errors
/// As [`rank_keys`].
pub fn keys_of_notes(notes: &[Note]) -> Result<Vec<KeyFit>> {
    let mut profile = [0.0; N_PITCH_CLASSES];
    for note in notes {
        profile[usize::from(note.pitch) % N_PITCH_CLASSES] += note.offset_s - note.onset_s;
    }
    rank_keys(&profile)
}

/// Seconds after which what was heard counts half, in a [`KeyFollower`].
const HALF_S: f64 = 20.0;

/// The key of a live chroma: of what sounds now most, of what sounded before less and less.
#[derive(Debug, Clone)]
pub struct KeyFollower {
    /// By which everything before a frame counts less.
    decay: f64,
    profile: [f64; N_PITCH_CLASSES],
    /// What all frames count together.
    weight: f64,
}

impl KeyFollower {
    /// Of a chroma of `fps` frames a second.
    pub fn new(fps: f64) -> Self {
        Self {
            decay: 0.5f64.powf(1.0 / (HALF_S * fps)),
            profile: [0.0; N_PITCH_CLASSES],
            weight: 0.0,
        }
    }

    /// Takes one more frame.
    pub fn push(&mut self, frame: &[f32; N_PITCH_CLASSES]) {
        for (sum, &value) in self.profile.iter_mut().zip(frame) {
            *sum = *sum * self.decay + f64::from(value);
        }
        self.weight = self.weight * self.decay + 1.0;
    }

    /// The key so far; `None` where no pitch stands out.
    pub fn key(&self) -> Option<Key> {
        let presence = self.profile.map(|sum| sum / self.weight.max(1.0));
        keys_of_presence(&presence).ok().map(|fits| fits[0].key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sounding(pitch_classes: &[usize]) -> [f64; N_PITCH_CLASSES] {
        let mut profile = [0.0; N_PITCH_CLASSES];
        pitch_classes.iter().for_each(|&pc| profile[pc] += 1.0);
        profile
    }

    fn best(profile: [f64; N_PITCH_CLASSES]) -> String {
        rank_keys(&profile).unwrap()[0].key.to_string()
    }

    #[test]
    fn cadences_have_their_keys() {
        // I IV V I and i iv V i.
        assert_eq!(
            best(sounding(&[0, 4, 7, 5, 9, 0, 7, 11, 2, 0, 4, 7])),
            "C major"
        );
        assert_eq!(
            best(sounding(&[9, 0, 4, 2, 5, 9, 4, 8, 11, 9, 0, 4])),
            "A minor"
        );
        for up in 0..12 {
            let moved =
                |pcs: &[usize]| -> Vec<usize> { pcs.iter().map(|pc| (pc + up) % 12).collect() };
            let fits =
                rank_keys(&sounding(&moved(&[0, 4, 7, 5, 9, 0, 7, 11, 2, 0, 4, 7]))).unwrap();
            assert_eq!(usize::from(fits[0].key.tonic.pitch_class()), up);
            assert_eq!(fits[0].key.mode, Mode::Major);
            assert_eq!(fits.len(), 24);
        }
    }

    #[test]
    fn a_follower_forgets_the_key_that_was() {
        let mut follower = KeyFollower::new(10.0);
        assert_eq!(follower.key(), None);
        let scale = |tonic: usize| -> [f32; 12] {
            std::array::from_fn(|pc| match (pc + 12 - tonic) % 12 {
                0 | 4 | 7 => 1.0,
                2 | 5 | 9 | 11 => 0.5,
                _ => 0.0,
            })
        };
        let mut hear = |tonic, seconds: usize| {
            (0..10 * seconds).for_each(|_| follower.push(&scale(tonic)));
            follower.key().unwrap().to_string()
        };
        assert_eq!(hear(0, 60), "C major");
        assert_eq!(hear(6, 5), "C major");
        assert_eq!(hear(6, 60), "F# major");
    }

    #[test]
    fn where_nothing_stands_out_there_is_no_key() {
        assert!(rank_keys(&[0.0; 12]).is_err());
        assert!(rank_keys(&[0.3; 12]).is_err());
        assert!(rank_keys(&[f64::NAN; 12]).is_err());
        assert!(keys_of_notes(&[]).is_err());
        let mut chroma = Chroma::new(10.0);
        assert!(keys_of_chroma(&chroma).is_err());
        chroma.frames = vec![std::array::from_fn(|i| i as f32 * 0.008); 20];
        assert!(keys_of_chroma(&chroma).is_err());
        chroma.frames[0] = [2.0; 12];
        assert!(keys_of_chroma(&chroma).is_ok());
    }
}

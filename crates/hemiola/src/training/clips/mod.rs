//! Recordings kept in memory, and the windows that models see of them.

mod entries;
mod folders;
mod labelled;
mod name_hash;
mod sides;

mod table;

use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::features::FrontEnd;
use crate::training::run::step_seed;

pub use entries::LabelledFile;
pub(super) use entries::labelled_files;
pub(super) use folders::{audio_files, check_folder, decode, endings, first_of, name_below};
pub use labelled::{LabelledClip, LabelledData, Reference};
pub(super) use labelled::{LabelledClips, measured_by};
pub(super) use name_hash::hash;

/// What is true of clips with and without labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClipShare {
    /// Seconds of an example.
    pub clip_s: f64,
    /// Share of the recordings that the model is measured by and does not learn from.
    pub dev_share: f64,
}

/// The longest example, in seconds; guards against a slip that would exhaust the memory.
const LONGEST_CLIP_S: f64 = 600.0;

impl ClipShare {
    /// `least` frames must be in an example.
    pub(super) fn validate(&self, features: &impl FrontEnd, least: usize) -> Result<()> {
        if !(self.clip_s > 0.0 && self.clip_s <= LONGEST_CLIP_S) {
            return Err(Error::config(format!(
                "data.clip_s is {}; expected seconds above 0 and up to {LONGEST_CLIP_S}",
                self.clip_s
            )));
        }
        let frames = 1 + self.window(features) / features.hop_length();
        if frames < least {
            return Err(Error::config(format!(
                "data.clip_s is {} and makes {frames} frames; the model needs {least}",
                self.clip_s
            )));
        }
        if !(self.dev_share > 0.0 && self.dev_share < 1.0) {
            return Err(Error::config(format!(
                "data.dev_share is {}; it must be above 0 and below 1",
                self.dev_share
            )));
        }
        Ok(())
    }

    /// Samples of an example.
    pub(super) fn window(&self, features: &impl FrontEnd) -> usize {
        (self.clip_s * f64::from(features.sample_rate())).round() as usize
    }
}

/// A recording: mono, 16 bit.
#[derive(Debug, Clone)]
pub struct Clip {
    samples: Arc<[i16]>,
}

impl Clip {
    /// # Panics
    /// If there is no sample.
    pub fn new(samples: &[f32]) -> Self {
        assert!(!samples.is_empty(), "a clip has at least one sample");
        let to_16_bit = |&sample: &f32| (sample * 32768.0).round() as i16;
        Self {
            samples: samples.iter().map(to_16_bit).collect(),
        }
    }

    /// Number of samples, 1 or more.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// `length` samples from `first` on. A recording that ends before is repeated: silence in its place would tell a
    /// model how long the recording is.
    pub fn window(&self, first: usize, length: usize) -> Vec<f32> {
        let round = self.samples.iter().cycle().skip(first % self.samples.len());
        round
            .take(length)
            .map(|&sample| f32::from(sample) / 32768.0)
            .collect()
    }

    /// Where a window may begin at the latest; 0 where the recording is shorter.
    pub fn latest(&self, length: usize) -> usize {
        self.samples.len().saturating_sub(length)
    }

    /// A window from anywhere.
    pub fn random_window(&self, length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        self.window(rng.random_range(0..=self.latest(length)), length)
    }

    /// A window from anywhere that hears no more than `part` samples, repeated to fill it.
    pub fn random_part(&self, part: usize, length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let part = self.random_window(part.clamp(1, length), rng);
        part.iter().cycle().take(length).copied().collect()
    }

    /// Where as few windows begin, at equal distances, as together hear all of the recording.
    pub fn covering(&self, length: usize) -> Vec<usize> {
        let count = self.samples.len().div_ceil(length);
        match count {
            1 => vec![0],
            _ => (0..count)
                .map(|i| i * self.latest(length) / (count - 1))
                .collect(),
        }
    }
}

/// The numbers below `n` in an order that follows from the seed and the round.
fn shuffled(seed: u64, round: usize, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(step_seed(
        seed ^ 0x0DE5_CA1E,
        round,
    )));
    order
}

/// The examples, numbers below `n`, of batch `number`: all are seen as often, once in every round of a new order.
pub(super) fn batch_of(seed: u64, number: usize, size: usize, n: usize) -> Vec<usize> {
    let mut order = (usize::MAX, Vec::new());
    (number * size..(number + 1) * size)
        .map(|example| {
            let round = example / n;
            if order.0 != round {
                order = (round, shuffled(seed, round, n));
            }
            order.1[example % n]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(length: usize) -> Clip {
        let samples: Vec<f32> = (0..length).map(|i| i as f32 / 32768.0).collect();
        Clip::new(&samples)
    }

    fn whole(window: Vec<f32>) -> Vec<usize> {
        window.iter().map(|s| (s * 32768.0) as usize).collect()
    }

    #[test]
    fn windows_are_the_recordings_samples_and_go_round_where_it_ends() {
        assert_eq!(whole(ramp(9).window(2, 4)), [2, 3, 4, 5]);
        assert_eq!(whole(ramp(3).window(0, 7)), [0, 1, 2, 0, 1, 2, 0]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let starts: Vec<usize> = (0..200)
            .map(|_| whole(ramp(9).random_window(4, &mut rng))[0])
            .collect();
        assert!((0..=5).all(|start| starts.contains(&start)));
        assert!(starts.iter().all(|&start| start <= 5));
    }

    #[test]
    fn parts_are_repeated() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..20 {
            let part = whole(ramp(9).random_part(3, 8, &mut rng));
            let first = part[0];
            let expected: Vec<usize> = (0..8).map(|i| first + i % 3).collect();
            assert_eq!(part, expected);
        }
    }

    #[test]
    fn covering_windows_hear_every_sample() {
        for (length, window) in [(10, 10), (10, 12), (21, 10), (11, 10), (100, 7), (1, 4)] {
            let starts = ramp(length).covering(window);
            assert_eq!(starts.len(), length.div_ceil(window));
            let heard = |sample| starts.iter().any(|&s| (s..s + window).contains(&sample));
            assert!((0..length).all(heard), "{length} {window} {starts:?}");
            assert!(starts.iter().all(|&s| s == 0 || s + window <= length));
        }
        assert_eq!(ramp(21).covering(10), [0, 5, 11]);
    }

    #[test]
    fn samples_beyond_full_scale_stay_at_it() {
        let window = Clip::new(&[1.5, -1.5, 0.25]).window(0, 3);
        assert_eq!(window, [32767.0 / 32768.0, -1.0, 0.25]);
    }

    #[test]
    fn every_example_comes_once_in_a_round_whatever_the_batch() {
        let (n, size) = (7, 3);
        let drawn: Vec<usize> = (0..14)
            .flat_map(|number| batch_of(5, number, size, n))
            .collect();
        let rounds: Vec<&[usize]> = drawn.chunks(n).collect();
        assert_eq!(rounds.len(), 6);
        for round in &rounds {
            let mut sorted = round.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
        }
        assert!(rounds.iter().any(|round| round != &rounds[0]));
        assert_ne!(batch_of(6, 0, n, n), batch_of(5, 0, n, n));
    }
}

//! Masks of time and frequency on a spectrogram (D. S. Park et al., "SpecAugment", Interspeech 2019, section 2).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How many masks and how wide. The default is the paper's policy SM (table 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpectrogramMask {
    pub frequency_masks: usize,
    /// The widest mask, in bins; the width is drawn evenly from 0 to this.
    pub frequency_bins: usize,
    pub time_masks: usize,
    /// The longest mask, in frames; the length is drawn evenly from 0 to this.
    pub time_frames: usize,
    /// No mask is longer than this share of the spectrogram, 0 to 1.
    pub time_share: f64,
}

impl Default for SpectrogramMask {
    fn default() -> Self {
        Self {
            frequency_masks: 2,
            frequency_bins: 15,
            time_masks: 2,
            time_frames: 70,
            time_share: 0.2,
        }
    }
}

impl SpectrogramMask {
    /// # Errors
    /// When `time_share` is not from 0 to 1.
    pub fn check(&self) -> Result<()> {
        if (0.0..=1.0).contains(&self.time_share) {
            return Ok(());
        }
        Err(Error::config(format!(
            "augmentation: time_share is {}; expected 0 to 1",
            self.time_share
        )))
    }

    /// Sets the masked parts of `spectrogram`, [bins, time], to its mean, which is the paper's zero.
    ///
    /// # Errors
    /// When the values are no whole number of frames of `bins` bins.
    pub fn apply(&self, spectrogram: &mut [f32], bins: usize, rng: &mut ChaCha8Rng) -> Result<()> {
        if bins == 0 || !spectrogram.len().is_multiple_of(bins) {
            return Err(Error::config(format!(
                "a spectrogram of {} values is no whole number of frames of {bins} bins",
                spectrogram.len()
            )));
        }
        let frames = spectrogram.len() / bins;
        if frames == 0 {
            return Ok(());
        }
        let sum: f64 = spectrogram.iter().map(|value| f64::from(*value)).sum();
        let mean = (sum / spectrogram.len() as f64) as f32;
        for _ in 0..self.frequency_masks {
            let [first, end] = draw(self.frequency_bins, bins, rng);
            spectrogram[first * frames..end * frames].fill(mean);
        }
        let longest = self
            .time_frames
            .min((self.time_share * frames as f64) as usize);
        for _ in 0..self.time_masks {
            let [first, end] = draw(longest, frames, rng);
            for row in spectrogram.chunks_exact_mut(frames) {
                row[first..end].fill(mean);
            }
        }
        Ok(())
    }
}

/// A mask of 0 to `widest` places among `length`, anywhere.
fn draw(widest: usize, length: usize, rng: &mut ChaCha8Rng) -> [usize; 2] {
    let width = rng.random_range(0..=widest.min(length));
    let first = rng.random_range(0..=length - width);
    [first, first + width]
}

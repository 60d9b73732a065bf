//! Variations of a clip whose label is not about time or pitch: its genre, its instruments, its tags.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::mask::SpectrogramMask;
use super::mix::mix;
use super::stretch::{Stretch, stretch};
use super::waveform::WaveformAugment;
use crate::error::{Error, Result};

/// Which variations, how often and how strong; every value is drawn evenly from its range. Unlike [`WaveformAugment`],
/// which is a part of it, it moves what sounds in time and pitch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClipAugment {
    /// Of a shift of pitch, and its range in semitones.
    pub pitch_probability: f64,
    pub pitch_semitones: [f64; 2],
    /// Of a time stretch, and the range of the new length over the old one.
    pub stretch_probability: f64,
    pub stretch_factor: [f64; 2],
    /// Of another clip underneath, and how much softer it is, in dB.
    pub mix_probability: f64,
    pub mix_snr_db: [f32; 2],
    /// Of masks on the spectrogram.
    pub mask_probability: f64,
    pub mask: SpectrogramMask,
    pub waveform: WaveformAugment,
}

impl Default for ClipAugment {
    fn default() -> Self {
        Self {
            pitch_probability: 0.25,
            pitch_semitones: [-2.0, 2.0],
            stretch_probability: 0.25,
            stretch_factor: [0.85, 1.15],
            mix_probability: 0.2,
            mix_snr_db: [10.0, 30.0],
            mask_probability: 0.5,
            mask: SpectrogramMask::default(),
            waveform: WaveformAugment::default(),
        }
    }
}

impl ClipAugment {
    /// # Errors
    /// When a probability is not from 0 to 1, a range goes from high to low, or a shift or factor is none that
    /// [`Stretch`] can do; the message names it.
    pub fn check(&self) -> Result<()> {
        let probabilities = [
            ("pitch_probability", self.pitch_probability),
            ("stretch_probability", self.stretch_probability),
            ("mix_probability", self.mix_probability),
            ("mask_probability", self.mask_probability),
        ];
        if let Some((name, value)) = probabilities
            .iter()
            .find(|(_, value)| !(0.0..=1.0).contains(value))
        {
            return Err(Error::config(format!(
                "augmentation: {name} is {value}; expected 0 to 1"
            )));
        }
        let ranges = [
            ("pitch_semitones", self.pitch_semitones),
            ("stretch_factor", self.stretch_factor),
            ("mix_snr_db", self.mix_snr_db.map(f64::from)),
        ];
        if let Some((name, range)) = ranges
            .iter()
            .find(|(_, [low, high])| !low.is_finite() || !high.is_finite() || low > high)
        {
            return Err(Error::config(format!(
                "augmentation: {name} is {range:?}; expected two numbers, the lower first"
            )));
        }
        for (factor, semitones) in self.stretch_factor.into_iter().zip(self.pitch_semitones) {
            Stretch { factor, semitones }.check()?;
        }
        self.mask.check()?;
        self.waveform.check()
    }

    /// A variation of a clip, as long as the clip: what is stretched is cut at a random place, what is shortened goes
    /// round from its start. `other` is what may be mixed under it.
    ///
    /// The description must have passed [`ClipAugment::check`].
    ///
    /// # Errors
    /// When a sample is not a finite number.
    pub fn apply(
        &self,
        samples: &[f32],
        other: Option<&[f32]>,
        sample_rate: u32,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f32>> {
        let changed = stretch(samples, sample_rate, self.draw_stretch(rng))?;
        let first = rng.random_range(0..=changed.len().saturating_sub(samples.len()));
        let around = changed[first..].iter().chain(changed.iter().cycle());
        let mut varied: Vec<f32> = around.take(samples.len()).copied().collect();
        // A clip of one sample may have been shortened to none.
        varied.resize(samples.len(), 0.0);
        let draw_other = |_: &mut ChaCha8Rng| Ok(other.unwrap_or_default().to_vec());
        self.colour(&mut varied, draw_other, sample_rate, rng)?;
        Ok(varied)
    }

    /// A change of pitch and length.
    pub fn draw_stretch(&self, rng: &mut ChaCha8Rng) -> Stretch {
        let mut change = Stretch::NONE;
        if rng.random_bool(self.pitch_probability) {
            let [low, high] = self.pitch_semitones;
            change.semitones = rng.random_range(low..=high);
        }
        if rng.random_bool(self.stretch_probability) {
            let [low, high] = self.stretch_factor;
            change.factor = rng.random_range(low..=high);
        }
        change
    }

    /// The part of [`ClipAugment::apply`] that moves nothing in time and pitch, in place; `other` is asked for the clip to
    /// be mixed under where one is.
    ///
    /// # Errors
    /// Those of `other`.
    pub fn colour(
        &self,
        samples: &mut [f32],
        other: impl FnOnce(&mut ChaCha8Rng) -> Result<Vec<f32>>,
        sample_rate: u32,
        rng: &mut ChaCha8Rng,
    ) -> Result<()> {
        if rng.random_bool(self.mix_probability) {
            let other = other(rng)?;
            let [low, high] = self.mix_snr_db;
            mix(samples, &other, rng.random_range(low..=high));
        }
        self.waveform.apply(samples, sample_rate, rng);
        Ok(())
    }

    /// Masks the spectrogram of a clip, [bins, time].
    ///
    /// # Errors
    /// As [`SpectrogramMask::apply`].
    pub fn mask(&self, spectrogram: &mut [f32], bins: usize, rng: &mut ChaCha8Rng) -> Result<()> {
        match rng.random_bool(self.mask_probability) {
            true => self.mask.apply(spectrogram, bins, rng),
            false => Ok(()),
        }
    }
}

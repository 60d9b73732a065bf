//! Mel spectrograms, equal to torchaudio's and librosa's.

use realfft::num_complex::Complex;
use serde::{Deserialize, Serialize};

use super::filterbank::Filterbank;
use super::frames::{FrameExtractor, Frames};
use super::framing::{FramingState, PadMode};
use super::scale::Compression;
use super::stft::{Stft, StftConfig};
use crate::{Error, Result};

/// How pitch in mel follows from frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelScale {
    /// 2595 log10(1 + f / 700) (O'Shaughnessy; HTK; torchaudio's default).
    #[default]
    Htk,
    /// Linear below 1 kHz, logarithmic above (Slaney's Auditory Toolbox; librosa's default).
    Slaney,
}

/// Slaney's scale: 200/3 Hz a mel up to 1 kHz, then 27 mel for a factor of 6.4.
const SLANEY_HZ_PER_MEL: f64 = 200.0 / 3.0;
const SLANEY_BREAK_HZ: f64 = 1000.0;
const SLANEY_BREAK_MEL: f64 = SLANEY_BREAK_HZ / SLANEY_HZ_PER_MEL;
const SLANEY_LOG_RATIO: f64 = 6.4;
const SLANEY_LOG_MELS: f64 = 27.0;

impl MelScale {
    pub fn hz_to_mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
            Self::Slaney if hz < SLANEY_BREAK_HZ => hz / SLANEY_HZ_PER_MEL,
            Self::Slaney => {
                let log_step = SLANEY_LOG_RATIO.ln() / SLANEY_LOG_MELS;
                SLANEY_BREAK_MEL + (hz / SLANEY_BREAK_HZ).ln() / log_step
            }
        }
    }

    pub fn mel_to_hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < SLANEY_BREAK_MEL => mel * SLANEY_HZ_PER_MEL,
            Self::Slaney => {
                let log_step = SLANEY_LOG_RATIO.ln() / SLANEY_LOG_MELS;
                SLANEY_BREAK_HZ * (log_step * (mel - SLANEY_BREAK_MEL)).exp()
            }
        }
    }
}

/// How the triangular filters are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MelNorm {
    /// Their peak is 1 (torchaudio's default).
    #[default]
    None,
    /// Their area over Hz is 1 (librosa's default).
    Slaney,
}

/// A mel spectrogram. The defaults are the front end of MusicCNN: torchaudio's `MelSpectrogram`, then ln(x + 1e-9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MelConfig {
    /// Hz.
    pub sample_rate: u32,
    /// Points of the transform and samples under its Hann window; even.
    pub n_fft: usize,
    /// Samples between frames.
    pub hop_length: usize,
    pub pad_mode: PadMode,
    /// Exponent of the magnitude: 2 for power.
    pub power: f32,
    pub n_mels: usize,
    /// Lower edge of the lowest filter, Hz.
    pub fmin: f64,
    /// Upper edge of the highest filter, Hz.
    pub fmax: f64,
    pub scale: MelScale,
    pub norm: MelNorm,
    pub log: Compression,
}

impl Default for MelConfig {
    fn default() -> Self {
        Self {
            sample_rate: 22_050,
            n_fft: 2048,
            hop_length: 512,
            pad_mode: PadMode::Reflect,
            power: 2.0,
            n_mels: 128,
            fmin: 0.0,
            fmax: 11_025.0,
            scale: MelScale::Htk,
            norm: MelNorm::None,
            log: Compression::Ln { offset: 1e-9 },
        }
    }
}

impl MelConfig {
    /// The defaults of librosa's `feature.melspectrogram`: powers, not decibels.
    pub fn librosa() -> Self {
        Self {
            pad_mode: PadMode::Constant,
            scale: MelScale::Slaney,
            norm: MelNorm::Slaney,
            log: Compression::None,
            ..Self::default()
        }
    }

    /// Where a band's triangle peaks, Hz.
    pub fn center_hz(&self, band: usize) -> f64 {
        let lowest = self.scale.hz_to_mel(self.fmin);
        let highest = self.scale.hz_to_mel(self.fmax);
        let step = (highest - lowest) / (self.n_mels + 1) as f64;
        self.scale.mel_to_hz(lowest + step * (band + 1) as f64)
    }

    /// Where the triangles begin, peak and end, Hz: n_mels + 2 points at equal distances in mel.
    ///
    /// librosa spaces them in double precision. torchaudio does so in single precision, from either end to the middle
    /// (`torch.linspace`), which moves the highest edges by a few mHz and the small values that a filter's foot gives a
    /// pure tone by more than 1e-4: unnormalised filters, its default, follow it.
    fn edges_hz(&self) -> Vec<f64> {
        let lowest = self.scale.hz_to_mel(self.fmin);
        let highest = self.scale.hz_to_mel(self.fmax);
        let last = self.n_mels + 1;
        let step = (highest - lowest) / last as f64;
        let double = |i: usize| self.scale.mel_to_hz(lowest + step * i as f64);
        let single = |i: usize| {
            let (lowest, highest) = (lowest as f32, highest as f32);
            let step = (highest - lowest) / last as f32;
            let mel = if i < last.div_ceil(2) {
                step.mul_add(i as f32, lowest)
            } else {
                (-step).mul_add((last - i) as f32, highest)
            };
            match self.scale {
                MelScale::Htk => f64::from(700.0 * (10f32.powf(mel / 2595.0) - 1.0)),
                MelScale::Slaney => self.scale.mel_to_hz(f64::from(mel)),
            }
        };
        match self.norm {
            MelNorm::None => (0..=last).map(single).collect(),
            MelNorm::Slaney => (0..=last).map(double).collect(),
        }
    }

    /// The triangular filters: [n_mels, n_fft / 2 + 1].
    ///
    /// A filter narrower than the spacing of the transform may read nothing, as in torchaudio and librosa.
    ///
    /// # Errors
    /// No bands, frequencies that do not rise from `fmin` to `fmax`, or that lie beyond half the sample rate.
    pub fn filterbank(&self) -> Result<Filterbank> {
        let nyquist = f64::from(self.sample_rate) / 2.0;
        if self.n_mels == 0 {
            return Err(Error::config("n_mels is 0; it must be at least 1"));
        }
        if !(0.0 <= self.fmin && self.fmin < self.fmax && self.fmax <= nyquist) {
            return Err(Error::config(format!(
                "fmin is {} Hz and fmax {} Hz; expected 0 ≤ fmin < fmax ≤ {nyquist} Hz, half the sample rate",
                self.fmin, self.fmax
            )));
        }
        Ok(self.filters(1.0))
    }

    /// The filters where every frequency counts as `pitch` times as high.
    fn filters(&self, pitch: f64) -> Filterbank {
        let edges = self.edges_hz();
        let hz_per_bin = pitch * f64::from(self.sample_rate) / self.n_fft as f64;
        Filterbank::new(self.n_mels, self.n_fft / 2 + 1, |mel, bin| {
            let hz = bin as f64 * hz_per_bin;
            let (lower, center, upper) = (edges[mel], edges[mel + 1], edges[mel + 2]);
            let rising = (hz - lower) / (center - lower);
            let falling = (upper - hz) / (upper - center);
            let height = match self.norm {
                MelNorm::None => 1.0,
                MelNorm::Slaney => 2.0 / (upper - lower),
            };
            (rising.min(falling).max(0.0) * height) as f32
        })
    }
}

/// Streaming mel spectrogram of a [`MelConfig`].
#[derive(Debug, Clone)]
pub struct Mel {
    config: MelConfig,
    stft: Stft,
    bands: Bands,
}

#[derive(Debug, Clone)]
struct Bands {
    filterbank: Filterbank,
    magnitudes: Vec<f32>,
    power: f32,
    log: Compression,
}

impl Mel {
    /// # Errors
    /// As [`Stft::new`] and [`MelConfig::filterbank`]; a power or logarithm without meaning.
    pub fn new(config: &MelConfig) -> Result<Self> {
        let stft = Stft::new(&StftConfig {
            n_fft: config.n_fft,
            win_length: None,
            hop_length: config.hop_length,
            pad_mode: config.pad_mode,
        })?;
        if !(config.power > 0.0 && config.power.is_finite()) {
            return Err(Error::config(format!(
                "power is {}; it must be positive: 1 for magnitudes, 2 for powers",
                config.power
            )));
        }
        config.log.check()?;
        let bands = Bands {
            filterbank: config.filterbank()?,
            magnitudes: vec![0.0; stft.n_bins()],
            power: config.power,
            log: config.log,
        };
        Ok(Self {
            config: config.clone(),
            stft,
            bands,
        })
    }

    pub fn config(&self) -> &MelConfig {
        &self.config
    }

    /// The extractor to which another recording sounds `pitch` times as high and `length` times as long: its filters lie
    /// lower and its frames closer together, by a whole number of samples. A pitch shift and a time stretch at the cost
    /// of neither; only the frequencies between half the sample rate and `pitch` times it are missing.
    ///
    /// # Panics
    /// If a factor is not a finite number above 0.
    pub fn varied(&self, pitch: f64, length: f64) -> Self {
        let possible = |factor: f64| factor > 0.0 && factor.is_finite();
        assert!(possible(pitch) && possible(length), "{pitch}, {length}");
        let hop = (self.config.hop_length as f64 / length).round();
        let config = MelConfig {
            hop_length: (hop as usize).max(1),
            ..self.config.clone()
        };
        Self {
            stft: self.stft.with_hop(config.hop_length, config.pad_mode),
            bands: Bands {
                filterbank: config.filters(pitch),
                ..self.bands.clone()
            },
            config,
        }
    }

    /// Where the stream is.
    pub fn state(&self) -> FramingState {
        self.stft.state()
    }

    /// Goes on from where a stream of the same configuration is.
    ///
    /// # Errors
    /// When no stream of this configuration can be there.
    pub fn resume(&mut self, state: &FramingState) -> Result<()> {
        self.stft.resume(state)
    }
}

impl Bands {
    fn write(&mut self, spectrum: &[Complex<f32>], frame: &mut [f32]) {
        for (magnitude, value) in self.magnitudes.iter_mut().zip(spectrum) {
            *magnitude = value.norm_sqr();
        }
        if self.power != 2.0 {
            for magnitude in &mut self.magnitudes {
                *magnitude = magnitude.powf(self.power / 2.0);
            }
        }
        self.filterbank.apply(&self.magnitudes, frame);
        self.log.apply(frame);
    }
}

impl FrameExtractor for Mel {
    fn n_bins(&self) -> usize {
        self.config.n_mels
    }

    fn hop_length(&self) -> usize {
        self.config.hop_length
    }

    fn sample_rate(&self) -> u32 {
        self.config.sample_rate
    }

    fn push(&mut self, samples: &[f32], out: &mut Frames) {
        let Self { stft, bands, .. } = self;
        stft.push(samples, |spectrum| bands.write(spectrum, out.grow()));
    }

    fn finish(&mut self, out: &mut Frames) {
        let Self { stft, bands, .. } = self;
        stft.finish(|spectrum| bands.write(spectrum, out.grow()));
    }

    /// Half the transform; one more for the mirror before the first frame.
    fn latency_samples(&self) -> usize {
        self.config.n_fft / 2 + usize::from(self.config.pad_mode == PadMode::Reflect)
    }
}

/// Mel-frequency cepstral coefficients: the first `n_mfcc` of the orthonormal DCT-II of every frame of
/// mel bands in decibels, as librosa's `feature.mfcc`. [frames, n_mfcc].
///
/// # Errors
/// `n_mfcc` of zero, or of more than there are bands.
pub fn mfcc(mel_db: &Frames, n_mfcc: usize) -> Result<Frames> {
    let n_mels = mel_db.n_bins();
    if n_mfcc == 0 || n_mfcc > n_mels {
        return Err(Error::config(format!(
            "n_mfcc is {n_mfcc}; it must lie between 1 and the number of mel bands, {n_mels}"
        )));
    }
    let basis = Filterbank::new(n_mfcc, n_mels, |k, i| {
        let phase = std::f64::consts::PI * k as f64 * (i as f64 + 0.5) / n_mels as f64;
        let unit = if k == 0 { 1.0 } else { 2.0 } / n_mels as f64;
        (unit.sqrt() * phase.cos()) as f32
    });
    let mut coefficients = Frames::new(n_mfcc);
    for frame in mel_db.iter() {
        basis.apply(frame, coefficients.grow());
    }
    Ok(coefficients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::extract;

    fn loudest(frames: &Frames) -> Vec<usize> {
        let peak = |frame: &[f32]| {
            let bands = 0..frame.len();
            bands
                .max_by(|a, b| frame[*a].total_cmp(&frame[*b]))
                .unwrap_or(0)
        };
        frames.iter().map(peak).collect()
    }

    #[test]
    fn a_varied_extractor_hears_another_pitch_and_another_length() {
        let mel = Mel::new(&MelConfig::default()).unwrap();
        let rate = f64::from(mel.config.sample_rate);
        let sine = |hz: f64, length: f64| -> Vec<f32> {
            let n = (length * rate) as usize;
            let sample = |i: usize| (std::f64::consts::TAU * hz * i as f64 / rate).sin();
            (0..n).map(|i| sample(i) as f32).collect()
        };
        // What is heard of 440 Hz, 1.5 times as high and 1.25 times as long, is what there is of 660 Hz.
        let heard = extract(&mut mel.varied(1.5, 1.25), &sine(440.0, 0.8));
        let there = extract(&mut mel.clone(), &sine(660.0, 1.0));
        assert_eq!(heard.n_frames(), 1 + (0.8 * rate) as usize / 410);
        assert!(heard.n_frames().abs_diff(there.n_frames()) <= 1);
        assert_eq!(loudest(&heard)[10], loudest(&there)[10]);
        let level = |frames: &Frames| frames.frame(20).iter().copied().fold(f32::MIN, f32::max);
        assert!((level(&heard) - level(&there)).abs() < 0.5);
        // A click after 0.4 s comes after 0.5 s.
        let mut click = vec![0.0; (0.8 * rate) as usize];
        click[(0.4 * rate) as usize] = 1.0;
        let heard = extract(&mut mel.varied(1.0, 1.25), &click);
        let energy = |i: &usize| heard.frame(*i)[64];
        let at = (0..heard.n_frames()).max_by(|a, b| energy(a).total_cmp(&energy(b)));
        let at_s = at.unwrap() as f64 * 512.0 / rate;
        assert!((at_s - 0.5).abs() < 0.03, "{at_s}");
        // Without a change nothing changes.
        let same = extract(&mut mel.varied(1.0, 1.0), &click);
        assert_eq!(same, extract(&mut mel.clone(), &click));
    }
}

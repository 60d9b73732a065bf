//! What a picture shows of the sound itself, gathered while a recording streams by.

use std::mem;

use super::Overview;
use crate::features::{AnalysisWindow, FrameExtractor, Frames, LogFrequency, LogFrequencyConfig};
use crate::{Error, Result};

/// How fine an [`Overview`] is.
#[derive(Debug, Clone, PartialEq)]
pub struct OverviewConfig {
    /// Peaks of the waveform a second.
    pub peaks_per_second: u32,
    /// Frames of the spectrogram a second, to the nearest whole hop.
    pub spectrogram_fps: f64,
    /// Centre of the lowest band, Hz.
    pub fmin_hz: f64,
    /// A band to the semitone with 12.
    pub bands_per_octave: usize,
    /// Centre of the highest band at most, Hz; less where the sample rate does not reach so far.
    pub fmax_hz: f64,
    /// How far below the loudest cell the level 0 lies, decibels.
    pub range_db: f64,
    /// A recording that stays below this is shown as soft as it is, decibels of a full-scale sinusoid.
    pub soft_db: f64,
}

impl Default for OverviewConfig {
    fn default() -> Self {
        Self {
            peaks_per_second: 100,
            spectrogram_fps: 20.0,
            fmin_hz: 27.5,
            bands_per_octave: 12,
            fmax_hz: 11_000.0,
            range_db: 80.0,
            soft_db: -50.0,
        }
    }
}

/// Long windows for the low bands, short ones for the high, in seconds, and up to which frequency in Hz each serves.
const WINDOWS: [(f64, f64); 3] = [(0.37, 160.0), (0.18, 640.0), (0.09, f64::INFINITY)];
/// Far below anything that is shown, decibels.
const FLOOR_DB: f32 = 200.0;

/// Makes an [`Overview`] of samples as they come, in memory that grows with its result alone.
///
/// ```
/// use hemiola::analysis::OverviewBuilder;
///
/// let mut builder = OverviewBuilder::new(22_050)?;
/// builder.push(&[0.5; 22_050]);
/// let overview = builder.finish();
/// assert_eq!(overview.peaks, [[0.5, 0.5]; 100]);
/// assert_eq!(overview.levels.len() % overview.bands_hz.len(), 0);
/// # Ok::<(), hemiola::Error>(())
/// ```
pub struct OverviewBuilder {
    config: OverviewConfig,
    extractor: LogFrequency,
    frames: Frames,
    /// Without what is not finite.
    clean: Vec<f32>,
    samples: u64,
    peak: Option<[f32; 2]>,
    /// The sample before which the peak ends.
    peak_end: u64,
    /// The level 255, in steps of a 255th of the range, from full scale.
    loudest: i32,
    overview: Overview,
}

impl OverviewBuilder {
    /// Of mono samples at `sample_rate` Hz.
    ///
    /// # Errors
    /// The rate is too low for the lowest band or for the peaks.
    pub fn new(sample_rate: u32) -> Result<Self> {
        Self::with_config(sample_rate, OverviewConfig::default())
    }

    /// # Errors
    /// As [`OverviewBuilder::new`]; a number of the configuration is impossible.
    pub fn with_config(sample_rate: u32, config: OverviewConfig) -> Result<Self> {
        let rate = f64::from(sample_rate);
        if config.peaks_per_second == 0 || sample_rate < config.peaks_per_second {
            return Err(Error::config(format!(
                "{} peaks a second of a sample rate of {sample_rate} Hz; expected 1 and more, and no more than samples",
                config.peaks_per_second
            )));
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !(positive(config.spectrogram_fps) && positive(config.range_db)) {
            return Err(Error::config(format!(
                "an overview of {} frames a second over {} dB; expected positive numbers",
                config.spectrogram_fps, config.range_db
            )));
        }
        // Half a band below half the sample rate.
        let top = config
            .fmax_hz
            .min(rate / 2.0 / (0.5 / config.bands_per_octave as f64).exp2());
        let octaves = (top / config.fmin_hz).log2();
        let n_bins = 1 + (octaves * config.bands_per_octave as f64).max(0.0) as usize;
        let window = |(seconds, up_to_hz): (f64, f64)| AnalysisWindow {
            n_fft: ((rate * seconds) as usize).next_power_of_two().max(2),
            up_to_hz,
        };
        let extractor = LogFrequency::new(&LogFrequencyConfig {
            sample_rate,
            hop_length: (rate / config.spectrogram_fps).round().max(1.0) as usize,
            fmin_hz: config.fmin_hz,
            bins_per_octave: config.bands_per_octave,
            n_bins,
            windows: WINDOWS.map(window).to_vec(),
            range_db: FLOOR_DB,
        })?;
        let bands = (0..n_bins).map(|bin| extractor.config().center_hz(bin) as f32);
        let overview = Overview {
            peaks_per_second: config.peaks_per_second.into(),
            peaks: Vec::new(),
            spectrogram_fps: extractor.config().frames_per_second(),
            bands_hz: bands.collect(),
            levels: Vec::new(),
        };
        let mut builder = Self {
            loudest: (config.soft_db * 255.0 / config.range_db).round() as i32,
            config,
            frames: Frames::new(n_bins),
            extractor,
            clean: Vec::new(),
            samples: 0,
            peak: None,
            peak_end: 0,
            overview,
        };
        builder.peak_end = builder.end_of_peak(0);
        Ok(builder)
    }

    /// Takes the samples that follow; what is not finite counts as 0.
    pub fn push(&mut self, samples: &[f32]) {
        // So that frames wait for a moment only, however much is pushed.
        const BLOCK: usize = 1 << 15;
        for block in samples.chunks(BLOCK) {
            let mut clean = mem::take(&mut self.clean);
            clean.clear();
            clean.extend(block.iter().map(|x| if x.is_finite() { *x } else { 0.0 }));
            clean.iter().for_each(|sample| self.add_to_peak(*sample));
            self.extractor.push(&clean, &mut self.frames);
            self.clean = clean;
            self.take_frames();
        }
    }

    /// Ends the recording.
    pub fn finish(mut self) -> Overview {
        self.overview.peaks.extend(self.peak.take());
        self.extractor.finish(&mut self.frames);
        self.take_frames();
        self.overview
    }

    fn add_to_peak(&mut self, sample: f32) {
        let [low, high] = self.peak.unwrap_or([sample; 2]);
        self.peak = Some([low.min(sample), high.max(sample)]);
        self.samples += 1;
        if self.samples == self.peak_end {
            self.overview.peaks.extend(self.peak.take());
            self.peak_end = self.end_of_peak(self.overview.peaks.len() as u64);
        }
    }

    /// Whole samples that share out every second exactly.
    fn end_of_peak(&self, index: u64) -> u64 {
        let rate = u64::from(self.extractor.config().sample_rate);
        (index + 1) * rate / u64::from(self.config.peaks_per_second)
    }

    fn take_frames(&mut self) {
        let steps_per_db = 255.0 / self.config.range_db as f32;
        let steps = |level: f32| ((level - 1.0) * FLOOR_DB * steps_per_db).round() as i32;
        for frame in self.frames.iter() {
            let most = steps(frame.iter().copied().fold(0.0, f32::max));
            if most > self.loudest {
                // Whole steps: what is there already loses nothing but what falls out of the range.
                let fall = u8::try_from(most - self.loudest).unwrap_or(u8::MAX);
                for level in &mut self.overview.levels {
                    *level = level.saturating_sub(fall);
                }
                self.loudest = most;
            }
            let level = |value: &f32| (255 + steps(*value) - self.loudest).clamp(0, 255) as u8;
            self.overview.levels.extend(frame.iter().map(level));
        }
        self.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 22_050;

    fn sinusoid(hz: f64, amplitude: f64, seconds: f64) -> Vec<f32> {
        let n = (seconds * f64::from(RATE)) as usize;
        let phase = |i: usize| std::f64::consts::TAU * hz * i as f64 / f64::from(RATE);
        (0..n)
            .map(|i| (amplitude * phase(i).sin()) as f32)
            .collect()
    }

    fn overview(samples: &[f32]) -> Overview {
        let mut builder = OverviewBuilder::new(RATE).unwrap();
        builder.push(samples);
        builder.finish()
    }

    #[test]
    fn a_tone_is_loudest_in_its_band_and_levels_are_decibels() {
        let mut samples = sinusoid(440.0, 0.05, 2.0);
        samples.extend(sinusoid(1760.0, 0.5, 2.0));
        let overview = overview(&samples);
        let bands = overview.bands_hz.len();
        assert_eq!(bands, 104);
        let loudest_at = |time_s: f64| {
            let frame = (time_s * overview.spectrogram_fps) as usize;
            let frame = &overview.levels[frame * bands..(frame + 1) * bands];
            let (band, level) = frame.iter().enumerate().max_by_key(|cell| cell.1).unwrap();
            (overview.bands_hz[band], *level)
        };
        let (hz, soft) = loudest_at(1.0);
        assert!((hz - 440.0).abs() < 0.1, "{hz}");
        // 20 of 80 dB below the loudest.
        assert!(soft.abs_diff(255 - 64) <= 2, "{soft}");
        let (hz, loud) = loudest_at(3.0);
        assert!((hz - 1760.0).abs() < 0.1 && loud >= 253, "{hz} {loud}");
        let end_s = overview.levels.len() as f64 / bands as f64 / overview.spectrogram_fps;
        assert!((end_s - 4.0).abs() < 0.1, "{end_s}");
    }

    #[test]
    fn it_does_not_matter_how_the_samples_come() {
        let mut samples = sinusoid(220.0, 0.01, 0.7);
        samples.extend(sinusoid(330.0, 0.9, 0.71));
        let mut builder = OverviewBuilder::new(RATE).unwrap();
        for block in samples.chunks(777) {
            builder.push(block);
        }
        assert_eq!(builder.finish(), overview(&samples));
    }

    #[test]
    fn peaks_are_the_extremes_of_their_hundredths() {
        let mut samples = vec![0.0; RATE as usize];
        samples[11_025] = 0.75;
        samples[11_026] = -0.5;
        samples[100] = f32::NAN;
        let overview = overview(&samples);
        assert_eq!(overview.peaks.len(), 100);
        assert_eq!(overview.peaks[50], [-0.5, 0.75]);
        assert_eq!(overview.peaks[49], [0.0, 0.0]);
    }

    #[test]
    fn silence_and_nothing_have_no_level() {
        let silent = overview(&[1e-6; 5000]);
        assert!(silent.levels.iter().all(|level| *level == 0));
        let nothing = overview(&[]);
        assert!(nothing.peaks.is_empty() && nothing.levels.is_empty());
        for rate in [0, 50, 8000, 48_000] {
            assert_eq!(OverviewBuilder::new(rate).is_ok(), rate >= 8000, "{rate}");
        }
    }
}

//! A spectrum on a logarithmic frequency axis that reads long windows for low notes and short ones for high notes.

use serde::{Deserialize, Serialize};

use super::filterbank::Filterbank;
use super::frames::{FrameExtractor, Frames};
use super::framing::{Framing, PadMode};
use super::stft::{WindowedTransform, check_transform, hann};
use crate::{Error, Result};

/// The spectrum that the piano transcription model reads.
///
/// Every frame is analysed with several Hann windows around the same centre. Each log-frequency bin is a triangle-weighted
/// sum of the power spectrum of the window that serves its range; the triangle reaches at least one log-frequency bin and
/// one FFT bin to either side, so that none is empty, and is scaled so that a sinusoid at the bin's centre
/// reads as its own power whichever window serves it.
///
/// Values are levels: 1 for a full-scale sinusoid (0 dB), 0 for `range_db` below that and for anything softer, linear in
/// decibels between. The recording is taken to begin and end in silence (zeros).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogFrequencyConfig {
    /// Hz.
    pub sample_rate: u32,
    /// Samples between frames.
    pub hop_length: usize,
    /// Centre of the lowest bin, Hz.
    pub fmin_hz: f64,
    pub bins_per_octave: usize,
    pub n_bins: usize,
    /// By rising `up_to_hz`; the last reaches at least to the highest bin.
    pub windows: Vec<AnalysisWindow>,
    /// How far below full scale the value 0 lies, decibels.
    pub range_db: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalysisWindow {
    /// Samples; even.
    pub n_fft: usize,
    /// Serves the bins whose centres lie below this and above the previous window's, Hz.
    pub up_to_hz: f64,
}

impl Default for LogFrequencyConfig {
    fn default() -> Self {
        let window = |n_fft, up_to_hz| AnalysisWindow { n_fft, up_to_hz };
        Self {
            sample_rate: 16_000,
            hop_length: 512,
            fmin_hz: 27.5,
            bins_per_octave: 36,
            n_bins: 295,
            windows: vec![
                window(8192, 140.0),
                window(4096, 560.0),
                window(2048, 8000.0),
            ],
            range_db: 80.0,
        }
    }
}

impl LogFrequencyConfig {
    /// Centre of a bin, Hz.
    pub fn center_hz(&self, bin: usize) -> f64 {
        self.fmin_hz * (bin as f64 / self.bins_per_octave as f64).exp2()
    }

    /// Frames a second.
    pub fn frames_per_second(&self) -> f64 {
        f64::from(self.sample_rate) / self.hop_length as f64
    }

    /// Samples of the longest window.
    pub fn longest_window(&self) -> usize {
        self.windows.iter().map(|w| w.n_fft).max().unwrap_or(0)
    }

    fn check(&self) -> Result<()> {
        if self.sample_rate == 0 || self.bins_per_octave == 0 || self.n_bins == 0 {
            return Err(Error::config(format!(
                "sample_rate, bins_per_octave and n_bins must be positive; they are {}, {} and {}",
                self.sample_rate, self.bins_per_octave, self.n_bins
            )));
        }
        if !(self.fmin_hz > 0.0 && self.fmin_hz.is_finite() && self.range_db > 0.0) {
            return Err(Error::config(format!(
                "fmin_hz and range_db must be positive; they are {} and {}",
                self.fmin_hz, self.range_db
            )));
        }
        let highest = self.center_hz(self.n_bins - 1);
        let nyquist = f64::from(self.sample_rate) / 2.0;
        if highest >= nyquist {
            return Err(Error::config(format!(
                "the highest of {} bins lies at {highest:.1} Hz, but a sample_rate of {} Hz holds only what is below {nyquist} Hz; use fewer bins",
                self.n_bins, self.sample_rate
            )));
        }
        for window in &self.windows {
            check_transform(window.n_fft, self.hop_length)?;
        }
        if !self.windows.is_sorted_by(|a, b| a.up_to_hz < b.up_to_hz) {
            return Err(Error::config(
                "the analysis windows must be listed by rising up_to_hz",
            ));
        }
        match self.windows.last() {
            Some(last) if last.up_to_hz > highest => Ok(()),
            _ => Err(Error::config(format!(
                "no analysis window serves the highest bin, at {highest:.1} Hz; raise the last up_to_hz"
            ))),
        }
    }
}

/// Streaming extractor of [`LogFrequencyConfig`]'s spectrum.
#[derive(Debug, Clone)]
pub struct LogFrequency {
    config: LogFrequencyConfig,
    framing: Framing,
    ranges: Vec<Range>,
}

/// The bins that one window serves.
#[derive(Debug, Clone)]
struct Range {
    /// Where the window begins within the longest one.
    offset: usize,
    transform: WindowedTransform,
    first_bin: usize,
    /// The FFT bins that any filter reads.
    fft_bins: std::ops::Range<usize>,
    power: Vec<f32>,
    filterbank: Filterbank,
}

impl LogFrequency {
    /// # Errors
    /// Sizes that are zero or odd, bins at or above half the sample rate, bins that no window serves.
    pub fn new(config: &LogFrequencyConfig) -> Result<Self> {
        config.check()?;
        let longest = config.windows.iter().map(|w| w.n_fft).max().unwrap_or(0);
        let mut ranges: Vec<Range> = Vec::new();
        let mut first_bin = 0;
        for window in &config.windows {
            let end_bin = (first_bin..config.n_bins)
                .find(|&bin| config.center_hz(bin) >= window.up_to_hz)
                .unwrap_or(config.n_bins);
            if end_bin > first_bin {
                ranges.push(Range::new(
                    config,
                    window.n_fft,
                    longest,
                    first_bin..end_bin,
                ));
            }
            first_bin = end_bin;
        }
        Ok(Self {
            framing: Framing::new(longest, config.hop_length, PadMode::Constant),
            ranges,
            config: config.clone(),
        })
    }

    pub fn config(&self) -> &LogFrequencyConfig {
        &self.config
    }
}

impl Range {
    fn new(
        config: &LogFrequencyConfig,
        n_fft: usize,
        longest: usize,
        bins: std::ops::Range<usize>,
    ) -> Self {
        let window = hann(n_fft);
        // A sinusoid of amplitude a peaks at a · sum / 2.
        let sum: f64 = window.iter().copied().map(f64::from).sum();
        let full_scale = (sum / 2.0).powi(2);
        let fft_bins_per_hz = n_fft as f64 / f64::from(config.sample_rate);
        let n_fft_bins = n_fft / 2 + 1;

        // All in units of FFT bins.
        let center = |bin: usize| config.center_hz(bin) * fft_bins_per_hz;
        let step = (1.0 / config.bins_per_octave as f64).exp2();
        let triangle = |center: f64, fft_bin: usize| {
            let distance = fft_bin as f64 - center;
            let reach = if distance < 0.0 {
                center - center / step
            } else {
                center * step - center
            };
            (1.0 - distance.abs() / reach.max(1.0)).max(0.0)
        };
        let sinusoid_response: Vec<f64> = bins
            .clone()
            .map(|bin| {
                (0..n_fft_bins)
                    .map(|k| {
                        triangle(center(bin), k) * hann_response(k as f64 - center(bin)).powi(2)
                    })
                    .sum()
            })
            .collect();
        let dense = |bin: usize, k: usize| {
            let scale = full_scale * sinusoid_response[bin - bins.start];
            (triangle(center(bin), k) / scale) as f32
        };

        let reach = |bin: usize| (0..n_fft_bins).filter(move |&k| dense(bin, k) > 0.0);
        let first = reach(bins.start).next().unwrap_or(0);
        let last = bins.clone().filter_map(|bin| reach(bin).next_back()).max();
        let fft_bins = first..last.unwrap_or(first) + 1;
        Self {
            offset: (longest - n_fft) / 2,
            transform: WindowedTransform::new(window),
            first_bin: bins.start,
            power: vec![0.0; fft_bins.len()],
            filterbank: Filterbank::new(bins.len(), fft_bins.len(), |filter, k| {
                dense(bins.start + filter, fft_bins.start + k)
            }),
            fft_bins,
        }
    }

    /// Writes the powers of this window's bins into their part of a frame.
    fn analyse(&mut self, samples: &[f32], frame: &mut [f32]) {
        let end = self.offset + self.transform.n_fft();
        let spectrum = self.transform.apply(&samples[self.offset..end]);
        for (power, value) in self.power.iter_mut().zip(&spectrum[self.fft_bins.clone()]) {
            *power = value.norm_sqr();
        }
        let bins = self.first_bin..self.first_bin + self.filterbank.n_filters();
        self.filterbank.apply(&self.power, &mut frame[bins]);
    }
}

/// The magnitude that a Hann window gives a sinusoid `offset` FFT bins away, where 1 is the peak.
fn hann_response(offset: f64) -> f64 {
    if offset.abs() < 1e-9 {
        return 1.0;
    }
    if (offset.abs() - 1.0).abs() < 1e-9 {
        return 0.5;
    }
    let x = std::f64::consts::PI * offset;
    (x.sin() / (x * (1.0 - offset * offset))).abs()
}

fn write_frame(ranges: &mut [Range], range_db: f32, samples: &[f32], frame: &mut [f32]) {
    for range in ranges {
        range.analyse(samples, frame);
    }
    let softest = 10f32.powf(-range_db / 10.0);
    for value in frame {
        *value = 1.0 + 10.0 * value.max(softest).log10() / range_db;
        *value = value.max(0.0);
    }
}

impl FrameExtractor for LogFrequency {
    fn n_bins(&self) -> usize {
        self.config.n_bins
    }

    fn hop_length(&self) -> usize {
        self.config.hop_length
    }

    fn sample_rate(&self) -> u32 {
        self.config.sample_rate
    }

    fn push(&mut self, samples: &[f32], out: &mut Frames) {
        let Self {
            config,
            framing,
            ranges,
        } = self;
        framing.push(samples, |window| {
            write_frame(ranges, config.range_db, window, out.grow())
        });
    }

    fn finish(&mut self, out: &mut Frames) {
        let Self {
            config,
            framing,
            ranges,
        } = self;
        framing.finish(|window| write_frame(ranges, config.range_db, window, out.grow()));
    }

    /// Half the longest window.
    fn latency_samples(&self) -> usize {
        self.framing.padding()
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract;
    use super::*;

    fn sinusoid(hz: f64, amplitude: f64, seconds: f64) -> Vec<f32> {
        (0..(16_000.0 * seconds) as usize)
            .map(|i| {
                (amplitude * (std::f64::consts::TAU * hz * i as f64 / 16_000.0 + 0.3).sin()) as f32
            })
            .collect()
    }

    #[test]
    fn a_sinusoid_reads_as_its_level_in_every_bin() {
        let config = LogFrequencyConfig::default();
        let mut extractor = LogFrequency::new(&config).unwrap();
        for bin in 0..config.n_bins {
            let frames = extract(&mut extractor, &sinusoid(config.center_hz(bin), 0.1, 0.6));
            let value = frames.frame(9)[bin];
            // −20 dB of 80.
            assert!((value - 0.75).abs() < 0.004, "bin {bin}: {value}");
        }
    }

    #[test]
    fn the_level_keeps_between_bins() {
        let config = LogFrequencyConfig::default();
        let mut extractor = LogFrequency::new(&config).unwrap();
        for bin in 0..config.n_bins - 1 {
            let between = (config.center_hz(bin) * config.center_hz(bin + 1)).sqrt();
            let frames = extract(&mut extractor, &sinusoid(between, 0.1, 0.6));
            let value = frames.frame(9)[bin].max(frames.frame(9)[bin + 1]);
            // Within 4 dB.
            assert!((value - 0.75).abs() < 0.05, "above bin {bin}: {value}");
        }
    }

    #[test]
    fn silence_is_zero_and_full_scale_is_one() {
        let config = LogFrequencyConfig::default();
        let mut extractor = LogFrequency::new(&config).unwrap();
        let silence = extract(&mut extractor, &[0.0; 5000]);
        assert_eq!(silence.n_frames(), 1 + 5000 / 512);
        assert!(silence.as_slice().iter().all(|&v| v == 0.0));
        let a4 = 4 * 36;
        let frames = extract(&mut extractor, &sinusoid(440.0, 1.0, 0.6));
        assert!((frames.frame(9)[a4] - 1.0).abs() < 0.001);
    }

    #[test]
    fn impossible_configurations_are_explained() {
        let default = LogFrequencyConfig::default;
        let message =
            |config: LogFrequencyConfig| LogFrequency::new(&config).unwrap_err().to_string();
        assert!(
            message(LogFrequencyConfig {
                n_bins: 296,
                ..default()
            })
            .contains("fewer bins")
        );
        assert!(
            message(LogFrequencyConfig {
                windows: vec![],
                ..default()
            })
            .contains("no analysis window")
        );
        assert!(
            message(LogFrequencyConfig {
                hop_length: 0,
                ..default()
            })
            .contains("hop_length")
        );
    }
}

//! Constant-Q transform: every bin's window spans the same number of periods.
//!
//! A block of frames shares one Fourier transform. In it each bin's kernel is a narrow band around the bin's frequency;
//! the band's product with the spectrum, folded to one value per frame of the block, is transformed back
//! (the scheme of Holighaus, Dörfler, Velasco, Grill, "A framework for invertible, real-time constant-Q transforms", 2013).
//! Brown and Puckette's kernels (1992), with the lengths and norms of librosa.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};
use serde::{Deserialize, Serialize};

use super::frames::{FrameExtractor, Frames};
use super::framing::{Framing, PadMode};
use super::scale::Compression;
use crate::{Error, Result};

/// Magnitudes of a constant-Q transform, equal to librosa's `cqt` but for the error of librosa's resampling and sparse kernels.
///
/// Bin k is centred on fmin_hz · 2^(k / bins_per_octave). Its Hann window has Q · sample_rate / f samples, where
/// Q = filter_scale · (r² + 1) / (r² − 1) and r = 2^(1 / bins_per_octave); its sum is 1 and the result is multiplied by the square root of
/// that length. The recording is taken to begin and end in silence (zeros).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConstantQConfig {
    /// Hz.
    pub sample_rate: u32,
    /// Samples between frames.
    pub hop_length: usize,
    /// Centre of the lowest bin, Hz.
    pub fmin_hz: f64,
    pub bins_per_octave: usize,
    pub n_bins: usize,
    /// Below 1: shorter windows, finer in time and coarser in frequency.
    pub filter_scale: f64,
    pub log: Compression,
    /// Frames that are analysed together. More are faster, but come out later.
    pub block_frames: usize,
}

/// C1.
const C1_HZ: f64 = 32.703_195_662_574_83;

impl Default for ConstantQConfig {
    /// librosa's: 7 octaves from C1 in semitones.
    fn default() -> Self {
        Self {
            sample_rate: 22_050,
            hop_length: 512,
            fmin_hz: C1_HZ,
            bins_per_octave: 12,
            n_bins: 84,
            filter_scale: 1.0,
            log: Compression::None,
            block_frames: 32,
        }
    }
}

impl ConstantQConfig {
    /// The input of HarmonicCNN: the logarithm of 8 octaves from C1 in 16 steps each.
    pub fn harmonic_cnn() -> Self {
        Self {
            bins_per_octave: 16,
            n_bins: 128,
            log: Compression::Ln { offset: 1e-5 },
            ..Self::default()
        }
    }

    /// Centre of a bin, Hz.
    pub fn center_hz(&self, bin: usize) -> f64 {
        self.fmin_hz * (bin as f64 / self.bins_per_octave as f64).exp2()
    }

    /// How far behind the frame's time a bin's window is centred, samples.
    ///
    /// librosa analyses every octave below the highest at half the rate of the one above, as long as the hop length
    /// stays whole, with windows that peak half a sample of that rate late. On fast onsets in the bass that is more
    /// than the one per cent by which its resampling and sparse kernels differ, so it is followed here.
    pub fn window_delay(&self, bin: usize) -> f64 {
        let octave = (self.n_bins - 1 - bin) / self.bins_per_octave;
        let halvings = octave.min(self.hop_length.trailing_zeros() as usize);
        0.5 * (halvings as f64).exp2()
    }

    /// Samples under a bin's window; not whole.
    pub fn window_length(&self, bin: usize) -> f64 {
        let square = (2.0 / self.bins_per_octave as f64).exp2();
        let q = self.filter_scale * (square + 1.0) / (square - 1.0);
        q * f64::from(self.sample_rate) / self.center_hz(bin)
    }

    /// Samples that the longest window reads behind a frame's time.
    fn longest_half(&self) -> usize {
        (self.window_length(0) / 2.0 + self.window_delay(0)) as usize
    }

    fn check(&self) -> Result<()> {
        let counts = [
            ("sample_rate", self.sample_rate as usize),
            ("hop_length", self.hop_length),
            ("bins_per_octave", self.bins_per_octave),
            ("n_bins", self.n_bins),
            ("block_frames", self.block_frames),
        ];
        for (name, count) in counts {
            if count == 0 {
                return Err(Error::config(format!("{name} is 0; it must be at least 1")));
            }
        }
        for (name, value) in [
            ("fmin_hz", self.fmin_hz),
            ("filter_scale", self.filter_scale),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "{name} is {value}; it must be positive"
                )));
            }
        }
        let highest = self.center_hz(self.n_bins - 1);
        let nyquist = f64::from(self.sample_rate) / 2.0;
        if highest >= nyquist {
            return Err(Error::config(format!(
                "the highest of {} bins lies at {highest:.1} Hz, but a sample_rate of {} Hz holds only what is below {nyquist} Hz; use fewer bins",
                self.n_bins, self.sample_rate
            )));
        }
        let longest = self.window_length(0);
        if longest > LONGEST_WINDOW {
            return Err(Error::config(format!(
                "the window of the lowest bin, at {} Hz, has {longest:.0} samples, more than {LONGEST_WINDOW}; raise fmin_hz or lower filter_scale",
                self.fmin_hz
            )));
        }
        self.log.check()
    }
}

/// More samples than any musical window has; guards against configurations that would exhaust the memory.
const LONGEST_WINDOW: f64 = (1u32 << 24) as f64;

/// Below this share of its peak a kernel's spectrum is taken as zero: −80 dB.
const KERNEL_FLOOR: f64 = 1e-4;

/// Streaming extractor of a [`ConstantQConfig`]'s magnitudes.
#[derive(Debug, Clone)]
pub struct ConstantQ {
    config: ConstantQConfig,
    framing: Framing,
    block: Block,
    /// Samples of this recording so far.
    received: usize,
    /// Frames of this recording so far.
    emitted: usize,
}

/// The analysis of one block of samples.
#[derive(Clone)]
struct Block {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    kernels: Vec<Kernel>,
    /// Hops between the block's first sample and its first frame.
    first_frame: usize,
    n_frames: usize,
    log: Compression,
    samples: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    folded: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// [block_frames, bins].
    magnitudes: Vec<f32>,
}

#[derive(Debug, Clone)]
struct Kernel {
    /// The first bin of the block's spectrum that counts.
    start: usize,
    weights: Vec<Complex<f32>>,
}

impl ConstantQ {
    /// # Errors
    /// Sizes of zero, bins at or above half the sample rate, windows beyond reason.
    pub fn new(config: &ConstantQConfig) -> Result<Self> {
        config.check()?;
        let block = Block::new(config);
        let half = config.longest_half();
        let length = (block.first_frame + block.n_frames - 1) * config.hop_length + half + 1;
        let framing = Framing::with_padding(
            length,
            config.block_frames * config.hop_length,
            block.first_frame * config.hop_length,
            PadMode::Constant,
        );
        Ok(Self {
            config: config.clone(),
            framing,
            block,
            received: 0,
            emitted: 0,
        })
    }

    pub fn config(&self) -> &ConstantQConfig {
        &self.config
    }
}

impl Block {
    fn new(config: &ConstantQConfig) -> Self {
        let first_frame = (config.longest_half() + 1).div_ceil(config.hop_length);
        // As many hops again behind the last frame, so that no window reaches round the block's end.
        let hops = smooth_at_least(2 * first_frame + config.block_frames);
        let size = hops * config.hop_length;
        let forward = RealFftPlanner::new().plan_fft_forward(size);
        let inverse = FftPlanner::new().plan_fft_inverse(hops);
        let scratch = forward
            .get_scratch_len()
            .max(inverse.get_inplace_scratch_len());
        Self {
            kernels: (0..config.n_bins)
                .map(|bin| Kernel::new(config, bin, size))
                .collect(),
            first_frame,
            n_frames: config.block_frames,
            log: config.log,
            samples: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            folded: vec![Complex::default(); hops],
            scratch: vec![Complex::default(); scratch],
            magnitudes: vec![0.0; config.block_frames * config.n_bins],
            forward,
            inverse,
        }
    }

    /// The block's frames: [block_frames, bins].
    fn analyse(&mut self, samples: &[f32]) -> &[f32] {
        let (used, rest) = self.samples.split_at_mut(samples.len());
        used.copy_from_slice(samples);
        rest.fill(0.0);
        self.forward
            .process_with_scratch(
                &mut self.samples,
                &mut self.spectrum,
                &mut self.scratch[..self.forward.get_scratch_len()],
            )
            .expect("the plan made these buffers");
        let n_bins = self.kernels.len();
        for (bin, kernel) in self.kernels.iter().enumerate() {
            kernel.fold(&self.spectrum, &mut self.folded);
            self.inverse
                .process_with_scratch(&mut self.folded, &mut self.scratch);
            let frames = &self.folded[self.first_frame..self.first_frame + self.n_frames];
            for (i, value) in frames.iter().enumerate() {
                self.magnitudes[i * n_bins + bin] = value.norm_sqr().sqrt();
            }
        }
        self.log.apply(&mut self.magnitudes);
        &self.magnitudes
    }
}

impl Kernel {
    /// The spectrum of a bin's windowed oscillation around time zero on the grid of `size` points: real but for the window's delay.
    fn new(config: &ConstantQConfig, bin: usize, size: usize) -> Self {
        let (length, delay) = (config.window_length(bin), config.window_delay(bin));
        let half = (length / 2.0).floor();
        // Σ cos(θn) for |n| ≤ half
        let dirichlet = |theta: f64| {
            let denominator = (theta / 2.0).sin();
            if denominator.abs() < 1e-12 {
                return 2.0 * half + 1.0;
            }
            ((half + 0.5) * theta).sin() / denominator
        };
        let hann_spectrum = |theta: f64| {
            0.5 * dirichlet(theta)
                + 0.25 * (dirichlet(theta + TAU / length) + dirichlet(theta - TAU / length))
        };
        let center = config.center_hz(bin) * size as f64 / f64::from(config.sample_rate);
        // At a distance of x / length the spectrum of the Hann window lies below 1 / (π x (x² − 1)).
        let reach = (1.0 / (PI * KERNEL_FLOOR)).cbrt() + 1.0;
        let reach = reach * size as f64 / length;
        let start = (center - reach).ceil().max(0.0) as usize;
        let end = ((center + reach) as usize).min(size / 2);
        let scale = length.sqrt() / (hann_spectrum(0.0) * size as f64);
        let weights = (start..=end)
            .map(|k| {
                let value = scale * hann_spectrum(TAU * (k as f64 - center) / size as f64);
                let (sin, cos) = (delay * TAU * k as f64 / size as f64).sin_cos();
                Complex::new((value * cos) as f32, (value * sin) as f32)
            })
            .collect();
        Self { start, weights }
    }

    /// Multiplies the spectrum by the kernel and adds up what falls together when only every hop is kept.
    fn fold(&self, spectrum: &[Complex<f32>], folded: &mut [Complex<f32>]) {
        folded.fill(Complex::default());
        let mut at = self.start % folded.len();
        let (mut spectrum, mut weights) = (&spectrum[self.start..], self.weights.as_slice());
        while !weights.is_empty() {
            let n = weights.len().min(folded.len() - at);
            for ((sum, value), weight) in folded[at..at + n].iter_mut().zip(spectrum).zip(weights) {
                *sum += value * weight;
            }
            (spectrum, weights) = (&spectrum[n..], &weights[n..]);
            at = 0;
        }
    }
}

/// The smallest even number from `n` on that has no prime factor but 2, 3 and 5: quick to transform.
fn smooth_at_least(n: usize) -> usize {
    let is_smooth = |mut n: usize| {
        for prime in [2, 3, 5] {
            while n.is_multiple_of(prime) {
                n /= prime;
            }
        }
        n == 1
    };
    (n.max(2)..)
        .find(|&n| n.is_multiple_of(2) && is_smooth(n))
        .unwrap_or(n)
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block")
            .field("size", &self.samples.len())
            .field("n_frames", &self.n_frames)
            .finish_non_exhaustive()
    }
}

impl FrameExtractor for ConstantQ {
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
        self.received += samples.len();
        let n_bins = self.config.n_bins;
        let Self {
            framing,
            block,
            emitted,
            ..
        } = self;
        framing.push(samples, |samples| {
            for frame in block.analyse(samples).chunks_exact(n_bins) {
                out.push_frame(frame);
                *emitted += 1;
            }
        });
    }

    fn finish(&mut self, out: &mut Frames) {
        let n_bins = self.config.n_bins;
        let n_frames = match self.received {
            0 => 0,
            n => 1 + n / self.config.hop_length,
        };
        let Self {
            framing,
            block,
            emitted,
            ..
        } = self;
        framing.finish(|samples| {
            let missing = n_frames.saturating_sub(*emitted);
            for frame in block.analyse(samples).chunks_exact(n_bins).take(missing) {
                out.push_frame(frame);
                *emitted += 1;
            }
        });
        (self.received, self.emitted) = (0, 0);
    }

    /// Half the longest window, and the other frames of the block.
    fn latency_samples(&self) -> usize {
        (self.config.block_frames - 1) * self.config.hop_length + self.config.longest_half() + 1
    }
}

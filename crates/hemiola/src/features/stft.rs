//! Short-time Fourier transform, equal to librosa's and torchaudio's centred one.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use serde::{Deserialize, Serialize};

use super::framing::{Framing, FramingState, PadMode};
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StftConfig {
    /// Points of the transform; even. Gives n_fft / 2 + 1 bins.
    pub n_fft: usize,
    /// Samples under the Hann window, at most `n_fft`, centred within it; all of `n_fft` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub win_length: Option<usize>,
    /// Samples between frames.
    pub hop_length: usize,
    pub pad_mode: PadMode,
}

impl Default for StftConfig {
    fn default() -> Self {
        Self {
            n_fft: 2048,
            win_length: None,
            hop_length: 512,
            pad_mode: PadMode::Reflect,
        }
    }
}

/// A streaming short-time Fourier transform with a periodic Hann window.
///
/// Frame i is centred on sample i · hop_length, so n > 0 samples give 1 + n / hop_length frames.
#[derive(Debug, Clone)]
pub struct Stft {
    framing: Framing,
    transform: WindowedTransform,
}

impl Stft {
    /// # Errors
    /// An odd or zero `n_fft`, a zero `hop_length`, a window that is empty or longer than `n_fft`.
    pub fn new(config: &StftConfig) -> Result<Self> {
        let n_fft = config.n_fft;
        let win_length = config.win_length.unwrap_or(n_fft);
        check_transform(n_fft, config.hop_length)?;
        if win_length == 0 || win_length > n_fft {
            return Err(Error::config(format!(
                "win_length is {win_length}; it must lie between 1 and n_fft, which is {n_fft}"
            )));
        }
        let mut window = vec![0.0; n_fft];
        let start = (n_fft - win_length) / 2;
        window[start..start + win_length].copy_from_slice(&hann(win_length));
        Ok(Self {
            framing: Framing::new(n_fft, config.hop_length, config.pad_mode),
            transform: WindowedTransform::new(window),
        })
    }

    /// The same transform of another recording, with frames `hop_length` samples apart.
    ///
    /// # Panics
    /// If `hop_length` is 0.
    pub(super) fn with_hop(&self, hop_length: usize, pad_mode: PadMode) -> Self {
        assert!(hop_length > 0, "frames are at least a sample apart");
        Self {
            framing: Framing::new(self.transform.n_fft(), hop_length, pad_mode),
            transform: self.transform.clone(),
        }
    }

    /// n_fft / 2 + 1.
    pub fn n_bins(&self) -> usize {
        self.transform.spectrum.len()
    }

    /// Where the stream is.
    pub fn state(&self) -> FramingState {
        self.framing.state()
    }

    /// Goes on from where a stream of the same transform is.
    ///
    /// # Errors
    /// When no stream of this transform can be there.
    pub fn resume(&mut self, state: &FramingState) -> Result<()> {
        self.framing.resume(state)
    }

    /// Takes mono samples; `on_frame` sees every spectrum that they complete.
    pub fn push(&mut self, samples: &[f32], mut on_frame: impl FnMut(&[Complex<f32>])) {
        let transform = &mut self.transform;
        self.framing
            .push(samples, |samples| on_frame(transform.apply(samples)));
    }

    /// Ends the recording; `on_frame` sees the spectra that reach beyond it. Then ready for another.
    pub fn finish(&mut self, mut on_frame: impl FnMut(&[Complex<f32>])) {
        let transform = &mut self.transform;
        self.framing
            .finish(|samples| on_frame(transform.apply(samples)));
    }
}

/// The periodic Hann window: 0.5 − 0.5 cos(2πi / length).
pub fn hann(length: usize) -> Vec<f32> {
    (0..length)
        .map(|i| {
            let phase = std::f64::consts::TAU * i as f64 / length as f64;
            (0.5 - 0.5 * phase.cos()) as f32
        })
        .collect()
}

pub(crate) fn check_transform(n_fft: usize, hop_length: usize) -> Result<()> {
    if n_fft == 0 || n_fft % 2 == 1 {
        return Err(Error::config(format!(
            "n_fft is {n_fft}; it must be even and positive"
        )));
    }
    if hop_length == 0 {
        return Err(Error::config("hop_length is 0; it must be at least 1"));
    }
    Ok(())
}

/// Window and real transform of one length, with the buffers that they need.
#[derive(Clone)]
pub(crate) struct WindowedTransform {
    plan: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    windowed: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl WindowedTransform {
    pub fn new(window: Vec<f32>) -> Self {
        let plan = RealFftPlanner::new().plan_fft_forward(window.len());
        Self {
            windowed: plan.make_input_vec(),
            spectrum: plan.make_output_vec(),
            scratch: plan.make_scratch_vec(),
            plan,
            window,
        }
    }

    pub fn n_fft(&self) -> usize {
        self.window.len()
    }

    /// The spectrum of as many samples as the window has.
    pub fn apply(&mut self, samples: &[f32]) -> &[Complex<f32>] {
        for ((windowed, sample), weight) in self.windowed.iter_mut().zip(samples).zip(&self.window)
        {
            *windowed = sample * weight;
        }
        self.plan
            .process_with_scratch(&mut self.windowed, &mut self.spectrum, &mut self.scratch)
            .expect("the plan made these buffers");
        &self.spectrum
    }
}

impl std::fmt::Debug for WindowedTransform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WindowedTransform")
            .field("n_fft", &self.n_fft())
            .finish_non_exhaustive()
    }
}

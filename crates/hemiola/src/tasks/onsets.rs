//! When something begins to sound in a recording, told by a [`MusicCnn`] that judges every frame.

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};

use crate::audio::AudioStream;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::features::{FrameExtractor, Frames, FrontEnd, MelConfig};
use crate::models::music_cnn::{FRAME_CONTEXT, MusicCnn, Output};
use crate::music::Onset;
use crate::tasks::classify::ClassifierConfig;
use crate::tasks::peak_picking::{PeakPicker, PeakPickingConfig};

/// The name of the model's one class.
pub const LABEL: &str = "onset";

/// Frames that the model sees at once. What is computed does not depend on how a recording is cut, for neighbouring windows
/// overlap by all that the model sees around a frame.
const WINDOW: usize = 1024;

/// A model with its front end and peak picking.
#[derive(Debug, Clone)]
pub struct OnsetDetector {
    model: MusicCnn,
    features: MelConfig,
    peaks: PeakPickingConfig,
    device: Device,
}

impl OnsetDetector {
    /// # Errors
    /// When the model judges clips, or several classes, when the front end does not fit it, or when nothing, or something
    /// impossible, is said on how onsets are picked.
    pub fn new(model: MusicCnn, config: ClassifierConfig<MelConfig>) -> Result<Self> {
        if model.output() != Output::Frame {
            return Err(Error::config(
                "onset detection needs a MusicCNN that judges frames, with model.output \"frame\"; this one judges whole \
                 clips (\"clip\"); the recipe architecture music-cnn-onsets trains one",
            ));
        }
        if model.n_classes() != 1 {
            return Err(Error::config(format!(
                "onset detection needs a MusicCNN of one class; this one has {} (model.n_classes)",
                model.n_classes()
            )));
        }
        let Some(peaks) = config.onsets else {
            return Err(Error::config(
                "the model's configuration has no section task.onsets, which says how onsets are picked; \
                 {\"threshold\": 0.4} would do",
            ));
        };
        let named = |error: Error| Error::config(format!("task.onsets: {error}"));
        peaks.validate().map_err(named)?;
        let (bands, n_mels) = (config.features.n_mels, model.n_mels());
        if bands != n_mels {
            return Err(Error::config(format!(
                "the front end makes frames of {bands} bands (task.features.n_mels), but the model reads {n_mels} \
                 (model.n_mels)"
            )));
        }
        config.features.extractor()?;
        let device = model.devices()[0].clone();
        Ok(Self {
            model,
            features: config.features,
            peaks,
            device,
        })
    }

    /// The built-in model of that name, on the processor.
    pub fn bundled(name: &str) -> Result<Self> {
        let (model, _, task) = checkpoint::load_built_in(name)?;
        Self::new(model, task)
    }

    /// The model of a checkpoint folder.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (model, _, task) = checkpoint::load(folder, device)?;
        Self::new(model, task).map_err(|error| Error::checkpoint(folder, error.to_string()))
    }

    pub fn peak_picking(&self) -> &PeakPickingConfig {
        &self.peaks
    }

    /// The same detector with other peak picking.
    ///
    /// # Errors
    /// As [`PeakPickingConfig::validate`].
    pub fn with_peak_picking(mut self, peaks: PeakPickingConfig) -> Result<Self> {
        peaks.validate()?;
        self.peaks = peaks;
        Ok(self)
    }

    /// The sample rate in Hz that [`Self::detect`] expects of its stream.
    pub fn sample_rate(&self) -> u32 {
        self.features.sample_rate
    }

    /// Frames a second; the activation of frame i is that of time i / fps.
    pub fn frames_per_second(&self) -> f64 {
        f64::from(self.features.sample_rate) / self.features.hop_length as f64
    }

    /// The onsets of a stream, read to its end block by block; `progress` is told the seconds read.
    ///
    /// # Errors
    /// When the stream cannot be decoded.
    pub fn detect(
        &self,
        stream: &mut AudioStream,
        progress: impl FnMut(f64),
    ) -> Result<Vec<Onset>> {
        let mut picker = PeakPicker::new(&self.peaks, self.frames_per_second());
        let mut onsets = Vec::new();
        self.hear(stream, progress, |activation| {
            picker.push(activation, &mut onsets)
        })?;
        picker.finish(&mut onsets);
        Ok(onsets)
    }

    /// How likely an onset is at every frame of a stream, 0–1; see [`Self::detect`].
    ///
    /// # Errors
    /// When the stream cannot be decoded.
    pub fn activations(
        &self,
        stream: &mut AudioStream,
        progress: impl FnMut(f64),
    ) -> Result<Vec<f32>> {
        let mut activations = Vec::new();
        self.hear(stream, progress, |activation| activations.push(activation))?;
        Ok(activations)
    }

    /// The same of spectra that are already there.
    pub fn frame_activations(&self, frames: &Frames) -> Vec<f32> {
        let mut activations = Vec::with_capacity(frames.n_frames());
        let mut windows = Windows::new(self);
        windows.push(&mut frames.clone(), true, &mut |a| activations.push(a));
        activations
    }

    fn hear(
        &self,
        stream: &mut AudioStream,
        mut progress: impl FnMut(f64),
        mut out: impl FnMut(f32),
    ) -> Result<()> {
        let mut extractor = self.features.extractor()?;
        let mut windows = Windows::new(self);
        let mut frames = Frames::new(extractor.n_bins());
        let mut n_samples = 0;
        while let Some(block) = stream.next_block()? {
            extractor.push(block, &mut frames);
            n_samples += block.len();
            windows.push(&mut frames, false, &mut out);
            progress(n_samples as f64 / f64::from(self.sample_rate()));
        }
        if n_samples > 0 {
            extractor.finish(&mut frames);
        }
        windows.push(&mut frames, true, &mut out);
        Ok(())
    }

    /// Activations of frames, row-major [time, bands]: [time].
    fn forward(&self, frames: &[f32]) -> Vec<f32> {
        let bands = self.features.n_mels;
        let data = TensorData::new(frames.to_vec(), [1, frames.len() / bands, bands]);
        let log_mel = Tensor::<3>::from_data(data, &self.device).swap_dims(1, 2); // [1, bands, time]
        let logits = self.model.forward(log_mel).into_frames();
        let logits = logits.expect("models that judge anything but frames are refused");
        sigmoid(logits).into_data().iter().collect()
    }
}

/// Overlapping windows over a stream of frames; each contributes its middle. Where they lie follows from the number of
/// frames alone, not from how these arrive.
struct Windows<'a> {
    detector: &'a OnsetDetector,
    /// Frames not yet left behind; the first `context` of them have been judged.
    pending: Frames,
    context: usize,
}

impl<'a> Windows<'a> {
    fn new(detector: &'a OnsetDetector) -> Self {
        Self {
            detector,
            pending: Frames::new(detector.features.n_mels),
            context: 0,
        }
    }

    /// Takes all of `frames`, and tells the activations that whole windows give; with `last`, of everything.
    fn push(&mut self, frames: &mut Frames, last: bool, out: &mut impl FnMut(f32)) {
        self.pending.extend(frames);
        frames.clear();
        while self.pending.n_frames() >= WINDOW {
            self.run(WINDOW, FRAME_CONTEXT, out);
            // The next window begins so far before the first frame to judge as the model sees.
            self.pending.drain_front(WINDOW - 2 * FRAME_CONTEXT);
            self.context = FRAME_CONTEXT;
        }
        if last && self.pending.n_frames() > self.context {
            self.run(self.pending.n_frames(), 0, out);
            self.pending.clear();
            self.context = 0;
        }
    }

    /// Judges the first `length` pending frames but for those of the context, and `margin` at the end.
    fn run(&mut self, length: usize, margin: usize, out: &mut impl FnMut(f32)) {
        let frames = &self.pending.as_slice()[..length * self.pending.n_bins()];
        let activations = self.detector.forward(frames);
        activations[self.context..length - margin]
            .iter()
            .copied()
            .for_each(out);
    }
}

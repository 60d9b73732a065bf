//! From a recording of a piano to its notes.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::audio::AudioStream;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::features::{FrameExtractor, Frames, LogFrequency, LogFrequencyConfig};
use crate::models::transcription_rnn::{MusicTranscriptionRnn, N_KEYS, TranscriptionActivations};
use crate::music::Note;
use crate::tasks::note_decoding::{
    ActivationFrame, NoteDecoder, NoteDecodingConfig, NoteEnd, sort_notes,
};

/// How a long recording is cut for the model, whose attention grows with the square of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowConfig {
    /// Frames that the model sees at once.
    pub frames: usize,
    /// Frames at either side of a window whose output is left to the neighbouring window.
    pub margin: usize,
    /// Windows that are computed together.
    pub batch: usize,
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self {
            frames: 256,
            margin: 32,
            batch: 4,
        }
    }
}

impl WindowConfig {
    /// Refuses windows that would not advance.
    pub fn validate(&self) -> Result<()> {
        if self.frames <= 2 * self.margin || self.batch == 0 {
            return Err(Error::config(format!(
                "window: frames {} must exceed twice the margin {}, and batch {} be at least 1",
                self.frames, self.margin, self.batch
            )));
        }
        Ok(())
    }
}

/// All that a transcription model needs beside its weights; part of its checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TranscriberConfig {
    pub features: LogFrequencyConfig,
    pub decoding: NoteDecodingConfig,
    pub window: WindowConfig,
}

/// A model with its front end and decoder.
#[derive(Debug, Clone)]
pub struct Transcriber {
    model: MusicTranscriptionRnn,
    config: TranscriberConfig,
    note_end: NoteEnd,
    device: Device,
}

impl Transcriber {
    pub fn new(model: MusicTranscriptionRnn, config: TranscriberConfig) -> Self {
        use burn::module::Module;
        let device = model.devices()[0].clone();
        Self {
            model,
            config,
            note_end: NoteEnd::Sounding,
            device,
        }
    }

    /// Refuses what cannot transcribe: impossible settings, a front end that does not fit the model, and models that
    /// do not tell the onsets and velocities of single keys.
    pub fn validate(&self) -> Result<()> {
        self.config.window.validate()?;
        self.config.decoding.validate()?;
        let (bins, input_dim) = (self.config.features.n_bins, self.model.input_dim());
        if bins != input_dim {
            return Err(Error::config(format!(
                "the front end makes frames of {bins} bins (task.features.n_bins), but the model reads {input_dim} \
                 (model.input_dim)"
            )));
        }
        let outputs = self.model.onset_and_velocity_outputs();
        if outputs != [N_KEYS; 2] {
            return Err(Error::config(format!(
                "transcription needs a model with onset_outputs = velocity_outputs = {N_KEYS}, one per key; \
                 this one has {} and {}",
                outputs[0], outputs[1]
            )));
        }
        Ok(())
    }

    /// The built-in model of that name, on the processor.
    pub fn bundled(name: &str) -> Result<Self> {
        let (model, _, task) = checkpoint::load_built_in(name)?;
        Ok(Self::new(model, task))
    }

    /// The model of a checkpoint folder.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (model, _, task) = checkpoint::load(folder, device)?;
        Ok(Self::new(model, task))
    }

    /// Chooses which frame head ends notes.
    pub fn with_note_end(mut self, note_end: NoteEnd) -> Self {
        self.note_end = note_end;
        self
    }

    pub fn config(&self) -> &TranscriberConfig {
        &self.config
    }

    /// Replaces the decoder's thresholds.
    pub fn with_decoding(mut self, decoding: NoteDecodingConfig) -> Self {
        self.config.decoding = decoding;
        self
    }

    /// Replaces the windows that long recordings are cut into.
    pub fn with_window(mut self, window: WindowConfig) -> Self {
        self.config.window = window;
        self
    }

    /// The sample rate in Hz that [`Self::transcribe`] expects of its stream.
    pub fn sample_rate(&self) -> u32 {
        self.config.features.sample_rate
    }

    /// The notes of a stream, read to its end block by block; `progress` is told the seconds read.
    ///
    /// # Errors
    /// As [`Self::validate`]; when the stream cannot be decoded.
    pub fn transcribe(
        &self,
        stream: &mut AudioStream,
        mut progress: impl FnMut(f64),
    ) -> Result<Vec<Note>> {
        self.validate()?;
        let mut extractor = LogFrequency::new(&self.config.features)?;
        let mut windows = Windows::new(self);
        let mut frames = Frames::new(extractor.n_bins());
        let mut n_samples = 0;
        while let Some(block) = stream.next_block()? {
            extractor.push(block, &mut frames);
            n_samples += block.len();
            windows.push(&mut frames, false);
            progress(n_samples as f64 / f64::from(self.sample_rate()));
        }
        if n_samples > 0 {
            extractor.finish(&mut frames);
        }
        windows.push(&mut frames, true);
        Ok(windows.finish())
    }

    /// The notes of spectra that are already there.
    pub fn transcribe_frames(&self, frames: &Frames) -> Vec<Note> {
        let mut windows = Windows::new(self);
        windows.push(&mut frames.clone(), true);
        windows.finish()
    }

    /// Activations of whole spectra, row-major [frames, 88] each: onsets, sounding, velocities / 127
    /// and, where the model has the head, keys held.
    pub fn activations(&self, frames: &Frames) -> Activations {
        let mut windows = Windows::new(self);
        let mut all = Activations::default();
        windows.keep = Some(&mut all);
        windows.push(&mut frames.clone(), true);
        drop(windows);
        all
    }

    fn forward(&self, windows: Vec<f32>, batch: usize, n_bins: usize) -> TranscriptionActivations {
        let time = windows.len() / (batch * n_bins);
        let data = TensorData::new(windows, [batch, time, n_bins]);
        self.model
            .forward(Tensor::from_data(data, &self.device))
            .into()
    }
}

/// See [`Transcriber::activations`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activations {
    pub onsets: Vec<f32>,
    pub frames: Vec<f32>,
    pub velocities: Vec<f32>,
    pub held: Vec<f32>,
}

impl Activations {
    /// Decodes them to notes, in the order of onset and pitch.
    pub fn decode(&self, config: &NoteDecodingConfig, fps: f64, note_end: NoteEnd) -> Vec<Note> {
        let mut decoder = NoteDecoder::new(config.clone(), fps);
        let mut notes = Vec::new();
        let frames = match note_end {
            NoteEnd::KeyRelease if !self.held.is_empty() => &self.held,
            _ => &self.frames,
        };
        for row in 0..self.onsets.len() / N_KEYS {
            let range = row * N_KEYS..(row + 1) * N_KEYS;
            decoder.push(
                ActivationFrame {
                    onsets: &self.onsets[range.clone()],
                    frames: &frames[range.clone()],
                    velocities: &self.velocities[range],
                },
                &mut notes,
            );
        }
        decoder.finish(&mut notes);
        sort_notes(&mut notes);
        notes
    }
}

/// Overlapping windows over a stream of frames; each contributes its middle.
struct Windows<'a> {
    transcriber: &'a Transcriber,
    decoder: NoteDecoder,
    notes: Vec<Note>,
    /// Frames not yet left behind; the first `context` of them are already decoded.
    pending: Frames,
    context: usize,
    keep: Option<&'a mut Activations>,
}

impl<'a> Windows<'a> {
    fn new(transcriber: &'a Transcriber) -> Self {
        let config = &transcriber.config;
        Self {
            transcriber,
            decoder: NoteDecoder::new(config.decoding.clone(), config.features.frames_per_second()),
            notes: Vec::new(),
            pending: Frames::new(config.features.n_bins),
            context: 0,
            keep: None,
        }
    }

    /// Takes all of `frames`, and decodes what whole windows cover; with `last`, everything.
    fn push(&mut self, frames: &mut Frames, last: bool) {
        self.pending.extend(frames);
        frames.clear();
        let WindowConfig {
            frames: length,
            margin,
            batch,
        } = self.transcriber.config.window;
        let stride = length - 2 * margin;
        loop {
            let available = self.pending.n_frames();
            let whole =
                available.saturating_sub(length) / stride + usize::from(available >= length);
            if whole >= batch || (last && whole > 0 && available > length) {
                let n = whole.min(batch);
                self.run(n, length, margin);
                // The next window begins where its margin meets what was decoded.
                self.pending.drain_front(n * stride);
                self.context = margin;
            } else {
                break;
            }
        }
        if last && self.pending.n_frames() > self.context {
            self.run(1, self.pending.n_frames(), 0);
            self.pending.drain_front(self.pending.n_frames());
            self.context = 0;
        }
    }

    /// Computes `n` windows from the front of what is pending and decodes their middles.
    fn run(&mut self, n: usize, length: usize, margin: usize) {
        let n_bins = self.pending.n_bins();
        let stride = length - 2 * margin;
        let mut input = Vec::with_capacity(n * length * n_bins);
        for window in 0..n {
            let first = window * stride * n_bins;
            input.extend_from_slice(&self.pending.as_slice()[first..first + length * n_bins]);
        }
        let output = self.transcriber.forward(input, n, n_bins);
        let values = |tensor: Tensor<3>| -> Vec<f32> {
            tensor.into_data().try_into_vec().unwrap_or_default()
        };
        let held = output.held.clone().map(values).unwrap_or_default();
        let onsets = values(output.onsets);
        let sounding = values(output.pitches);
        let velocities = values(output.velocities.div_scalar(127.0));
        let frames = match self.transcriber.note_end {
            NoteEnd::KeyRelease if !held.is_empty() => &held,
            _ => &sounding,
        };
        for window in 0..n {
            let from = if window == 0 { self.context } else { margin };
            for row in window * length + from..(window + 1) * length - margin {
                let range = row * N_KEYS..(row + 1) * N_KEYS;
                if let Some(all) = self.keep.as_deref_mut() {
                    all.onsets.extend_from_slice(&onsets[range.clone()]);
                    all.frames.extend_from_slice(&sounding[range.clone()]);
                    all.velocities.extend_from_slice(&velocities[range.clone()]);
                    if !held.is_empty() {
                        all.held.extend_from_slice(&held[range]);
                    }
                    continue;
                }
                self.decoder.push(
                    ActivationFrame {
                        onsets: &onsets[range.clone()],
                        frames: &frames[range.clone()],
                        velocities: &velocities[range],
                    },
                    &mut self.notes,
                );
            }
        }
    }

    fn finish(mut self) -> Vec<Note> {
        self.decoder.finish(&mut self.notes);
        sort_notes(&mut self.notes);
        self.notes
    }
}

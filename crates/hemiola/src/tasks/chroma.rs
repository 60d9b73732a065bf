//! How present each pitch class is in a recording or a live stream, told by a [`RealTimeMusicRnn`] frame by frame.
//!
//! A whole recording is the stream fed block by block, so both give the same numbers.
//!
//! ```
//! use hemiola::Device;
//! use hemiola::models::realtime_rnn::RealTimeMusicRnnConfig;
//! use hemiola::tasks::chroma::{ChromaConfig, ChromaExtractor};
//!
//! let untrained = RealTimeMusicRnnConfig::default().init(&Device::flex())?;
//! let extractor = ChromaExtractor::new(&untrained, &ChromaConfig::default())?;
//! let mut stream = extractor.stream();
//! let mut chroma = Vec::new();
//! stream.push(&[0.0; 4096], &mut chroma);
//! // Every 512 samples, each as soon as the 1024 samples after its middle are there.
//! assert_eq!(chroma.len(), 1 + (4096 - 1024) / 512);
//! # Ok::<(), hemiola::Error>(())
//! ```

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::audio::AudioStream;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::features::{FrameExtractor, Frames, FramingState, FrontEnd, Mel, MelConfig};
use crate::models::realtime_rnn::{RealTimeMusicRnn, RealTimeState, RealTimeStepper};
use crate::music::{Chroma, N_PITCH_CLASSES};

/// What a model of chroma needs beside its weights: the frames that it reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChromaConfig {
    pub features: MelConfig,
}

/// A model with its front end.
#[derive(Debug, Clone)]
pub struct ChromaExtractor {
    /// At its beginning; streams are clones of it and share its weights.
    beginning: ChromaStream,
}

impl ChromaExtractor {
    /// # Errors
    /// When the front end is impossible or does not fit the model.
    pub fn new(model: &RealTimeMusicRnn, config: &ChromaConfig) -> Result<Self> {
        let (bands, input_dim) = (config.features.n_mels, model.input_dim());
        if bands != input_dim {
            return Err(Error::config(format!(
                "the front end makes frames of {bands} bands (task.features.n_mels), but the model reads {input_dim} \
                 (model.input_dim)"
            )));
        }
        Ok(Self {
            beginning: ChromaStream {
                front_end: config.features.extractor()?,
                model: model.stepper()?,
                n_frames: 0,
                mel: Frames::new(bands),
            },
        })
    }

    /// The built-in model of that name.
    ///
    /// # Errors
    /// When no model of that name is built in, or it is of another kind.
    pub fn bundled(name: &str) -> Result<Self> {
        let (model, _, task) = checkpoint::load_built_in(name)?;
        Self::new(&model, &task)
    }

    /// The model of a checkpoint folder.
    ///
    /// # Errors
    /// When the folder holds no model of chroma, or one that does not fit its front end.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (model, _, task) = checkpoint::load(folder, device)?;
        Self::new(&model, &task).map_err(|error| Error::checkpoint(folder, error.to_string()))
    }

    /// The sample rate in Hz that [`Self::extract`] and the streams expect.
    pub fn sample_rate(&self) -> u32 {
        self.beginning.sample_rate()
    }

    /// Frames a second.
    pub fn frames_per_second(&self) -> f64 {
        self.beginning.frames_per_second()
    }

    /// See [`ChromaStream::latency_s`].
    pub fn latency_s(&self) -> f64 {
        self.beginning.latency_s()
    }

    /// A stream at its beginning.
    pub fn stream(&self) -> ChromaStream {
        self.beginning.clone()
    }

    /// The chroma of a recording, read to its end block by block; `progress` is told the seconds read.
    ///
    /// n > 0 samples give 1 + n / hop_length frames, none give none.
    ///
    /// # Errors
    /// When the recording cannot be decoded.
    pub fn extract(
        &self,
        recording: &mut AudioStream,
        mut progress: impl FnMut(f64),
    ) -> Result<Chroma> {
        let mut stream = self.stream();
        let mut chroma = Chroma::new(self.frames_per_second());
        let mut n_samples = 0;
        while let Some(block) = recording.next_block()? {
            stream.push(block, &mut chroma.frames);
            n_samples += block.len();
            progress(n_samples as f64 / f64::from(self.sample_rate()));
        }
        stream.finish(&mut chroma.frames);
        Ok(chroma)
    }
}

/// One live stream: samples go in as they come, chroma comes out as soon as its frame is complete.
///
/// However the samples are cut, the chroma is the same bit for bit. Clones are streams of their own that go on from the
/// same moment and share the weights.
#[derive(Debug, Clone)]
pub struct ChromaStream {
    /// The samples that the next frames need.
    pub front_end: Mel,
    /// What the model remembers.
    pub model: RealTimeStepper,
    n_frames: u64,
    /// Room for frames on their way from the one to the other, empty between two calls.
    mel: Frames,
}

impl ChromaStream {
    /// Hz; the samples pushed must have this rate.
    pub fn sample_rate(&self) -> u32 {
        self.front_end.sample_rate()
    }

    /// Frames a second.
    pub fn frames_per_second(&self) -> f64 {
        f64::from(self.sample_rate()) / self.front_end.hop_length() as f64
    }

    /// Frames that have come out so far; the next is of time n_frames / [`Self::frames_per_second`].
    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// The algorithmic latency in seconds: for a moment of the music to come out as a frame centred on it or on a moment
    /// after it, no more than so much of the music needs to have been pushed from that moment on.
    ///
    /// Half a window until a frame is complete (and a sample more for the first, which is mirrored), and up to a hop until
    /// one is centred. What computing and the blocks of a sound card take comes on top.
    pub fn latency_s(&self) -> f64 {
        let samples = self.front_end.latency_samples() + self.front_end.hop_length();
        samples as f64 / f64::from(self.sample_rate())
    }

    /// Takes mono samples, any number of them, and appends the chroma of every frame that they complete.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<[f32; N_PITCH_CLASSES]>) {
        self.front_end.push(samples, &mut self.mel);
        self.hear(out);
    }

    /// Ends the stream: appends the frames that reach beyond its last sample, and is then at the beginning of another.
    pub fn finish(&mut self, out: &mut Vec<[f32; N_PITCH_CLASSES]>) {
        self.front_end.finish(&mut self.mel);
        self.hear(out);
        self.model.reset();
        self.n_frames = 0;
    }

    fn hear(&mut self, out: &mut Vec<[f32; N_PITCH_CLASSES]>) {
        self.n_frames += self.mel.n_frames() as u64;
        out.extend(self.mel.iter().map(|frame| self.model.step(frame)));
        self.mel.clear();
    }

    /// Where the stream is, as plain numbers to be kept.
    pub fn state(&self) -> ChromaState {
        let RealTimeState { hidden, previous } = self.model.state(&Device::flex());
        let rows = |tensor: Tensor<3>| {
            let [first, second, width] = tensor.dims();
            let values: Vec<f32> = tensor.into_data().iter().collect();
            let rows = values.chunks_exact(width).take(first * second);
            rows.map(<[f32]>::to_vec).collect()
        };
        ChromaState {
            n_frames: self.n_frames,
            front_end: self.front_end.state(),
            hidden: rows(hidden),
            previous: rows(previous),
        }
    }

    /// Goes on from where a stream of the same model is.
    ///
    /// # Errors
    /// When the state is of another model or front end, or damaged; the stream then stays where it is.
    pub fn resume(&mut self, state: &ChromaState) -> Result<()> {
        let mut next = self.clone();
        next.front_end.resume(&state.front_end)?;
        let device = Device::flex();
        let hidden = tensor("hidden", &state.hidden, &device)?; // [layers, hidden_dim]
        let previous = tensor("previous", &state.previous, &device)?; // [2, hidden_dim]
        let state_of_model = RealTimeState {
            hidden: hidden.unsqueeze_dim(1),     // [layers, 1, hidden_dim]
            previous: previous.unsqueeze_dim(0), // [1, 2, hidden_dim]
        };
        next.model.resume(&state_of_model, 0)?;
        next.n_frames = state.n_frames;
        *self = next;
        Ok(())
    }
}

/// Rows of finite numbers, all of one width.
fn tensor(name: &str, rows: &[Vec<f32>], device: &Device) -> Result<Tensor<2>> {
    let width = rows.first().map_or(0, Vec::len);
    if width == 0 || rows.iter().any(|row| row.len() != width) {
        return Err(Error::config(format!(
            "{name} of a stream's state: expected rows of one width, found widths {:?}",
            rows.iter().map(Vec::len).collect::<Vec<_>>()
        )));
    }
    let values = rows.concat();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(Error::config(format!(
            "{name} of a stream's state holds numbers that are not finite; it is damaged"
        )));
    }
    let data = TensorData::new(values, [rows.len(), width]);
    Ok(Tensor::from_data(data, device))
}

/// All that a [`ChromaStream`] carries from one sample to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChromaState {
    /// Frames that have come out.
    pub n_frames: u64,
    pub front_end: FramingState,
    /// States of the GRU: [layers, hidden_dim].
    pub hidden: Vec<Vec<f32>>,
    /// The GRU's last two outputs, older first: [2, hidden_dim].
    pub previous: Vec<Vec<f32>>,
}

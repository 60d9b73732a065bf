//! A recording as vectors: what sounds alike lies near one another.
//!
//! An encoder of clips ([`ContrastiveEncoder`]) hears a recording in passages of the length that it was trained with, each
//! half a passage after the one before. [`index`](crate::index) keeps and compares what comes of it.

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::classify::{CLIP_S, SILENCE, level};
use super::spectrograms::Spectrograms;
use super::windows::Windows;
use crate::audio::AudioStream;
use crate::checkpoint::CheckpointFiles;
use crate::error::{Error, Result};
use crate::features::{FrameExtractor, FrontEnd, Mel, MelConfig};
use crate::index::{Embedding, ModelIdentity, Passages};
use crate::models::contrastive::{ContrastiveEncoder, ContrastiveEncoderConfig};

/// Passages heard at once.
const BATCH: usize = 8;
/// The root mean square that every passage is brought to, −20 dB of full scale: the same music louder is the same music.
const LEVEL: f64 = 0.1;

/// What a clip is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbedderConfig {
    /// Seconds of the clips that the model was trained with.
    pub clip_s: f64,
    pub features: MelConfig,
}

impl Default for EmbedderConfig {
    fn default() -> Self {
        Self {
            clip_s: CLIP_S,
            features: MelConfig::default(),
        }
    }
}

/// An encoder with its front end.
#[derive(Debug)]
pub struct Embedder {
    model: ContrastiveEncoder,
    extractor: Mel,
    /// Samples of a passage, and from one to the next.
    window: usize,
    step: usize,
    identity: ModelIdentity,
    is_trained: bool,
    device: Device,
}

impl Embedder {
    /// The built-in model of that name, or the checkpoint in that folder.
    ///
    /// # Errors
    /// When there is no such model, or it is no encoder of clips.
    pub fn open(name: &str, device: &Device) -> Result<Self> {
        Self::of(&CheckpointFiles::open(name)?, name, device)
    }

    /// See [`Self::open`]; `name` is what an index calls the model.
    ///
    /// # Errors
    /// When the checkpoint is damaged, or no encoder of clips.
    pub fn of(files: &CheckpointFiles, name: &str, device: &Device) -> Result<Self> {
        let (model, _, task) = files.assemble(device)?;
        Self::assemble(files, name, model, task)
    }

    /// A model of the same sizes and front end that has learned nothing, to compare with: its weights are drawn by `seed`.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn untrained(files: &CheckpointFiles, seed: u64, device: &Device) -> Result<Self> {
        let (model, sizes, task): (ContrastiveEncoder, _, EmbedderConfig) =
            files.assemble(device)?;
        let device = &model.devices()[0];
        device.seed(seed);
        let sizes = ContrastiveEncoderConfig {
            whitened: false,
            ..sizes
        };
        let drawn = sizes.init(device)?;
        let embedder = Self::assemble(files, "untrained", drawn, task)?;
        Ok(Self {
            is_trained: false,
            ..embedder
        })
    }

    fn assemble(
        files: &CheckpointFiles,
        name: &str,
        model: ContrastiveEncoder,
        task: EmbedderConfig,
    ) -> Result<Self> {
        let width = model.encoder().embedding_len();
        let fail = |error: Error| Error::checkpoint(&files.origin, error.to_string());
        let extractor = check(&model, &task).map_err(fail)?;
        let sample_rate = f64::from(task.features.sample_rate);
        let window = ((task.clip_s * sample_rate).round() as usize).max(1);
        // As many frames as any passage has.
        let silence = Spectrograms::of([vec![0.0; window]], &mut extractor.clone());
        model.validate_input(silence.shape()).map_err(fail)?;
        let step = window.div_ceil(2);
        Ok(Self {
            identity: ModelIdentity {
                name: name.to_owned(),
                weights: fingerprint(files),
                width,
                passage_s: window as f64 / sample_rate,
                hop_s: step as f64 / sample_rate,
            },
            device: model.devices()[0].clone(),
            model,
            extractor,
            window,
            step,
            is_trained: true,
        })
    }

    /// False of [`Self::untrained`].
    pub fn is_trained(&self) -> bool {
        self.is_trained
    }

    /// What makes this model's vectors comparable.
    pub fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    /// The sample rate in Hz that [`Self::embed`] expects of its stream.
    pub fn sample_rate(&self) -> u32 {
        self.extractor.sample_rate()
    }

    /// The passages of a stream, read to its end block by block; `progress` is told the seconds read.
    ///
    /// Passages below −70 dB of full scale are left out. A recording shorter than a passage is repeated to fill one; the last
    /// passage ends where the recording ends.
    ///
    /// # Errors
    /// When the stream cannot be decoded; when the model's vectors have no direction.
    pub fn embed(
        &self,
        stream: &mut AudioStream,
        mut progress: impl FnMut(f64),
    ) -> Result<Embedding> {
        let mut hearing = Hearing::new(self);
        while let Some(block) = stream.next_block()? {
            hearing.push(block)?;
            progress(hearing.seconds(hearing.windows.n_samples()));
        }
        hearing.finish()
    }

    /// The passages of samples at [`Self::sample_rate`]; see [`Self::embed`].
    ///
    /// # Errors
    /// When the model's vectors have no direction.
    pub fn embed_samples(&self, samples: &[f32]) -> Result<Embedding> {
        let mut hearing = Hearing::new(self);
        for piece in samples.chunks(self.window) {
            hearing.push(piece)?;
        }
        hearing.finish()
    }
}

/// Refuses what cannot hear a passage, and makes its front end.
fn check(model: &ContrastiveEncoder, task: &EmbedderConfig) -> Result<Mel> {
    let n_mels = model.encoder().n_mels();
    if task.features.n_mels != n_mels {
        return Err(Error::config(format!(
            "the front end makes {} bands (task.features.n_mels), but the model reads {n_mels} (model.n_mels)",
            task.features.n_mels
        )));
    }
    if !(task.clip_s > 0.0 && task.clip_s <= LONGEST_CLIP_S) {
        return Err(Error::config(format!(
            "task.clip_s is {}; it must be above 0 and at most {LONGEST_CLIP_S}",
            task.clip_s
        )));
    }
    task.features.extractor()
}

/// Seconds of a clip that fit in memory with all that the model makes of them.
const LONGEST_CLIP_S: f64 = 600.0;

/// SHA-256 of all that vectors depend on, hexadecimal.
fn fingerprint(files: &CheckpointFiles) -> String {
    let config = &files.config;
    let mut hasher = Sha256::new();
    for text in [
        config.architecture.clone(),
        config.model.to_string(),
        config.task.to_string(),
    ] {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hasher.update(&files.tensors);
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Passages on their way through the model.
struct Hearing<'a> {
    embedder: &'a Embedder,
    windows: Windows,
    /// Passages that are not heard yet.
    waiting: Vec<(usize, Vec<f32>)>,
    passages: Passages,
}

impl<'a> Hearing<'a> {
    fn new(embedder: &'a Embedder) -> Self {
        Self {
            embedder,
            windows: Windows::new(embedder.window, embedder.step),
            waiting: Vec::new(),
            passages: Passages::new(embedder.identity.width),
        }
    }

    fn seconds(&self, samples: usize) -> f64 {
        samples as f64 / f64::from(self.embedder.sample_rate())
    }

    fn push(&mut self, samples: &[f32]) -> Result<()> {
        self.windows.push(samples);
        while let Some((start, samples)) = self.windows.take() {
            self.wait(start, samples)?;
        }
        Ok(())
    }

    fn wait(&mut self, start: usize, mut samples: Vec<f32>) -> Result<()> {
        let level = level(&samples);
        if level <= SILENCE {
            return Ok(());
        }
        let gain = (LEVEL / level) as f32;
        samples.iter_mut().for_each(|sample| *sample *= gain);
        self.waiting.push((start, samples));
        match self.waiting.len() < BATCH {
            true => Ok(()),
            false => self.hear(),
        }
    }

    fn hear(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let (starts, samples): (Vec<usize>, Vec<Vec<f32>>) = waiting.into_iter().unzip();
        let Embedder {
            model,
            extractor,
            device,
            ..
        } = self.embedder;
        let spectrograms = Spectrograms::of_each(&samples, extractor);
        let vectors = model.embed(spectrograms.to_tensor(device)); // [passages, width]
        let vectors: Vec<f32> = vectors.into_data().iter().collect();
        for (start, vector) in starts
            .into_iter()
            .zip(vectors.chunks_exact(self.passages.width()))
        {
            let start_s = self.seconds(start);
            self.passages.push(start_s, vector)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Embedding> {
        if let Some((start, samples)) = self.windows.last() {
            self.wait(start, samples)?;
        }
        self.hear()?;
        Ok(Embedding {
            duration_s: self.seconds(self.windows.n_samples()),
            passages: self.passages,
        })
    }
}

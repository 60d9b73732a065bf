//! Training of [`MusicTranscriptionRnn`] on rendered performances.

mod loss;
mod segments;
mod tuning;

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::augment::WaveformAugment;
use crate::checkpoint::{self, Card};
use crate::error::{Error, Result};
use crate::features::LogFrequencyConfig;
use crate::models::transcription_rnn::{
    MusicTranscriptionRnn, MusicTranscriptionRnnConfig, N_KEYS,
};
use crate::tasks::note_decoding::NoteDecodingConfig;
use crate::tasks::transcribe::{Transcriber, TranscriberConfig, WindowConfig};
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunState, Score};
use crate::training::scalars::Scalars;

pub use loss::LossWeights;
pub use segments::{DevRecording, SegmentSource, TranscriptionBatch};

/// A recipe for [`MusicTranscriptionRnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranscriptionRecipe {
    #[serde(default)]
    pub run: RunConfig,
    #[serde(default)]
    pub model: MusicTranscriptionRnnConfig,
    #[serde(default)]
    pub features: LogFrequencyConfig,
    pub data: DataConfig,
    #[serde(default)]
    pub augment: WaveformAugment,
    #[serde(default)]
    pub loss: LossWeights,
    #[serde(default)]
    pub decoding: NoteDecodingConfig,
    #[serde(default)]
    pub window: WindowConfig,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// Where the music is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Folders of rendered performances, as `hemiola data render` makes them, or of pairs of a
    /// recording and its MIDI file.
    pub renditions: OneOrMore,
    /// A folder of recordings with reference notes: the MAPS layout, or pairs.
    pub dev: PathBuf,
    /// Frames of one example.
    #[serde(default = "default_segment_frames")]
    pub segment_frames: usize,
}

fn default_segment_frames() -> usize {
    160
}

/// One path or a list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    One(PathBuf),
    More(Vec<PathBuf>),
}

impl OneOrMore {
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::More(paths) => paths,
        }
    }
}

impl TranscriptionRecipe {
    /// Refuses impossible values; files are not looked at.
    pub fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.decoding.validate()?;
        self.window.validate()?;
        self.loss.validate()?;
        self.augment.check()?;
        if self.data.segment_frames < 8 {
            return Err(Error::config(format!(
                "data.segment_frames is {}; it must be at least 8",
                self.data.segment_frames
            )));
        }
        if self.model.velocity_outputs != N_KEYS || self.model.onset_outputs != N_KEYS {
            return Err(Error::config(format!(
                "training needs model.onset_outputs = model.velocity_outputs = {N_KEYS}, found {} and {}",
                self.model.onset_outputs, self.model.velocity_outputs
            )));
        }
        if self.model.input_dim != self.features.n_bins {
            return Err(Error::config(format!(
                "model.input_dim is {} but features.n_bins is {}; they must be equal",
                self.model.input_dim, self.features.n_bins
            )));
        }
        Ok(())
    }

    fn transcriber_config(&self) -> TranscriberConfig {
        TranscriberConfig {
            features: self.features.clone(),
            decoding: self.decoding.clone(),
            window: self.window.clone(),
        }
    }
}

/// The multi-task loss, and the notes found in dev recordings.
#[derive(Debug, Clone)]
pub struct TranscriptionObjective {
    loss: LossWeights,
    transcriber: TranscriberConfig,
}

impl Objective for TranscriptionObjective {
    type Model = MusicTranscriptionRnn;
    type Batch = TranscriptionBatch;
    type Dev = DevRecording;

    const PARTS: &'static [&'static str] = &["onset", "frame", "velocity"];

    fn loss(&self, model: &Self::Model, batch: &TranscriptionBatch, device: &Device) -> Loss {
        let batch = batch.to_tensors(device);
        self.loss
            .losses(model.forward(batch.features.clone()), &batch)
    }

    fn evaluate(&self, model: &Self::Model, recording: &DevRecording, _: &Device) -> Scalars {
        let transcriber = Transcriber::new(model.clone(), self.transcriber.clone());
        let notes = transcriber.transcribe_frames(&recording.features);
        Scalars(tuning::score(&recording.notes, &notes))
    }
}

impl ModelRecipe for TranscriptionRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        TranscriptionRecipe::validate(self)
    }

    /// Trains, then tunes the thresholds of the best weights on the dev set.
    fn train(
        &self,
        device: &Device,
        resume: bool,
        dashboard: bool,
        report: Report,
    ) -> Result<RunState> {
        self.validate()?;
        // Refuses a folder that is taken before any music is read.
        run::prepare(&self.run.output, resume)?;
        let source = Arc::new(SegmentSource::open(self)?);
        let dev: Arc<[DevRecording]> = segments::dev_recordings(self)?.into();
        let lesson = Lesson {
            run: self.run.clone(),
            objective: TranscriptionObjective {
                loss: self.loss.clone(),
                transcriber: self.transcriber_config(),
            },
            model: self.model.clone(),
            task: self.transcriber_config(),
            card: self.card.clone(),
            score: Score {
                name: "onset_f1",
                higher_is_better: true,
            },
            batches: Arc::new(move |number| source.batch(number)),
            dev: dev.clone(),
            transfer: Transfer::default(),
        };
        let state = objective::train(lesson, device, resume, dashboard, report)?;
        if state.finished {
            tune_best(self, device, &dev)?;
        }
        Ok(state)
    }
}

/// Tunes the decoder of the run's best weights and writes them again with it.
fn tune_best(recipe: &TranscriptionRecipe, device: &Device, dev: &[DevRecording]) -> Result<()> {
    let best = recipe.run.output.join("best");
    let (model, config, mut task) = checkpoint::load::<MusicTranscriptionRnn>(&best, device)?;
    task.window = recipe.window.clone();
    let tuned = tuning::tune(&Transcriber::new(model.clone(), task.clone()), dev);
    task.decoding = tuned.decoding;
    let mut card = recipe.card.clone();
    card.figures = objective::figures(&tuned.scores);
    let precision = checkpoint::Precision::Float16;
    checkpoint::save(&best, &model, &config, &task, &card, precision)
}

//! Training of [`MusicTranscriptionRnn`] on rendered performances.

mod loss;
mod recordings;
mod segments;
mod tuning;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
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
use crate::training::loader::NumberedLoader;
use crate::training::recipe::RunConfig;
use crate::training::run::{self, Job, Report, RunState};
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

/// The model with what its training steps need beside it.
#[derive(Module, Debug)]
pub struct TranscriptionTrainer {
    pub model: MusicTranscriptionRnn,
    #[module(skip)]
    loss: LossWeights,
    #[module(skip)]
    clip_norm: f64,
    #[module(skip)]
    transcriber: TranscriberConfig,
}

impl TrainStep for TranscriptionTrainer {
    type Input = TranscriptionBatch;
    type Output = Scalars;

    fn step(&self, batch: TranscriptionBatch) -> TrainOutput<Scalars> {
        let device = self.model.devices()[0].clone();
        let batch = batch.to_tensors(&device);
        let losses = self
            .loss
            .losses(self.model.forward(batch.features.clone()), &batch);
        let total = losses.total(&self.loss);
        let scalars = losses.scalars(&total);
        let gradients = total.backward();
        TrainOutput::new(self, gradients, scalars)
    }

    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        let gradients = clip_global_norm(&self, gradients, self.clip_norm);
        optimizer.step(learning_rate, self, gradients)
    }
}

impl InferenceStep for TranscriptionTrainer {
    type Input = DevRecording;
    type Output = Scalars;

    fn step(&self, recording: DevRecording) -> Scalars {
        let transcriber = Transcriber::new(self.model.clone(), self.transcriber.clone());
        let notes = transcriber.transcribe_frames(&recording.features);
        Scalars(tuning::score(&recording.notes, &notes))
    }
}

/// Scales all gradients so that their global norm is at most `limit` (Pascanu et al., "On the
/// Difficulty of Training Recurrent Neural Networks", 2013).
fn clip_global_norm<M: Module>(
    module: &M,
    gradients: GradientsParams,
    limit: f64,
) -> GradientsParams {
    struct SquaredNorm<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for SquaredNorm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1 += gradient.powf_scalar(2.0).sum().into_scalar::<f64>();
            }
        }
    }
    struct Scale(GradientsParams, f64);
    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, gradient.mul_scalar(self.1));
            }
        }
    }
    let mut norm = SquaredNorm(&gradients, 0.0);
    module.visit(&mut norm);
    let norm = norm.1.sqrt();
    if norm <= limit {
        return gradients;
    }
    let mut scale = Scale(gradients, limit / norm);
    module.visit(&mut scale);
    scale.0
}

/// Trains to the end of the recipe; see [`run::train`].
pub fn train(
    recipe: &TranscriptionRecipe,
    device: &Device,
    resume: bool,
    dashboard: bool,
    report: Report,
) -> Result<RunState> {
    recipe.validate()?;
    let state = run::prepare(&recipe.run.output, resume)?;
    if state.finished {
        tune_best(recipe, device, &segments::dev_recordings(recipe)?)?;
        return Ok(state);
    }
    let source = Arc::new(SegmentSource::open(recipe)?);
    let dev = Arc::new(segments::dev_recordings(recipe)?);

    let training_device = device.clone().autodiff();
    training_device.seed(run::step_seed(recipe.run.seed, usize::MAX));
    let trainer = TranscriptionTrainer {
        model: recipe.model.init(&training_device)?,
        loss: recipe.loss.clone(),
        clip_norm: recipe.run.clip_norm,
        transcriber: recipe.transcriber_config(),
    };
    let batches = NumberedLoader::new(
        Arc::new(move |number| source.batch(number)),
        state.step,
        recipe.run.steps,
        recipe.run.loader_threads,
    );
    let n_dev = dev.len();
    let recordings = dev.clone();
    let dev_recordings = NumberedLoader::new(
        Arc::new(move |number: usize| Ok(dev[number].clone())),
        0,
        n_dev,
        1,
    );
    let saved = recipe.clone();
    let job = Job {
        run: recipe.run.clone(),
        device: device.clone(),
        score: "onset_f1",
        metrics: vec!["loss", "onset", "frame", "velocity"],
        save_best: Arc::new(move |trainer: &TranscriptionTrainer, dev, folder: &Path| {
            let mut card = saved.card.clone();
            card.figures = figures(dev);
            checkpoint::save(
                folder,
                &trainer.model,
                &saved.model,
                &saved.transcriber_config(),
                &card,
                checkpoint::Precision::Float16,
            )
        }),
        report,
        dashboard,
    };
    let state = run::train(
        job,
        trainer,
        Arc::new(batches),
        Arc::new(dev_recordings),
        state,
    )?;
    if state.finished {
        tune_best(recipe, device, &recordings)?;
    }
    Ok(state)
}

/// Scores as a model card keeps them.
fn figures(scores: &BTreeMap<&'static str, f64>) -> BTreeMap<String, f64> {
    scores.iter().map(|(&k, &v)| (k.to_owned(), v)).collect()
}

/// Tunes the decoder of the run's best weights and writes them again with it.
fn tune_best(recipe: &TranscriptionRecipe, device: &Device, dev: &[DevRecording]) -> Result<()> {
    let best = recipe.run.output.join("best");
    let (model, config, mut task) = checkpoint::load::<MusicTranscriptionRnn>(&best, device)?;
    task.window = recipe.window.clone();
    let tuned = tuning::tune(&Transcriber::new(model.clone(), task.clone()), dev);
    task.decoding = tuned.decoding;
    let mut card = recipe.card.clone();
    card.figures = figures(&tuned.scores);
    let precision = checkpoint::Precision::Float16;
    checkpoint::save(&best, &model, &config, &task, &card, precision)
}

//! Training of the [`ContrastiveEncoder`](crate::models::contrastive::ContrastiveEncoder) on recordings without labels.

mod config;
mod crops;
mod gradient_cache;
mod music;
mod objective;
mod views;
mod whitening;

use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::classifier::LEAST_FRAMES;
use crate::augment::ClipAugment;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::features::{FrontEnd, MelConfig};
use crate::models::contrastive::ContrastiveEncoderConfig;
use crate::tasks::embed::EmbedderConfig;
use crate::training::Transfer;
use crate::training::objective::{self as training, Lesson};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunEvent, RunState, Score};
pub use config::{MusicData, Root, Roots, SplitBy};
use music::Music;
use objective::ContrastiveObjective;
use views::ViewMaker;

/// A recipe for a [`ContrastiveEncoder`](crate::models::contrastive::ContrastiveEncoder).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastiveRecipe {
    /// Recordings of a batch that are in memory at once, where the whole batch does not fit: the gradient is the same, for
    /// one more pass forward, but batch normalisation sees a chunk at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_size: Option<usize>,
    /// `batch_size` counts recordings; each is heard twice.
    #[serde(default)]
    pub run: RunConfig,
    #[serde(default)]
    pub model: ContrastiveEncoderConfig,
    #[serde(default)]
    pub features: MelConfig,
    pub data: MusicData,
    /// Of each of the two crops by itself. A crop's pitch and length are varied by how its spectrogram is read, which costs
    /// nothing.
    #[serde(default)]
    pub augment: ClipAugment,
    #[serde(default)]
    pub loss: ContrastiveLoss,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// What [`nt_xent`](crate::models::contrastive::nt_xent) needs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastiveLoss {
    /// Small values look at the recordings that are hardest to tell apart.
    pub temperature: f64,
}

impl Default for ContrastiveLoss {
    fn default() -> Self {
        Self { temperature: 0.1 }
    }
}

impl ModelRecipe for ContrastiveRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.features.extractor()?;
        self.augment.check()?;
        self.data.validate(&self.features, LEAST_FRAMES)?;
        if self.model.n_mels != self.features.n_mels {
            return Err(Error::config(format!(
                "model.n_mels is {} but features.n_mels is {}; they must be equal",
                self.model.n_mels, self.features.n_mels
            )));
        }
        if !(self.loss.temperature > 0.0 && self.loss.temperature.is_finite()) {
            return Err(Error::config(format!(
                "loss.temperature is {}; it must be above 0",
                self.loss.temperature
            )));
        }
        if self.run.batch_size < 2 {
            return Err(Error::config(
                "run.batch_size is 1; a recording is told apart from others, at least 2",
            ));
        }
        if self.chunk_size == Some(0) {
            return Err(Error::config(
                "chunk_size is 0; expected recordings, or leave it out for the whole batch at once",
            ));
        }
        Ok(())
    }

    /// Trains, then whitens what the best weights make of music; see
    /// [`ContrastiveEncoder::whitened`](crate::models::contrastive::ContrastiveEncoder::whitened).
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
        let cache = self.data.cache.clone();
        let cache = cache.unwrap_or_else(|| self.run.output.join("cache"));
        let music = Music::read(
            &self.data,
            &cache,
            self.features.sample_rate,
            self.run.batch_size,
            &|note| report(RunEvent::Note(note)),
        )?;
        report(RunEvent::Note(&music.summary(self.features.sample_rate)));
        let Music { train, dev } = music;
        let maker = ViewMaker::new(self)?;
        let dev = Arc::new(maker.dev_views(&dev)?);
        let objective = ContrastiveObjective {
            temperature: self.loss.temperature,
            chunk_size: self.chunk_size.unwrap_or(self.run.batch_size),
        };
        let train = Arc::new(train);
        let heard = train.clone();
        let lesson = Lesson {
            run: self.run.clone(),
            objective: objective.clone(),
            model: self.model.clone(),
            task: EmbedderConfig {
                clip_s: self.data.clip_s,
                features: self.features.clone(),
            },
            card: self.card.clone(),
            score: Score {
                name: "loss",
                higher_is_better: false,
            },
            batches: Arc::new(move |number| maker.batch(&heard, number)),
            dev: Arc::from([dev.clone()]),
            transfer: Transfer::default(),
        };
        let state = training::train(lesson, device, resume, dashboard, report)?;
        if state.finished {
            self.whiten_best(device, &train, &dev, &objective)?;
        }
        Ok(state)
    }
}

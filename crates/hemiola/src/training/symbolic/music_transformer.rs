//! Training of [`MusicTransformer`] on folders of MIDI files.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::events::{EventData, Excerpt, Pieces, Styles, has_special_tokens};
use super::integers;
use super::labels::Labels;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::models::music_transformer::{MusicTransformer, MusicTransformerConfig};
use crate::tasks::perform::PerformerConfig;
use crate::tokens::EVENTS;
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

/// A recipe for [`MusicTransformer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicTransformerRecipe {
    #[serde(default)]
    pub run: RunConfig,
    #[serde(default)]
    pub model: MusicTransformerConfig,
    pub data: EventData,
    /// Names of the styles, in the order of the model's.
    #[serde(default)]
    pub styles: Vec<String>,
    #[serde(default)]
    pub loss: EventLossWeights,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// How much each task counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventLossWeights {
    /// The next event.
    pub event: f64,
    /// Pitch of the next note.
    pub pitch: f64,
    pub duration: f64,
    pub dynamics: f64,
}

impl Default for EventLossWeights {
    fn default() -> Self {
        Self {
            event: 1.0,
            pitch: 0.1,
            duration: 0.1,
            dynamics: 0.1,
        }
    }
}

/// Excerpts padded to one length, with what follows each of their ids.
#[derive(Debug, Clone)]
pub struct EventBatch {
    n: usize,
    time: usize,
    ids: Vec<i64>,
    /// Next event, pitch, duration bin and dynamics bin
    targets: [Labels; 4],
    styles: Option<Vec<i64>>,
}

impl EventBatch {
    /// Of excerpts of at most `time` + 1 ids; styles only if all have one.
    fn new(excerpts: &[Excerpt<'_>], time: usize) -> Self {
        let cells = excerpts.len() * time;
        let mut batch = Self {
            n: excerpts.len(),
            time,
            ids: vec![0; cells],
            targets: [0; 4].map(|_| Labels::none(cells)),
            styles: excerpts
                .iter()
                .map(|excerpt| excerpt.style.map(|style| style as i64))
                .collect(),
        };
        for (row, excerpt) in excerpts.iter().enumerate() {
            for position in 0..excerpt.ids.len().saturating_sub(1) {
                let cell = row * time + position;
                batch.ids[cell] = i64::from(excerpt.ids[position]);
                batch.targets[0].set(cell, usize::from(excerpt.ids[position + 1]));
                if let Some(note) = excerpt.next[position + 1] {
                    let attributes = [note.pitch, note.duration_bin, note.dynamics_bin];
                    for (targets, class) in batch.targets[1..].iter_mut().zip(attributes) {
                        targets.set(cell, usize::from(class));
                    }
                }
            }
        }
        batch
    }
}

/// The next event and the attributes of the next note.
#[derive(Debug, Clone)]
pub struct EventObjective {
    loss: EventLossWeights,
}

impl EventObjective {
    /// Mean cross-entropy of the four heads over the positions that have a target, and the share of next events that the
    /// model thinks likeliest.
    fn losses(
        &self,
        model: &MusicTransformer,
        batch: &EventBatch,
        device: &Device,
    ) -> (Loss, Tensor<1>) {
        let (n, time) = (batch.n, batch.time);
        let styles = batch.styles.as_ref();
        let output = model
            .forward(
                integers(&batch.ids, [n, time], device),
                styles.map(|styles| integers(styles, [n], device)),
            )
            .expect("the recipe's window fits the model");
        let mut hits = None;
        let heads = [
            ("event", self.loss.event, output.tokens),
            ("pitch", self.loss.pitch, output.pitches),
            ("duration", self.loss.duration, output.durations),
            ("dynamics", self.loss.dynamics, output.dynamics),
        ];
        let parts = heads.into_iter().enumerate().map(|(task, head)| {
            let (name, weight, logits) = head;
            let [_, _, classes] = logits.dims();
            let logits = logits.reshape([n * time, classes]);
            let [loss, found] = batch.targets[task].compare(logits, device);
            if task == 0 {
                hits = Some(found);
            }
            (name, weight, loss)
        });
        let loss = Loss::weighted(parts.collect());
        (loss, hits.expect("the first head is that of events"))
    }
}

impl Objective for EventObjective {
    type Model = MusicTransformer;
    type Batch = EventBatch;
    type Dev = EventBatch;

    const PARTS: &'static [&'static str] = &["event", "pitch", "duration", "dynamics"];

    fn loss(&self, model: &MusicTransformer, batch: &EventBatch, device: &Device) -> Loss {
        self.losses(model, batch, device).0
    }

    fn evaluate(&self, model: &MusicTransformer, batch: &EventBatch, device: &Device) -> Scalars {
        let (loss, hits) = self.losses(model, batch, device);
        let mut scalars = loss.scalars();
        scalars.0.insert("accuracy", hits.into_scalar::<f64>());
        scalars
    }
}

impl ModelRecipe for MusicTransformerRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.data.validate()?;
        if self.data.window > self.model.max_seq_len {
            return Err(Error::config(format!(
                "data.window is {}; it must be at most model.max_seq_len, {}",
                self.data.window, self.model.max_seq_len
            )));
        }
        if self.model.vocab_size < EVENTS {
            return Err(Error::config(format!(
                "model.vocab_size is {}; it must be at least {EVENTS}, the number of events",
                self.model.vocab_size
            )));
        }
        if self.styles.len() > self.model.n_styles {
            return Err(Error::config(format!(
                "styles names {} styles; model.n_styles is {}",
                self.styles.len(),
                self.model.n_styles
            )));
        }
        Ok(())
    }

    fn train(
        &self,
        device: &Device,
        resume: bool,
        dashboard: bool,
        report: Report,
    ) -> Result<RunState> {
        self.validate()?;
        run::prepare(&self.run.output, resume)?;
        let framed = has_special_tokens(self.model.vocab_size);
        let Pieces { train, dev } = self.data.read(framed, Styles::NoneOr(&self.styles))?;
        let excerpts = self.data.dev_excerpts(&dev, self.data.window + 1);
        let dev_batches = excerpts
            .chunks(self.run.batch_size)
            .map(|excerpts| EventBatch::new(excerpts, self.data.window));
        let dev_batches: Arc<[EventBatch]> = dev_batches.collect();
        let (data, run) = (self.data.clone(), self.run.clone());
        let batches = move |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(step_seed(run.seed, number));
            let varied: Vec<_> = (0..run.batch_size)
                .map(|_| data.draw(&train, &mut rng))
                .collect();
            let excerpts: Vec<_> = varied
                .iter()
                .map(|piece| piece.excerpt(data.window + 1, &mut rng))
                .collect();
            let mut batch = EventBatch::new(&excerpts, data.window);
            if rng.random_bool(data.unstyled) {
                batch.styles = None;
            }
            Ok(batch)
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective: EventObjective { loss: self.loss },
            model: self.model.clone(),
            task: PerformerConfig {
                styles: self.styles.clone(),
                tokens: self.data.tokens,
            },
            card: self.card.clone(),
            score: Score {
                name: "event",
                higher_is_better: false,
            },
            batches: Arc::new(batches),
            dev: dev_batches,
            transfer: Transfer::default(),
        };
        objective::train(lesson, device, resume, dashboard, report)
    }
}

//! Training of [`MusicVae`] on the piano rolls of folders of MIDI files.

mod calibration;

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::floats;
use super::source::{self, MidiSource};
use crate::checkpoint::Card;
use crate::datasets::Split;
use crate::datasets::midi_folder::FolderRolls;
use crate::error::{Error, Result};
use crate::models::music_vae::{MusicVae, MusicVaeConfig, noise};
use crate::music::PhraseShape;
use crate::tasks::phrases::PhraseSpaceConfig;
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

/// A recipe for [`MusicVae`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicVaeRecipe {
    #[serde(default)]
    pub run: RunConfig,
    #[serde(default)]
    pub model: MusicVaeConfig,
    pub data: RollData,
    #[serde(default)]
    pub loss: VaeLossConfig,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// Where the music is, and how it is cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollData {
    pub sources: Vec<MidiSource>,
    /// The list of titles that stay out of training.
    #[serde(default)]
    pub reserved: Option<PathBuf>,
    /// The share of pieces that is kept for evaluation.
    #[serde(default = "default_dev_share")]
    pub dev_share: f64,
    pub rolls: FolderRolls,
    /// The phrases of a hierarchical model; one in frame mode takes all frames apart.
    pub phrases: PhraseShape,
    /// Examples are moved by up to so many semitones either way.
    #[serde(default)]
    pub transpose: i8,
}

fn default_dev_share() -> f64 {
    0.1
}

/// The weight of the latent space's divergence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaeLossConfig {
    pub beta: f64,
    /// Steps over which beta rises from 0.
    pub warmup_steps: usize,
    /// Nats of a dimension that cost nothing.
    pub free_bits: f64,
}

impl Default for VaeLossConfig {
    fn default() -> Self {
        Self {
            beta: 0.2,
            warmup_steps: 1000,
            free_bits: 0.0,
        }
    }
}

/// Examples and the noise to sample with.
#[derive(Debug, Clone)]
pub struct RollBatch {
    n: usize,
    /// Segments and frames of an example; none in frame mode
    phrase: Option<[usize; 2]>,
    features: usize,
    /// Whether the second half of the features are onsets
    onsets: bool,
    x: Vec<f32>,
    eps: Vec<f32>,
    beta: f64,
}

impl MusicVaeRecipe {
    fn phrase(&self) -> Option<[usize; 2]> {
        let shape = self.data.phrases;
        self.model
            .hierarchical
            .then_some([shape.segments, shape.frames])
    }

    /// The examples of both sides, each with at least one note.
    fn read(&self) -> Result<[Vec<Example>; 2]> {
        let reserved = source::reserved(self.data.reserved.as_deref())?;
        let mut sides = [Vec::new(), Vec::new()];
        for source in &self.data.sources {
            let folder = source.open(reserved.as_ref(), self.data.dev_share)?;
            for (split, side) in [Split::Train, Split::Dev].into_iter().zip(&mut sides) {
                let reading = folder.rolls(split, &self.data.rolls);
                for skipped in &reading.skipped {
                    log::warn!("{skipped}; it is left out");
                }
                for (_, roll) in &reading.pieces {
                    if self.model.hierarchical {
                        let phrases = roll.phrases(self.data.phrases)?;
                        side.extend(phrases.map(|phrase| levels(&phrase)));
                    } else {
                        let rows = roll.rows();
                        side.extend(rows.chunks(self.model.input_dim).map(levels));
                    }
                }
            }
        }
        for side in &mut sides {
            side.retain(|example: &Example| example.iter().any(|level| *level > 0));
        }
        if sides[0].is_empty() {
            return Err(Error::config(
                "data.sources: no phrase is left to learn from; name more folders or lower data.dev_share",
            ));
        }
        if sides[1].is_empty() {
            // The score of a tiny set is better than none.
            sides[1] = sides[0].clone();
        }
        Ok(sides)
    }

    /// What the checkpoint says of phrases before it is calibrated.
    fn task(&self) -> PhraseSpaceConfig {
        PhraseSpaceConfig {
            rolls: Some(self.data.rolls.clone()),
            phrase: self.data.phrases,
            ..PhraseSpaceConfig::default()
        }
    }

    fn batch(
        &self,
        examples: &[Example],
        chosen: impl Fn(usize, &mut ChaCha8Rng) -> usize,
        n: usize,
        number: usize,
    ) -> RollBatch {
        let mut rng = ChaCha8Rng::seed_from_u64(step_seed(self.run.seed, number));
        let roll = self.data.rolls.roll;
        let mut x = Vec::with_capacity(n * examples[0].len());
        for row in 0..n {
            let example = &examples[chosen(row, &mut rng)];
            let semitones = rng.random_range(-self.data.transpose..=self.data.transpose);
            x.extend(transposed(
                example,
                roll.keys.count(),
                isize::from(semitones),
            ));
        }
        let warmup = self.loss.warmup_steps.max(1) as f64;
        RollBatch {
            n,
            phrase: self.phrase(),
            features: self.model.input_dim,
            onsets: roll.onsets,
            x,
            eps: noise(&mut rng, n * self.model.latent_dim),
            beta: self.loss.beta * ((number as f64 + 1.0) / warmup).min(1.0),
        }
    }
}

/// Frames of a roll, its values in steps of [`LEVELS`].
type Example = Box<[u8]>;

/// Steps from silence to 1: those of a MIDI velocity.
const LEVELS: f32 = 127.0;

fn levels(values: &[f32]) -> Example {
    values.iter().map(|v| (v * LEVELS).round() as u8).collect()
}

fn values(levels: &Example) -> Vec<f32> {
    levels.iter().map(|&level| value(level)).collect()
}

fn value(level: u8) -> f32 {
    f32::from(level) / LEVELS
}

/// The values of frames with all keys moved; those of the same frames where a sounding key would leave the keyboard.
fn transposed(frames: &[u8], keys: usize, semitones: isize) -> Vec<f32> {
    let mut moved = vec![0.0; frames.len()];
    for (index, &level) in frames.iter().enumerate().filter(|(_, level)| **level > 0) {
        let key = (index % keys) as isize + semitones;
        if key < 0 || key >= keys as isize {
            return frames.iter().copied().map(value).collect();
        }
        moved[index / keys * keys + key as usize] = value(level);
    }
    moved
}

/// Reconstruction and divergence.
#[derive(Debug, Clone)]
pub struct VaeObjective {
    free_bits: f64,
}

/// Logits, targets, and the two terms of the loss.
type Terms = (Tensor<2>, Tensor<2>, [Tensor<1>; 2]);

impl VaeObjective {
    /// Both terms for each example of the batch, `eps` scaled by `noise`.
    fn terms(&self, model: &MusicVae, batch: &RollBatch, noise: f64, device: &Device) -> Terms {
        let fits = "the recipe's phrases fit the model";
        let n = batch.n;
        let eps = floats::<2>(&batch.eps, [n, batch.eps.len() / n], device) * noise;
        let (recon, x, loss) = match batch.phrase {
            None => {
                let x = floats::<2>(&batch.x, [n, batch.features], device);
                let output = model.forward(x.clone(), eps).expect(fits);
                let loss = output.loss(x.clone(), self.free_bits).expect(fits);
                (output.recon, x, loss)
            }
            Some([segments, frames]) => {
                let x = floats::<4>(&batch.x, [n, segments, frames, batch.features], device);
                let output = model.forward(x.clone(), eps).expect(fits);
                let loss = output.loss(x.clone(), self.free_bits).expect(fits);
                let flat = [n * segments * frames, batch.features];
                (output.recon.reshape(flat), x.reshape(flat), loss)
            }
        };
        let each = 1.0 / n as f64;
        let terms = [loss.reconstruction, loss.kl].map(|term| term.mul_scalar(each));
        (recon, x, terms)
    }
}

impl Objective for VaeObjective {
    type Model = MusicVae;
    type Batch = RollBatch;
    type Dev = RollBatch;

    const PARTS: &'static [&'static str] = &["reconstruction", "kl"];

    fn loss(&self, model: &MusicVae, batch: &RollBatch, device: &Device) -> Loss {
        let (_, _, [reconstruction, kl]) = self.terms(model, batch, 1.0, device);
        Loss::weighted(vec![
            ("reconstruction", 1.0, reconstruction),
            ("kl", batch.beta, kl),
        ])
    }

    /// The terms without noise, and how well cells at probability ½ are those that sound, and those where notes begin.
    fn evaluate(&self, model: &MusicVae, batch: &RollBatch, device: &Device) -> Scalars {
        let (recon, x, [reconstruction, kl]) = self.terms(model, batch, 0.0, device);
        let loss = Loss::weighted(vec![
            ("reconstruction", 1.0, reconstruction),
            ("kl", batch.beta, kl),
        ]);
        let f1 = |first: usize, count: usize| {
            let [found, right] = [recon.clone(), x.clone()]
                .map(|cells| cells.narrow(1, first, count).greater_elem(0.0).float());
            let hits = (found.clone() * right.clone()).sum();
            let both = found.sum() + right.sum();
            (hits.mul_scalar(2.0) / both.clamp_min(1.0)).into_scalar::<f64>()
        };
        let mut scalars = loss.scalars();
        let keys = batch.features / (1 + usize::from(batch.onsets));
        scalars.0.insert("f1", f1(0, keys));
        if batch.onsets {
            scalars.0.insert("onset_f1", f1(keys, keys));
        }
        scalars
    }
}

impl ModelRecipe for MusicVaeRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        let data = &self.data;
        source::validate(&data.sources, data.dev_share)?;
        if !(0..=12).contains(&data.transpose) {
            return Err(Error::config(format!(
                "data.transpose is {}; it must be from 0 to 12 semitones",
                data.transpose
            )));
        }
        let roll = data.rolls.roll;
        let features = roll.features();
        if features != self.model.input_dim {
            return Err(Error::config(format!(
                "model.input_dim is {} but data.rolls has {features} numbers a frame; they must be equal",
                self.model.input_dim
            )));
        }
        let loss = &self.loss;
        if !(loss.beta >= 0.0 && loss.free_bits >= 0.0) {
            return Err(Error::config(format!(
                "loss.beta is {} and loss.free_bits {}; they must be 0 or more",
                loss.beta, loss.free_bits
            )));
        }
        Ok(())
    }

    /// Trains, then calibrates the best weights; see [`calibrate`](crate::tasks::phrases::calibrate).
    fn train(
        &self,
        device: &Device,
        resume: bool,
        dashboard: bool,
        report: Report,
    ) -> Result<RunState> {
        self.validate()?;
        run::prepare(&self.run.output, resume)?;
        let [train, dev] = self.read()?;
        let train: Arc<[Example]> = train.into();
        let size = self.run.batch_size;
        let still = MusicVaeRecipe {
            data: RollData {
                transpose: 0,
                ..self.data.clone()
            },
            ..self.clone()
        };
        let dev_batches = (0..dev.len().div_ceil(size)).map(|part| {
            let first = part * size;
            let n = size.min(dev.len() - first);
            still.batch(&dev, |row, _| first + row, n, usize::MAX / 2 + part)
        });
        let dev_batches: Arc<[RollBatch]> = dev_batches.collect();
        let (recipe, examples) = (self.clone(), train.clone());
        let batches = move |number| {
            let any = |_, rng: &mut ChaCha8Rng| rng.random_range(0..examples.len());
            Ok(recipe.batch(&examples, any, size, number))
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective: VaeObjective {
                free_bits: self.loss.free_bits,
            },
            model: self.model.clone(),
            task: self.task(),
            card: self.card.clone(),
            score: Score {
                name: "loss",
                higher_is_better: false,
            },
            batches: Arc::new(batches),
            dev: dev_batches.clone(),
            transfer: Transfer::default(),
        };
        let state = objective::train(lesson, device, resume, dashboard, report)?;
        if state.finished {
            self.calibrate_best(device, [&train, &dev], &dev_batches)?;
        }
        Ok(state)
    }
}

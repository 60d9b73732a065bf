//! Training of the [`ContrastiveEncoder`] on recordings without labels.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::classifier::LEAST_FRAMES;
use super::clips::{Clip, ClipsData, read_folder, shuffled, split};
use crate::augment::WaveformAugment;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::features::{FrontEnd, Mel, MelConfig};
use crate::models::contrastive::{ContrastiveEncoder, ContrastiveEncoderConfig, nt_xent};
use crate::tasks::embed::EmbedderConfig;
use crate::tasks::spectrograms::Spectrograms;
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunEvent, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

/// A recipe for [`ContrastiveEncoder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastiveRecipe {
    /// `batch_size` counts recordings; each is heard twice.
    #[serde(default)]
    pub run: RunConfig,
    #[serde(default)]
    pub model: ContrastiveEncoderConfig,
    #[serde(default)]
    pub features: MelConfig,
    pub data: ClipsData,
    #[serde(default)]
    pub augment: WaveformAugment,
    #[serde(default)]
    pub loss: ContrastiveLoss,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// What [`nt_xent`] needs.
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

/// Two views of each recording, in the same order.
#[derive(Debug, Clone)]
pub struct Views {
    views: [Spectrograms; 2],
}

/// NT-Xent of two crops; in dev also how often the one finds the other.
#[derive(Debug, Clone)]
pub struct ContrastiveObjective {
    extractor: Mel,
    window: usize,
    batch_size: usize,
    temperature: f64,
}

impl ContrastiveObjective {
    /// The first and the last window of each recording: as far apart as they can be.
    fn dev_views(&self, clips: &[Clip]) -> Views {
        let mut extractor = self.extractor.clone();
        let mut view = |first: &dyn Fn(&Clip) -> usize| {
            let windows = clips.iter().map(|c| c.window(first(c), self.window));
            Spectrograms::of(windows, &mut extractor)
        };
        Views {
            views: [view(&|_| 0), view(&|clip| clip.latest(self.window))],
        }
    }
}

impl Objective for ContrastiveObjective {
    type Model = ContrastiveEncoder;
    type Batch = Views;
    type Dev = Arc<[Clip]>;

    fn loss(&self, model: &ContrastiveEncoder, batch: &Views, device: &Device) -> Loss {
        let views = batch.views.each_ref().map(|view| view.to_tensor(device));
        let [count, ..] = views[0].dims();
        // Both views go through one normalisation, or it would tell the encoder which of the two it sees.
        let projections = model.forward(Tensor::cat(views.into(), 0)).projection;
        let [a, b] = [0, count].map(|first| projections.clone().narrow(0, first, count));
        Loss {
            total: nt_xent(a, b, self.temperature),
            parts: Vec::new(),
        }
    }

    fn evaluate(&self, model: &ContrastiveEncoder, dev: &Arc<[Clip]>, device: &Device) -> Scalars {
        let mut projections: [Vec<Tensor<2>>; 2] = Default::default();
        let mut embeddings: [Vec<Tensor<2>>; 2] = Default::default();
        for clips in dev.chunks(self.batch_size) {
            for (i, view) in self.dev_views(clips).views.iter().enumerate() {
                let output = model.forward(view.to_tensor(device));
                projections[i].push(output.projection);
                embeddings[i].push(output.embedding);
            }
        }
        let [a, b] = projections.map(|parts| Tensor::cat(parts, 0));
        let loss = nt_xent(a, b, self.temperature).into_scalar::<f64>();
        let [a, b] = embeddings.map(|parts| rows(Tensor::cat(parts, 0)));
        Scalars([("loss", loss), ("recall_at_1", recall_at_1(&a, &b))].into())
    }
}

fn rows(tensor: Tensor<2>) -> Vec<Vec<f64>> {
    let [_, width] = tensor.dims();
    let values: Vec<f64> = tensor.into_data().iter().collect();
    values.chunks(width).map(<[f64]>::to_vec).collect()
}

/// The share of `queries` to which, of all `answers`, the one in the same place is nearest by cosine similarity. One that
/// shares the first place with another does not count.
fn recall_at_1(queries: &[Vec<f64>], answers: &[Vec<f64>]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let length = |a: &[f64]| dot(a, a).sqrt().max(f64::MIN_POSITIVE);
    // The length of the query is the same for all of its answers.
    let similarity = |q: &[f64], a: &[f64]| dot(q, a) / length(a);
    let found = queries.iter().enumerate().filter(|(i, query)| {
        let own = similarity(query, &answers[*i]);
        let mut others = answers.iter().enumerate().filter(|(j, _)| j != i);
        others.all(|(_, other)| similarity(query, other) < own)
    });
    found.count() as f64 / queries.len().max(1) as f64
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
        // Refuses a folder that is taken before any music is read.
        run::prepare(&self.run.output, resume)?;
        let sample_rate = self.features.sample_rate();
        let (clips, skipped) = read_folder(&self.data.root, sample_rate)?;
        if let Some(skipped) = &skipped {
            report(RunEvent::Note(skipped));
        }
        let (train, dev) = self.sides(clips)?;
        let window = self.data.window(&self.features);
        let extractor = self.features.extractor()?;
        let (size, seed) = (self.run.batch_size, self.run.seed);
        let objective = ContrastiveObjective {
            extractor: extractor.clone(),
            window,
            batch_size: size,
            temperature: self.loss.temperature,
        };
        let augment = self.augment.clone();
        let batches = move |number: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(step_seed(seed ^ 0xC027_2A57, number));
            let mut extractor = extractor.clone();
            // No recording may be in a batch twice: it would have to be told apart from itself.
            let per_round = train.len() / size;
            let order = shuffled(seed, number / per_round, train.len());
            let examples = &order[number % per_round * size..][..size];
            let mut view = || {
                let windows = examples.iter().map(|&i| {
                    let mut samples = train[i].random_window(window, &mut rng);
                    augment.apply(&mut samples, sample_rate, &mut rng);
                    samples
                });
                Spectrograms::of(windows, &mut extractor)
            };
            Ok(Views {
                views: [view(), view()],
            })
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective,
            model: self.model.clone(),
            task: EmbedderConfig {
                clip_s: self.data.clip_s,
                features: self.features.clone(),
                ..EmbedderConfig::default()
            },
            card: self.card.clone(),
            score: Score {
                name: "loss",
                higher_is_better: false,
            },
            batches: Arc::new(batches),
            dev: Arc::from([Arc::from(dev)]),
            transfer: Transfer::default(),
        };
        objective::train(lesson, device, resume, dashboard, report)
    }
}

impl ContrastiveRecipe {
    /// The recordings to learn from, and those to measure by: at least two, that one can be mistaken for the other.
    fn sides(&self, clips: Vec<(String, Clip)>) -> Result<(Vec<Clip>, Vec<Clip>)> {
        let names: Vec<(&str, usize)> = clips.iter().map(|(name, _)| (name.as_str(), 0)).collect();
        let is_dev = split(&names, self.data.dev_share, 2);
        let (mut train, mut dev) = (Vec::new(), Vec::new());
        for ((_, clip), is_dev) in clips.into_iter().zip(is_dev) {
            match is_dev {
                true => dev.push(clip),
                false => train.push(clip),
            }
        }
        if train.len() < self.run.batch_size || dev.len() < 2 {
            return Err(Error::input(
                &self.data.root,
                format!(
                    "{} recordings to learn from and {} to measure by are too few; expected at least \
                     run.batch_size = {} and 2",
                    train.len(),
                    dev.len(),
                    self.run.batch_size
                ),
            ));
        }
        Ok((train, dev))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_counts_queries_whose_own_answer_is_nearest_in_angle() {
        let answers = [vec![1.0, 0.0], vec![0.0, 9.0], vec![-1.0, -1.0]];
        // The second is nearer in angle to the first answer, however long the others are.
        let queries = [vec![5.0, 1.0], vec![3.0, 2.0], vec![-1.0, -2.0]];
        assert!((recall_at_1(&queries, &answers) - 2.0 / 3.0).abs() < 1e-12);
        // An encoder that says the same of everything finds nothing.
        let same = vec![vec![1.0, 2.0]; 3];
        assert_eq!(recall_at_1(&same, &same), 0.0);
    }

    #[test]
    fn two_recordings_are_kept_for_measuring_and_a_batch_for_learning() {
        let recipe: ContrastiveRecipe =
            toml::from_str("run.batch_size = 4\ndata.root = \"x\"\n").unwrap();
        let clips = |n: usize| -> Vec<(String, Clip)> {
            (0..n)
                .map(|i| (format!("{i}.wav"), Clip::new(&[0.0])))
                .collect()
        };
        let (train, dev) = recipe.sides(clips(6)).unwrap();
        assert_eq!((train.len(), dev.len()), (4, 2));
        for few in [1, 2, 5] {
            let message = recipe.sides(clips(few)).unwrap_err().to_string();
            assert!(message.contains("batch_size = 4"), "{message}");
        }
    }
}

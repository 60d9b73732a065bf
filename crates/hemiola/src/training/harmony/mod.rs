//! Training of [`ChordProgressionGnn`] to name keys and degrees of chords, on labelled progressions.

mod data;

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Card;
use crate::datasets::Split;
use crate::datasets::progression::LabelledProgression;
use crate::error::{Error, Result};
use crate::evaluation::harmony::HarmonyCounts;
use crate::models::chord_gnn::{
    CHORD_FEATURES, ChordProgressionGnn, ChordProgressionGnnConfig, HarmonyLogits,
};
use crate::music::SoundingChord;
use crate::music::roman::{N_DEGREES, N_KEYS};
use crate::nn::chain::chain_loss;
use crate::nn::loss::cross_entropy;
use crate::tasks::harmony::{HarmonyConfig, ProgressionTask};
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunEvent, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

pub use data::{HarmonyData, HarmonySet, HarmonySource};

/// A recipe for a [`ChordProgressionGnn`] that names harmony.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarmonyRecipe {
    #[serde(default)]
    pub run: RunConfig,
    pub model: ChordProgressionGnnConfig,
    #[serde(default)]
    pub harmony: HarmonyConfig,
    pub data: HarmonyData,
    #[serde(default)]
    pub loss: LossWeights,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// How much each question counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossWeights {
    /// The key of every chord; of all chords together where the model learns how keys follow one another.
    pub key: f64,
    /// The degree of every chord, given the key.
    pub degree: f64,
    /// The mode of the progression, given the tonic of most chords.
    pub mode: f64,
}

impl Default for LossWeights {
    fn default() -> Self {
        Self {
            key: 1.0,
            degree: 1.0,
            mode: 0.2,
        }
    }
}

/// Keys, degrees and modes of progressions.
#[derive(Debug, Clone)]
pub struct NamingObjective {
    loss: LossWeights,
    harmony: HarmonyConfig,
}

impl NamingObjective {
    fn logits(
        &self,
        model: &ChordProgressionGnn,
        progressions: &[LabelledProgression],
    ) -> HarmonyLogits {
        let chords: Vec<Vec<SoundingChord>> = progressions.iter().map(chords_of).collect();
        let chords: Vec<&[SoundingChord]> = chords.iter().map(Vec::as_slice).collect();
        let logits = model.harmony(&chords, &self.harmony.graph);
        logits.expect("progressions have chords, and the recipe's model has all heads")
    }

    /// Means over chords, and over progressions.
    fn compare(&self, logits: &HarmonyLogits, progressions: &[LabelledProgression]) -> Loss {
        let device = logits.keys.device();
        let integers = |values: Vec<usize>| -> Tensor<1, Int> {
            let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
            let n = values.len();
            Tensor::from_data(TensorData::new(values, [n]), &device)
        };
        let chords: Vec<_> = progressions.iter().flat_map(|p| &p.chords).collect();
        let keys: Vec<usize> = chords.iter().map(|chord| chord.key.index()).collect();
        let degrees = chords.iter().map(|chord| usize::from(chord.degree) - 1);
        let degrees = integers(degrees.collect());
        let n = chords.len();
        let rows = chords.iter().enumerate();
        let rows = rows.map(|(at, chord)| logits.row(chord.key.tonic(), at, n));
        let of_degrees = logits.degrees.clone().select(0, integers(rows.collect()));

        let modes = progressions.iter().map(|p| p.mode.index()).collect();
        let rows = progressions.iter().enumerate().map(|(at, progression)| {
            let tonic = progression.main_key().map_or(0, |key| key.tonic());
            logits.row(tonic, at, progressions.len())
        });
        let of_modes = logits.modes.clone().select(0, integers(rows.collect()));
        let mean = |logits: Tensor<2>, classes| cross_entropy(logits, classes).mean();
        let of_keys = match &logits.transitions {
            Some(transitions) => {
                let lengths: Vec<usize> = progressions.iter().map(|p| p.chords.len()).collect();
                chain_loss(logits.keys.clone(), transitions.clone(), &keys, &lengths)
            }
            None => mean(logits.keys.clone(), integers(keys)),
        };
        Loss::weighted(vec![
            ("key", self.loss.key, of_keys),
            ("degree", self.loss.degree, mean(of_degrees, degrees)),
            ("mode", self.loss.mode, mean(of_modes, integers(modes))),
        ])
    }
}

fn chords_of(progression: &LabelledProgression) -> Vec<SoundingChord> {
    progression.chords.iter().map(|chord| chord.chord).collect()
}

impl Objective for NamingObjective {
    type Model = ChordProgressionGnn;
    type Batch = Vec<LabelledProgression>;
    /// Whole pieces.
    type Dev = Arc<Vec<LabelledProgression>>;

    const PARTS: &'static [&'static str] = &["key", "degree", "mode"];

    fn loss(&self, model: &Self::Model, batch: &Self::Batch, _: &Device) -> Loss {
        self.compare(&self.logits(model, batch), batch)
    }

    /// Losses are means over pieces, accuracies over chords.
    fn evaluate(&self, model: &Self::Model, pieces: &Self::Dev, _: &Device) -> Scalars {
        let mut counts = HarmonyCounts::default();
        let mut losses: BTreeMap<&'static str, f64> = BTreeMap::new();
        for piece in pieces.iter() {
            let piece = std::slice::from_ref(piece);
            let logits = self.logits(model, piece);
            for (name, part) in self.compare(&logits, piece).scalars().0 {
                *losses.entry(name).or_default() += part;
            }
            let readings = self.harmony.decode(&logits, piece[0].chords.len());
            counts.add(&piece[0], &readings);
        }
        let n = pieces.len().max(1) as f64;
        let scores = counts.scores();
        let losses = losses.into_iter().map(|(name, sum)| (name, sum / n));
        let accuracies = [
            ("degree_accuracy", scores.degree_accuracy),
            ("key_accuracy", scores.key_accuracy),
            ("mode_accuracy", scores.mode_accuracy),
            ("key_and_degree_accuracy", scores.key_and_degree_accuracy),
        ];
        Scalars(losses.chain(accuracies).collect())
    }
}

impl ModelRecipe for HarmonyRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.harmony.validate()?;
        self.data.validate()?;
        let model = &self.model;
        let fail = |message: String| Err(Error::config(message));
        for (name, found, expected) in [
            ("node_features", model.node_features, CHORD_FEATURES),
            ("n_node_classes", model.n_node_classes, N_DEGREES),
            ("n_classes", model.n_classes, 7),
        ] {
            if found != expected {
                return fail(format!(
                    "model.{name} is {found}; naming harmony needs {expected}"
                ));
            }
        }
        if ![2, N_KEYS].contains(&model.n_key_classes) {
            return fail(format!(
                "model.n_key_classes is {}; naming harmony needs 2 (asked for every tonic) or {N_KEYS}",
                model.n_key_classes
            ));
        }
        let weights = [self.loss.key, self.loss.degree, self.loss.mode];
        if weights.iter().any(|w| !(*w >= 0.0 && w.is_finite())) {
            return fail(format!(
                "loss.key, loss.degree and loss.mode are {weights:?}; they must be 0 or more"
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
        run::prepare(&self.run.output, resume)?;
        let note = |text: &str| report(RunEvent::Note(text));
        let train = self.data.read(Split::Train, &note)?;
        let dev = self.data.read(Split::Dev, &note)?;
        let dev = dev.into_iter().flat_map(|source| source.progressions);
        let dev = Arc::new(dev.collect::<Vec<_>>());
        let (data, seed, size) = (self.data.clone(), self.run.seed, self.run.batch_size);
        let batches = move |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(step_seed(seed, number));
            Ok((0..size).map(|_| data.draw(&train, &mut rng)).collect())
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective: NamingObjective {
                loss: self.loss,
                harmony: self.harmony,
            },
            model: self.model.clone(),
            task: ProgressionTask {
                harmony: Some(self.harmony),
            },
            card: self.card.clone(),
            score: Score {
                name: "key_and_degree_accuracy",
                higher_is_better: true,
            },
            batches: Arc::new(batches),
            dev: vec![dev].into(),
            transfer: Transfer::default(),
        };
        objective::train(lesson, device, resume, dashboard, report)
    }
}

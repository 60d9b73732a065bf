//! Training of [`ChordProgressionGnn`] on lists of chord progressions with their analysis.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::labels::Labels;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::models::chord_gnn::{ChordProgressionGnn, ChordProgressionGnnConfig, GraphBatch};
use crate::music::chord_graph::{ChordGraph, ChordGraphBatch, ChordGraphConfig, ChordTones};
use crate::music::{N_PITCH_CLASSES, PitchClassSet};
use crate::tasks::harmony::ProgressionTask;
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

/// A recipe for [`ChordProgressionGnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChordProgressionRecipe {
    #[serde(default)]
    pub run: RunConfig,
    #[serde(default)]
    pub model: ChordProgressionGnnConfig,
    #[serde(default)]
    pub graph: ChordGraphConfig,
    pub data: ProgressionData,
    #[serde(default)]
    pub loss: HarmonyLossWeights,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// Where the progressions are: JSON lines, one [`Progression`] each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgressionData {
    pub train: PathBuf,
    pub dev: PathBuf,
    /// Whether examples are moved to any of the twelve keys by chance.
    #[serde(default = "yes")]
    pub transpose: bool,
}

fn yes() -> bool {
    true
}

/// How much each question counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HarmonyLossWeights {
    /// The class of the progression, its mode.
    pub mode: f64,
    /// The class of every chord, its degree.
    pub degree: f64,
}

impl Default for HarmonyLossWeights {
    fn default() -> Self {
        Self {
            mode: 1.0,
            degree: 1.0,
        }
    }
}

/// Chords with what they are in their key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progression {
    pub chords: Vec<ProgressionChord>,
    /// The class of the whole, such as its mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<usize>,
}

/// One chord: without root and pitch classes it is no chord (N).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgressionChord {
    /// 0 (C) to 11 (B).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<u8>,
    #[serde(default)]
    pub pitch_classes: Vec<u8>,
    /// The class of the chord, such as its degree, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degree: Option<usize>,
}

impl ProgressionChord {
    fn tones(&self) -> Result<ChordTones> {
        match self.root {
            Some(root) => {
                let pitch_classes = PitchClassSet::new(self.pitch_classes.iter().copied())?;
                ChordTones::new(root, pitch_classes)
            }
            None if self.pitch_classes.is_empty() => Ok(ChordTones::NONE),
            None => Err(Error::config(format!(
                "a chord of the pitch classes {:?} without a root",
                self.pitch_classes
            ))),
        }
    }
}

/// A progression in the form that examples are made from.
#[derive(Debug, Clone)]
struct Example {
    chords: Vec<ChordTones>,
    degrees: Vec<Option<usize>>,
    mode: Option<usize>,
}

/// Graphs with their classes.
#[derive(Debug, Clone)]
pub struct ProgressionBatch {
    graphs: ChordGraphBatch,
    modes: Labels,
    degrees: Labels,
}

impl ChordProgressionRecipe {
    fn read(&self, path: &Path) -> Result<Vec<Example>> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        let mut examples = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let fault =
                |message: String| Error::input(path, format!("line {}: {message}", number + 1));
            let progression: Progression =
                serde_json::from_str(line).map_err(|e| fault(format!("not a progression: {e}")))?;
            examples.push(
                self.example(&progression)
                    .map_err(|e| fault(e.to_string()))?,
            );
        }
        if examples.is_empty() {
            return Err(Error::input(
                path,
                "expected a chord progression on each line, found none",
            ));
        }
        Ok(examples)
    }

    fn example(&self, progression: &Progression) -> Result<Example> {
        if progression.chords.is_empty() {
            return Err(Error::config("a progression without chords"));
        }
        let limited = |name: &str, class: Option<usize>, classes: usize| match class {
            Some(class) if class >= classes => Err(Error::config(format!(
                "{name} {class}; the model has {classes} classes, counted from 0"
            ))),
            class => Ok(class),
        };
        let chords = progression.chords.iter();
        Ok(Example {
            chords: chords
                .clone()
                .map(ProgressionChord::tones)
                .collect::<Result<_>>()?,
            degrees: chords
                .map(|chord| limited("degree", chord.degree, self.model.n_node_classes))
                .collect::<Result<_>>()?,
            mode: limited("mode", progression.mode, self.model.n_classes)?,
        })
    }

    fn batch<'a>(
        &self,
        examples: impl Iterator<Item = (&'a Example, i32)>,
    ) -> Result<ProgressionBatch> {
        let (mut graphs, mut modes, mut degrees) =
            (Vec::new(), Labels::default(), Labels::default());
        for (example, semitones) in examples {
            let chords: Vec<ChordTones> = (example.chords.iter())
                .map(|chord| chord.transposed(semitones))
                .collect();
            graphs.push(ChordGraph::of_progression(&chords, &self.graph)?);
            modes.push(example.mode);
            example.degrees.iter().for_each(|&d| degrees.push(d));
        }
        Ok(ProgressionBatch {
            graphs: ChordGraphBatch::new(&graphs)?,
            modes,
            degrees,
        })
    }
}

/// Mode of a progression and degrees of its chords.
#[derive(Debug, Clone)]
pub struct HarmonyObjective {
    loss: HarmonyLossWeights,
}

impl HarmonyObjective {
    fn losses(
        &self,
        model: &ChordProgressionGnn,
        batch: &ProgressionBatch,
        device: &Device,
    ) -> (Loss, Vec<(&'static str, Tensor<1>)>) {
        let fits = "graphs of chords fit the model";
        let graphs = GraphBatch::of_chords(&batch.graphs, device).expect(fits);
        let output = model.forward(&graphs).expect(fits);
        let [mode, modes_right] = batch.modes.compare(output.graph_logits, device);
        let mut parts = vec![("mode", self.loss.mode, mode)];
        let mut right = vec![("mode_accuracy", modes_right)];
        if let Some(logits) = output.node_logits {
            let [degree, degrees_right] = batch.degrees.compare(logits, device);
            parts.push(("degree", self.loss.degree, degree));
            right.push(("degree_accuracy", degrees_right));
        }
        (Loss::weighted(parts), right)
    }
}

impl Objective for HarmonyObjective {
    type Model = ChordProgressionGnn;
    type Batch = ProgressionBatch;
    type Dev = ProgressionBatch;

    const PARTS: &'static [&'static str] = &["mode", "degree"];

    fn loss(&self, model: &Self::Model, batch: &ProgressionBatch, device: &Device) -> Loss {
        self.losses(model, batch, device).0
    }

    fn evaluate(&self, model: &Self::Model, batch: &ProgressionBatch, device: &Device) -> Scalars {
        let (loss, right) = self.losses(model, batch, device);
        let mut scalars = loss.scalars();
        let right = right.into_iter();
        scalars
            .0
            .extend(right.map(|(name, share)| (name, share.into_scalar::<f64>())));
        scalars
    }
}

impl ModelRecipe for ChordProgressionRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        if self.model.node_features != N_PITCH_CLASSES {
            return Err(Error::config(format!(
                "model.node_features is {}; chords have {N_PITCH_CLASSES} pitch classes",
                self.model.node_features
            )));
        }
        let weights = [self.loss.mode, self.loss.degree];
        if weights.iter().any(|w| !(*w >= 0.0 && w.is_finite())) {
            return Err(Error::config(format!(
                "loss.mode is {} and loss.degree {}; they must be 0 or more",
                self.loss.mode, self.loss.degree
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
        let train = self.read(&self.data.train)?;
        let dev = self.read(&self.data.dev)?;
        let size = self.run.batch_size;
        let dev_batches = dev
            .chunks(size)
            .map(|part| self.batch(part.iter().map(|example| (example, 0))));
        let dev_batches: Vec<ProgressionBatch> = dev_batches.collect::<Result<_>>()?;
        let recipe = self.clone();
        let batches = move |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(step_seed(recipe.run.seed, number));
            let chosen: Vec<(&Example, i32)> = (0..size)
                .map(|_| {
                    let example = &train[rng.random_range(0..train.len())];
                    let semitones = rng.random_range(0..N_PITCH_CLASSES as i32);
                    (example, if recipe.data.transpose { semitones } else { 0 })
                })
                .collect();
            recipe.batch(chosen.into_iter())
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective: HarmonyObjective { loss: self.loss },
            model: self.model.clone(),
            task: ProgressionTask::default(),
            card: self.card.clone(),
            score: Score {
                name: "loss",
                higher_is_better: false,
            },
            batches: Arc::new(batches),
            dev: dev_batches.into(),
            transfer: Transfer::default(),
        };
        objective::train(lesson, device, resume, dashboard, report)
    }
}

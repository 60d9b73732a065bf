//! A recipe: everything that decides a training run, in one TOML file.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::formats::{parse_toml, toml_fault};
use crate::models::harmonic_cnn::HarmonicCnnConfig;
use crate::models::music_cnn::MusicCnnConfig;
use crate::training::run::{Report, RunState};
use crate::training::symbolic::event_classifier::EventClassifierRecipe;
use crate::training::symbolic::music_bert::MusicBertRecipe;
use crate::training::symbolic::music_transformer::MusicTransformerRecipe;
use crate::training::symbolic::music_vae::MusicVaeRecipe;
use crate::training::symbolic::progressions::ChordProgressionRecipe;
use crate::training::transcription::TranscriptionRecipe;
use crate::training::{
    ChordRecipe, ChromaRecipe, ClassifierRecipe, ContrastiveRecipe, HarmonyRecipe, OnsetRecipe,
};

/// What a recipe trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "architecture", rename_all = "kebab-case")]
pub enum Recipe {
    MusicTranscriptionRnn(Box<TranscriptionRecipe>),
    MusicTransformer(Box<MusicTransformerRecipe>),
    MusicBert(Box<MusicBertRecipe>),
    MusicBertClassifier(Box<EventClassifierRecipe>),
    MusicVae(Box<MusicVaeRecipe>),
    ChordProgressionGnn(Box<ChordProgressionRecipe>),
    ChordProgressionGnnHarmony(Box<HarmonyRecipe>),
    MusicCnn(Box<ClassifierRecipe<MusicCnnConfig>>),
    MusicCnnOnsets(Box<OnsetRecipe>),
    HarmonicCnn(Box<ClassifierRecipe<HarmonicCnnConfig>>),
    RealTimeMusicRnn(Box<ChromaRecipe>),
    ChordHmm(Box<ChordRecipe>),
    ContrastiveEncoder(Box<ContrastiveRecipe>),
}

/// A recipe of one architecture.
pub trait ModelRecipe {
    /// The part that every recipe has.
    fn run(&self) -> &RunConfig;

    /// Refuses impossible values; files are not looked at.
    fn validate(&self) -> Result<()>;

    /// Trains to the end of the run; see [`super::train`].
    fn train(
        &self,
        device: &Device,
        resume: bool,
        dashboard: bool,
        report: Report,
    ) -> Result<RunState>;
}

/// How long, how fast and where to: the part that every recipe has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Folder of checkpoints, logs and the best weights.
    pub output: PathBuf,
    /// Everything random follows from it.
    pub seed: u64,
    /// Optimiser steps in all.
    pub steps: usize,
    /// Steps between two evaluations on the dev set, each followed by a checkpoint.
    pub steps_per_epoch: usize,
    /// Examples in a step.
    pub batch_size: usize,
    /// Peak learning rate of Adam.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises to its peak.
    pub warmup_steps: usize,
    /// The cosine decay ends at this fraction of the peak.
    pub final_learning_rate: f64,
    /// Gradients are scaled down to this global norm.
    pub clip_norm: f64,
    /// Evaluations without a better dev score after which the run stops; 0 never stops.
    pub patience: usize,
    /// Threads that prepare batches.
    pub loader_threads: usize,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            output: PathBuf::from("runs/unnamed"),
            seed: 1,
            steps: 1000,
            steps_per_epoch: 100,
            batch_size: 16,
            learning_rate: 1e-3,
            warmup_steps: 100,
            final_learning_rate: 0.01,
            clip_norm: 3.0,
            patience: 0,
            loader_threads: 2,
        }
    }
}

impl RunConfig {
    /// Evaluations, and with them checkpoints, in the whole run.
    pub fn epochs(&self) -> usize {
        self.steps.div_ceil(self.steps_per_epoch)
    }

    fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("steps", self.steps),
            ("steps_per_epoch", self.steps_per_epoch),
            ("batch_size", self.batch_size),
            ("loader_threads", self.loader_threads),
        ] {
            if value == 0 {
                return Err(Error::config(format!(
                    "run.{name} is 0; it must be at least 1"
                )));
            }
        }
        for (name, value) in [
            ("learning_rate", self.learning_rate),
            ("clip_norm", self.clip_norm),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "run.{name} is {value}; it must be above 0"
                )));
            }
        }
        if !(0.0..=1.0).contains(&self.final_learning_rate) {
            return Err(Error::config(format!(
                "run.final_learning_rate is {}; it is a fraction of learning_rate, 0 to 1",
                self.final_learning_rate
            )));
        }
        Ok(())
    }
}

impl Recipe {
    /// Reads a recipe and applies `overrides` such as `run.steps=100`.
    ///
    /// Unknown keys and impossible values are refused by name. Relative paths stay relative to the
    /// working folder.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        Self::parse(&text, overrides).map_err(|e| Error::input(path, e.to_string()))
    }

    /// Parses the text of a recipe; see [`Recipe::read`].
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self> {
        let table: toml::Table =
            parse_toml(text).map_err(|e| Error::config(format!("not TOML: {e}")))?;
        Self::of_table(table, overrides)
    }

    /// The same recipe with `overrides` such as `run.steps=100`.
    pub fn with(&self, overrides: &[String]) -> Result<Self> {
        let table = toml::Table::try_from(self).map_err(|e| Error::config(e.to_string()))?;
        Self::of_table(table, overrides)
    }

    /// The text of a recipe that says the same.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| Error::config(e.to_string()))
    }

    fn of_table(mut table: toml::Table, overrides: &[String]) -> Result<Self> {
        for assignment in overrides {
            set(&mut table, assignment)?;
        }
        let recipe: Recipe = table
            .try_into()
            .map_err(|e: toml::de::Error| Error::config(toml_fault(&e)))?;
        recipe.run().validate()?;
        recipe.inner().validate()?;
        Ok(recipe)
    }

    /// The part that every recipe has.
    pub fn run(&self) -> &RunConfig {
        self.inner().run()
    }

    /// The recipe of whichever architecture.
    pub fn inner(&self) -> &dyn ModelRecipe {
        match self {
            Recipe::MusicTranscriptionRnn(recipe) => recipe.as_ref(),
            Recipe::MusicTransformer(recipe) => recipe.as_ref(),
            Recipe::MusicBert(recipe) => recipe.as_ref(),
            Recipe::MusicBertClassifier(recipe) => recipe.as_ref(),
            Recipe::MusicVae(recipe) => recipe.as_ref(),
            Recipe::ChordProgressionGnn(recipe) => recipe.as_ref(),
            Recipe::ChordProgressionGnnHarmony(recipe) => recipe.as_ref(),
            Recipe::MusicCnn(recipe) => recipe.as_ref(),
            Recipe::MusicCnnOnsets(recipe) => recipe.as_ref(),
            Recipe::HarmonicCnn(recipe) => recipe.as_ref(),
            Recipe::RealTimeMusicRnn(recipe) => recipe.as_ref(),
            Recipe::ChordHmm(recipe) => recipe.as_ref(),
            Recipe::ContrastiveEncoder(recipe) => recipe.as_ref(),
        }
    }
}

/// Sets `section.key=value`; the value is TOML, or else taken as a string.
fn set(table: &mut toml::Table, assignment: &str) -> Result<()> {
    let Some((key, value)) = assignment.split_once('=') else {
        return Err(Error::config(format!(
            "--set {assignment}: expected section.key=value, such as run.steps=500"
        )));
    };
    let value = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut t| t.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut sections: Vec<&str> = key.trim().split('.').collect();
    let last = sections.pop().unwrap_or_default().to_owned();
    let mut at = table;
    for section in sections {
        at = at
            .entry(section)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| {
                Error::config(format!("--set {assignment}: {section} is not a section"))
            })?;
    }
    at.insert(last, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
architecture = "music-transcription-rnn"
[run]
steps = 10
[model]
input_dim = 295
onset_outputs = 88
velocity_outputs = 88
[data]
renditions = "cache"
dev = "dev"
"#;

    #[test]
    fn overrides_reach_nested_keys_with_their_types() {
        let recipe = Recipe::parse(
            MINIMAL,
            &[
                "run.steps=7".into(),
                "run.output=runs/x".into(),
                "model.hidden_dim=8".into(),
            ],
        )
        .unwrap();
        assert_eq!(recipe.run().steps, 7);
        assert_eq!(recipe.run().output, PathBuf::from("runs/x"));
        let Recipe::MusicTranscriptionRnn(recipe) = recipe else {
            panic!("another architecture");
        };
        assert_eq!(recipe.model.hidden_dim, 8);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Recipe::parse(MINIMAL, &["run.stpes=7".into()]).unwrap_err();
        assert!(error.to_string().contains("stpes"), "{error}");
    }

    #[test]
    fn an_impossible_value_is_named_with_what_was_found() {
        for (assignment, word) in [
            ("run.steps=0", "steps"),
            ("run.learning_rate=-1.0", "learning_rate"),
            ("model.n_heads=7", "n_heads"),
            ("run.batch_size=\"many\"", "many"),
        ] {
            let error = Recipe::parse(MINIMAL, &[assignment.into()]).unwrap_err();
            assert!(error.to_string().contains(word), "{assignment}: {error}");
        }
    }
}

//! What a classifier of clips needs beside its weights.

use std::fmt::Debug;

use burn::module::ModuleDisplay;
use burn::tensor::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Architecture;
use crate::error::{Error, Result};
use crate::features::{ConstantQConfig, FrontEnd, MelConfig};
use crate::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use crate::models::music_cnn::{MusicCnn, MusicCnnConfig, MusicCnnOutput, Output};
use crate::tasks::peak_picking::PeakPickingConfig;

/// Seconds of a clip where nothing else is said.
pub const CLIP_S: f64 = 3.0;

/// What a classifier tells of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Which one of the labels it has: probabilities sum to 1.
    #[default]
    Class,
    /// Which of the labels it has: each has a probability of its own.
    Tags,
}

impl Target {
    /// Probabilities of one clip's logits, each divided by `temperature` first.
    pub fn probabilities(self, logits: &[f32], temperature: f64) -> Vec<f64> {
        let logits = logits.iter().map(|&logit| f64::from(logit) / temperature);
        match self {
            Self::Tags => logits.map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
            Self::Class => {
                let logits: Vec<f64> = logits.collect();
                let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let powers: Vec<f64> = logits.iter().map(|x| (x - top).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.into_iter().map(|power| power / sum).collect()
            }
        }
    }
}

/// The scores of a recording: means over its windows, each counting as much as it is loud (the root of its mean square),
/// so that the silence around a sound has no say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pooled {
    sums: Vec<f64>,
    level: f64,
}

impl Pooled {
    pub(crate) fn new(n_labels: usize) -> Self {
        Self {
            sums: vec![0.0; n_labels],
            level: 0.0,
        }
    }

    /// Adds the scores of a window of that level.
    pub(crate) fn add(&mut self, scores: impl IntoIterator<Item = f64>, level: f64) {
        let pairs = self.sums.iter_mut().zip(scores);
        pairs.for_each(|(sum, score)| *sum += level * score);
        self.level += level;
    }

    /// All zero where nothing was loud.
    pub(crate) fn mean(self) -> Vec<f64> {
        let level = self.level.max(f64::MIN_POSITIVE);
        self.sums.into_iter().map(|sum| sum / level).collect()
    }
}

/// The root mean square below which nothing is heard: −70 dB of full scale.
pub(crate) const SILENCE: f64 = 3.162_277_660_168_379_5e-4;

/// The root mean square of samples.
pub(crate) fn level(samples: &[f32]) -> f64 {
    let power = samples.iter().map(|&s| f64::from(s) * f64::from(s));
    (power.sum::<f64>() / samples.len().max(1) as f64).sqrt()
}

/// The names of the classes, and what a clip is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "F: ClassifierFrontEnd")]
pub struct ClassifierConfig<F> {
    /// In the order of the logits; where there are none, classes go by their number.
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub target: Target,
    /// What logits are divided by so that probabilities are as often right as they say.
    ///
    /// Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), section 4.2.
    #[serde(default = "one")]
    pub temperature: f64,
    /// Seconds of the clips that the model was trained with.
    #[serde(default = "default_clip_s")]
    pub clip_s: f64,
    #[serde(default = "F::classifiers")]
    pub features: F,
    /// How onsets are picked, of a model whose one class is the onset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onsets: Option<PeakPickingConfig>,
}

fn default_clip_s() -> f64 {
    CLIP_S
}

fn one() -> f64 {
    1.0
}

impl<F: ClassifierFrontEnd> Default for ClassifierConfig<F> {
    fn default() -> Self {
        Self {
            labels: Vec::new(),
            target: Target::default(),
            temperature: 1.0,
            clip_s: CLIP_S,
            features: F::classifiers(),
            onsets: None,
        }
    }
}

impl<F> ClassifierConfig<F> {
    /// Refuses labels whose number is not that of the model's classes, and settings that give no probability.
    pub fn check_labels(&self, n_classes: usize) -> Result<()> {
        if !self.labels.is_empty() && self.labels.len() != n_classes {
            return Err(Error::config(format!(
                "task.labels names {} labels, but the model has {n_classes} classes (model.n_classes)",
                self.labels.len()
            )));
        }
        for (name, value) in [("temperature", self.temperature), ("clip_s", self.clip_s)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "task.{name} is {value}; it must be above 0"
                )));
            }
        }
        Ok(())
    }

    /// The name of a class: `class 3` where it has none.
    pub fn label(&self, class: usize) -> String {
        match self.labels.get(class) {
            Some(label) => label.clone(),
            None => format!("class {class}"),
        }
    }
}

/// Spectra that a classifier reads.
pub trait ClassifierFrontEnd: FrontEnd {
    /// Those of the reference preset.
    fn classifiers() -> Self;
}

impl ClassifierFrontEnd for MelConfig {
    fn classifiers() -> Self {
        Self::default()
    }
}

impl ClassifierFrontEnd for ConstantQConfig {
    fn classifiers() -> Self {
        Self::harmonic_cnn()
    }
}

/// What a model says of clips.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// [batch, n_classes]
    pub logits: Tensor<2>,
    /// How much each stretch of time counted, [batch, stretches]; sums to 1. Of models that attend.
    pub attention: Option<Tensor<2>>,
}

/// Sizes of a model that sorts clips into classes.
pub trait ClassifierSizes:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    type Model: Architecture<Config = Self, Task = ClassifierConfig<Self::Features>>
        + ModuleDisplay
        + Sync;
    type Features: ClassifierFrontEnd;

    /// How PyTorch's names of the tensors begin that know the classes.
    const HEAD: &'static str;

    /// The reference preset for that many classes.
    fn of_classes(n_classes: usize) -> Self;

    fn n_classes(&self) -> usize;

    /// The same sizes for another number of classes.
    fn with_classes(&self, n_classes: usize) -> Self;

    /// Bins of the spectrograms that the model reads.
    fn n_bins(&self) -> usize;

    /// Refuses impossible sizes, and models that judge something other than clips.
    fn validate(&self) -> Result<()>;

    /// Of spectrograms [batch, n_bins, time].
    ///
    /// # Errors
    /// When the model judges something other than clips.
    fn judge(model: &Self::Model, spectrograms: Tensor<3>) -> Result<Judgement>;
}

impl ClassifierSizes for MusicCnnConfig {
    type Model = MusicCnn;
    type Features = MelConfig;

    const HEAD: &'static str = "fc.";

    fn of_classes(n_classes: usize) -> Self {
        Self {
            n_classes,
            ..Self::default()
        }
    }

    fn n_classes(&self) -> usize {
        self.n_classes
    }

    fn with_classes(&self, n_classes: usize) -> Self {
        Self {
            n_classes,
            ..self.clone()
        }
    }

    fn n_bins(&self) -> usize {
        self.n_mels
    }

    fn validate(&self) -> Result<()> {
        MusicCnnConfig::validate(self)?;
        if self.output != Output::Clip {
            return Err(Error::config(
                "model.output is \"frame\"; a classifier judges clips: expected \"clip\"",
            ));
        }
        Ok(())
    }

    fn judge(model: &MusicCnn, spectrograms: Tensor<3>) -> Result<Judgement> {
        match model.forward(spectrograms) {
            MusicCnnOutput::Clip { logits, attention } => Ok(Judgement { logits, attention }),
            frames => Ok(Judgement {
                logits: frames.into_clip()?,
                attention: None,
            }),
        }
    }
}

impl ClassifierSizes for HarmonicCnnConfig {
    type Model = HarmonicCnn;
    type Features = ConstantQConfig;

    const HEAD: &'static str = "classifier.";

    fn of_classes(n_classes: usize) -> Self {
        Self {
            n_classes,
            ..Self::default()
        }
    }

    fn n_classes(&self) -> usize {
        self.n_classes
    }

    fn with_classes(&self, n_classes: usize) -> Self {
        Self {
            n_classes,
            ..self.clone()
        }
    }

    fn n_bins(&self) -> usize {
        self.n_bins
    }

    fn validate(&self) -> Result<()> {
        HarmonicCnnConfig::validate(self)
    }

    fn judge(model: &HarmonicCnn, spectrograms: Tensor<3>) -> Result<Judgement> {
        Ok(Judgement {
            logits: model.forward(spectrograms),
            attention: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_odds_of_a_class_or_of_each_tag() {
        let logits = [3f32.ln(), 0.0];
        let near = |found: Vec<f64>, expected: [f64; 2]| {
            let pairs = found.iter().zip(expected);
            assert!(
                pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6),
                "{found:?}"
            );
        };
        near(Target::Class.probabilities(&logits, 1.0), [0.75, 0.25]);
        near(Target::Tags.probabilities(&logits, 1.0), [0.75, 0.5]);
        // Twice the temperature is the square root of the odds.
        let odds = 3f64.sqrt();
        near(
            Target::Tags.probabilities(&logits, 2.0),
            [odds / (1.0 + odds), 0.5],
        );
        near(Target::Class.probabilities(&[1e4, 0.0], 1.0), [1.0, 0.0]);
    }

    #[test]
    fn what_a_checkpoint_does_not_say_is_the_preset() {
        let bare: ClassifierConfig<ConstantQConfig> = serde_json::from_str("{}").unwrap();
        assert_eq!(bare.features.n_bins, 128);
        assert_eq!(bare, ClassifierConfig::default());
        assert_eq!(bare.label(2), "class 2");
        let named: ClassifierConfig<MelConfig> =
            serde_json::from_str(r#"{"labels": ["blues", "disco"]}"#).unwrap();
        assert_eq!(
            [named.label(1), named.label(2)],
            ["disco".to_owned(), "class 2".to_owned()]
        );
    }
}

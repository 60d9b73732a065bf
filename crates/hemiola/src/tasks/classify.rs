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
use crate::models::music_cnn::{MusicCnn, MusicCnnConfig, Output};
use crate::tasks::peak_picking::PeakPickingConfig;

/// Seconds of a clip where nothing else is said.
pub const CLIP_S: f64 = 3.0;

/// The names of the classes, and what a clip is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "F: ClassifierFrontEnd")]
pub struct ClassifierConfig<F> {
    /// In the order of the logits; where there are none, classes go by their number.
    #[serde(default)]
    pub labels: Vec<String>,
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

impl<F: ClassifierFrontEnd> Default for ClassifierConfig<F> {
    fn default() -> Self {
        Self {
            labels: Vec::new(),
            clip_s: CLIP_S,
            features: F::classifiers(),
            onsets: None,
        }
    }
}

impl<F> ClassifierConfig<F> {
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

/// Sizes of a model that sorts clips into classes.
pub trait ClassifierSizes:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    type Model: Architecture<Config = Self, Task = ClassifierConfig<Self::Features>> + ModuleDisplay;
    type Features: ClassifierFrontEnd;

    /// The reference preset for that many classes.
    fn of_classes(n_classes: usize) -> Self;

    fn n_classes(&self) -> usize;

    /// The same sizes for another number of classes.
    fn with_classes(&self, n_classes: usize) -> Self;

    /// Bins of the spectrograms that the model reads.
    fn n_bins(&self) -> usize;

    /// Refuses impossible sizes, and models that judge something other than clips.
    fn validate(&self) -> Result<()>;

    /// Logits [batch, n_classes] of spectrograms [batch, n_bins, time].
    ///
    /// # Errors
    /// When the model judges something other than clips.
    fn logits(model: &Self::Model, spectrograms: Tensor<3>) -> Result<Tensor<2>>;
}

impl ClassifierSizes for MusicCnnConfig {
    type Model = MusicCnn;
    type Features = MelConfig;

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
                "model.output is \"frame\"; training knows folders of labelled clips only: expected \"clip\"",
            ));
        }
        Ok(())
    }

    fn logits(model: &MusicCnn, spectrograms: Tensor<3>) -> Result<Tensor<2>> {
        model.forward(spectrograms).into_clip()
    }
}

impl ClassifierSizes for HarmonicCnnConfig {
    type Model = HarmonicCnn;
    type Features = ConstantQConfig;

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

    fn logits(model: &HarmonicCnn, spectrograms: Tensor<3>) -> Result<Tensor<2>> {
        Ok(model.forward(spectrograms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

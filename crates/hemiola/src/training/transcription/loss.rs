//! The multi-task loss.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use serde::{Deserialize, Serialize};

use super::segments::BatchTensors;
use crate::error::{Error, Result};
use crate::models::transcription_rnn::TranscriptionLogits;
use crate::nn::loss::bce_with_logits;
use crate::training::scalars::Scalars;

/// How much each task counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossWeights {
    pub frame: f64,
    pub held: f64,
    pub onset: f64,
    pub velocity: f64,
    /// A frame with onset target t counts 1 + `onset_emphasis`·t in the onset loss, since onsets
    /// are rare.
    pub onset_emphasis: f64,
}

impl Default for LossWeights {
    fn default() -> Self {
        Self {
            frame: 1.0,
            held: 0.5,
            onset: 2.0,
            velocity: 0.5,
            onset_emphasis: 2.0,
        }
    }
}

impl LossWeights {
    pub(super) fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("frame", self.frame),
            ("held", self.held),
            ("onset", self.onset),
            ("velocity", self.velocity),
            ("onset_emphasis", self.onset_emphasis),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "loss.{name} is {value}; it must be 0 or more"
                )));
            }
        }
        Ok(())
    }

    /// Every task's loss of a batch.
    pub(super) fn losses(&self, logits: TranscriptionLogits, batch: &BatchTensors) -> Losses {
        let onset_weight = batch
            .onsets
            .clone()
            .mul_scalar(self.onset_emphasis)
            .add_scalar(1.0);
        let onset = bce_with_logits(logits.onsets, batch.onsets.clone()) * onset_weight;
        let error = sigmoid(logits.velocities) - batch.velocities.clone();
        let n_onsets = batch.onsets.clone().sum().add_scalar(1e-3);
        Losses {
            frame: bce_with_logits(logits.pitches, batch.frames.clone()).mean(),
            held: logits
                .held
                .map(|held| bce_with_logits(held, batch.held.clone()).mean()),
            onset: onset.mean(),
            velocity: (error.abs() * batch.onsets.clone()).sum() / n_onsets,
        }
    }
}

pub(super) struct Losses {
    frame: Tensor<1>,
    held: Option<Tensor<1>>,
    onset: Tensor<1>,
    velocity: Tensor<1>,
}

impl Losses {
    pub(super) fn total(&self, weights: &LossWeights) -> Tensor<1> {
        let mut total = self.frame.clone().mul_scalar(weights.frame)
            + self.onset.clone().mul_scalar(weights.onset)
            + self.velocity.clone().mul_scalar(weights.velocity);
        if let Some(held) = &self.held {
            total = total + held.clone().mul_scalar(weights.held);
        }
        total
    }

    pub(super) fn scalars(&self, total: &Tensor<1>) -> Scalars {
        let value = |tensor: &Tensor<1>| tensor.clone().into_scalar::<f64>();
        let mut scalars = BTreeMap::from([
            ("loss", value(total)),
            ("frame", value(&self.frame)),
            ("onset", value(&self.onset)),
            ("velocity", value(&self.velocity)),
        ]);
        if let Some(held) = &self.held {
            scalars.insert("held", value(held));
        }
        Scalars(scalars)
    }
}

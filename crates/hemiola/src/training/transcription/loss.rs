//! The multi-task loss.

use burn::tensor::activation::sigmoid;
use serde::{Deserialize, Serialize};

use super::segments::BatchTensors;
use crate::error::{Error, Result};
use crate::models::transcription_rnn::TranscriptionLogits;
use crate::nn::loss::bce_with_logits;
use crate::training::objective::Loss;

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

    /// Every task's loss of a batch, and their sum by these weights.
    pub(super) fn losses(&self, logits: TranscriptionLogits, batch: &BatchTensors) -> Loss {
        let onset_weight = batch
            .onsets
            .clone()
            .mul_scalar(self.onset_emphasis)
            .add_scalar(1.0);
        let onset = bce_with_logits(logits.onsets, batch.onsets.clone()) * onset_weight;
        let error = sigmoid(logits.velocities) - batch.velocities.clone();
        let n_onsets = batch.onsets.clone().sum().add_scalar(1e-3);
        let mut weighted = vec![
            (
                "frame",
                self.frame,
                bce_with_logits(logits.pitches, batch.frames.clone()).mean(),
            ),
            ("onset", self.onset, onset.mean()),
            (
                "velocity",
                self.velocity,
                (error.abs() * batch.onsets.clone()).sum() / n_onsets,
            ),
        ];
        if let Some(held) = logits.held {
            let held = bce_with_logits(held, batch.held.clone()).mean();
            weighted.push(("held", self.held, held));
        }
        Loss::weighted(weighted)
    }
}

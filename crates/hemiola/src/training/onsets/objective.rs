//! What is minimised, and how onsets are measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::excerpts::{OnsetBatch, targets};
use crate::error::{Error, Result};
use crate::evaluation::onset;
use crate::features::{Frames, MelConfig};
use crate::models::music_cnn::MusicCnn;
use crate::nn::loss::bce_with_logits;
use crate::tasks::classify::ClassifierConfig;
use crate::tasks::onsets::OnsetDetector;
use crate::tasks::peak_picking::{PeakPicker, PeakPickingConfig};
use crate::training::objective::{Loss, Objective};
use crate::training::scalars::Scalars;

/// What a frame near an onset counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnsetLoss {
    /// The target, 0–1, of the two frames beside the one that is nearest to an onset, whose target is 1.
    pub neighbour_target: f32,
    /// How much more frames count whose target is above 0.
    pub positive_weight: f32,
}

impl Default for OnsetLoss {
    fn default() -> Self {
        Self {
            neighbour_target: 0.5,
            positive_weight: 2.5,
        }
    }
}

impl OnsetLoss {
    pub(super) fn validate(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.neighbour_target) {
            return Err(Error::config(format!(
                "loss.neighbour_target is {}; expected 0 to 1",
                self.neighbour_target
            )));
        }
        if !(self.positive_weight > 0.0 && self.positive_weight.is_finite()) {
            return Err(Error::config(format!(
                "loss.positive_weight is {}; it must be above 0",
                self.positive_weight
            )));
        }
        Ok(())
    }

    pub(super) fn weight(&self, target: f32) -> f32 {
        match target > 0.0 {
            true => self.positive_weight,
            false => 1.0,
        }
    }
}

/// A recording to measure by.
#[derive(Debug, Clone)]
pub struct DevOnsets {
    pub(super) features: Frames,
    pub(super) onsets_s: Vec<f64>,
}

/// Weighted binary cross-entropy of every frame; precision, recall and F1 of onsets within 50 ms at the best threshold.
#[derive(Debug, Clone)]
pub struct OnsetObjective {
    pub(super) loss: OnsetLoss,
    pub(super) task: ClassifierConfig<MelConfig>,
    pub(super) peaks: PeakPickingConfig,
}

/// Thresholds that are tried on the dev set, in hundredths.
const THRESHOLDS: std::ops::RangeInclusive<u8> = 10..=80;
const THRESHOLD_STEP: usize = 5;

/// What an activation of 0 or 1 counts as in the dev loss.
const LEAST_ACTIVATION: f64 = 1e-7;

impl Objective for OnsetObjective {
    type Model = MusicCnn;
    type Batch = OnsetBatch;
    /// All recordings.
    type Dev = Arc<[DevOnsets]>;

    fn loss(&self, model: &MusicCnn, batch: &OnsetBatch, device: &Device) -> Loss {
        let [size, time] = batch.shape;
        let bands = batch.features.len() / (size * time);
        let features = TensorData::new(batch.features.clone(), [size, time, bands]);
        let log_mel = Tensor::<3>::from_data(features, device).swap_dims(1, 2);
        let logits = model.forward(log_mel).into_frames();
        let logits = logits.expect("recipes of models that judge anything but frames are refused");
        let frames = |values: &[f32]| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), [size, time, 1]), device)
        };
        let weights = frames(&batch.weights);
        let losses = bce_with_logits(logits, frames(&batch.targets)) * weights.clone();
        Loss {
            total: losses.sum() / weights.sum(),
            parts: Vec::new(),
        }
    }

    fn evaluate(&self, model: &MusicCnn, dev: &Arc<[DevOnsets]>, _: &Device) -> Scalars {
        let detector = OnsetDetector::new(model.clone(), self.task.clone())
            .expect("recipes of models that cannot tell onsets are refused");
        let fps = detector.frames_per_second();
        let activations: Vec<Vec<f32>> = dev
            .iter()
            .map(|recording| detector.frame_activations(&recording.features))
            .collect();
        let at = |threshold: f32| {
            let peaks = PeakPickingConfig {
                threshold,
                ..self.peaks.clone()
            };
            scores(&peaks, fps, dev, &activations)
        };
        let best = THRESHOLDS
            .step_by(THRESHOLD_STEP)
            .map(|hundredths| {
                let threshold = f32::from(hundredths) / 100.0;
                (threshold, at(threshold))
            })
            .reduce(|best, other| match other.1.f_measure > best.1.f_measure {
                true => other,
                false => best,
            });
        let (threshold, scores) = best.expect("there are thresholds to try");
        Scalars(
            [
                ("loss", self.dev_loss(fps, dev, &activations)),
                ("f1", scores.f_measure),
                ("precision", scores.precision),
                ("recall", scores.recall),
                ("threshold", f64::from(threshold)),
            ]
            .into(),
        )
    }

    /// With the threshold that the dev set found best.
    fn tuned(
        &self,
        task: &ClassifierConfig<MelConfig>,
        dev: &BTreeMap<&'static str, f64>,
    ) -> Option<ClassifierConfig<MelConfig>> {
        let mut tuned = task.clone();
        tuned.onsets.as_mut()?.threshold = *dev.get("threshold")? as f32;
        Some(tuned)
    }
}

/// Means over recordings.
fn scores(
    peaks: &PeakPickingConfig,
    fps: f64,
    dev: &[DevOnsets],
    activations: &[Vec<f32>],
) -> onset::Scores {
    let mut picker = PeakPicker::new(peaks, fps);
    let mut mean = onset::Scores::default();
    for (recording, activations) in dev.iter().zip(activations) {
        let mut found = Vec::new();
        for &activation in activations {
            picker.push(activation, &mut found);
        }
        picker.finish(&mut found);
        let found: Vec<f64> = found.iter().map(|onset| onset.time_s).collect();
        let scores = onset::evaluate(&recording.onsets_s, &found);
        mean.f_measure += scores.f_measure / dev.len() as f64;
        mean.precision += scores.precision / dev.len() as f64;
        mean.recall += scores.recall / dev.len() as f64;
    }
    mean
}

impl OnsetObjective {
    /// The loss over the frames of all recordings.
    fn dev_loss(&self, fps: f64, dev: &[DevOnsets], activations: &[Vec<f32>]) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (recording, activations) in dev.iter().zip(activations) {
            let neighbour = self.loss.neighbour_target;
            let targets = targets(&recording.onsets_s, 0, activations.len(), fps, neighbour);
            for (&activation, &target) in activations.iter().zip(&targets) {
                let weight = f64::from(self.loss.weight(target));
                let p = f64::from(activation).clamp(LEAST_ACTIVATION, 1.0 - LEAST_ACTIVATION);
                let target = f64::from(target);
                sum -= weight * (target * p.ln() + (1.0 - target) * (1.0 - p).ln());
                weights += weight;
            }
        }
        sum / f64::max(weights, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Activations that are sure of an onset at every whole tenth of a second, less at every twentieth.
    fn objective() -> (OnsetObjective, Vec<DevOnsets>, Vec<Vec<f32>>) {
        let activations: Vec<f32> = (0..100)
            .map(|frame| match frame % 10 {
                0 => 0.9,
                5 => 0.3,
                _ => 0.01,
            })
            .collect();
        let recording = DevOnsets {
            features: Frames::new(4),
            onsets_s: (0..10).map(|i| 0.1 * f64::from(i)).collect(),
        };
        let objective = OnsetObjective {
            loss: OnsetLoss {
                neighbour_target: 0.0,
                positive_weight: 3.0,
            },
            task: ClassifierConfig::default(),
            peaks: PeakPickingConfig::default(),
        };
        (objective, vec![recording], vec![activations])
    }

    #[test]
    fn a_threshold_between_finds_what_is_there() {
        let (objective, dev, activations) = objective();
        let at = |threshold| {
            let peaks = PeakPickingConfig {
                threshold,
                ..objective.peaks.clone()
            };
            scores(&peaks, 100.0, &dev, &activations)
        };
        assert_eq!(at(0.5).f_measure, 1.0);
        // Twenty are found at the lower one, of which ten can be right.
        assert_eq!((at(0.2).precision, at(0.2).recall), (0.5, 1.0));
        let scores = [("threshold", 0.65)].into();
        let task = ClassifierConfig {
            onsets: Some(PeakPickingConfig::default()),
            ..ClassifierConfig::default()
        };
        let tuned = objective.tuned(&task, &scores).unwrap().onsets.unwrap();
        assert_eq!(tuned.threshold, 0.65);
    }

    #[test]
    fn frames_with_an_onset_count_more() {
        let (objective, dev, activations) = objective();
        let found = objective.dev_loss(100.0, &dev, &activations);
        let surprise = |p: f64| -p.ln();
        // Ten onsets of weight 3; ten wrong frames at 0.3 and eighty at 0.01.
        let sum = 30.0 * surprise(0.9) + 10.0 * surprise(0.7) + 80.0 * surprise(0.99);
        assert!((found - sum / 120.0).abs() < 1e-6, "{found}");
    }
}

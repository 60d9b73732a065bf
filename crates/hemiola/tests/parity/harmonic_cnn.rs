//! HarmonicCNN.

use hemiola::Device;
use hemiola::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use hemiola::nn::loss::cross_entropy;

use crate::harness::{Vector, check_training};

/// Returns the largest deviations of outputs and of gradients.
pub fn harmonic_cnn(vector: &Vector, device: &Device) -> (f64, f64) {
    let fresh = vector.config::<HarmonicCnnConfig>().init(device).unwrap();
    let model: HarmonicCnn = vector.model(device);
    let logits = model.forward(vector.tensor("input.log_cqt", device));
    let worst = vector
        .check_output("initial_filters", fresh.harmonic_filters().inner())
        .max(vector.check_output("logits", logits.clone()));
    let target = vector.integers::<1>("input.target", device);
    let loss = cross_entropy(logits, target).mean();
    (worst, check_training(vector, model, loss))
}

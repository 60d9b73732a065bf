//! MusicTranscriptionRNN.

use hemiola::Device;
use hemiola::burn::tensor::Tensor;
use hemiola::models::transcription_rnn::{MusicTranscriptionRnn, TranscriptionActivations};

use crate::harness::{OUTPUT_TOLERANCE, Vector, check_training, deviation, values};

fn binary_cross_entropy(probability: Tensor<3>, target: Tensor<3>) -> Tensor<1> {
    let p = probability.clamp(1e-12, 1.0 - 1e-7);
    let q = p.clone().neg().add_scalar(1.0);
    let loss = target.clone() * p.log() + target.neg().add_scalar(1.0) * q.log();
    loss.neg().mean()
}

/// Returns the largest deviations of outputs and of gradients.
pub fn transcription_rnn(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: MusicTranscriptionRnn = vector.model(device);
    let logits = model.forward(vector.tensor("input.features", device));
    let attention = logits.mean_attention();
    let output = TranscriptionActivations::from(logits);
    // Velocities go up to 127.
    let velocities = output.velocities.clone().div_scalar(127.0);
    let expected = vector.tensor::<3>("output.velocities", device) / 127.0;
    let worst = [
        vector.check_output("pitches", output.pitches.clone()),
        vector.check_output("onsets", output.onsets.clone()),
        vector.check_output("attention", attention),
        deviation(&values(velocities), &values(expected)),
    ]
    .into_iter()
    .fold(0.0, f64::max);
    assert!(worst <= OUTPUT_TOLERANCE, "velocities: {worst:.2e}");
    let velocity_error = output.velocities.div_scalar(127.0).sub_scalar(0.5);
    let loss =
        binary_cross_entropy(
            output.pitches,
            vector.tensor("input.target_pitches", device),
        ) + binary_cross_entropy(output.onsets, vector.tensor("input.target_onsets", device))
            + velocity_error.powf_scalar(2.0).mean();
    (worst, check_training(vector, model, loss))
}

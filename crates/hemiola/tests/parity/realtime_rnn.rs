//! RealTimeMusicRNN.

use hemiola::Device;
use hemiola::models::realtime_rnn::RealTimeMusicRnn;

use crate::harness::{Vector, check_training};

/// Returns the largest deviations of outputs and of gradients.
pub fn realtime_rnn(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: RealTimeMusicRnn = vector.model(device);
    let output = model.forward(vector.tensor("input.log_mel", device));
    let worst = (vector.check_output("chroma", output.chroma()))
        .max(vector.check_output("hidden", output.hidden.clone()));
    let loss = output.loss(vector.tensor("input.target", device));
    (worst, check_training(vector, model, loss))
}

//! MusicVAE.

use hemiola::Device;
use hemiola::models::music_vae::MusicVae;

use crate::harness::{Vector, check_training};

/// Returns the largest deviations of outputs and of gradients.
pub fn music_vae(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: MusicVae = vector.model(device);
    if model.is_hierarchical() {
        compare::<4>(vector, model, device)
    } else {
        compare::<2>(vector, model, device)
    }
}

fn compare<const D: usize>(vector: &Vector, model: MusicVae, device: &Device) -> (f64, f64) {
    let x = vector.tensor::<D>("input.x", device);
    let eps = vector.tensor("input.eps", device);
    let output = model.forward(x.clone(), eps).unwrap();
    let worst = [
        vector.check_output("mu", output.posterior.mu.clone()),
        vector.check_output("logvar", output.posterior.logvar.clone()),
        vector.check_output("recon", output.probabilities()),
    ]
    .into_iter()
    .fold(0.0, f64::max);
    let loss = output.loss(x, 0.0).unwrap().total(beta(vector));
    (worst, check_training(vector, model, loss))
}

/// The weight of the divergence: the metadata describe the loss as `sum BCE + 0.7 * KL`.
fn beta(vector: &Vector) -> f64 {
    let description = &vector.metadata["loss"];
    let (_, beta) = description
        .split_once('+')
        .unwrap_or_else(|| panic!("{}: unknown loss {description}", vector.name));
    match beta.split_once('*') {
        Some((beta, _)) => beta
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{}: unknown loss {description}", vector.name)),
        None => 1.0,
    }
}

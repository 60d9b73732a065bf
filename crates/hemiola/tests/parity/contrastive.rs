//! The contrastive encoder.

use hemiola::Device;
use hemiola::models::contrastive::{ContrastiveEncoder, nt_xent};

use crate::harness::{Vector, check_training};

/// Returns the largest deviations of outputs and of gradients.
pub fn contrastive(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: ContrastiveEncoder = vector.model(device);
    let project = |view: &str| {
        model
            .forward(vector.tensor(&format!("input.view_{view}"), device))
            .projection
    };
    let (a, b) = (project("a"), project("b"));
    let worst = vector
        .check_output("projection_a", a.clone())
        .max(vector.check_output("projection_b", b.clone()));
    let loss = nt_xent(a, b, temperature(vector));
    (worst, check_training(vector, model, loss))
}

/// The number at the end of "NT-Xent, temperature 0.5".
fn temperature(vector: &Vector) -> f64 {
    let text = &vector.metadata["loss"];
    let (_, number) = text
        .split_once("temperature ")
        .unwrap_or_else(|| panic!("{}: no temperature in {text:?}", vector.name));
    number.parse().unwrap()
}

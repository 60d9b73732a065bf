//! MusicTransformer and MusicBERT.

use hemiola::Device;
use hemiola::burn::tensor::{Int, Tensor};
use hemiola::models::music_bert::MusicBert;
use hemiola::models::music_transformer::MusicTransformer;
use hemiola::nn::loss::cross_entropy;

use crate::harness::{Vector, check_training};

/// Mean cross-entropy over positions.
fn loss(logits: Tensor<3>, targets: Tensor<2, Int>) -> Tensor<1> {
    let [batch, time, classes] = logits.dims();
    let logits = logits.reshape([batch * time, classes]);
    cross_entropy(logits, targets.reshape([batch * time])).mean()
}

/// Returns the largest deviations of outputs and of gradients.
pub fn music_transformer(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: MusicTransformer = vector.model(device);
    let style = vector
        .has("input.style")
        .then(|| vector.integers("input.style", device));
    let output = model
        .forward(vector.integers("input.tokens", device), style)
        .unwrap();
    let worst = [
        vector.check_output("tokens", output.tokens.clone()),
        vector.check_output("pitches", output.pitches.clone()),
        vector.check_output("durations", output.durations),
        vector.check_output("dynamics", output.dynamics),
        vector.check_output("hidden_states", output.hidden_states),
    ];
    let next = vector.integers::<2>("input.next_tokens", device);
    let pitches = next.clone().remainder_scalar(128);
    let loss = loss(output.tokens, next) + loss(output.pitches, pitches);
    (
        worst.into_iter().fold(0.0, f64::max),
        check_training(vector, model, loss),
    )
}

/// As [`music_transformer`].
pub fn music_bert(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: MusicBert = vector.model(device);
    let output = model
        .forward(vector.integers("input.tokens", device), None)
        .unwrap();
    let worst = [
        vector.check_output("mlm_logits", output.events.clone()),
        vector.check_output("nsp_logits", output.next_phrase.clone()),
        vector.check_output("hidden_states", output.hidden_states),
    ];
    let loss = loss(output.events, vector.integers("input.next_tokens", device))
        + cross_entropy(output.next_phrase, vector.integers("input.is_next", device)).mean();
    (
        worst.into_iter().fold(0.0, f64::max),
        check_training(vector, model, loss),
    )
}

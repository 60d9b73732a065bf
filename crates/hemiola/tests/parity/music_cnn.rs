//! MusicCNN.

use hemiola::Device;
use hemiola::models::music_cnn::{MusicCnn, MusicCnnOutput};
use hemiola::nn::loss::cross_entropy;

use crate::harness::{Vector, check_training};

/// Returns the largest deviations of outputs and of gradients.
pub fn music_cnn(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: MusicCnn = vector.model(device);
    let log_mel = vector.tensor::<3>("input.log_mel", device);
    let features = model.extract_features(log_mel.clone());
    let mut worst = 0.0f64;
    for (name, found) in [
        ("spectrogram", features.spectrogram),
        ("conv1", features.conv1),
        ("harmonic", features.harmonic),
        ("temporal", features.temporal),
        ("conv3", features.conv3),
    ] {
        if vector.has(&format!("output.{name}")) {
            worst = worst.max(vector.check_output(name, found));
        }
    }
    let logits = match model.forward(log_mel) {
        MusicCnnOutput::Clip { logits, attention } => {
            worst = worst.max(vector.check_output("logits", logits.clone()));
            if let Some(attention) = attention.filter(|_| vector.has("output.attention")) {
                worst = worst.max(vector.check_output("attention", attention));
            }
            logits
        }
        MusicCnnOutput::Frames { logits } => {
            worst = worst.max(vector.check_output("logits", logits.clone()));
            assert!(vector.metadata["loss"].contains("averaged over time"));
            logits.mean_dim(1).squeeze_dim(1)
        }
    };
    let target = vector.integers::<1>("input.target", device);
    let loss = cross_entropy(logits, target).mean();
    (worst, check_training(vector, model, loss))
}

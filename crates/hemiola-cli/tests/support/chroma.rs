//! A model of chroma that is made in no time.

use std::path::Path;

use hemiola::checkpoint::{self, Card, Precision};
use hemiola::features::MelConfig;
use hemiola::models::realtime_rnn::RealTimeMusicRnnConfig;
use hemiola::tasks::chroma::ChromaConfig;
use tempfile::TempDir;

use super::{drawn, folder};

/// A checkpoint with random weights, the same ones every time: frames every 10 ms of sound at 16 kHz.
pub fn save_chroma_model(folder: &Path) {
    let sizes = RealTimeMusicRnnConfig {
        input_dim: 16,
        hidden_dim: 8,
        n_layers: 1,
    };
    let task = ChromaConfig {
        features: MelConfig {
            sample_rate: 16_000,
            n_fft: 512,
            hop_length: 160,
            n_mels: 16,
            fmax: 8000.0,
            ..MelConfig::default()
        },
    };
    let model = drawn(6, |device| sizes.init(device));
    let card = Card::default();
    checkpoint::save(folder, &model, &sizes, &task, &card, Precision::Float32).unwrap();
}

/// `model` in a folder of tests.
pub fn with_chroma_model() -> TempDir {
    let folder = folder();
    save_chroma_model(&folder.path().join("model"));
    folder
}

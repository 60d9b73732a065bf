//! A model of vectors that is made in no time.

use std::path::Path;

use hemiola::checkpoint::{self, Card, Precision};
use hemiola::features::MelConfig;
use hemiola::models::contrastive::ContrastiveEncoderConfig;
use hemiola::tasks::embed::EmbedderConfig;

use super::drawn;

pub fn save_encoder(folder: &Path, seed: u64) {
    let sizes = ContrastiveEncoderConfig {
        n_mels: 16,
        channels: [3, 4, 8],
        attention_hidden: 3,
        projection: 4,
        ..ContrastiveEncoderConfig::default()
    };
    let task = EmbedderConfig {
        clip_s: 0.5,
        features: MelConfig {
            sample_rate: 16_000,
            n_fft: 512,
            hop_length: 160,
            n_mels: 16,
            fmax: 8000.0,
            ..MelConfig::default()
        },
    };
    let model = drawn(seed, |device| sizes.init(device));
    let card = Card::default();
    checkpoint::save(folder, &model, &sizes, &task, &card, Precision::Float32).unwrap();
}

//! The contrastive encoder in checkpoints.

use burn::tensor::Device;

use super::Shapes;
use super::music_cnn::{bands, trunk_sizes};
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::models::contrastive::{ContrastiveEncoder, ContrastiveEncoderConfig};
use crate::tasks::embed::EmbedderConfig;

impl Architecture for ContrastiveEncoder {
    const NAME: &'static str = "contrastive-encoder";
    type Config = ContrastiveEncoderConfig;
    type Task = EmbedderConfig;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        ContrastiveEncoder::torch_name(path)
    }
}

impl Importable for ContrastiveEncoder {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "ContrastiveEncoder");
        let (channels, attention_hidden) = trunk_sizes(&shapes, "encoder.")?;
        let [projection, _] = shapes.get("projector.2.weight")?;
        let model = ContrastiveEncoderConfig {
            channels,
            attention_hidden,
            projection,
            whitened: shapes.by_name.contains_key("whitening.weight"),
            ..ContrastiveEncoderConfig::default()
        };
        let assumed = vec![bands(model.n_mels)];
        Ok(Imported {
            model,
            task: EmbedderConfig::default(),
            assumed,
        })
    }
}

//! MusicVAE in checkpoints.

use burn::tensor::Device;

use super::{Shapes, name_in_sequential};
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, NoTask, TensorFile};
use crate::error::Result;
use crate::models::music_vae::{MusicVae, MusicVaeConfig};
use crate::nn::recurrent::keys;

impl Architecture for MusicVae {
    const NAME: &'static str = "music-vae";
    type Config = MusicVaeConfig;
    type Task = NoTask;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        keys::pytorch_of_path(path)
            .unwrap_or_else(|| name_in_sequential(path, &["encoder", "decoder"]))
    }
}

impl Importable for MusicVae {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "MusicVAE");
        let [hidden_dim, input_dim] = shapes.get("encoder.0.weight")?;
        let [latent_dim, _] = shapes.get("fc_mu.weight")?;
        Ok(Imported {
            model: MusicVaeConfig {
                input_dim,
                latent_dim,
                hidden_dim,
                hierarchical: shapes.any("frame_rnn."),
            },
            task: NoTask {},
            assumed: Vec::new(),
        })
    }
}

//! RealTimeMusicRNN in checkpoints.

use burn::tensor::Device;

use super::Shapes;
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::features::MelConfig;
use crate::models::realtime_rnn::{RealTimeMusicRnn, RealTimeMusicRnnConfig};
use crate::tasks::chroma::ChromaConfig;

impl Architecture for RealTimeMusicRnn {
    const NAME: &'static str = "real-time-music-rnn";
    type Config = RealTimeMusicRnnConfig;
    type Task = ChromaConfig;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        RealTimeMusicRnn::torch_name(path)
    }
}

impl Importable for RealTimeMusicRnn {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "RealTimeMusicRNN");
        let [_, input_dim] = shapes.get("gru.weight_ih_l0")?;
        let [_, hidden_dim] = shapes.get("gru.weight_hh_l0")?;
        Ok(Imported {
            model: RealTimeMusicRnnConfig {
                input_dim,
                hidden_dim,
                n_layers: shapes.count("gru.weight_ih_l", ""),
            },
            task: ChromaConfig {
                features: MelConfig {
                    n_mels: input_dim,
                    ..MelConfig::default()
                },
            },
            assumed: Vec::new(),
        })
    }
}

//! MusicVAE in checkpoints.

use burn::tensor::Device;

use super::{Shapes, name_in_sequential};
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::models::music_vae::{MusicVae, MusicVaeConfig};
use crate::nn::recurrent::keys;
use crate::tasks::phrases::PhraseSpaceConfig;

impl Architecture for MusicVae {
    const NAME: &'static str = "music-vae";
    type Config = MusicVaeConfig;
    type Task = PhraseSpaceConfig;

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
            task: PhraseSpaceConfig::default(),
            assumed: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::named_tensors;

    #[test]
    fn sizes_are_read_off_tensors_with_pytorchs_names() {
        for hierarchical in [false, true] {
            let config = MusicVaeConfig {
                input_dim: 20,
                latent_dim: 6,
                hidden_dim: 10,
                hierarchical,
            };
            let tensors = named_tensors(&config.init(&Device::flex()).unwrap()).unwrap();
            let shape = |name: &str| {
                let tensor = tensors.iter().find(|tensor| tensor.name == name);
                tensor.map(|tensor| tensor.shape.clone())
            };
            assert_eq!(shape("encoder.2.weight"), Some(vec![10, 10]));
            assert_eq!(shape("decoder.4.weight"), Some(vec![20, 10]));
            assert_eq!(shape("conductor.weight_ih_l1"), Some(vec![12, 3]));
            let reverse = shape("encoder_rnn.weight_ih_l0_reverse");
            assert_eq!(reverse, hierarchical.then(|| vec![20, 10]));
            let found = MusicVae::infer(&TensorFile { tensors }).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(found.model, config);
            assert_eq!(found.assumed, Vec::<String>::new());
        }
    }
}

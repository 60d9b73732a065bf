//! MusicBERT in checkpoints.

use burn::tensor::Device;

use super::{Shapes, music_transformer};
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::models::music_bert::{MusicBert, MusicBertConfig};
use crate::tasks::infill::InfillerConfig;

impl Architecture for MusicBert {
    const NAME: &'static str = "music-bert";
    type Config = MusicBertConfig;
    type Task = InfillerConfig;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        MusicBert::torch_name(path)
    }
}

impl Importable for MusicBert {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "MusicBERT");
        let (inside, mut assumed) = music_transformer::sizes(&shapes, "transformer.")?;
        let [n_events, _] = shapes.get("mlm_head.3.weight")?;
        assumed.push("relative positions that are used".into());
        Ok(Imported {
            model: MusicBertConfig {
                d_model: inside.d_model,
                n_heads: inside.n_heads,
                n_layers: inside.n_layers,
                max_seq_len: inside.max_seq_len,
                vocab_size: inside.vocab_size,
                n_events,
                relative: inside.relative,
                dropout: inside.dropout,
            },
            task: InfillerConfig::default(),
            assumed,
        })
    }
}

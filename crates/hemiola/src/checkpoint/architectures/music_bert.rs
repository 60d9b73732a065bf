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
        let (model, assumed) = sizes(&shapes, "")?;
        Ok(Imported {
            model,
            task: InfillerConfig::default(),
            assumed,
        })
    }
}

/// The sizes of the model whose tensors begin with `prefix`, and what they do not tell.
pub(super) fn sizes(
    shapes: &Shapes<'_>,
    prefix: &str,
) -> std::result::Result<(MusicBertConfig, Vec<String>), String> {
    let (inside, mut assumed) = music_transformer::sizes(shapes, &format!("{prefix}transformer."))?;
    let [n_events, _] = shapes.get(&format!("{prefix}mlm_head.3.weight"))?;
    assumed.push("relative positions that are used".into());
    let model = MusicBertConfig {
        d_model: inside.d_model,
        n_heads: inside.n_heads,
        n_layers: inside.n_layers,
        max_seq_len: inside.max_seq_len,
        vocab_size: inside.vocab_size,
        n_events,
        relative: inside.relative,
        dropout: inside.dropout,
    };
    Ok((model, assumed))
}

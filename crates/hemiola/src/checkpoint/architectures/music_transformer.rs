//! MusicTransformer in checkpoints.

use burn::tensor::Device;

use super::Shapes;
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::models::music_transformer::{MusicTransformer, MusicTransformerConfig};
use crate::tasks::perform::PerformerConfig;

impl Architecture for MusicTransformer {
    const NAME: &'static str = "music-transformer";
    type Config = MusicTransformerConfig;
    type Task = PerformerConfig;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        MusicTransformer::torch_name(path)
    }
}

impl Importable for MusicTransformer {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "MusicTransformer");
        let (model, mut assumed) = sizes(&shapes, "")?;
        assumed.push("relative positions that are used, and no event that sees a later one".into());
        Ok(Imported {
            model,
            task: PerformerConfig::default(),
            assumed,
        })
    }
}

/// The sizes of the transformer whose tensors begin with `prefix`, and what they do not tell.
pub(super) fn sizes(
    shapes: &Shapes<'_>,
    prefix: &str,
) -> std::result::Result<(MusicTransformerConfig, Vec<String>), String> {
    let default = MusicTransformerConfig::default();
    let [vocab_size, d_model] = shapes.get(&format!("{prefix}token_embedding.weight"))?;
    let [n_styles, _] = shapes.get(&format!("{prefix}style_embedding.weight"))?;
    let [offsets, _] = shapes.get(&format!("{prefix}relative_pos.rel_pos_emb"))?;
    // The published sizes have heads of 64 features.
    let n_heads = match d_model / 64 {
        0 => default.n_heads,
        heads => heads,
    };
    if !d_model.is_multiple_of(n_heads) {
        return Err(format!(
            "n_heads is not in the tensors, and {n_heads} heads do not divide the width {d_model}; \
             give the configuration with --config"
        ));
    }
    let model = MusicTransformerConfig {
        d_model,
        n_heads,
        n_layers: shapes.count(
            &format!("{prefix}transformer.layers."),
            ".self_attn.in_proj_weight",
        ),
        max_seq_len: offsets.div_ceil(2),
        vocab_size,
        n_styles,
        ..default
    };
    Ok((model, vec![format!("{n_heads} attention heads (n_heads)")]))
}

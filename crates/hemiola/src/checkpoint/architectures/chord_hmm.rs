//! ChordHmm in checkpoints.

use burn::tensor::Device;

use super::Shapes;
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::models::chord_hmm::{ChordHmm, ChordHmmConfig};
use crate::tasks::chords::ChordConfig;

impl Architecture for ChordHmm {
    const NAME: &'static str = "chord-hmm";
    type Config = ChordHmmConfig;
    type Task = ChordConfig;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        path.to_owned()
    }
}

impl Importable for ChordHmm {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "ChordHmm");
        let [kinds, n_features] = shapes.get("means")?;
        let n_qualities = kinds.saturating_sub(1);
        Ok(Imported {
            model: ChordHmmConfig {
                n_qualities,
                n_features,
            },
            task: serde_json::from_value(serde_json::json!({
                "qualities": vec!["maj"; n_qualities],
            }))
            .map_err(|e| e.to_string())?,
            assumed: vec!["that every quality is maj; name them in config.json".into()],
        })
    }
}

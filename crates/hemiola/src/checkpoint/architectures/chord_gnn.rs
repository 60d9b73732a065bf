//! ChordProgressionGNN in checkpoints.

use burn::tensor::Device;

use super::{Shapes, name_in_sequential};
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, NoTask, TensorFile};
use crate::error::Result;
use crate::models::chord_gnn::{ChordProgressionGnn, ChordProgressionGnnConfig};

impl Architecture for ChordProgressionGnn {
    const NAME: &'static str = "chord-progression-gnn";
    type Config = ChordProgressionGnnConfig;
    type Task = NoTask;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        name_in_sequential(path, &["attention"])
    }
}

impl Importable for ChordProgressionGnn {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "ChordProgressionGNN");
        let [hidden_dim, node_features] = shapes.get("conv1.lin.weight")?;
        let [n_edge_types, _] = shapes.get("edge_embedding.weight")?;
        let [attention_dim, _] = shapes.get("attention.0.weight")?;
        let [n_classes, _] = shapes.get("classifier.weight")?;
        let n_node_classes = match shapes.any("node_classifier.") {
            true => shapes.get::<2>("node_classifier.weight")?[0],
            false => 0,
        };
        let dropout = ChordProgressionGnnConfig::default().dropout;
        Ok(Imported {
            model: ChordProgressionGnnConfig {
                node_features,
                hidden_dim,
                n_classes,
                n_edge_types,
                n_node_classes,
                attention_dim,
                dropout,
            },
            task: NoTask {},
            assumed: vec![format!("dropout {dropout}, which only training uses")],
        })
    }
}

//! ChordProgressionGNN in checkpoints.

use burn::tensor::Device;

use super::{Shapes, name_in_sequential};
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::models::chord_gnn::{ChordProgressionGnn, ChordProgressionGnnConfig};
use crate::tasks::harmony::ProgressionTask;

impl Architecture for ChordProgressionGnn {
    const NAME: &'static str = "chord-progression-gnn";
    type Config = ChordProgressionGnnConfig;
    type Task = ProgressionTask;

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
        let classes = |head: &str| match shapes.any(&format!("{head}.")) {
            true => Ok(shapes.get::<2>(&format!("{head}.weight"))?[0]),
            false => Ok::<_, String>(0),
        };
        let n_node_classes = classes("node_classifier")?;
        let n_key_classes = classes("key_classifier")?;
        let dropout = ChordProgressionGnnConfig::default().dropout;
        Ok(Imported {
            model: ChordProgressionGnnConfig {
                node_features,
                hidden_dim,
                n_classes,
                n_edge_types,
                n_node_classes,
                n_key_classes,
                node_skip: shapes.any("node_skip."),
                node_skip_dim: match shapes.any("node_skip.hidden.") {
                    true => shapes.get::<2>("node_skip.hidden.weight")?[0],
                    false => 0,
                },
                node_context: shapes.any("node_context."),
                key_transitions: shapes.any("key_transitions"),
                attention_dim,
                dropout,
            },
            task: ProgressionTask::default(),
            assumed: vec![format!("dropout {dropout}, which only training uses")],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::named_tensors;

    #[test]
    fn sizes_are_read_off_tensors_with_pytorchs_names() {
        for n_node_classes in [0, 9] {
            let config = ChordProgressionGnnConfig {
                node_features: 13,
                hidden_dim: 10,
                n_classes: 3,
                n_edge_types: 4,
                n_node_classes,
                n_key_classes: n_node_classes / 4,
                node_skip: n_node_classes > 0,
                node_skip_dim: n_node_classes,
                node_context: n_node_classes > 0,
                key_transitions: n_node_classes > 0,
                attention_dim: 8,
                ..ChordProgressionGnnConfig::default()
            };
            let tensors = named_tensors(&config.init(&Device::flex()).unwrap()).unwrap();
            let shape = |name: &str| {
                let tensor = tensors.iter().find(|tensor| tensor.name == name);
                tensor.map(|tensor| tensor.shape.clone())
            };
            assert_eq!(shape("conv1.lin.weight"), Some(vec![10, 13]));
            assert_eq!(shape("conv1.bias"), Some(vec![10]));
            assert_eq!(shape("attention.2.weight"), Some(vec![1, 8]));
            assert_eq!(shape("edge_embedding.weight"), Some(vec![4, 10]));
            let head = shape("node_classifier.weight");
            assert_eq!(head, (n_node_classes > 0).then(|| vec![9, 10]));
            let found = ChordProgressionGnn::infer(&TensorFile { tensors });
            assert_eq!(found.unwrap_or_else(|e| panic!("{e}")).model, config);
        }
        let message = match ChordProgressionGnn::infer(&TensorFile::default()) {
            Ok(_) => panic!("nothing was taken for a model"),
            Err(message) => message,
        };
        assert!(
            message.contains("is it a ChordProgressionGNN?"),
            "{message}"
        );
    }
}

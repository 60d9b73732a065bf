//! ChordProgressionGNN.

use hemiola::Device;
use hemiola::models::chord_gnn::{ChordProgressionGnn, GraphBatch};
use hemiola::nn::loss::cross_entropy;

use crate::harness::{Vector, check_training};

/// Returns the largest deviations of outputs and of gradients.
pub fn chord_gnn(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: ChordProgressionGnn = vector.model(device);
    let numbers = |name: &str| -> Vec<usize> {
        let data = vector.integers::<1>(name, device).into_data();
        data.iter::<i64>().map(|n| n as usize).collect()
    };
    let edges = vector.integers::<2>("input.edges", device).into_data();
    let edges: Vec<usize> = edges.iter::<i64>().map(|n| n as usize).collect();
    let (edges, _) = edges.as_chunks::<3>();
    let nodes = vector.tensor("input.nodes", device);
    let batch = GraphBatch::new(nodes, edges, &numbers("input.graph_of_node")).unwrap();
    let output = model.forward(&batch).unwrap();
    let mut worst = [
        vector.check_output("graph_logits", output.graph_logits.clone()),
        vector.check_output("node_hidden", output.node_hidden),
        vector.check_output("attention", output.attention),
    ]
    .into_iter()
    .fold(0.0, f64::max);
    let targets = vector.integers("input.graph_target", device);
    let mut loss = cross_entropy(output.graph_logits, targets).mean();
    if let Some(logits) = output.node_logits {
        worst = worst.max(vector.check_output("node_logits", logits.clone()));
        if vector.metadata["loss"].contains("node") {
            let targets = vector.integers("input.node_target", device);
            loss = loss + cross_entropy(logits, targets).mean();
        }
    }
    (worst, check_training(vector, model, loss))
}

//! Graphs as the network reads them.

use burn::tensor::{Device, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::music::N_PITCH_CLASSES;
use crate::music::chord_graph::ChordGraphBatch;
use crate::nn::sparse::{Entry, SparseMatrix};

/// One or more graphs: numbers that describe the nodes, and who is joined to whom.
#[derive(Debug, Clone)]
pub struct GraphBatch {
    /// [nodes, features].
    pub(super) nodes: Tensor<2>,
    /// Row i holds the norms of the edges that reach node i, and of itself, [nodes, nodes].
    pub(super) neighbours: SparseMatrix,
    /// 1 where a node belongs to a graph, [graphs, nodes].
    pub(super) members: SparseMatrix,
    graph_of_node: Vec<usize>,
    /// In the order they were given in.
    pub(super) edges: Vec<NormedEdge>,
    /// Of the edge from each node to itself.
    pub(super) own_norms: Vec<f32>,
}

/// An edge between nodes, and by how much its messages are multiplied.
#[derive(Debug, Clone, Copy)]
pub(super) struct NormedEdge {
    pub source: usize,
    pub target: usize,
    pub kind: usize,
    pub norm: f32,
}

impl GraphBatch {
    /// Graphs with nodes of any features [nodes, features], edges (source, target, type), and for each node the number of
    /// its graph.
    ///
    /// Edges are normalised symmetrically: by 1 / √(dᵢ·dⱼ), where d counts the edges that reach a node, of any type and as
    /// often as they are listed, and one for the node itself.
    ///
    /// # Errors
    /// When there are no nodes, an edge joins nodes that do not exist or are of different graphs, the graphs are not
    /// numbered from 0 without gaps, or the lengths differ.
    pub fn new(nodes: Tensor<2>, edges: &[[usize; 3]], graph_of_node: &[usize]) -> Result<Self> {
        let [n, _] = nodes.dims();
        let fail = |message: String| Err(Error::config(format!("batch of graphs: {message}")));
        if n == 0 {
            return fail("it is without nodes; expected at least one".into());
        }
        if graph_of_node.len() != n {
            return fail(format!(
                "{n} nodes, {} numbers of graphs; expected one for each node",
                graph_of_node.len()
            ));
        }
        // Fewer graphs than nodes, or some graph has none.
        let mut seen = vec![false; n];
        for &graph in graph_of_node {
            if let Some(seen) = seen.get_mut(graph) {
                *seen = true;
            }
        }
        let last = graph_of_node.iter().max().copied().unwrap_or_default();
        if let Some(gap) = (0..=last).find(|&graph| !seen.get(graph).copied().unwrap_or(false)) {
            return fail(format!(
                "graph {gap} has no node, but there is a graph {last}; expected numbers from 0 without gaps"
            ));
        }
        let mut degrees = vec![1.0f32; n];
        for (number, &[source, target, _]) in edges.iter().enumerate() {
            if source >= n || target >= n {
                return fail(format!(
                    "edge {number} joins node {source} and {target}; there are nodes 0 to {}",
                    n - 1
                ));
            }
            let (from, to) = (graph_of_node[source], graph_of_node[target]);
            if from != to {
                return fail(format!(
                    "edge {number} joins node {source} and {target}, which are of graphs {from} and {to}"
                ));
            }
            degrees[target] += 1.0;
        }
        let norm = |a: usize, b: usize| (degrees[a] * degrees[b]).sqrt().recip();
        let entry = |row, column, value| Entry { row, column, value };
        let edges: Vec<NormedEdge> = (edges.iter())
            .map(|&[source, target, kind]| NormedEdge {
                source,
                target,
                kind,
                norm: norm(source, target),
            })
            .collect();
        let own_norms: Vec<f32> = (0..n).map(|node| norm(node, node)).collect();
        let mut neighbours: Vec<Entry> = (edges.iter())
            .map(|edge| entry(edge.target, edge.source, edge.norm))
            .collect();
        neighbours
            .extend((own_norms.iter().enumerate()).map(|(node, &own)| entry(node, node, own)));
        let members = graph_of_node.iter().enumerate();
        let members: Vec<Entry> = members
            .map(|(node, &graph)| entry(graph, node, 1.0))
            .collect();
        Ok(Self {
            nodes,
            neighbours: SparseMatrix::new([n, n], &neighbours),
            members: SparseMatrix::new([last + 1, n], &members),
            graph_of_node: graph_of_node.to_vec(),
            edges,
            own_norms,
        })
    }

    /// The graphs of chord progressions.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_chords(batch: &ChordGraphBatch, device: &Device) -> Result<Self> {
        let values = batch.nodes.as_flattened().to_vec();
        let nodes = TensorData::new(values, [batch.nodes.len(), N_PITCH_CLASSES]);
        let edges = batch.edges.iter();
        let edges: Vec<_> = edges
            .map(|edge| [edge.source, edge.target, edge.kind.index()])
            .collect();
        Self::new(
            Tensor::from_data(nodes, device),
            &edges,
            &batch.graph_of_node,
        )
    }

    pub fn n_nodes(&self) -> usize {
        self.graph_of_node.len()
    }

    pub fn n_graphs(&self) -> usize {
        self.members.shape()[0]
    }

    /// One more than the largest type of an edge, 0 without edges.
    pub(super) fn kinds(&self) -> usize {
        self.edges
            .iter()
            .map(|edge| edge.kind + 1)
            .max()
            .unwrap_or(0)
    }

    /// For each node and kind, the norms of the edges of that kind that reach it, added up: `[nodes, kinds]`.
    pub(super) fn kinds_of_edges(&self, kinds: usize) -> Vec<f32> {
        let mut sums = vec![0.0; self.n_nodes() * kinds];
        for edge in &self.edges {
            sums[edge.target * kinds + edge.kind] += edge.norm;
        }
        sums
    }

    /// For each node, the highest of the `scores` [nodes, 1] of its graph, [nodes, 1], detached.
    pub(super) fn highest_in_graph(&self, scores: Tensor<2>) -> Tensor<2> {
        let device = scores.device();
        let mut highest = vec![f32::NEG_INFINITY; self.n_graphs()];
        let data = scores.into_data();
        for (score, &graph) in data.iter::<f32>().zip(&self.graph_of_node) {
            highest[graph] = highest[graph].max(score);
        }
        let of_nodes: Vec<f32> = self
            .graph_of_node
            .iter()
            .map(|&graph| highest[graph])
            .collect();
        Tensor::from_data(TensorData::new(of_nodes, [self.n_nodes(), 1]), &device)
    }
}

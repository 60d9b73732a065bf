//! ChordProgressionGNN: harmony as a graph of chords.
//!
//! Three graph convolutions (Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR
//! 2017) whose messages carry the kind of their edge, attention over the chords of each progression, a head for the
//! progression and, if wanted, one for every chord. The layers are those of the tutorial "Deep Learning Paradigms in Music
//! Information Retrieval".

mod batch;
mod messages;
mod turned;

use burn::module::{Initializer, Module, Param};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::music::N_PITCH_CLASSES;
use crate::music::chord_graph::EdgeKind;
use crate::music::roman::N_KEYS;

pub use batch::GraphBatch;
pub use messages::Messages;
pub use turned::{CHORD_FEATURES, HarmonyLogits};

/// Sizes of a [`ChordProgressionGnn`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChordProgressionGnnConfig {
    /// Numbers that describe a node: 1 for each pitch class of its chord.
    pub node_features: usize,
    /// Width of the convolutions.
    pub hidden_dim: usize,
    /// Classes of a graph.
    pub n_classes: usize,
    /// Kinds of edges.
    pub n_edge_types: usize,
    /// Classes of a node; 0 for no such head.
    pub n_node_classes: usize,
    /// Classes of a second head for nodes, of their keys; 0 for no such head.
    pub n_key_classes: usize,
    /// Whether the heads for nodes see the node itself beside what the convolutions, which blend it with its neighbours,
    /// make of it.
    pub node_skip: bool,
    /// Width of a hidden layer between a node and what the heads see of it; 0 for none.
    pub node_skip_dim: usize,
    /// Whether the heads for nodes see the whole graph, too, as its attention reads it.
    pub node_context: bool,
    /// Whether the model learns how likely keys follow one another, beside what each chord says of its key.
    pub key_transitions: bool,
    /// Width of the attention's hidden layer.
    pub attention_dim: usize,
    /// Dropout after the first two convolutions.
    pub dropout: f64,
}

impl Default for ChordProgressionGnnConfig {
    fn default() -> Self {
        Self {
            node_features: N_PITCH_CLASSES,
            hidden_dim: 128,
            n_classes: 7,
            n_edge_types: EdgeKind::COUNT,
            n_node_classes: 0,
            n_key_classes: 0,
            node_skip: false,
            node_skip_dim: 0,
            node_context: false,
            key_transitions: false,
            attention_dim: 64,
            dropout: 0.5,
        }
    }
}

impl ChordProgressionGnnConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: String| Err(Error::config(format!("chord graph model: {message}")));
        for (name, value) in [
            ("node_features", self.node_features),
            ("hidden_dim", self.hidden_dim),
            ("n_classes", self.n_classes),
            ("n_edge_types", self.n_edge_types),
            ("attention_dim", self.attention_dim),
        ] {
            if value == 0 {
                return fail(format!("{name} is 0; it must be at least 1"));
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail(format!("dropout is {}; it must be in [0, 1)", self.dropout));
        }
        Ok(())
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<ChordProgressionGnn> {
        self.validate()?;
        let hidden = self.hidden_dim;
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let (nodes, keys) = (self.n_node_classes, self.n_key_classes);
        Ok(ChordProgressionGnn {
            edge_embedding: EmbeddingConfig::new(self.n_edge_types, hidden).init(device),
            conv1: GraphConvolution::new(self.node_features, hidden, device),
            conv2: GraphConvolution::new(hidden, hidden, device),
            conv3: GraphConvolution::new(hidden, hidden, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            attention: (
                linear(hidden, self.attention_dim),
                linear(self.attention_dim, 1),
            ),
            classifier: linear(hidden, self.n_classes),
            node_classifier: (nodes > 0).then(|| linear(hidden, nodes)),
            key_classifier: (keys > 0).then(|| linear(hidden, keys)),
            node_skip: self.node_skip.then(|| match self.node_skip_dim {
                0 => NodeSkip {
                    hidden: None,
                    output: linear(self.node_features, hidden),
                },
                width => NodeSkip {
                    hidden: Some(linear(self.node_features, width)),
                    output: linear(width, hidden),
                },
            }),
            node_context: self.node_context.then(|| linear(hidden, hidden)),
            key_transitions: self.key_transitions.then(|| key_transitions(device)),
        })
    }
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct ChordProgressionGnn {
    edge_embedding: Embedding,
    conv1: GraphConvolution,
    conv2: GraphConvolution,
    conv3: GraphConvolution,
    dropout: Dropout,
    attention: (Linear, Linear),
    classifier: Linear,
    node_classifier: Option<Linear>,
    key_classifier: Option<Linear>,
    node_skip: Option<NodeSkip>,
    node_context: Option<Linear>,
    /// Of the mode that is left, to the keys as seen from its tonic, [2, 24].
    key_transitions: Option<Param<Tensor<2>>>,
}

/// What the heads see of a node by itself.
#[derive(Module, Debug)]
struct NodeSkip {
    hidden: Option<Linear>,
    output: Linear,
}

impl NodeSkip {
    /// [nodes, node_features] → [nodes, hidden_dim].
    fn forward(&self, nodes: Tensor<2>) -> Tensor<2> {
        let nodes = match &self.hidden {
            Some(hidden) => relu(hidden.forward(nodes)),
            None => nodes,
        };
        relu(self.output.forward(nodes))
    }
}

/// Keys stay.
fn key_transitions(device: &Device) -> Param<Tensor<2>> {
    let start: [[f32; N_KEYS]; 2] = std::array::from_fn(|mode| {
        std::array::from_fn(|to| match to == mode * N_PITCH_CLASSES {
            true => 0.0,
            false => -KEY_CHANGE_COST,
        })
    });
    Param::from_tensor(Tensor::from_floats(start, device))
}

/// What a change of key costs before anything is learned, in nats.
const KEY_CHANGE_COST: f32 = 5.0;

/// What the heads say, before any softmax, and what they say it of.
#[derive(Debug, Clone)]
pub struct ChordGraphLogits {
    /// [graphs, n_classes].
    pub graph_logits: Tensor<2>,
    /// [nodes, n_node_classes], where the model has that head.
    pub node_logits: Option<Tensor<2>>,
    /// [nodes, n_key_classes], where the model has that head.
    pub key_logits: Option<Tensor<2>>,
    /// [nodes, hidden_dim].
    pub node_hidden: Tensor<2>,
    /// How much each node counts in its graph; the nodes of a graph add up to 1. [nodes, 1].
    pub attention: Tensor<2>,
}

impl ChordProgressionGnn {
    /// Logits of the graphs of a batch, each of which is independent of the others.
    ///
    /// # Errors
    /// When nodes have another number of features than the model, or edges more kinds.
    pub fn forward(&self, batch: &GraphBatch) -> Result<ChordGraphLogits> {
        self.forward_heard(batch, |_, _| {})
    }

    /// As [`Self::forward`]; `heard` is told of each convolution what it reads, [nodes, features].
    fn forward_heard(
        &self,
        batch: &GraphBatch,
        heard: impl FnMut(&GraphConvolution, &Tensor<2>),
    ) -> Result<ChordGraphLogits> {
        self.check(batch)?;
        let hidden = self.convolve(batch, heard); // [nodes, hidden]
        let scores = (self.attention.1).forward(self.attention.0.forward(hidden.clone()).tanh());
        let attention = softmax_in_graphs(scores, batch);
        let of_graph = batch.members.product(attention.clone() * hidden.clone()); // [graphs, hidden]
        let mut of_node = hidden.clone();
        if let Some(skip) = &self.node_skip {
            of_node = of_node + skip.forward(batch.nodes.clone());
        }
        if let Some(context) = &self.node_context {
            let context = relu(context.forward(of_graph.clone()));
            of_node = of_node + batch.members.transposed().product(context);
        }
        let head = |head: &Option<Linear>| head.as_ref().map(|head| head.forward(of_node.clone()));
        Ok(ChordGraphLogits {
            graph_logits: self.classifier.forward(of_graph),
            node_logits: head(&self.node_classifier),
            key_logits: head(&self.key_classifier),
            node_hidden: hidden,
            attention,
        })
    }

    /// That the batch is of the features and the kinds of edges that the model knows.
    fn check(&self, batch: &GraphBatch) -> Result<()> {
        let [features, _] = self.conv1.lin.weight.dims();
        let [kinds, _] = self.edge_embedding.weight.dims();
        let [_, found] = batch.nodes.dims();
        if found != features {
            return Err(Error::config(format!(
                "chord graph model: nodes have {found} features; this model expects {features}"
            )));
        }
        if batch.kinds() > kinds {
            return Err(Error::config(format!(
                "chord graph model: an edge is of type {}; this model knows types 0 to {}",
                batch.kinds() - 1,
                kinds - 1
            )));
        }
        Ok(())
    }

    fn convolve(
        &self,
        batch: &GraphBatch,
        mut heard: impl FnMut(&GraphConvolution, &Tensor<2>),
    ) -> Tensor<2> {
        let [kinds, _] = self.edge_embedding.weight.dims();
        let of_kinds = TensorData::new(batch.kinds_of_edges(kinds), [batch.n_nodes(), kinds]);
        let edges = EdgeTerms {
            of_kinds: Tensor::from_data(of_kinds, &batch.nodes.device()),
            embedding: self.edge_embedding.weight.val(),
        };
        let mut convolved = |convolution: &GraphConvolution, x: Tensor<2>| {
            heard(convolution, &x);
            convolution.forward(x, batch, &edges)
        };
        let x = convolved(&self.conv1, batch.nodes.clone());
        let x = convolved(&self.conv2, self.dropout.forward(relu(x)));
        convolved(&self.conv3, self.dropout.forward(relu(x)))
    }
}

/// Softmax of `scores` [nodes, 1] over the nodes of each graph.
fn softmax_in_graphs(scores: Tensor<2>, batch: &GraphBatch) -> Tensor<2> {
    // A softmax does not change when all scores of a graph do by the same amount.
    let highest = batch.highest_in_graph(scores.clone());
    let weights = (scores - highest).exp();
    let totals = batch.members.product(weights.clone()); // [graphs, 1]
    weights / batch.members.transposed().product(totals)
}

/// What messages carry for the kinds of their edges.
struct EdgeTerms {
    /// The norms of the edges that reach a node, added up by kind, [nodes, n_edge_types].
    of_kinds: Tensor<2>,
    /// [n_edge_types, hidden].
    embedding: Tensor<2>,
}

/// x' of node i is the sum of norm · (W·x_j + embedding of the edge's kind) over edges from j to i, plus norm · W·x_i for i
/// itself, plus a bias.
#[derive(Module, Debug)]
struct GraphConvolution {
    lin: Linear,
    /// `[hidden]`
    bias: Param<Tensor<1>>,
}

impl GraphConvolution {
    fn new(from: usize, to: usize, device: &Device) -> Self {
        Self {
            lin: LinearConfig::new(from, to)
                .with_bias(false)
                .with_initializer(Initializer::XavierUniform { gain: 1.0 })
                .init(device),
            bias: Initializer::Zeros.init([to], device),
        }
    }

    /// [nodes, from] → [nodes, to].
    fn forward(&self, x: Tensor<2>, batch: &GraphBatch, edges: &EdgeTerms) -> Tensor<2> {
        let [from, to] = self.lin.weight.dims();
        // The sum over neighbours and W commute: gather what is narrower.
        let messages = if from < to {
            self.lin.forward(batch.neighbours.product(x))
        } else {
            batch.neighbours.product(self.lin.forward(x))
        };
        let of_edges = (edges.of_kinds.clone(), edges.embedding.clone());
        messages + linear(of_edges.0, of_edges.1, Some(self.bias.val()))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;
    use crate::music::PitchClassSet;
    use crate::music::chord_graph::{ChordGraph, ChordGraphBatch, ChordGraphConfig, ChordTones};
    use crate::nn::loss::cross_entropy;

    fn model() -> ChordProgressionGnn {
        let config = ChordProgressionGnnConfig {
            hidden_dim: 20,
            n_node_classes: 4,
            ..ChordProgressionGnnConfig::default()
        };
        config.init(&Device::flex()).unwrap()
    }

    /// A progression of triads and a chord without root.
    fn progression(roots: &[u8]) -> ChordGraph {
        let mut chords: Vec<ChordTones> = (roots.iter().enumerate())
            .map(|(i, &root)| {
                let third = if i % 3 == 0 { 4 } else { 3 };
                let tones = [0, third, 7].map(|interval| (root + interval) % 12);
                ChordTones::new(root, PitchClassSet::new(tones).unwrap()).unwrap()
            })
            .collect();
        chords.push(ChordTones::NONE);
        ChordGraph::of_progression(&chords, &ChordGraphConfig::default()).unwrap()
    }

    fn batch(graphs: &[&ChordGraph]) -> GraphBatch {
        let batch = ChordGraphBatch::new(graphs.iter().copied()).unwrap();
        GraphBatch::of_chords(&batch, &Device::flex()).unwrap()
    }

    fn assert_equal(found: Tensor<2>, expected: Tensor<2>) {
        let tolerance = Tolerance::absolute(1e-6);
        (found.into_data()).assert_approx_eq::<f32>(&expected.into_data(), tolerance);
    }

    #[test]
    fn the_reference_preset_has_the_tutorials_number_of_parameters() {
        let model = ChordProgressionGnnConfig::default()
            .init(&Device::flex())
            .unwrap();
        assert_eq!(model.num_params(), 44_552);
    }

    #[test]
    fn the_numbers_of_nodes_do_not_matter() {
        let model = model();
        let graph = progression(&[0, 5, 7, 0, 9, 2, 7, 0]);
        let n = graph.nodes.len();
        // Node i of the original is node 4·i + 3 modulo n of the other, and edges come in another order.
        let renumbered = |i: usize| (4 * i + 3) % n;
        let mut nodes = vec![[0.0; 12]; n];
        for (i, node) in graph.nodes.iter().enumerate() {
            nodes[renumbered(i)] = *node;
        }
        let edges = graph.edges.iter().rev().map(|edge| {
            [
                renumbered(edge.source),
                renumbered(edge.target),
                edge.kind.index(),
            ]
        });
        let edges: Vec<_> = edges.collect();
        let nodes = TensorData::new(nodes.concat(), [n, 12]);
        let nodes = Tensor::from_data(nodes, &Device::flex());
        let other = GraphBatch::new(nodes, &edges, &vec![0; n]).unwrap();
        let expected = model.forward(&batch(&[&graph])).unwrap();
        let found = model.forward(&other).unwrap();
        assert_equal(found.graph_logits.clone(), expected.graph_logits.clone());
        for i in 0..n {
            let of = |logits: &ChordGraphLogits, i| {
                let parts = [
                    logits.node_logits.clone().unwrap(),
                    logits.node_hidden.clone(),
                    logits.attention.clone(),
                ];
                Tensor::cat(parts.map(|part| part.narrow(0, i, 1)).into(), 1)
            };
            assert_equal(of(&found, renumbered(i)), of(&expected, i));
        }
    }

    #[test]
    fn each_graph_of_a_batch_is_on_its_own() {
        let model = model();
        let graphs = [
            progression(&[0, 5, 7, 0]),
            progression(&[2]),
            progression(&[4, 9, 2, 7, 0, 5, 11]),
        ];
        let together = model.forward(&batch(&graphs.each_ref())).unwrap();
        let mut first = 0;
        for (number, graph) in graphs.iter().enumerate() {
            let alone = model.forward(&batch(&[graph])).unwrap();
            let n = graph.nodes.len();
            let logits = together.graph_logits.clone().narrow(0, number, 1);
            assert_equal(logits, alone.graph_logits);
            for (all, alone) in [
                (&together.node_hidden, alone.node_hidden),
                (&together.attention, alone.attention.clone()),
                (
                    together.node_logits.as_ref().unwrap(),
                    alone.node_logits.unwrap(),
                ),
            ] {
                assert_equal(all.clone().narrow(0, first, n), alone);
            }
            let total = alone.attention.sum().into_scalar::<f64>();
            assert!((total - 1.0).abs() < 1e-6, "{total}");
            first += n;
        }
    }

    #[test]
    fn interleaved_graphs_are_told_apart() {
        let model = model();
        let nodes = Tensor::random([4, 12], Distribution::Default, &Device::flex());
        let edges = [[0, 2, 0], [1, 3, 2]];
        let mixed = GraphBatch::new(nodes.clone(), &edges, &[0, 1, 0, 1]).unwrap();
        let mixed = model.forward(&mixed).unwrap();
        for number in 0..2 {
            let own = [number, number + 2].map(|i| nodes.clone().narrow(0, i, 1));
            let edges = [[0, 1, 2 * number]];
            let own = GraphBatch::new(Tensor::cat(own.into(), 0), &edges, &[0, 0]).unwrap();
            let own = model.forward(&own).unwrap();
            assert_equal(
                mixed.graph_logits.clone().narrow(0, number, 1),
                own.graph_logits,
            );
        }
    }

    #[test]
    fn a_chord_alone_has_all_the_attention() {
        let graph = ChordGraph {
            nodes: vec![[1.0; 12]],
            edges: Vec::new(),
        };
        let model = model();
        let output = model.forward(&batch(&[&graph])).unwrap();
        assert_equal(output.attention, Tensor::ones([1, 1], &Device::flex()));
        let logits = model.classifier.forward(output.node_hidden);
        assert_equal(output.graph_logits, logits);
    }

    #[test]
    fn attention_stands_large_scores() {
        let nodes = Tensor::zeros([4, 12], &Device::flex());
        let batch = GraphBatch::new(nodes, &[], &[0, 0, 1, 1]).unwrap();
        let scores = [[500.0f32], [499.0], [-500.0], [-502.0]];
        let scores = Tensor::<2>::from_floats(scores, &Device::flex());
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let expected = [
            [sigmoid(1.0)],
            [sigmoid(-1.0)],
            [sigmoid(2.0)],
            [sigmoid(-2.0)],
        ];
        let expected = Tensor::<2>::from_floats(expected, &Device::flex());
        assert_equal(softmax_in_graphs(scores, &batch), expected);
    }

    #[test]
    fn every_parameter_learns() {
        let device = Device::flex().autodiff();
        let config = ChordProgressionGnnConfig {
            n_node_classes: 3,
            ..ChordProgressionGnnConfig::default()
        };
        let model = config.init(&device).unwrap();
        let graph = progression(&[0, 5, 7, 0, 0]);
        let batch = ChordGraphBatch::new([&graph]).unwrap();
        let batch = GraphBatch::of_chords(&batch, &device).unwrap();
        let output = model.forward(&batch).unwrap();
        let target = Tensor::from_ints([3], &device);
        let loss = cross_entropy(output.graph_logits, target).sum()
            + output.node_logits.unwrap().powi_scalar(2).sum();
        let gradients = burn::optim::GradientsParams::from_grads(loss.backward(), &model);
        assert_eq!(gradients.len(), burn::module::list_param_ids(&model).len());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let model = model();
        let nodes = |n| Tensor::zeros([n, 12], &Device::flex());
        let refused = |result: Result<GraphBatch>| result.unwrap_err().to_string();
        for (found, expected) in [
            (
                refused(GraphBatch::new(nodes(0), &[], &[])),
                "without nodes",
            ),
            (refused(GraphBatch::new(nodes(2), &[], &[0])), "2 nodes, 1 "),
            (
                refused(GraphBatch::new(nodes(2), &[[0, 2, 0]], &[0, 0])),
                "edge 0 joins node 0 and 2",
            ),
            (
                refused(GraphBatch::new(nodes(2), &[], &[0, 2])),
                "graph 1 has no node",
            ),
            (
                refused(GraphBatch::new(nodes(2), &[[1, 0, 0]], &[0, 1])),
                "of graphs 1 and 0",
            ),
        ] {
            assert!(found.contains(expected), "{found}");
        }
        for (nodes, edge, expected) in [
            (nodes(2), [0, 1, 7], "type 7; this model knows types 0 to 4"),
            (
                Tensor::zeros([2, 13], &Device::flex()),
                [0, 1, 0],
                "13 features; this model expects 12",
            ),
        ] {
            let batch = GraphBatch::new(nodes, &[edge], &[0, 0]).unwrap();
            let message = model.forward(&batch).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}

//! What the network hears over the edges of a graph, and which chords it attends to.

use burn::tensor::Tensor;

use super::turned::TurnedProgressions;
use super::{ChordProgressionGnn, GraphBatch, GraphConvolution};
use crate::error::{Error, Result};
use crate::music::SoundingChord;
use crate::music::chord_graph::{ChordGraph, ChordGraphConfig, ChordTones, WeightedEdge};

/// How a progression's graph was read.
///
/// A graph convolution adds up messages: over each edge its norm · (W·x of the source + embedding of the kind), and its norm
/// · W·x of the chord itself. Its weights are the same for all edges of a kind, so that how much an edge counts shows in
/// the messages alone. The weight of an edge is the length of its message as a share of the lengths of all that are added
/// up at its target, averaged over the three convolutions.
#[derive(Debug, Clone, PartialEq)]
pub struct Messages {
    /// In the order of [`ChordGraph::of_progression`]. Those that reach a chord add up to 1 with the chord's own.
    pub edges: Vec<WeightedEdge>,
    /// Of each chord's message to itself.
    pub own: Vec<f64>,
    /// How much each chord counts in the class of the whole; the chords add up to 1.
    pub attention: Vec<f64>,
}

impl ChordProgressionGnn {
    /// What is heard over the edges of a progression: at each chord when the network is asked under the chord's tonic of
    /// `tonics`, and for the whole under `tonic`.
    ///
    /// # Errors
    /// As [`Self::harmony`], and when there is another number of tonics than chords.
    pub fn messages(
        &self,
        progression: &[SoundingChord],
        config: &ChordGraphConfig,
        tonics: &[u8],
        tonic: u8,
    ) -> Result<Messages> {
        let n = progression.len();
        if tonics.len() != n {
            return Err(Error::config(format!(
                "{} tonics for {n} chords; expected one for each",
                tonics.len()
            )));
        }
        let all = self.turns()?;
        let turn_of = |tonic: u8| all[usize::from(tonic) % all.len()];
        let mut turns: Vec<u8> = tonics.iter().chain([&tonic]).map(|&t| turn_of(t)).collect();
        turns.sort_unstable();
        turns.dedup();
        // Where the nodes of a tonic's turn begin.
        let first = |tonic: u8| {
            let turn = turn_of(tonic);
            turns.iter().take_while(|&&other| other < turn).count() * n
        };
        let device = self.classifier.weight.val().device();
        let turned = TurnedProgressions::new(&[progression], config, &turns, &device)?;
        let mut shares = Shares::new(&turned.batch, self.edge_embedding.weight.val());
        let output = self.forward_heard(&turned.batch, |convolution, x| {
            shares.add(convolution, x);
        })?;

        let tones: Vec<ChordTones> = progression.iter().map(|chord| chord.tones()).collect();
        let edges = ChordGraph::of_progression(&tones, config)?.edges;
        let n_edges = edges.len();
        let weighted = edges.into_iter().enumerate().map(|(number, edge)| {
            let turn = first(tonics[edge.target]) / n;
            WeightedEdge {
                edge,
                weight: shares.of_edges[turn * n_edges + number],
            }
        });
        let edges = weighted.collect();
        let own = tonics.iter().enumerate();
        let own = own.map(|(chord, &tonic)| shares.own[first(tonic) + chord]);
        let attention = output.attention.narrow(0, first(tonic), n).into_data();
        Ok(Messages {
            edges,
            own: own.collect(),
            attention: attention.iter::<f64>().collect(),
        })
    }
}

/// The shares of messages, added up over convolutions.
struct Shares<'a> {
    batch: &'a GraphBatch,
    /// [n_edge_types, hidden].
    embedding: Vec<f32>,
    of_edges: Vec<f64>,
    own: Vec<f64>,
}

/// Of a network.
const CONVOLUTIONS: f64 = 3.0;

impl<'a> Shares<'a> {
    fn new(batch: &'a GraphBatch, embedding: Tensor<2>) -> Self {
        Self {
            batch,
            embedding: embedding.into_data().iter::<f32>().collect(),
            of_edges: vec![0.0; batch.edges.len()],
            own: vec![0.0; batch.n_nodes()],
        }
    }

    /// Those of a convolution that reads `x`.
    fn add(&mut self, convolution: &GraphConvolution, x: &Tensor<2>) {
        let sent = convolution.lin.forward(x.clone()); // [nodes, hidden]
        let [_, width] = sent.dims();
        let sent: Vec<f32> = sent.into_data().iter::<f32>().collect();
        let sent_by = |node: usize| &sent[node * width..(node + 1) * width];
        let embedding_of = |kind: usize| &self.embedding[kind * width..(kind + 1) * width];
        let edges = self.batch.edges.iter();
        let of_edges: Vec<f64> = edges
            .map(|edge| {
                let parts = sent_by(edge.source).iter().zip(embedding_of(edge.kind));
                f64::from(edge.norm) * length(parts.map(|(sent, kind)| sent + kind))
            })
            .collect();
        let own = self.batch.own_norms.iter().enumerate();
        let own: Vec<f64> = own
            .map(|(node, &norm)| f64::from(norm) * length(sent_by(node).iter().copied()))
            .collect();
        let mut totals = own.clone();
        for (edge, length) in self.batch.edges.iter().zip(&of_edges) {
            totals[edge.target] += length;
        }
        // Where nothing at all is said, a chord has itself.
        let share = |length: f64, total: f64, silent: f64| match total > 0.0 {
            true => length / total / CONVOLUTIONS,
            false => silent / CONVOLUTIONS,
        };
        for ((sum, edge), length) in (self.of_edges.iter_mut())
            .zip(&self.batch.edges)
            .zip(of_edges)
        {
            *sum += share(length, totals[edge.target], 0.0);
        }
        for ((sum, total), own) in self.own.iter_mut().zip(&totals).zip(own) {
            *sum += share(own, *total, 1.0);
        }
    }
}

fn length(vector: impl Iterator<Item = f32>) -> f64 {
    vector
        .map(|x| f64::from(x) * f64::from(x))
        .sum::<f64>()
        .sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::chord_gnn::{CHORD_FEATURES, ChordProgressionGnnConfig};
    use crate::music::PitchClassSet;
    use burn::module::Param;
    use burn::tensor::Device;

    /// C – F – G – no chord – C.
    fn chords() -> Vec<SoundingChord> {
        let of = |tones: [u8; 3]| {
            let set = PitchClassSet::new(tones).unwrap();
            SoundingChord::new(set, tones[0]).unwrap()
        };
        vec![
            of([0, 4, 7]),
            of([5, 9, 0]),
            of([7, 11, 2]),
            SoundingChord::NONE,
            of([0, 4, 7]),
        ]
    }

    fn model(n_key_classes: usize) -> ChordProgressionGnn {
        let config = ChordProgressionGnnConfig {
            node_features: CHORD_FEATURES,
            hidden_dim: 16,
            n_node_classes: 7,
            n_key_classes,
            node_skip: true,
            ..ChordProgressionGnnConfig::default()
        };
        config.init(&Device::flex()).unwrap()
    }

    fn messages(model: &ChordProgressionGnn, tonics: [u8; 5]) -> Messages {
        let graph = ChordGraphConfig::default();
        model.messages(&chords(), &graph, &tonics, 0).unwrap()
    }

    #[test]
    fn what_reaches_a_chord_adds_up_to_one() {
        for classes in [2, 24] {
            let found = messages(&model(classes), [0, 0, 7, 7, 3]);
            let mut totals = found.own.clone();
            for WeightedEdge { edge, weight } in &found.edges {
                assert!(*weight > 0.0);
                totals[edge.target] += weight;
            }
            totals.push(found.attention.iter().sum());
            for total in totals {
                assert!((total - 1.0).abs() < 1e-6, "{total}");
            }
            let tones: Vec<ChordTones> = chords().iter().map(|chord| chord.tones()).collect();
            let graph = ChordGraph::of_progression(&tones, &ChordGraphConfig::default()).unwrap();
            let edges: Vec<_> = found.edges.iter().map(|weighted| weighted.edge).collect();
            assert_eq!(edges, graph.edges);
        }
    }

    /// Without embeddings and with layers that pass on what they read, messages are as long as chords, times the norm of
    /// Kipf and Welling.
    #[test]
    fn the_share_of_a_message_is_that_of_its_length() {
        let mut model = model(2);
        let device = Device::flex();
        let embedding = Tensor::zeros([5, 16], &device);
        model.edge_embedding.weight = Param::from_tensor(embedding);
        let progression = [chords()[0], SoundingChord::NONE];
        let graph = ChordGraphConfig::default();
        let found = model.messages(&progression, &graph, &[0, 0], 0).unwrap();
        // The second chord has no tones: in the first convolution it hears the first alone, in the others itself as well.
        let [next] = found.edges.as_slice() else {
            panic!("{} edges", found.edges.len());
        };
        assert!((found.own[0] - 1.0).abs() < 1e-6);
        assert!(next.weight > 1.0 / 3.0 && found.own[1] < 2.0 / 3.0);
        // After the first convolution the second chord is what it heard, 1/√2 of the first, which has itself alone; then it
        // is blended: norms 1/√2 of the other and 1/2 of itself, twice, for values that a positive layer keeps apart.
        let ones = |from| Tensor::<2>::ones([from, 16], &device);
        model.conv1.lin.weight = Param::from_tensor(ones(CHORD_FEATURES));
        model.conv2.lin.weight = Param::from_tensor(ones(16));
        model.conv3.lin.weight = Param::from_tensor(ones(16));
        let found = model.messages(&progression, &graph, &[0, 0], 0).unwrap();
        let half = std::f64::consts::FRAC_1_SQRT_2;
        let (mut first, mut second, mut sum) = (1.0, 0.0, 0.0);
        for _ in 0..3 {
            let (heard, own) = (first * half, second * 0.5);
            sum += heard / (heard + own) / 3.0;
            (first, second) = (16.0 * first, 16.0 * (heard + own));
        }
        assert!((found.edges[0].weight - sum).abs() < 1e-5);
    }

    #[test]
    fn each_chord_is_heard_under_its_own_tonic() {
        let model = model(2);
        let (home, away) = (messages(&model, [0; 5]), messages(&model, [7; 5]));
        let mixed = messages(&model, [0, 0, 7, 7, 0]);
        for (number, found) in mixed.edges.iter().enumerate() {
            let of = match found.edge.target {
                2 | 3 => &away,
                _ => &home,
            };
            assert!((found.weight - of.edges[number].weight).abs() < 1e-6);
        }
        assert_ne!(home.edges, away.edges);
        // Attention is paid under the tonic of the whole.
        for (mixed, home) in mixed.attention.iter().zip(&home.attention) {
            assert!((mixed - home).abs() < 1e-6);
        }
    }

    #[test]
    fn other_numbers_of_tonics_are_refused() {
        let graph = ChordGraphConfig::default();
        let fault = model(2)
            .messages(&chords(), &graph, &[0; 4], 0)
            .unwrap_err();
        assert!(fault.to_string().contains("4 tonics for 5 chords"));
    }
}

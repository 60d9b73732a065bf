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

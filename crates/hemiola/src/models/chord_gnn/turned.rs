//! Progressions turned so that any tonic comes to lie on C: what the network learns of one key holds in all.

use burn::nn::Linear;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{ChordProgressionGnn, GraphBatch};
use crate::error::{Error, Result};
use crate::music::chord_graph::{ChordGraph, ChordGraphConfig, ChordTones};
use crate::music::roman::{KeyTransitions, LocalKey, N_DEGREES, N_KEYS};
use crate::music::{N_PITCH_CLASSES, SoundingChord};

/// Numbers that describe a chord: 1 for each of its pitch classes, then 1 for that of its bass.
pub const CHORD_FEATURES: usize = 2 * N_PITCH_CLASSES;

/// Classes of the key head where each turn is asked for the key on C: major or minor.
const MODES: usize = N_KEYS / N_PITCH_CLASSES;

/// Progressions as graphs, once for each turn, moved down by its semitones.
pub(super) struct TurnedProgressions {
    pub batch: GraphBatch,
    /// Of all progressions in one turn.
    chords: usize,
}

/// What the network says of progressions, before any softmax.
///
/// Degrees and modes depend on the tonic; where the network was asked once for all tonics, `turns` is 1.
#[derive(Debug, Clone)]
pub struct HarmonyLogits {
    /// By [`LocalKey::index`](crate::music::roman::LocalKey::index), [chords, 24].
    pub keys: Tensor<2>,
    /// Of each chord, if the tonic were t, [turns · chords, 7], turn by turn.
    pub degrees: Tensor<2>,
    /// Of each progression, if the tonic were t, [turns · progressions, classes], turn by turn.
    pub modes: Tensor<2>,
    /// How likely each key follows each, `[from][to]`, where the model knows: [24, 24].
    pub transitions: Option<Tensor<2>>,
    pub turns: usize,
}

impl TurnedProgressions {
    /// # Errors
    /// When there is no progression, or one without chords.
    pub fn new(
        progressions: &[&[SoundingChord]],
        config: &ChordGraphConfig,
        turns: &[u8],
        device: &Device,
    ) -> Result<Self> {
        let chords: usize = progressions.iter().map(|chords| chords.len()).sum();
        let (mut edges, mut graph_of_node) = (Vec::new(), Vec::new());
        let mut first = 0;
        for (number, progression) in progressions.iter().enumerate() {
            let tones: Vec<ChordTones> = progression.iter().map(|chord| chord.tones()).collect();
            let graph = ChordGraph::of_progression(&tones, config)?;
            edges.extend(
                (graph.edges.iter())
                    .map(|edge| [first + edge.source, first + edge.target, edge.kind.index()]),
            );
            graph_of_node.resize(first + tones.len(), number);
            first += tones.len();
        }
        let mut nodes = Vec::with_capacity(turns.len() * chords * CHORD_FEATURES);
        for &turn in turns {
            for chord in progressions.iter().copied().flatten() {
                nodes.extend(features(chord.transposed(-i32::from(turn))));
            }
        }
        let nodes = TensorData::new(nodes, [turns.len() * chords, CHORD_FEATURES]);
        let all_edges = (0..turns.len()).flat_map(|turn| {
            let moved = move |&[source, target, kind]: &[usize; 3]| {
                [turn * chords + source, turn * chords + target, kind]
            };
            edges.iter().map(moved)
        });
        let all_edges: Vec<[usize; 3]> = all_edges.collect();
        let graphs = (0..turns.len()).flat_map(|turn| {
            let moved = move |&graph: &usize| turn * progressions.len() + graph;
            graph_of_node.iter().map(moved)
        });
        let graphs: Vec<usize> = graphs.collect();
        Ok(Self {
            batch: GraphBatch::new(Tensor::from_data(nodes, device), &all_edges, &graphs)?,
            chords,
        })
    }
}

fn features(chord: SoundingChord) -> [f32; CHORD_FEATURES] {
    std::array::from_fn(|at| {
        let tone = (at % N_PITCH_CLASSES) as u8;
        let there = match at < N_PITCH_CLASSES {
            true => chord.pitch_classes().contains(tone),
            false => chord.bass() == Some(tone),
        };
        f32::from(u8::from(there))
    })
}

impl ChordProgressionGnn {
    /// Keys, degrees and modes of progressions.
    ///
    /// A key head of 2 classes (major and minor) is asked in all twelve turns for the key on C, so that every key is treated
    /// alike; one of 24 classes is asked once for the key as it is.
    ///
    /// # Errors
    /// When a progression has no chord, or the model does not read chords with their bass or lacks a head.
    pub fn harmony(
        &self,
        progressions: &[&[SoundingChord]],
        config: &ChordGraphConfig,
    ) -> Result<HarmonyLogits> {
        if classes(&self.node_classifier) != Some(N_DEGREES) {
            return Err(lacking(
                "the model has no head for 7 degrees (model.n_node_classes)",
            ));
        }
        let turns = self.turns()?;
        let device = self.classifier.weight.val().device();
        let turned = TurnedProgressions::new(progressions, config, &turns, &device)?;
        let output = self.forward(&turned.batch)?;
        let (Some(degrees), Some(keys)) = (output.node_logits, output.key_logits) else {
            return Err(lacking("the model has no heads for chords"));
        };
        let n = turned.chords;
        let keys = match turns.len() {
            1 => keys,
            _ => keys
                .reshape([N_PITCH_CLASSES, n, MODES])
                .permute([1, 2, 0]) // [chords, modes, tonics]
                .reshape([n, N_KEYS]),
        };
        Ok(HarmonyLogits {
            keys,
            degrees,
            modes: output.graph_logits,
            transitions: self.key_transitions.as_ref().map(|p| in_all_keys(p.val())),
            turns: turns.len(),
        })
    }

    /// By how many semitones chords are moved down to be asked for their key.
    ///
    /// # Errors
    /// When the model lacks a head for keys.
    pub(super) fn turns(&self) -> Result<Vec<u8>> {
        match classes(&self.key_classifier) {
            Some(MODES) => Ok((0..N_PITCH_CLASSES as u8).collect()),
            Some(N_KEYS) => Ok(vec![0]),
            _ => Err(lacking(
                "the model has no head for 2 or 24 keys (model.n_key_classes)",
            )),
        }
    }
}

/// What is known of two modes as seen from their tonics, [2, 24], for every key, [24, 24].
fn in_all_keys(transitions: Tensor<2>) -> Tensor<2> {
    let places = (0..N_KEYS).flat_map(|from| {
        let from = LocalKey::of_index(from);
        let seen = move |to| LocalKey::of_index(to).transposed(-i32::from(from.tonic()));
        let row = from.index() / N_PITCH_CLASSES * N_KEYS;
        (0..N_KEYS).map(move |to| (row + seen(to).index()) as i64)
    });
    let places: Vec<i64> = places.collect();
    let device = transitions.device();
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [N_KEYS * N_KEYS]), &device);
    let all = transitions.reshape([MODES * N_KEYS]).select(0, places);
    all.reshape([N_KEYS, N_KEYS])
}

fn classes(head: &Option<Linear>) -> Option<usize> {
    head.as_ref().map(|head| head.weight.dims()[1])
}

fn lacking(message: &str) -> Error {
    Error::config(format!("naming harmony: {message}"))
}

impl HarmonyLogits {
    /// Where in `degrees` (of `count` chords) or `modes` (of `count` progressions) the number `at` stands under a tonic.
    pub fn row(&self, tonic: u8, at: usize, count: usize) -> usize {
        usize::from(tonic) % self.turns * count + at
    }

    /// Logarithms of probabilities: of keys `[chords][24]`, and of degrees, see [`Self::row`].
    pub fn log_probabilities(&self) -> (Vec<[f64; N_KEYS]>, Vec<[f64; N_DEGREES]>) {
        (
            rows(log_softmax(self.keys.clone(), 1)),
            rows(log_softmax(self.degrees.clone(), 1)),
        )
    }

    /// Of the keys, in nats, where the model knows.
    pub fn known_transitions(&self) -> Option<KeyTransitions> {
        let log = rows::<N_KEYS>(self.transitions.clone()?);
        Some(KeyTransitions {
            log: log.try_into().ok()?,
        })
    }
}

fn rows<const N: usize>(tensor: Tensor<2>) -> Vec<[f64; N]> {
    let values: Vec<f64> = tensor.into_data().iter::<f64>().collect();
    let (rows, _) = values.as_chunks::<N>();
    rows.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::chord_gnn::ChordProgressionGnnConfig;
    use crate::music::PitchClassSet;
    use burn::tensor::Tolerance;

    fn chords(moved: i32) -> Vec<SoundingChord> {
        let of = |tones: &[u8]| {
            let set = PitchClassSet::new(tones.iter().copied()).unwrap();
            SoundingChord::new(set, tones[0]).unwrap()
        };
        let chords = [
            of(&[0, 4, 7]),
            of(&[5, 9, 2]),
            of(&[7, 11, 2, 5]),
            SoundingChord::NONE,
            of(&[0, 4, 7]),
        ];
        chords.into_iter().map(|c| c.transposed(moved)).collect()
    }

    #[test]
    fn every_key_is_treated_alike() {
        let config = ChordProgressionGnnConfig {
            node_features: CHORD_FEATURES,
            hidden_dim: 16,
            n_node_classes: 7,
            n_key_classes: 2,
            node_skip: true,
            ..ChordProgressionGnnConfig::default()
        };
        let model = config.init(&Device::flex()).unwrap();
        let graph = ChordGraphConfig::default();
        let of = |chords: &[SoundingChord]| model.harmony(&[chords], &graph).unwrap();
        let (home, n) = (chords(0), 5);
        let (keys, degrees) = of(&home).log_probabilities();
        for moved in [1, 5, 11] {
            let there = chords(moved);
            let logits = of(&there);
            let (moved_keys, moved_degrees) = logits.log_probabilities();
            for chord in 0..n {
                for (key, before) in keys[chord].iter().enumerate() {
                    let to = key / 12 * 12 + (key + moved as usize) % 12;
                    let difference = before - moved_keys[chord][to];
                    assert!(difference.abs() < 1e-5, "chord {chord}, key {key}");
                }
                let from = logits.row(3, chord, n);
                let to = logits.row((3 + moved as u8) % 12, chord, n);
                for degree in 0..N_DEGREES {
                    let difference = degrees[from][degree] - moved_degrees[to][degree];
                    assert!(difference.abs() < 1e-5);
                }
            }
        }
        // Together with another progression, each is as alone.
        let both = model.harmony(&[&chords(4), &home], &graph).unwrap();
        let alone = of(&home).keys.into_data();
        let tolerance = Tolerance::absolute(1e-5);
        let second = both.keys.narrow(0, n, n).into_data();
        second.assert_approx_eq::<f32>(&alone, tolerance);
    }

    #[test]
    fn a_model_without_the_heads_is_told_so() {
        let config = ChordProgressionGnnConfig {
            node_features: CHORD_FEATURES,
            n_node_classes: 7,
            ..ChordProgressionGnnConfig::default()
        };
        let model = config.init(&Device::flex()).unwrap();
        let result = model.harmony(&[&chords(0)], &ChordGraphConfig::default());
        let message = result.unwrap_err().to_string();
        assert!(message.contains("n_key_classes"), "{message}");
    }
}

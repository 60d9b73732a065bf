//! A chord progression as a graph: which chords follow, are related by fifths, lie near one another, return.

use serde::{Deserialize, Serialize};

use super::pitch_class_set::{N_PITCH_CLASSES, PitchClassSet};
use crate::error::{Error, Result};

/// What a chord's place in a progression's graph depends on: its root and its pitch classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChordTones {
    root: Option<u8>,
    pitch_classes: PitchClassSet,
}

impl ChordTones {
    /// No chord (N): without root and pitch classes.
    pub const NONE: Self = Self {
        root: None,
        pitch_classes: PitchClassSet::EMPTY,
    };

    /// A chord on the pitch class `root`, which need not sound.
    ///
    /// # Errors
    /// When the root is above 11 or no pitch class is given.
    pub fn new(root: u8, pitch_classes: PitchClassSet) -> Result<Self> {
        if usize::from(root) >= N_PITCH_CLASSES {
            return Err(Error::config(format!(
                "root {root}: expected a pitch class from 0 (C) to 11 (B)"
            )));
        }
        if pitch_classes.is_empty() {
            return Err(Error::config(format!(
                "a chord on root {root} without pitch classes; ChordTones::NONE is no chord"
            )));
        }
        Ok(Self {
            root: Some(root),
            pitch_classes,
        })
    }

    pub fn root(self) -> Option<u8> {
        self.root
    }

    pub fn pitch_classes(self) -> PitchClassSet {
        self.pitch_classes
    }

    /// The chord moved up by `semitones`, or down where negative.
    pub fn transposed(self, semitones: i32) -> Self {
        let octave = N_PITCH_CLASSES as i32;
        Self {
            root: (self.root)
                .map(|root| (i32::from(root) + semitones.rem_euclid(octave)) % octave)
                .map(|root| root as u8),
            pitch_classes: self.pitch_classes.transposed(semitones),
        }
    }

    /// 1 where a pitch class belongs to the chord, from C to B.
    fn features(self) -> [f32; N_PITCH_CLASSES] {
        std::array::from_fn(|p| f32::from(u8::from(self.pitch_classes.contains(p as u8))))
    }
}

/// How the chord at an edge's target relates to the one at its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeKind {
    /// It is the next in the progression.
    Next = 0,
    /// Its root lies a fifth (7 semitones) above.
    Fifth = 1,
    /// Its root lies a fourth (5 semitones) above.
    Fourth = 2,
    /// It is another chord, reached by a small motion of the voices.
    VoiceLeading = 3,
    /// It is the same chord: the same root and pitch classes.
    Repetition = 4,
}

impl EdgeKind {
    /// Number of kinds.
    pub const COUNT: usize = 5;
    pub const ALL: [Self; Self::COUNT] = [
        Self::Next,
        Self::Fifth,
        Self::Fourth,
        Self::VoiceLeading,
        Self::Repetition,
    ];

    /// 0 to 4, in the order of the variants.
    pub fn index(self) -> usize {
        self as usize
    }

    /// In small letters: `next`, `fifth`, `fourth`, `voice-leading`, `repetition`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Fifth => "fifth",
            Self::Fourth => "fourth",
            Self::VoiceLeading => "voice-leading",
            Self::Repetition => "repetition",
        }
    }
}

/// A directed edge between chords, by their position in the progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    pub source: usize,
    pub target: usize,
    pub kind: EdgeKind,
}

/// An edge and how much it counts at its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedEdge {
    pub edge: Edge,
    /// From 0 to 1.
    pub weight: f64,
}

/// How far relations reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChordGraphConfig {
    /// Relations other than [`EdgeKind::Next`] join chords at most so many chords apart. The default of 8 spans a phrase
    /// of eight bars at one chord to the bar.
    pub max_distance: usize,
    /// Voice-leading neighbours move by at most so many semitones, all voices together.
    pub max_motion: u32,
    /// Whether the kinds of edges are told apart; otherwise all count as [`EdgeKind::Next`], to see what the kinds are
    /// worth.
    #[serde(skip_serializing_if = "is_true")]
    pub typed_edges: bool,
}

fn is_true(value: &bool) -> bool {
    *value
}

impl Default for ChordGraphConfig {
    fn default() -> Self {
        Self {
            max_distance: 8,
            max_motion: 2,
            typed_edges: true,
        }
    }
}

/// Chords and their relations.
#[derive(Debug, Clone, PartialEq)]
pub struct ChordGraph {
    /// For every chord, 1 where a pitch class belongs to it, from C to B.
    pub nodes: Vec<[f32; N_PITCH_CLASSES]>,
    pub edges: Vec<Edge>,
}

impl ChordGraph {
    /// The graph of a progression. Its edges number at most
    /// `1 + 4 · max_distance` for each chord, so long pieces stay linear.
    ///
    /// `Next` points forward in time. The other relations have an edge each way: the kind of a fifth or fourth is the
    /// interval from the source's root up to the target's, so that one way is a fifth where the other is a fourth; motion
    /// and repetition are symmetric. A pair has an edge for every relation it is in; a repetition is no voice-leading
    /// neighbour. No chord (N) has only `Next` edges.
    ///
    /// # Errors
    /// When there is no chord.
    pub fn of_progression(chords: &[ChordTones], config: &ChordGraphConfig) -> Result<Self> {
        if chords.is_empty() {
            return Err(Error::config(
                "a progression without chords has no graph; expected at least one chord",
            ));
        }
        let mut edges = Vec::new();
        for (source, &chord) in chords.iter().enumerate() {
            let later = chords.iter().enumerate().skip(source + 1);
            for (target, &other) in later.take(config.max_distance.max(1)) {
                let mut join = |source, target, kind| {
                    edges.push(Edge {
                        source,
                        target,
                        kind: if config.typed_edges {
                            kind
                        } else {
                            EdgeKind::Next
                        },
                    });
                };
                if target == source + 1 {
                    join(source, target, EdgeKind::Next);
                }
                if target - source > config.max_distance {
                    continue;
                }
                if let Some(kind) = root_relation(chord, other) {
                    join(source, target, kind);
                }
                if let Some(kind) = root_relation(other, chord) {
                    join(target, source, kind);
                }
                if let Some(kind) = tone_relation(chord, other, config.max_motion) {
                    join(source, target, kind);
                    join(target, source, kind);
                }
            }
        }
        Ok(Self {
            nodes: chords.iter().map(|chord| chord.features()).collect(),
            edges,
        })
    }
}

/// By the interval from the root of `source` up to that of `target`.
fn root_relation(source: ChordTones, target: ChordTones) -> Option<EdgeKind> {
    let octave = N_PITCH_CLASSES as u8;
    match (target.root? + octave - source.root?) % octave {
        7 => Some(EdgeKind::Fifth),
        5 => Some(EdgeKind::Fourth),
        _ => None,
    }
}

/// By the chords' tones; the same in both directions.
fn tone_relation(a: ChordTones, b: ChordTones, max_motion: u32) -> Option<EdgeKind> {
    a.root?;
    if a == b {
        return Some(EdgeKind::Repetition);
    }
    let motion = a.pitch_classes.voice_leading_distance(b.pitch_classes)?;
    (motion <= max_motion).then_some(EdgeKind::VoiceLeading)
}

/// Several graphs as one without edges between them.
#[derive(Debug, Clone, PartialEq)]
pub struct ChordGraphBatch {
    pub nodes: Vec<[f32; N_PITCH_CLASSES]>,
    pub edges: Vec<Edge>,
    /// The number of the graph that each node is from, ascending from 0.
    pub graph_of_node: Vec<usize>,
}

impl ChordGraphBatch {
    /// # Errors
    /// When there is no graph, or one without nodes.
    pub fn new<'a>(graphs: impl IntoIterator<Item = &'a ChordGraph>) -> Result<Self> {
        let mut batch = Self {
            nodes: Vec::new(),
            edges: Vec::new(),
            graph_of_node: Vec::new(),
        };
        for (number, graph) in graphs.into_iter().enumerate() {
            if graph.nodes.is_empty() {
                return Err(Error::config(format!(
                    "graph {number} of the batch has no chord; expected at least one"
                )));
            }
            let first = batch.nodes.len();
            batch.nodes.extend(&graph.nodes);
            batch.edges.extend(graph.edges.iter().map(|edge| Edge {
                source: first + edge.source,
                target: first + edge.target,
                ..*edge
            }));
            batch.graph_of_node.resize(batch.nodes.len(), number);
        }
        if batch.nodes.is_empty() {
            return Err(Error::config(
                "a batch of no graphs; expected at least one graph",
            ));
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chord(root: u8, intervals: &[u8]) -> ChordTones {
        let tones = intervals.iter().map(|interval| (root + interval) % 12);
        ChordTones::new(root, PitchClassSet::new(tones).unwrap()).unwrap()
    }

    fn major(root: u8) -> ChordTones {
        chord(root, &[0, 4, 7])
    }

    fn minor(root: u8) -> ChordTones {
        chord(root, &[0, 3, 7])
    }

    fn graph(chords: &[ChordTones]) -> ChordGraph {
        ChordGraph::of_progression(chords, &ChordGraphConfig::default()).unwrap()
    }

    fn rows(graph: &ChordGraph) -> Vec<(usize, usize, usize)> {
        let edges = graph.edges.iter();
        let mut rows: Vec<_> = edges
            .map(|e| (e.source, e.target, e.kind.index()))
            .collect();
        rows.sort_unstable();
        rows
    }

    /// A long progression with every kind of edge and chords without root.
    fn long(len: usize) -> Vec<ChordTones> {
        let cycle = [
            major(0),
            minor(9),
            chord(2, &[0, 3, 7, 10]),
            chord(7, &[0, 4, 7, 10]),
            major(0),
            ChordTones::NONE,
            major(5),
            minor(4),
            chord(11, &[0, 3, 6]),
        ];
        cycle.into_iter().cycle().take(len).collect()
    }

    #[test]
    fn a_short_progression_has_the_edges_that_a_reader_would_draw() {
        // C–F–C–Am–C: F lies a fourth above C; A minor is two semitones from C and from F a third away (F A C – E A C: 1).
        let graph = graph(&[major(0), major(5), major(0), minor(9)]);
        let expected = vec![
            (0, 1, 0),
            (0, 1, 2),
            (0, 2, 4),
            (0, 3, 3),
            (1, 0, 1),
            (1, 2, 0),
            (1, 2, 1),
            (1, 3, 3),
            (2, 0, 4),
            (2, 1, 2),
            (2, 3, 0),
            (2, 3, 3),
            (3, 0, 3),
            (3, 1, 3),
            (3, 2, 3),
        ];
        assert_eq!(rows(&graph), expected);
        assert_eq!(
            graph.nodes[3],
            [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
        );
    }

    #[test]
    fn chords_of_the_same_tones_on_other_roots_are_neighbours_and_no_repetition() {
        // C6 and A minor seventh.
        let graph = graph(&[chord(0, &[0, 4, 7, 9]), chord(9, &[0, 3, 7, 10])]);
        assert_eq!(rows(&graph), vec![(0, 1, 0), (0, 1, 3), (1, 0, 3)]);
    }

    #[test]
    fn no_chord_has_only_next_edges() {
        let graph = graph(&[major(0), ChordTones::NONE, ChordTones::NONE, major(0)]);
        assert_eq!(
            rows(&graph),
            vec![(0, 1, 0), (0, 3, 4), (1, 2, 0), (2, 3, 0), (3, 0, 4)]
        );
        assert_eq!(graph.nodes[1], [0.0; 12]);
    }

    #[test]
    fn relations_reach_as_far_as_stated() {
        // Chords of which only the first and the last are related.
        let mut chords = vec![ChordTones::NONE; 10];
        chords[0] = major(0);
        for (last, reached) in [(8, true), (9, false)] {
            let mut chords = chords.clone();
            chords[last] = major(0);
            assert_eq!(
                rows(&graph(&chords)).contains(&(0, last, 4)),
                reached,
                "{last}"
            );
        }
        let none = ChordGraphConfig {
            max_distance: 0,
            ..ChordGraphConfig::default()
        };
        let alone = ChordGraph::of_progression(&long(20), &none).unwrap();
        assert_eq!(alone.edges.len(), 19);
        assert!(alone.edges.iter().all(|edge| edge.kind == EdgeKind::Next));
        let all = ChordGraphConfig {
            max_distance: usize::MAX,
            ..ChordGraphConfig::default()
        };
        let all = ChordGraph::of_progression(&[major(0); 20], &all).unwrap();
        assert_eq!(all.edges.len(), 19 + 20 * 19);
    }

    #[test]
    fn transposition_keeps_edges_and_rotates_features() {
        let chords = long(60);
        let original = graph(&chords);
        for semitones in -11..=12 {
            let moved: Vec<_> = chords.iter().map(|c| c.transposed(semitones)).collect();
            let moved = graph(&moved);
            assert_eq!(moved.edges, original.edges, "{semitones}");
            for (moved, original) in moved.nodes.iter().zip(&original.nodes) {
                let mut expected = *original;
                expected.rotate_right(semitones.rem_euclid(12) as usize);
                assert_eq!(*moved, expected, "{semitones}");
            }
        }
    }

    #[test]
    fn edges_grow_linearly() {
        let edges = |len| graph(&long(len)).edges.len();
        // From where the ends no longer matter, each cycle of nine chords adds the same number.
        let step = edges(27) - edges(18);
        assert_eq!(edges(9_999), edges(18) + (9_999 - 18) / 9 * step);
        assert!(edges(10_000) <= 10_000 * (1 + 4 * ChordGraphConfig::default().max_distance));
    }

    #[test]
    fn a_batch_keeps_graphs_apart() {
        let (first, second) = (graph(&long(5)), graph(&[major(7), major(0)]));
        let batch = ChordGraphBatch::new([&first, &second]).unwrap();
        assert_eq!(batch.graph_of_node, [0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(batch.nodes[5..], second.nodes);
        assert_eq!(batch.edges[..first.edges.len()], first.edges);
        let rest = &batch.edges[first.edges.len()..];
        let rest: Vec<_> = rest
            .iter()
            .map(|e| (e.source, e.target, e.kind.index()))
            .collect();
        assert_eq!(rest, vec![(5, 6, 0), (5, 6, 2), (6, 5, 1)]);
    }

    #[test]
    fn nothing_has_no_graph() {
        let empty = ChordGraph::of_progression(&[], &ChordGraphConfig::default());
        let message = empty.unwrap_err().to_string();
        assert!(message.contains("at least one chord"), "{message}");
        assert!(ChordGraphBatch::new([]).is_err());
        assert!(ChordTones::new(12, PitchClassSet::new([0]).unwrap()).is_err());
        assert!(ChordTones::new(0, PitchClassSet::EMPTY).is_err());
    }
}

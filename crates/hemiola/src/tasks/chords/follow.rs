//! The chord that sounds now.

use super::ChordReader;
use crate::music::N_PITCH_CLASSES;
use crate::music::chord::{ChordLabel, Vocabulary};

/// Follows a live chroma: the same model as [`ChordReader::read`], but what is told is the state that the likeliest path so
/// far ends in, for nobody can wait for the end.
#[derive(Debug, Clone)]
pub struct ChordFollower {
    reader: ChordReader,
    vocabulary: Vocabulary,
    pool: usize,
    transitions: Vec<f32>,
    /// Frames that are not yet a decision.
    waiting: Vec<f32>,
    /// Of the best path into each state, less the best of all; empty before the first decision.
    scores: Vec<f32>,
    current: ChordLabel,
}

impl ChordFollower {
    pub(super) fn new(reader: ChordReader, fps: f64, vocabulary: Vocabulary) -> Self {
        let pool = reader.pool(fps);
        let words = reader.words(vocabulary);
        let chord_frames = words.pace.chord_s * fps / pool as f64;
        Self {
            transitions: words.emissions.transitions(chord_frames),
            pool,
            reader,
            vocabulary,
            waiting: Vec::new(),
            scores: Vec::new(),
            current: ChordLabel::NoChord,
        }
    }

    /// Takes one more frame; the chord that sounds.
    pub fn push(&mut self, frame: &[f32; N_PITCH_CLASSES]) -> &ChordLabel {
        self.waiting.extend_from_slice(frame);
        if self.waiting.len() == self.pool * N_PITCH_CLASSES {
            let kind = self.reader.config.chroma;
            let features = kind.features(&self.waiting, N_PITCH_CLASSES, self.pool);
            self.waiting.clear();
            self.decide(&features);
        }
        &self.current
    }

    /// The chord that sounds; `N` at first.
    pub fn current(&self) -> &ChordLabel {
        &self.current
    }

    fn decide(&mut self, features: &[f32]) {
        let words = self.reader.words(self.vocabulary);
        let emissions = words
            .emissions
            .of(features, words.pace.weight, words.pace.prior);
        let states = emissions.len();
        let next: Vec<f32> = match self.scores.is_empty() {
            true => emissions,
            false => emissions
                .iter()
                .enumerate()
                .map(|(to, emission)| {
                    let ways = self.scores.iter().enumerate();
                    let best = ways
                        .map(|(from, score)| score + self.transitions[from * states + to])
                        .fold(f32::NEG_INFINITY, f32::max);
                    best + emission
                })
                .collect(),
        };
        let (mut state, mut top) = (0, f32::NEG_INFINITY);
        for (index, &score) in next.iter().enumerate() {
            if score > top {
                (state, top) = (index, score);
            }
        }
        self.scores = next.into_iter().map(|score| score - top).collect();
        self.current = words.label(state);
    }
}

//! How well each chord explains each frame of chroma.

use serde::{Deserialize, Serialize};

use crate::models::chord_hmm::{ChordHmm, ChordStatistics};

/// Pitch classes.
const CLASSES: usize = 12;

/// What the numbers of a chroma are, and with it what the model makes of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChromaKind {
    /// Probabilities that pitch classes sound: their log-odds count, up to ±6.
    #[default]
    Probability,
    /// Energies of any scale: each twelve is divided by its largest, and its logarithm counts.
    Energy,
}

/// Log-odds beyond which a frame says no more.
const SUREST: f32 = 6.0;
/// What is added to a share of energy before the logarithm.
const FLOOR: f32 = 0.05;

impl ChromaKind {
    /// Makes features of a chroma, in place.
    fn apply(self, chroma: &mut [f32]) {
        match self {
            Self::Probability => {
                for value in chroma {
                    let p = value.clamp(1e-6, 1.0 - 1e-6);
                    *value = (p / (1.0 - p)).ln().clamp(-SUREST, SUREST);
                }
            }
            Self::Energy => {
                for twelve in chroma.chunks_mut(CLASSES) {
                    let top = twelve.iter().copied().fold(0.0, f32::max).max(1e-12);
                    for value in twelve {
                        *value = (value.max(0.0) / top + FLOOR).ln();
                    }
                }
            }
        }
    }

    /// Features of `frames`, row-major [time, width], the mean of every `pool` frames: [time / pool rounded up, width].
    pub fn features(self, frames: &[f32], width: usize, pool: usize) -> Vec<f32> {
        let pools = frames.chunks(width * pool.max(1));
        let mut all = Vec::with_capacity(pools.len() * width);
        let mut features = vec![0.0; width];
        for pool in pools {
            let first = all.len();
            all.resize(first + width, 0.0);
            let count = (pool.len() / width) as f32;
            for frame in pool.chunks_exact(width) {
                features.copy_from_slice(frame);
                self.apply(&mut features);
                let sums = all[first..].iter_mut().zip(&features);
                sums.for_each(|(sum, value)| *sum += value / count);
            }
        }
        all
    }
}

/// `frame` with the pitch class `root` first, each twelve by itself.
pub fn turned(frame: &[f32], root: usize, out: &mut [f32]) {
    for (from, to) in frame.chunks(CLASSES).zip(out.chunks_mut(CLASSES)) {
        for (interval, value) in to.iter_mut().enumerate() {
            *value = from[(root + interval) % CLASSES];
        }
    }
}

/// The distributions of a [`ChordHmm`], ready to compute with, for words that may stand for several of its qualities each.
/// States are words × 12 roots, root by root within a word, and no chord last.
#[derive(Debug, Clone)]
pub struct Emissions {
    n_features: usize,
    statistics: ChordStatistics,
    /// The qualities of each word; no chord is a word, too, the last.
    words: Vec<Vec<Quality>>,
    /// Logarithm of how common each word is, of all changes of chord.
    commonness: Vec<f32>,
    /// Log-probability that a word is followed by another whose root is so many semitones higher, [from, to, 12].
    changes: Vec<f32>,
}

/// A quality of a word.
#[derive(Debug, Clone)]
struct Quality {
    /// Its place in the model.
    kind: usize,
    /// How common it is within the word.
    log_share: f32,
    /// Σ ln of the diagonal of its whitening.
    log_scale: f32,
}

impl Emissions {
    /// `word_of` tells for each quality of the model, no chord left out, the word that stands for it, counted from 0 without
    /// a gap.
    pub fn new(model: &ChordHmm, word_of: &[usize]) -> Self {
        let (n, none) = (model.n_features(), model.n_qualities());
        let statistics = model.statistics();
        let kinds = none + 1;
        let n_words = word_of.iter().max().map_or(0, |top| top + 1);
        let changes_of = |from: usize, to: usize| {
            let first = (from * kinds + to) * CLASSES;
            &statistics.changes[first..first + CLASSES]
        };
        // How often each quality is come to, from anywhere: how common it is.
        let common = |kind: usize| -> f32 {
            let ways = (0..kinds).flat_map(|from| changes_of(from, kind).iter());
            let all: f32 = ways.map(|change| change.exp()).sum();
            // A change to no chord stands once for every interval.
            if kind == none {
                all / CLASSES as f32
            } else {
                all
            }
        };
        let log_scale = |kind: usize| {
            let square = &statistics.whitening[kind * n * n..];
            (0..n)
                .map(|i| square[i * n + i].abs().max(1e-20).ln())
                .sum()
        };
        let members = |word: usize| -> Vec<usize> {
            match word == n_words {
                true => vec![none],
                false => (0..none).filter(|&kind| word_of[kind] == word).collect(),
            }
        };
        let total: f32 = (0..kinds).map(common).sum();
        let words: Vec<Vec<Quality>> = (0..=n_words)
            .map(|word| {
                let kinds = members(word);
                let all: f32 = kinds.iter().map(|&kind| common(kind)).sum();
                let quality = |kind| Quality {
                    kind,
                    log_share: (common(kind) / all).ln(),
                    log_scale: log_scale(kind),
                };
                kinds.into_iter().map(quality).collect()
            })
            .collect();
        let commonness = (0..=n_words)
            .map(|word| {
                let all: f32 = members(word).into_iter().map(common).sum();
                (all / total).ln()
            })
            .collect();
        let mut changes = Vec::with_capacity(words.len() * words.len() * CLASSES);
        for from in &words {
            for to in &words {
                for interval in 0..CLASSES {
                    let pairs = from.iter().flat_map(|a| to.iter().map(move |b| (a, b)));
                    let chance: f32 = pairs
                        .map(|(a, b)| (a.log_share + changes_of(a.kind, b.kind)[interval]).exp())
                        .sum();
                    changes.push(chance.ln());
                }
            }
        }
        Self {
            n_features: n,
            statistics,
            words,
            commonness,
            changes,
        }
    }

    pub fn n_states(&self) -> usize {
        (self.words.len() - 1) * CLASSES + 1
    }

    fn log_density(&self, quality: &Quality, frame: &[f32]) -> f32 {
        let (n, kind) = (self.n_features, quality.kind);
        let mean = &self.statistics.means[kind * n..(kind + 1) * n];
        let whitening = &self.statistics.whitening[kind * n * n..(kind + 1) * n * n];
        let mut distance = 0.0;
        for (row, weights) in whitening.chunks_exact(n).enumerate() {
            let whitened: f32 = weights[..=row]
                .iter()
                .zip(frame.iter().zip(mean))
                .map(|(w, (x, m))| w * (x - m))
                .sum();
            distance += whitened * whitened;
        }
        quality.log_scale - 0.5 * distance
    }

    /// ln Σ share · density over the qualities of a word.
    fn log_word(&self, word: &[Quality], frame: &[f32]) -> f32 {
        let each = |quality: &Quality| quality.log_share + self.log_density(quality, frame);
        // Relative to the larger of the two, so that neither overflows.
        word.iter().map(each).fold(f32::NEG_INFINITY, |sum, x| {
            let (low, high) = (sum.min(x), sum.max(x));
            high + (low - high).exp().ln_1p()
        })
    }

    /// Log-likelihoods of every state, [time, states], of features [time, n_features], and how common its word is, which
    /// counts `prior` times; together times `weight`.
    pub fn of(&self, features: &[f32], weight: f32, prior: f32) -> Vec<f32> {
        let n = self.n_features;
        let mut all = Vec::with_capacity(features.len() / n * self.n_states());
        let mut rotation = vec![0.0; n * CLASSES];
        let (none, chords) = self.words.split_last().expect("no chord is a word");
        for frame in features.chunks_exact(n) {
            for (root, out) in rotation.chunks_exact_mut(n).enumerate() {
                turned(frame, root, out);
            }
            for (word, common) in chords.iter().zip(&self.commonness) {
                let turns = rotation.chunks_exact(n);
                all.extend(
                    turns.map(|frame| weight * (self.log_word(word, frame) + prior * common)),
                );
            }
            // What is no chord has no root: it sounds alike however it is turned.
            let turns = rotation.chunks_exact(n);
            let sum: f32 = turns.map(|frame| self.log_word(none, frame)).sum();
            let common = self.commonness[chords.len()];
            all.push(weight * (sum / CLASSES as f32 + prior * common));
        }
        all
    }

    /// Log-probabilities of going from each state to each, [states, states], where chords last `chord_frames` frames on
    /// average.
    pub fn transitions(&self, chord_frames: f64) -> Vec<f32> {
        let (states, words) = (self.n_states(), self.words.len());
        let leave = (1.0 / chord_frames.max(1.0 + 1e-6)).min(1.0 - 1e-6);
        let (stay, leave) = ((1.0 - leave).ln() as f32, leave.ln() as f32);
        let mut all = Vec::with_capacity(states * states);
        for from in 0..states {
            for to in 0..states {
                let interval = (to % CLASSES + CLASSES - from % CLASSES) % CLASSES;
                let cell = (from / CLASSES * words + to / CLASSES) * CLASSES;
                let change = self.changes[cell + interval];
                all.push(if from == to { stay } else { leave + change });
            }
        }
        all
    }
}

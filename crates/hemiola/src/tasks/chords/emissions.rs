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
        for pool in pools {
            let first = all.len();
            all.resize(first + width, 0.0);
            let count = (pool.len() / width) as f32;
            for frame in pool.chunks_exact(width) {
                let mut frame = frame.to_vec();
                self.apply(&mut frame);
                let sums = all[first..].iter_mut().zip(frame);
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

/// The distributions of a [`ChordHmm`], ready to compute with. States are qualities × 12 roots, root by root within a
/// quality, and no chord last.
#[derive(Debug, Clone)]
pub struct Emissions {
    n_features: usize,
    n_kinds: usize,
    statistics: ChordStatistics,
    /// Σ ln of the diagonal of each whitening.
    log_scale: Vec<f32>,
}

impl Emissions {
    pub fn new(model: &ChordHmm) -> Self {
        let (n_features, n_kinds) = (model.n_features(), model.n_qualities() + 1);
        let statistics = model.statistics();
        let diagonal = |kind: usize| {
            let square = &statistics.whitening[kind * n_features * n_features..];
            (0..n_features)
                .map(|i| square[i * n_features + i].abs().max(1e-20).ln())
                .sum()
        };
        Self {
            log_scale: (0..n_kinds).map(diagonal).collect(),
            n_features,
            n_kinds,
            statistics,
        }
    }

    pub fn n_states(&self) -> usize {
        (self.n_kinds - 1) * CLASSES + 1
    }

    fn log_density(&self, kind: usize, frame: &[f32]) -> f32 {
        let n = self.n_features;
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
        self.log_scale[kind] - 0.5 * distance
    }

    /// Log-likelihoods of every state, [time, states], of features [time, n_features], each times `weight`.
    pub fn of(&self, features: &[f32], weight: f32) -> Vec<f32> {
        let n = self.n_features;
        let mut all = Vec::with_capacity(features.len() / n * self.n_states());
        let mut rotation = vec![0.0; n * CLASSES];
        for frame in features.chunks_exact(n) {
            for (root, out) in rotation.chunks_exact_mut(n).enumerate() {
                turned(frame, root, out);
            }
            for kind in 0..self.n_kinds - 1 {
                let chords = rotation.chunks_exact(n);
                all.extend(chords.map(|frame| weight * self.log_density(kind, frame)));
            }
            // What is no chord has no root: it sounds alike however it is turned.
            let none: f32 = rotation
                .chunks_exact(n)
                .map(|frame| self.log_density(self.n_kinds - 1, frame))
                .sum();
            all.push(weight * none / CLASSES as f32);
        }
        all
    }

    /// Log-probabilities of going from each state to each, [states, states], where chords last `chord_frames` frames on
    /// average.
    pub fn transitions(&self, chord_frames: f64) -> Vec<f32> {
        let states = self.n_states();
        let leave = (1.0 / chord_frames.max(1.0 + 1e-6)).min(1.0 - 1e-6);
        let (stay, leave) = ((1.0 - leave).ln() as f32, leave.ln() as f32);
        let kind_and_root = |state: usize| (state / CLASSES, state % CLASSES);
        let mut all = Vec::with_capacity(states * states);
        for from in 0..states {
            for to in 0..states {
                let ((a, from_root), (b, to_root)) = (kind_and_root(from), kind_and_root(to));
                let interval = (to_root + CLASSES - from_root) % CLASSES;
                let change = self.statistics.changes[(a * self.n_kinds + b) * CLASSES + interval];
                all.push(if from == to { stay } else { leave + change });
            }
        }
        all
    }
}

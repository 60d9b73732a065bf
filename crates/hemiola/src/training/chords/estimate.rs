//! Counting what chords sound like and how they follow one another.

use crate::models::chord_hmm::{ChordHmmConfig, ChordStatistics};
use crate::tasks::chords::turned;

/// Pitch classes.
const CLASSES: usize = 12;
/// The share of an even distribution that every covariance gets, so that rare qualities have one at all.
const SHRINKAGE: f64 = 0.05;
/// How often every change of chord is taken to have been seen before any was.
const PRIOR_COUNT: f64 = 0.5;

/// A chord of a vocabulary: the place of its quality, and its root; no chord has the last quality and the root 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VocabularyChord {
    pub quality: usize,
    pub root: usize,
}

/// Sums over what was seen.
#[derive(Debug, Clone)]
pub struct ChordCounts {
    config: ChordHmmConfig,
    /// Frames of each quality.
    frames: Vec<f64>,
    sums: Vec<f64>,
    products: Vec<f64>,
    changes: Vec<f64>,
}

impl ChordCounts {
    pub fn new(config: &ChordHmmConfig) -> Self {
        let (kinds, n) = (config.n_qualities + 1, config.n_features);
        Self {
            config: config.clone(),
            frames: vec![0.0; kinds],
            sums: vec![0.0; kinds * n],
            products: vec![0.0; kinds * n * n],
            changes: vec![PRIOR_COUNT; kinds * kinds * CLASSES],
        }
    }

    fn kinds(&self) -> usize {
        self.config.n_qualities + 1
    }

    /// Adds a frame of features and the chord that sounds in it.
    pub fn frame(&mut self, features: &[f32], chord: VocabularyChord) {
        let mut turn = vec![0.0; features.len()];
        // No chord has no root, so it is seen from everywhere, each time as a twelfth of a frame.
        let (roots, share) = match chord.quality == self.config.n_qualities {
            true => (0..CLASSES, 1.0 / CLASSES as f64),
            false => (chord.root..chord.root + 1, 1.0),
        };
        let n = features.len();
        let kind = chord.quality;
        for root in roots {
            turned(features, root, &mut turn);
            self.frames[kind] += share;
            for (i, &x) in turn.iter().enumerate() {
                self.sums[kind * n + i] += share * f64::from(x);
                let row = &mut self.products[(kind * n + i) * n..][..n];
                for (product, &y) in row.iter_mut().zip(&turn) {
                    *product += share * f64::from(x) * f64::from(y);
                }
            }
        }
    }

    /// Adds that one chord followed another.
    pub fn change(&mut self, from: VocabularyChord, to: VocabularyChord) {
        let none = self.config.n_qualities;
        let cell = (from.quality * self.kinds() + to.quality) * CLASSES;
        if from.quality == none || to.quality == none {
            // A change from or to no chord has no interval.
            for interval in 0..CLASSES {
                self.changes[cell + interval] += 1.0 / CLASSES as f64;
            }
        } else {
            let interval = (to.root + CLASSES - from.root) % CLASSES;
            self.changes[cell + interval] += 1.0;
        }
    }

    /// The model of what was counted. Qualities that were never seen are never found.
    pub fn statistics(&self) -> ChordStatistics {
        let (kinds, n) = (self.kinds(), self.config.n_features);
        let mut means = vec![0f32; kinds * n];
        let mut whitening = vec![0f32; kinds * n * n];
        for kind in 0..kinds {
            let count = self.frames[kind].max(1.0);
            let mean: Vec<f64> = (0..n).map(|i| self.sums[kind * n + i] / count).collect();
            let mut covariance: Vec<f64> = (0..n * n)
                .map(|cell| {
                    let (i, j) = (cell / n, cell % n);
                    self.products[kind * n * n + cell] / count - mean[i] * mean[j]
                })
                .collect();
            let spread = (0..n).map(|i| covariance[i * n + i]).sum::<f64>() / n as f64;
            for i in 0..n {
                for j in 0..n {
                    covariance[i * n + j] *= 1.0 - SHRINKAGE;
                }
                covariance[i * n + i] += SHRINKAGE * spread.max(1e-3);
            }
            let whiten = inverse_of_root(&covariance, n);
            let seen = self.frames[kind] >= 1.0;
            for i in 0..n {
                // A mean far from everything: no frame is of a quality that was not seen.
                means[kind * n + i] = if seen { mean[i] as f32 } else { 1e3 };
            }
            for (to, from) in whitening[kind * n * n..].iter_mut().zip(&whiten) {
                *to = *from as f32;
            }
        }
        let none = self.config.n_qualities;
        let mut changes = vec![0f32; self.changes.len()];
        for from in 0..kinds {
            // From a chord, no chord is one state, all others are twelve.
            let weight = |to: usize, interval: usize| {
                let count = self.changes[(from * kinds + to) * CLASSES + interval];
                match to == none {
                    true => count * CLASSES as f64,
                    false => count,
                }
            };
            let mut total = 0.0;
            for to in 0..none {
                total += (0..CLASSES)
                    .map(|interval| weight(to, interval))
                    .sum::<f64>();
            }
            total += weight(none, 0);
            for to in 0..kinds {
                for interval in 0..CLASSES {
                    changes[(from * kinds + to) * CLASSES + interval] =
                        (weight(to, interval) / total).ln() as f32;
                }
            }
        }
        ChordStatistics {
            means,
            whitening,
            changes,
        }
    }
}

/// L⁻¹ of a symmetric positive matrix L·Lᵀ, both row-major; L by Cholesky.
fn inverse_of_root(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut root = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| root[i * n + k] * root[j * n + k]).sum();
            let rest = matrix[i * n + j] - dot;
            root[i * n + j] = match i == j {
                true => rest.max(1e-9).sqrt(),
                false => rest / root[j * n + j],
            };
        }
    }
    let mut inverse = vec![0.0; n * n];
    for column in 0..n {
        for i in column..n {
            let unit = if i == column { 1.0 } else { 0.0 };
            let dot: f64 = (column..i)
                .map(|k| root[i * n + k] * inverse[k * n + column])
                .sum();
            inverse[i * n + column] = (unit - dot) / root[i * n + i];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_root_whitens() {
        // 4 2 / 2 5 is the square of 2 0 / 1 2.
        let found = inverse_of_root(&[4.0, 2.0, 2.0, 5.0], 2);
        assert_eq!(found, [0.5, 0.0, -0.25, 0.5]);
    }

    #[test]
    fn means_are_of_frames_turned_to_their_root() {
        let config = ChordHmmConfig {
            n_qualities: 1,
            n_features: 12,
        };
        let mut counts = ChordCounts::new(&config);
        let mut frame = [0.0; 12];
        frame[7] = 1.0; // a G
        let chord = |root| VocabularyChord { quality: 0, root };
        counts.frame(&frame, chord(7));
        counts.frame(&frame, chord(0));
        counts.frame(
            &frame,
            VocabularyChord {
                quality: 1,
                root: 0,
            },
        );
        assert!((counts.frames[1] - 1.0).abs() < 1e-9);
        let means = counts.statistics().means;
        // Once it was the root, once the fifth.
        assert_eq!((means[0], means[7]), (0.5, 0.5));
        assert!(means[12..].iter().all(|m| (m - 1.0 / 12.0).abs() < 1e-6));
    }

    #[test]
    fn changes_are_probabilities_by_the_interval_of_the_roots() {
        let config = ChordHmmConfig {
            n_qualities: 1,
            n_features: 12,
        };
        let mut counts = ChordCounts::new(&config);
        let chord = |root| VocabularyChord { quality: 0, root };
        for _ in 0..100 {
            counts.change(chord(7), chord(0));
            counts.change(chord(2), chord(7));
        }
        let changes = counts.statistics().changes;
        let row = |from: usize, to: usize| &changes[(from * 2 + to) * 12..][..12];
        let fourth_up = row(0, 0)[5].exp();
        assert!(
            (fourth_up - 200.5 / (200.0 + 6.0 + 6.0)).abs() < 1e-4,
            "{fourth_up}"
        );
        let total: f32 = row(0, 0).iter().map(|p| p.exp()).sum::<f32>() + row(0, 1)[0].exp();
        assert!((total - 1.0).abs() < 1e-5);
    }
}

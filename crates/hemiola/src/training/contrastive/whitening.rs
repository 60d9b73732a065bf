//! Embeddings of one spread in all directions.

use std::sync::Arc;

use burn::tensor::Device;
use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::ContrastiveRecipe;
use super::music::Recording;
use super::objective::{ContrastiveObjective, DevViews};
use crate::checkpoint::{self, Precision};
use crate::error::{Error, Result};
use crate::models::contrastive::ContrastiveEncoder;
use crate::tasks::embed::Embedder;
use crate::training::objective::{self, Objective};

/// Clips heard of each recording, evenly spread.
const CLIPS: usize = 16;
/// Of the mean variance, what is added to that of every direction: what hardly varies is noise.
const SHRINKAGE: f64 = 0.01;

impl ContrastiveRecipe {
    /// Writes the run's best weights again with embeddings that are whitened by those of the training recordings.
    pub(super) fn whiten_best(
        &self,
        device: &Device,
        train: &[Recording],
        dev: &Arc<DevViews>,
        objective: &ContrastiveObjective,
    ) -> Result<()> {
        let best = self.run.output.join("best");
        let (model, mut config, task) = checkpoint::load::<ContrastiveEncoder>(&best, device)?;
        if config.whitened {
            return Ok(());
        }
        let embedder = Embedder::open(&best.to_string_lossy(), device)?;
        let length = (self.data.clip_s * f64::from(embedder.sample_rate())).round() as usize;
        let mut vectors = Vec::new();
        let mut count = 0;
        for recording in train {
            for clip in recording.clips(length, CLIPS)? {
                let passages = embedder.embed_samples(&clip)?.passages;
                count += passages.len();
                vectors.extend_from_slice(passages.vectors());
            }
        }
        let width = embedder.identity().width;
        let (matrix, bias) = whitening(&vectors, width).ok_or_else(|| {
            Error::checkpoint(
                &best,
                format!("the vectors of {count} clips have no spread to be brought to one"),
            )
        })?;
        let model = model.whitened(&matrix, &bias)?;
        config.whitened = true;
        let mut card = self.card.clone();
        card.figures = objective::figures(&objective.evaluate(&model, dev, device).0);
        checkpoint::save(&best, &model, &config, &task, &card, Precision::Float16)
    }
}

/// A matrix, row-major [width, width], and a bias that bring the rows of `vectors` to mean 0 and to one variance in all
/// directions; none where there is no spread.
fn whitening(vectors: &[f32], width: usize) -> Option<(Vec<f32>, Vec<f32>)> {
    let rows = vectors.len() / width.max(1);
    if rows < 2 {
        return None;
    }
    let vectors = DMatrix::from_row_iterator(rows, width, vectors.iter().map(|&v| f64::from(v)));
    let mean = vectors.row_mean();
    let mut centred = vectors;
    for mut row in centred.row_iter_mut() {
        row -= &mean;
    }
    let covariance = centred.tr_mul(&centred) / (rows - 1) as f64;
    let added = SHRINKAGE * covariance.trace() / width as f64;
    if !(added > 0.0 && added.is_finite()) {
        return None;
    }
    let SymmetricEigen {
        eigenvalues,
        eigenvectors,
    } = SymmetricEigen::new(covariance);
    let scales = eigenvalues.map(|value| 1.0 / (value.max(0.0) + added).sqrt());
    // By way of the directions and back, so that every number stays what it was as nearly as may be (ZCA).
    let matrix = &eigenvectors * DMatrix::from_diagonal(&scales) * eigenvectors.transpose();
    let bias: DVector<f64> = -(&matrix * mean.transpose());
    // Symmetric: columns are rows.
    let matrix = matrix.iter().map(|&v| v as f32).collect();
    Some((matrix, bias.iter().map(|&v| v as f32).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitened_vectors_have_mean_0_and_one_variance() {
        let vectors: Vec<f32> = (0..400)
            .flat_map(|i| {
                let [a, b, c] = [0.7, 0.31, 1.3].map(|step| (i as f32 * step).sin());
                [3.0 + a + 0.5 * b, b, 1.0 + c + 0.3 * a]
            })
            .collect();
        let (matrix, bias) = whitening(&vectors, 3).unwrap();
        let white: Vec<f64> = vectors
            .chunks(3)
            .flat_map(|row| {
                (0..3).map(|i| {
                    let products = (0..3).map(|j| f64::from(matrix[3 * i + j] * row[j]));
                    products.sum::<f64>() + f64::from(bias[i])
                })
            })
            .collect();
        let mean = |i: usize, j: usize| {
            let products = white.chunks(3).map(|row| row[i] * row[j]);
            products.sum::<f64>() / 400.0
        };
        for i in 0..3 {
            let sum: f64 = white.chunks(3).map(|row| row[i]).sum();
            assert!((sum / 400.0).abs() < 1e-3, "{sum}");
            for j in 0..i {
                assert!(mean(i, j).abs() < 0.05, "{i} {j} {}", mean(i, j));
            }
        }
        // A little less than one in each direction: what hardly varies is not blown up.
        let spread: f64 = (0..3).map(|i| mean(i, i)).sum();
        assert!((2.7..3.0).contains(&spread), "{spread}");
        assert_eq!(whitening(&[1.0; 30], 3), None);
    }
}

//! Scores of classes, rankings and probabilities, equal to scikit-learn's.
//!
//! - One class per example: [`accuracy`], [`macro_f1`], [`weighted_f1`], [`balanced_accuracy`], [`ConfusionMatrix`];
//!   from scores of the classes, [`top_k_accuracy`] and [`one_vs_rest_roc_auc`].
//! - One label: [`roc_auc`], [`average_precision`], [`precision_recall_curve`], [`f1_at_threshold`],
//!   [`best_f1_threshold`].
//! - Many labels: [`per_label`], [`f1_per_label`], [`macro_roc_auc`], [`macro_average_precision`], [`macro_mean`].
//! - Probabilities: [`brier_score`], [`log_loss`], [`Reliability`] with the expected calibration error,
//!   [`fit_temperature`].
//! - All of them at once: [`ClassReport`], [`TagReport`].
//!
//! Scores of several labels or classes are row-major, one row per example: [examples, labels].

mod calibration;
mod confusion;
mod labels;
mod ranking;
mod report;
mod temperature;

pub use calibration::{
    Reliability, ReliabilityBin, binary_log_loss, brier_score, class_brier_score, log_loss,
};
pub use confusion::{
    ClassScores, ConfusionMatrix, accuracy, balanced_accuracy, macro_f1, weighted_f1,
};
pub use labels::{
    f1_per_label, macro_average_precision, macro_mean, macro_roc_auc, one_hot, one_vs_rest_roc_auc,
    per_label, top_k_accuracy,
};
pub use ranking::{
    PrecisionRecall, ThresholdF1, average_precision, best_f1_threshold, f1_at_threshold,
    precision_recall_curve, roc_auc,
};
pub use report::{ClassReport, Labelled, OneLabel, TagReport, TagScores};
pub use temperature::{TEMPERATURES, fit_temperature};

/// What scores and probabilities are written in: models give `f32`, means of what they give are `f64`.
pub trait Real: Copy + Into<f64> {
    /// The step from 1 to the next number; probabilities nearer to 0 or 1 are clipped where their logarithm is taken.
    const EPSILON: f64;
}

impl Real for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;
}

impl Real for f64 {
    const EPSILON: f64 = f64::EPSILON;
}

/// The rows of a row-major matrix.
///
/// # Panics
/// If there is not one row of `width` numbers for each of `n_rows` examples.
fn rows<R>(matrix: &[R], n_rows: usize, width: usize) -> impl Iterator<Item = &[R]> {
    assert_eq!(
        matrix.len(),
        n_rows * width,
        "one row of {width} numbers for each of {n_rows} examples"
    );
    matrix.chunks_exact(width.max(1))
}

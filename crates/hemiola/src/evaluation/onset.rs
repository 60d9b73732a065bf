//! Onset detection, as `mir_eval.onset` (Böck, Krebs and Schedl, "Evaluating the online capabilities of onset detection methods", ISMIR 2012).

use serde::{Deserialize, Serialize};

use super::matching::Graph;
use super::{f_measure, share};

/// How far a correct onset may lie from the reference.
pub const WINDOW_S: f64 = 0.05;

/// `mir_eval.onset.evaluate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    #[serde(rename = "F-measure")]
    pub f_measure: f64,
    #[serde(rename = "Precision")]
    pub precision: f64,
    #[serde(rename = "Recall")]
    pub recall: f64,
}

/// Scores onsets, in seconds, within [`WINDOW_S`].
///
/// ```
/// use hemiola::evaluation::onset;
///
/// let scores = onset::evaluate(&[0.5, 1.0, 1.5], &[0.52, 1.2]);
/// assert_eq!((scores.precision, scores.recall), (0.5, 1.0 / 3.0));
/// ```
pub fn evaluate(reference_s: &[f64], estimate_s: &[f64]) -> Scores {
    evaluate_within(reference_s, estimate_s, WINDOW_S)
}

/// The same within a window of one's own, in seconds.
pub fn evaluate_within(reference_s: &[f64], estimate_s: &[f64], window_s: f64) -> Scores {
    let hits = count_matched(reference_s, estimate_s, window_s);
    let precision = share(hits, estimate_s.len());
    let recall = share(hits, reference_s.len());
    Scores {
        f_measure: f_measure(precision, recall),
        precision,
        recall,
    }
}

/// The most pairs of a reference and an estimate that lie no further than `window` from one another.
pub(super) fn count_matched(reference: &[f64], estimate: &[f64], window: f64) -> usize {
    let mut by_value: Vec<(f64, u32)> = estimate.iter().copied().zip(0..).collect();
    by_value.sort_by(|a, b| a.0.total_cmp(&b.0));
    Graph::new(reference.len(), estimate.len(), |r, out| {
        let from = by_value.partition_point(|&(value, _)| value + window < reference[r]);
        let near = by_value[from..].iter();
        let near = near.take_while(|&&(value, _)| value - window <= reference[r]);
        out.extend(near.map(|&(_, index)| index));
    })
    .maximum_matching()
    .len()
}

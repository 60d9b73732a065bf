//! How well the scores of one label order the examples, and where to cut them.
//!
//! A label is estimated where its score reaches a threshold: `score >= threshold`. A score that is not a number
//! reaches none.

use serde::Serialize;

use super::Real;
use crate::evaluation::share;

/// The area under the curve of true against false positive rates (`roc_auc_score`): how often an example that is
/// relevant scores above one that is not, equal scores counting half. `None` where all or none are relevant.
///
/// # Panics
/// If there is not one answer for each score.
///
/// ```
/// use hemiola::evaluation::classification::roc_auc;
///
/// assert_eq!(roc_auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), Some(0.75));
/// assert_eq!(roc_auc(&[0.1, 0.4], &[false, false]), None);
/// ```
pub fn roc_auc<R: Real>(scores: &[R], relevant: &[bool]) -> Option<f64> {
    let cuts = cuts(scores, relevant);
    let positives = count(relevant);
    let negatives = relevant.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let everything = Cut {
        threshold: f64::NEG_INFINITY,
        found: positives,
        seen: relevant.len(),
    };
    // Whole numbers, so that sums do not depend on their order.
    let (mut doubled_area, mut found, mut missed) = (0u128, 0, 0);
    for cut in cuts.iter().chain([&everything]) {
        let wrong = cut.seen - cut.found;
        doubled_area += (wrong - missed) as u128 * (found + cut.found) as u128;
        (found, missed) = (cut.found, wrong);
    }
    Some(doubled_area as f64 / (2 * positives as u128 * negatives as u128) as f64)
}

/// Average precision (`average_precision_score`): the precision at every distinct score taken as threshold, weighted by
/// how much recall grows there. Zero where nothing is relevant.
///
/// # Panics
/// If there is not one answer for each score.
pub fn average_precision<R: Real>(scores: &[R], relevant: &[bool]) -> f64 {
    let total = count(relevant);
    let (mut found, mut sum) = (0, 0.0);
    for cut in cuts(scores, relevant) {
        sum += share(cut.found, cut.seen) * share(cut.found - found, total);
        found = cut.found;
    }
    sum
}

/// A point of [`precision_recall_curve`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrecisionRecall {
    pub threshold: f64,
    pub precision: f64,
    pub recall: f64,
}

/// Precision and recall at every distinct score taken as threshold, lowest first (`precision_recall_curve`, without the
/// point of precision 1 and recall 0 that it adds at the end). Where nothing is relevant, recall is 1.
///
/// # Panics
/// If there is not one answer for each score.
pub fn precision_recall_curve<R: Real>(scores: &[R], relevant: &[bool]) -> Vec<PrecisionRecall> {
    let total = count(relevant);
    let point = |cut: Cut| PrecisionRecall {
        threshold: cut.threshold,
        precision: share(cut.found, cut.seen),
        recall: match total {
            0 => 1.0,
            _ => share(cut.found, total),
        },
    };
    let cuts = cuts(scores, relevant);
    cuts.into_iter().rev().map(point).collect()
}

/// The F1 of estimating the label where its score reaches `threshold` (`f1_score`). `None` where the label is neither
/// relevant nor estimated anywhere; scikit-learn gives that what its `zero_division` says.
///
/// # Panics
/// If there is not one answer for each score.
pub fn f1_at_threshold<R: Real>(scores: &[R], relevant: &[bool], threshold: f64) -> Option<f64> {
    check(scores, relevant);
    let estimated = scores.iter().map(|&score| score.into() >= threshold);
    let (mut found, mut seen) = (0, 0);
    for (estimated, &relevant) in estimated.zip(relevant) {
        seen += usize::from(estimated);
        found += usize::from(estimated && relevant);
    }
    let total = count(relevant);
    (seen + total > 0).then(|| f1(found, seen, total))
}

/// A threshold and the F1 that it gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ThresholdF1 {
    pub threshold: f64,
    pub f1: f64,
}

/// The threshold that gives the highest F1: one of the scores, the lowest of those that are equally good, as the first
/// maximum of `precision_recall_curve`. `None` where nothing is relevant or no score is a number.
///
/// # Panics
/// If there is not one answer for each score.
pub fn best_f1_threshold<R: Real>(scores: &[R], relevant: &[bool]) -> Option<ThresholdF1> {
    let total = count(relevant);
    let cuts = cuts(scores, relevant);
    let choices = cuts.iter().filter(|_| total > 0).map(|cut| ThresholdF1 {
        threshold: cut.threshold,
        f1: f1(cut.found, cut.seen, total),
    });
    // Of equal maxima the last one wins, and cuts go down.
    choices.max_by(|a, b| a.f1.total_cmp(&b.f1))
}

/// What scores at least `threshold`.
struct Cut {
    threshold: f64,
    /// How many of those are relevant.
    found: usize,
    seen: usize,
}

/// One cut per distinct score, from the highest down.
fn cuts<R: Real>(scores: &[R], relevant: &[bool]) -> Vec<Cut> {
    check(scores, relevant);
    let mut ranked: Vec<(f64, bool)> = scores
        .iter()
        .zip(relevant)
        .map(|(&score, &relevant)| (score.into(), relevant))
        .filter(|(score, _)| !score.is_nan())
        .collect();
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut seen) = (0, 0);
    let cut = |equal: &[(f64, bool)]| {
        seen += equal.len();
        found += equal.iter().filter(|(_, relevant)| *relevant).count();
        Cut {
            threshold: equal[0].0,
            found,
            seen,
        }
    };
    ranked.chunk_by(|a, b| a.0 == b.0).map(cut).collect()
}

fn count(relevant: &[bool]) -> usize {
    relevant.iter().filter(|&&r| r).count()
}

/// Twice the hits among what is estimated and what is relevant: equal F1s are equal to the last bit.
fn f1(found: usize, seen: usize, total: usize) -> f64 {
    share(2 * found, seen + total)
}

fn check<R>(scores: &[R], relevant: &[bool]) {
    assert_eq!(scores.len(), relevant.len(), "one answer for each score");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn average_precision_is_scikit_learns() {
        // The example of its documentation.
        close(
            average_precision(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]),
            0.8333333333333333,
        );
        // By hand: thresholds 0.9, 0.7, 0.5, 0.2 have precisions 1, 1/2, 2/4, 3/5 and gain recalls 1/3, 0, 1/3, 1/3.
        close(
            average_precision(
                &[0.5, 0.9, 0.2, 0.7, 0.5],
                &[true, true, true, false, false],
            ),
            (1.0 + 0.5 + 0.6) / 3.0,
        );
        // Scores that are all equal rank nothing: the share of what is relevant.
        close(
            average_precision(&[0.3; 4], &[true, false, false, false]),
            0.25,
        );
        close(average_precision(&[0.3, 0.4], &[false, false]), 0.0);
    }

    #[test]
    fn what_is_not_a_number_is_never_found() {
        let relevant = [true, false, true, false];
        let nothing = [f32::NAN; 4];
        assert_eq!(roc_auc(&nothing, &relevant), Some(0.5));
        assert_eq!(average_precision(&nothing, &relevant), 0.0);
        assert_eq!(f1_at_threshold(&nothing, &relevant, -1e9), Some(0.0));
        assert_eq!(best_f1_threshold(&nothing, &relevant), None);
        // The relevant one that is lost ranks below the one above it that is not: one of two pairs is right.
        assert_eq!(roc_auc(&[0.9, 0.1, -f32::NAN], &relevant[..3]), Some(0.5));
    }
}

//! Scores of many labels or classes at once, row-major: [examples, labels].
//!
//! A label without an answer of its own (no example is relevant, or every one is) is left out of a mean;
//! scikit-learn's means are then not a number, or count it as zero.

use super::{Real, average_precision, f1_at_threshold, roc_auc, rows};
use crate::evaluation::share;

/// A metric of each label's column.
///
/// # Panics
/// If there is not one answer for each score, or not `n_labels` of them for each example.
///
/// ```
/// use hemiola::evaluation::classification::{per_label, roc_auc};
///
/// let scores = [0.9, 0.2, 0.1, 0.4];
/// let relevant = [true, false, false, false];
/// assert_eq!(per_label(&scores, &relevant, 2, roc_auc), [Some(1.0), None]);
/// ```
pub fn per_label<R: Real, T>(
    scores: &[R],
    relevant: &[bool],
    n_labels: usize,
    mut metric: impl FnMut(&[R], &[bool]) -> T,
) -> Vec<T> {
    assert_eq!(scores.len(), relevant.len(), "one answer for each score");
    assert!(
        scores.len().is_multiple_of(n_labels),
        "{n_labels} scores for each example"
    );
    let (mut column, mut answers): (Vec<R>, Vec<bool>) = (Vec::new(), Vec::new());
    (0..n_labels)
        .map(|label| {
            column.clear();
            column.extend(scores.iter().skip(label).step_by(n_labels));
            answers.clear();
            answers.extend(relevant.iter().skip(label).step_by(n_labels));
            metric(&column, &answers)
        })
        .collect()
}

/// The mean of what is there; `None` where nothing is.
pub fn macro_mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0usize);
    for value in values.into_iter().flatten() {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// The mean of the labels' [`roc_auc`] (`roc_auc_score(average="macro")`); labels that are relevant to all examples or
/// to none are left out.
///
/// # Panics
/// As [`per_label`].
pub fn macro_roc_auc<R: Real>(scores: &[R], relevant: &[bool], n_labels: usize) -> Option<f64> {
    macro_mean(per_label(scores, relevant, n_labels, roc_auc))
}

/// The mean of the labels' [`average_precision`] (`average_precision_score(average="macro")`); labels that are relevant
/// to no example are left out.
///
/// # Panics
/// As [`per_label`].
pub fn macro_average_precision<R: Real>(
    scores: &[R],
    relevant: &[bool],
    n_labels: usize,
) -> Option<f64> {
    macro_mean(per_label(scores, relevant, n_labels, |scores, relevant| {
        let defined = relevant.contains(&true);
        defined.then(|| average_precision(scores, relevant))
    }))
}

/// Each label's [`f1_at_threshold`], at a threshold of its own.
///
/// # Panics
/// As [`per_label`], or if there is not one threshold for each label.
pub fn f1_per_label<R: Real>(
    scores: &[R],
    relevant: &[bool],
    thresholds: &[f64],
) -> Vec<Option<f64>> {
    let mut thresholds_left = thresholds.iter();
    per_label(scores, relevant, thresholds.len(), |scores, relevant| {
        let &threshold = thresholds_left.next()?;
        f1_at_threshold(scores, relevant, threshold)
    })
}

/// Which of the classes each example is of: [examples, classes].
///
/// # Panics
/// If a class is not below `n_classes`.
pub fn one_hot(reference: &[usize], n_classes: usize) -> Vec<bool> {
    let mut relevant = vec![false; reference.len() * n_classes];
    for (example, &class) in reference.iter().enumerate() {
        assert!(class < n_classes, "class {class} of {n_classes}");
        relevant[example * n_classes + class] = true;
    }
    relevant
}

/// How well the probability of each class tells it from all others, as the mean of the classes' [`roc_auc`]
/// (`roc_auc_score(multi_class="ovr", average="macro")`); classes that are not in the reference are left out.
///
/// # Panics
/// If a class is not below `n_classes`, or there are not `n_classes` probabilities for each example.
pub fn one_vs_rest_roc_auc<R: Real>(
    probabilities: &[R],
    reference: &[usize],
    n_classes: usize,
) -> Option<f64> {
    macro_roc_auc(probabilities, &one_hot(reference, n_classes), n_classes)
}

/// The share of examples whose class is among the `k` that score highest (`top_k_accuracy_score`). Of classes that score
/// the same, the later ones come first, as there; a class whose score is not a number is never among them.
///
/// # Panics
/// If a class is not below `n_classes`, or there are not `n_classes` scores for each example.
pub fn top_k_accuracy<R: Real>(
    scores: &[R],
    reference: &[usize],
    n_classes: usize,
    k: usize,
) -> f64 {
    let among = |(row, &class): (&[R], &usize)| {
        let own: f64 = row[class].into();
        let before = row.iter().enumerate().filter(|&(other, &score)| {
            let score: f64 = score.into();
            score > own || (score == own && other > class)
        });
        !own.is_nan() && before.count() < k
    };
    let pairs = rows(scores, reference.len(), n_classes).zip(reference);
    share(pairs.filter(|&pair| among(pair)).count(), reference.len())
}

//! All scores of a classifier at once.

use serde::Serialize;

use super::{
    ClassScores, ConfusionMatrix, Reliability, average_precision, balanced_accuracy,
    best_f1_threshold, brier_score, log_loss, macro_f1, macro_mean, one_vs_rest_roc_auc, per_label,
    roc_auc, top_k_accuracy, weighted_f1,
};

/// Bins of confidence in which calibration is measured (Guo et al. 2017).
const BINS: usize = 15;
/// The k of the top-k accuracy.
const TOP: usize = 3;

/// Scores of a classifier whose examples have one class each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassReport {
    pub examples: usize,
    pub accuracy: f64,
    pub balanced_accuracy: f64,
    pub macro_f1: f64,
    pub weighted_f1: f64,
    pub top_3_accuracy: f64,
    /// One class against the rest, the mean of those in the reference.
    pub roc_auc: Option<f64>,
    /// In nats.
    pub log_loss: f64,
    pub expected_calibration_error: f64,
    pub classes: Vec<Labelled<ClassScores>>,
    /// One row per class of the reference, one column per class of the estimate.
    pub confusion: ConfusionMatrix,
}

/// Scores of a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Labelled<S> {
    pub label: String,
    #[serde(flatten)]
    pub scores: S,
}

fn named<S>(labels: &[String], scores: impl IntoIterator<Item = S>) -> Vec<Labelled<S>> {
    let pairs = labels.iter().zip(scores);
    pairs
        .map(|(label, scores)| Labelled {
            label: label.clone(),
            scores,
        })
        .collect()
}

/// The first of the largest.
fn largest(row: &[f64]) -> usize {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best
}

impl ClassReport {
    /// Of `probabilities` [examples, labels].
    ///
    /// # Panics
    /// If a class is not below the number of labels, or there is not a probability of each for each example.
    pub fn of(probabilities: &[f64], reference: &[usize], labels: &[String]) -> Self {
        let n = labels.len();
        let estimate: Vec<usize> = super::rows(probabilities, reference.len(), n)
            .map(largest)
            .collect();
        let confusion = ConfusionMatrix::of(reference, &estimate, n);
        let reliability = Reliability::of_classes(probabilities, reference, n, BINS);
        Self {
            examples: reference.len(),
            accuracy: confusion.accuracy(),
            balanced_accuracy: balanced_accuracy(reference, &estimate),
            macro_f1: macro_f1(reference, &estimate),
            weighted_f1: weighted_f1(reference, &estimate),
            top_3_accuracy: top_k_accuracy(probabilities, reference, n, TOP),
            roc_auc: one_vs_rest_roc_auc(probabilities, reference, n),
            log_loss: log_loss(probabilities, reference, n),
            expected_calibration_error: reliability.expected_calibration_error(),
            classes: named(labels, confusion.class_scores()),
            confusion,
        }
    }
}

/// Scores of a classifier whose examples have any number of labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TagReport {
    pub examples: usize,
    /// The mean over the labels in the reference.
    pub average_precision: Option<f64>,
    /// The mean over the labels that some examples have and others not.
    pub roc_auc: Option<f64>,
    /// Of all labels and examples together.
    pub brier_score: f64,
    pub expected_calibration_error: f64,
    pub labels: Vec<Labelled<TagScores>>,
    /// Where every example has one label: which of the reference's labels scores highest.
    pub one_label: Option<OneLabel>,
}

/// Scores of a tag.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TagScores {
    /// How many examples have it.
    pub support: usize,
    pub average_precision: Option<f64>,
    pub roc_auc: Option<f64>,
    /// The best F1 of any threshold, and that threshold.
    pub best_f1: Option<f64>,
    pub threshold: Option<f64>,
}

/// Which label of those in the reference scores highest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OneLabel {
    pub accuracy: f64,
    pub macro_f1: f64,
    /// The labels in the reference.
    pub labels: Vec<String>,
    pub confusion: ConfusionMatrix,
}

impl TagReport {
    /// Of `probabilities` and `relevant` [examples, labels].
    ///
    /// # Panics
    /// If there is not one answer for each probability, or not one probability of each label for each example.
    pub fn of(probabilities: &[f64], relevant: &[bool], labels: &[String]) -> Self {
        let n = labels.len();
        let scores = per_label(probabilities, relevant, n, |scores, relevant| {
            let support = relevant.iter().filter(|r| **r).count();
            let best = best_f1_threshold(scores, relevant).filter(|_| support > 0);
            TagScores {
                support,
                average_precision: (support > 0).then(|| average_precision(scores, relevant)),
                roc_auc: roc_auc(scores, relevant),
                best_f1: best.map(|best| best.f1),
                threshold: best.map(|best| best.threshold),
            }
        });
        Self {
            examples: relevant.len() / n.max(1),
            average_precision: macro_mean(scores.iter().map(|s| s.average_precision)),
            roc_auc: macro_mean(scores.iter().map(|s| s.roc_auc)),
            brier_score: brier_score(probabilities, relevant),
            expected_calibration_error: Reliability::of(probabilities, relevant, BINS)
                .expected_calibration_error(),
            one_label: OneLabel::of(probabilities, relevant, labels),
            labels: named(labels, scores),
        }
    }
}

impl OneLabel {
    /// Of `probabilities` and `relevant` [examples, labels]; `None` where an example has not exactly one label.
    ///
    /// # Panics
    /// As [`TagReport::of`].
    pub fn of(probabilities: &[f64], relevant: &[bool], labels: &[String]) -> Option<Self> {
        let n = labels.len();
        let examples = relevant.len() / n.max(1);
        let one = relevant
            .chunks_exact(n.max(1))
            .map(|row| {
                let mut has = (0..n).filter(|&label| row[label]);
                has.next().filter(|_| has.next().is_none())
            })
            .collect::<Option<Vec<usize>>>()?;
        let occurring: Vec<usize> = (0..n).filter(|label| one.contains(label)).collect();
        if occurring.is_empty() {
            return None;
        }
        let place = |label: &usize| occurring.iter().position(|l| l == label).unwrap_or(0);
        let reference: Vec<usize> = one.iter().map(place).collect();
        let estimate: Vec<usize> = super::rows(probabilities, examples, n)
            .map(|row| largest(&occurring.iter().map(|&l| row[l]).collect::<Vec<f64>>()))
            .collect();
        let confusion = ConfusionMatrix::of(&reference, &estimate, occurring.len());
        Some(Self {
            accuracy: confusion.accuracy(),
            macro_f1: confusion.macro_f1(),
            labels: occurring.iter().map(|&l| labels[l].clone()).collect(),
            confusion,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_report_of_classes_agrees_with_itself_and_with_hand_counts() {
        let probabilities = [0.7, 0.2, 0.1, 0.5, 0.4, 0.1, 0.1, 0.1, 0.8, 0.6, 0.3, 0.1];
        let report = ClassReport::of(&probabilities, &[0, 1, 2, 0], &labels(&["a", "b", "c"]));
        assert_eq!(report.accuracy, 0.75);
        assert_eq!(report.top_3_accuracy, 1.0);
        assert_eq!(report.confusion.rows()[1], [1, 0, 0]);
        assert_eq!(report.classes[0].scores.precision, 2.0 / 3.0);
        assert!((report.balanced_accuracy - 2.0 / 3.0).abs() < 1e-12);
        let nats = -(0.7f64.ln() + 0.4f64.ln() + 0.8f64.ln() + 0.6f64.ln()) / 4.0;
        assert!((report.log_loss - nats).abs() < 1e-12);
    }

    #[test]
    fn tags_that_never_occur_compete_with_none() {
        // The second label scores highest but is no example's.
        let probabilities = [0.5, 0.9, 0.1, 0.3, 0.9, 0.2, 0.1, 0.9, 0.6];
        let relevant = [true, false, false, false, false, true, false, false, true];
        let report = TagReport::of(&probabilities, &relevant, &labels(&["a", "b", "c"]));
        let one = report.one_label.unwrap();
        assert_eq!(one.labels, ["a", "c"]);
        assert_eq!(one.confusion.rows(), [[1, 0], [1, 1]]);
        assert!((one.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(report.labels[1].scores.average_precision, None);
        assert_eq!(report.labels[0].scores.average_precision, Some(1.0));
        assert_eq!(report.average_precision, Some(1.0));
    }

    #[test]
    fn examples_of_several_tags_have_no_one_label() {
        let report = TagReport::of(&[0.5, 0.9], &[true, true], &labels(&["a", "b"]));
        assert_eq!(report.one_label, None);
        assert_eq!(report.examples, 1);
    }
}

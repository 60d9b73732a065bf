//! One class per example: which class is taken for which, and the scores that follow.
//!
//! Lists of classes are compared as far as the shorter one goes.

use serde::Serialize;

use crate::evaluation::share;

/// The share of examples whose estimated class is the reference's (`accuracy_score`); examples beyond the shorter list
/// are not looked at.
pub fn accuracy(reference: &[usize], estimate: &[usize]) -> f64 {
    let pairs = reference.iter().zip(estimate);
    let right = pairs.clone().filter(|(r, e)| r == e).count();
    share(right, pairs.count())
}

/// The mean of the classes' F1 (`f1_score(average="macro")`): each class that occurs in the reference or in the estimate
/// counts the same.
pub fn macro_f1(reference: &[usize], estimate: &[usize]) -> f64 {
    Tally::of_classes(reference, estimate).macro_f1()
}

/// The mean of the classes' F1, weighted by how often each occurs in the reference (`f1_score(average="weighted")`).
pub fn weighted_f1(reference: &[usize], estimate: &[usize]) -> f64 {
    Tally::of_classes(reference, estimate).weighted_f1()
}

/// The mean recall of the classes that occur in the reference (`balanced_accuracy_score`).
pub fn balanced_accuracy(reference: &[usize], estimate: &[usize]) -> f64 {
    Tally::of_classes(reference, estimate).balanced_accuracy()
}

/// How often each class of the reference was taken for each class (`confusion_matrix`). It serialises as its rows.
///
/// ```
/// use hemiola::evaluation::classification::ConfusionMatrix;
///
/// let matrix = ConfusionMatrix::of(&[0, 0, 1, 2], &[0, 1, 1, 2], 3);
/// assert_eq!(matrix.rows()[0], [1, 1, 0]);
/// assert_eq!(matrix.accuracy(), 0.75);
/// assert_eq!(matrix.class_scores()[1].precision, 0.5);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfusionMatrix {
    rows: Vec<Vec<usize>>,
}

/// One class against all others, under the names of `classification_report`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ClassScores {
    /// Zero where the class was never estimated.
    pub precision: f64,
    /// Zero where the class is not in the reference.
    pub recall: f64,
    /// Zero where the class is in neither.
    #[serde(rename = "f1-score")]
    pub f1: f64,
    /// How often the class occurs in the reference.
    pub support: usize,
}

impl ConfusionMatrix {
    /// The matrix of no example.
    pub fn new(n_classes: usize) -> Self {
        Self {
            rows: vec![vec![0; n_classes]; n_classes],
        }
    }

    /// Counts every example; those beyond the shorter list are not looked at.
    ///
    /// # Panics
    /// If a class is not below `n_classes`.
    pub fn of(reference: &[usize], estimate: &[usize], n_classes: usize) -> Self {
        let mut matrix = Self::new(n_classes);
        for (&reference, &estimate) in reference.iter().zip(estimate) {
            matrix.add(reference, estimate);
        }
        matrix
    }

    /// Counts one example.
    ///
    /// # Panics
    /// If a class is not below the number of classes.
    pub fn add(&mut self, reference: usize, estimate: usize) {
        self.rows[reference][estimate] += 1;
    }

    /// One row per class of the reference, one column per class of the estimate.
    pub fn rows(&self) -> &[Vec<usize>] {
        &self.rows
    }

    pub fn n_classes(&self) -> usize {
        self.rows.len()
    }

    /// How many examples were counted.
    pub fn total(&self) -> usize {
        self.rows.iter().flatten().sum()
    }

    /// Precision, recall, F1 and support of every class (`precision_recall_fscore_support`).
    pub fn class_scores(&self) -> Vec<ClassScores> {
        let scores = |class: &ClassTally| ClassScores {
            precision: share(class.right, class.estimate),
            recall: class.recall(),
            f1: class.f1(),
            support: class.reference,
        };
        self.tally().0.iter().map(scores).collect()
    }

    /// As [`accuracy`].
    pub fn accuracy(&self) -> f64 {
        let right = self.rows.iter().enumerate().map(|(class, row)| row[class]);
        share(right.sum(), self.total())
    }

    /// As [`macro_f1`]: classes that occur nowhere are left out.
    pub fn macro_f1(&self) -> f64 {
        self.tally().macro_f1()
    }

    /// As [`weighted_f1`].
    pub fn weighted_f1(&self) -> f64 {
        self.tally().weighted_f1()
    }

    /// As [`balanced_accuracy`]: classes that are not in the reference are left out.
    pub fn balanced_accuracy(&self) -> f64 {
        self.tally().balanced_accuracy()
    }

    fn tally(&self) -> Tally {
        let mut classes = vec![ClassTally::default(); self.n_classes()];
        for (reference, row) in self.rows.iter().enumerate() {
            for (estimate, &count) in row.iter().enumerate() {
                classes[reference].reference += count;
                classes[estimate].estimate += count;
            }
            classes[reference].right = row[reference];
        }
        Tally(classes)
    }
}

/// How often a class occurs in the reference, in the estimate, and in both at once.
#[derive(Debug, Clone, Copy, Default)]
struct ClassTally {
    reference: usize,
    estimate: usize,
    right: usize,
}

impl ClassTally {
    fn recall(&self) -> f64 {
        share(self.right, self.reference)
    }

    fn f1(&self) -> f64 {
        share(2 * self.right, self.reference + self.estimate)
    }
}

struct Tally(Vec<ClassTally>);

impl Tally {
    fn of_classes(reference: &[usize], estimate: &[usize]) -> Self {
        let pairs = || reference.iter().zip(estimate);
        let highest = pairs().map(|(&r, &e)| r.max(e)).max();
        let mut classes = vec![ClassTally::default(); highest.map_or(0, |class| class + 1)];
        for (&r, &e) in pairs() {
            classes[r].reference += 1;
            classes[e].estimate += 1;
            classes[r].right += usize::from(r == e);
        }
        Self(classes)
    }

    fn macro_f1(&self) -> f64 {
        let occurring = self.0.iter().filter(|c| c.reference + c.estimate > 0);
        mean(occurring.map(ClassTally::f1))
    }

    fn weighted_f1(&self) -> f64 {
        let total: usize = self.0.iter().map(|c| c.reference).sum();
        let weighted = self.0.iter().map(|c| share(c.reference, total) * c.f1());
        weighted.sum()
    }

    fn balanced_accuracy(&self) -> f64 {
        let occurring = self.0.iter().filter(|c| c.reference > 0);
        mean(occurring.map(ClassTally::recall))
    }
}

/// Zero of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), x| (sum + x, count + 1));
    match count {
        0 => 0.0,
        _ => sum / count as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    #[test]
    fn accuracy_and_macro_f1_are_scikit_learns() {
        // The example of f1_score's documentation: macro 0.26666666666666666.
        let (reference, estimate) = ([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1]);
        close(macro_f1(&reference, &estimate), 0.266_666_666_666_666_66);
        close(accuracy(&reference, &estimate), 1.0 / 3.0);
        // A class that occurs nowhere does not count: F1 of classes 0 and 3 are 2/3 and 0; that of 5 is 1.
        close(
            macro_f1(&[0, 0, 5], &[0, 3, 5]),
            (2.0 / 3.0 + 0.0 + 1.0) / 3.0,
        );
        close(macro_f1(&[], &[]), 0.0);
    }

    #[test]
    fn rows_are_the_reference_and_no_example_scores_zero() {
        let matrix = ConfusionMatrix::of(&[0, 0, 0, 1], &[1, 1, 0, 1], 2);
        assert_eq!(
            serde_json::json!(matrix),
            serde_json::json!([[1, 2], [0, 1]])
        );
        let nothing = ConfusionMatrix::new(2);
        assert_eq!(nothing.class_scores(), [ClassScores::default(); 2]);
        for score in [
            nothing.accuracy(),
            nothing.macro_f1(),
            nothing.weighted_f1(),
            nothing.balanced_accuracy(),
        ] {
            assert_eq!(score, 0.0);
        }
    }
}

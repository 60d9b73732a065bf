//! Scores of classes and of rankings, equal to scikit-learn's.

use super::{f_measure, share};

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
    let highest = reference.iter().chain(estimate).max();
    let count = |of: &[usize], class| of.iter().filter(|&&c| c == class).count();
    let scores: Vec<f64> = (0..highest.map_or(0, |class| class + 1))
        .filter_map(|class| {
            let (in_reference, in_estimate) = (count(reference, class), count(estimate, class));
            if in_reference + in_estimate == 0 {
                return None;
            }
            let pairs = reference.iter().zip(estimate);
            let right = pairs.filter(|&(&r, &e)| r == class && e == class).count();
            Some(f_measure(
                share(right, in_estimate),
                share(right, in_reference),
            ))
        })
        .collect();
    match scores.len() {
        0 => 0.0,
        n => scores.iter().sum::<f64>() / n as f64,
    }
}

/// Average precision (`average_precision_score`): the precision at every distinct score taken as threshold, weighted by
/// how much recall grows there. Zero where nothing is relevant.
///
/// # Panics
/// If there is not one answer for each score.
pub fn average_precision(scores: &[f32], relevant: &[bool]) -> f64 {
    assert_eq!(scores.len(), relevant.len(), "one answer for each score");
    let total = relevant.iter().filter(|&&r| r).count();
    if total == 0 {
        return 0.0;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut found, mut seen, mut sum) = (0, 0, 0.0);
    for equal in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let gained = equal.iter().filter(|&&i| relevant[i]).count();
        found += gained;
        seen += equal.len();
        sum += share(found, seen) * share(gained, total);
    }
    sum
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
}

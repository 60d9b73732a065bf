//! Temperature scaling (Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2).

use std::ops::RangeInclusive;

use super::{Real, rows};

/// Where [`fit_temperature`] looks.
pub const TEMPERATURES: RangeInclusive<f64> = 0.01..=100.0;

/// Halvings of the interval that holds ln T: enough to reach the precision of 64 bits.
const HALVINGS: usize = 60;

/// The temperature T that minimises the negative log-likelihood of `reference` under softmax(logits / T): above 1 where
/// a model is too sure of itself, below 1 where it is not sure enough. It never changes which class is most probable.
///
/// `logits` are [examples, classes]; the logit z of a single label is the two classes [0, z]. An end of
/// [`TEMPERATURES`] means that the loss falls up to there: every example is right, or logits tell no more than chance.
/// 1 where no temperature is better than another; `None` without examples or with a logit that is not finite.
///
/// # Panics
/// If a class is not below `n_classes`, or there are not `n_classes` logits for each example.
pub fn fit_temperature<R: Real>(
    logits: &[R],
    reference: &[usize],
    n_classes: usize,
) -> Option<f64> {
    let logits: Vec<f64> = logits.iter().map(|&logit| logit.into()).collect();
    let examples = || rows(&logits, reference.len(), n_classes).zip(reference);
    let finite = examples().all(|(row, _)| row.iter().all(|logit| logit.is_finite()));
    if reference.is_empty() || !finite {
        return None;
    }
    // The loss is convex in 1 / T, so its slope changes its sign once, from negative to positive.
    let slope = |ln_temperature: f64| -> f64 {
        let inverse = (-ln_temperature).exp();
        examples()
            .map(|(row, &class)| excess(row, class, inverse))
            .sum()
    };
    if slope(0.0) == 0.0 {
        return Some(1.0);
    }
    let (coolest, hottest) = (*TEMPERATURES.start(), *TEMPERATURES.end());
    let (mut low, mut high) = (coolest.ln(), hottest.ln());
    if slope(low) <= 0.0 {
        return Some(coolest);
    }
    if slope(high) >= 0.0 {
        return Some(hottest);
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        match slope(middle) > 0.0 {
            true => low = middle,
            false => high = middle,
        }
    }
    Some((0.5 * (low + high)).exp())
}

/// How much the expected logit exceeds that of `class`: the derivative of −ln p(class) with respect to `inverse`, 1 / T.
fn excess(row: &[f64], class: usize, inverse: f64) -> f64 {
    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut weights, mut sum) = (0.0, 0.0);
    for logit in row {
        let below = logit - highest;
        let weight = (inverse * below).exp();
        weights += weight;
        sum += weight * below;
    }
    sum / weights - (row[class] - highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fitted_temperature_makes_confidence_what_is_right() {
        // By hand: two classes whose logits differ by d, a share a of them right, ask for T = d / ln(a / (1 − a)).
        let logits = [3.0f32, 0.0].repeat(10);
        let mut reference = [0; 10];
        reference[..2].fill(1);
        let found = fit_temperature(&logits, &reference, 2).unwrap();
        assert!((found - 3.0 / 4f64.ln()).abs() < 1e-12, "{found}");
    }

    #[test]
    fn where_nothing_can_be_fitted_the_answer_says_so() {
        assert_eq!(fit_temperature::<f32>(&[], &[], 2), None);
        assert_eq!(fit_temperature(&[f32::NAN, 0.0], &[0], 2), None);
        assert_eq!(
            fit_temperature(&[0.7, 0.7, 0.1, 0.1], &[0, 1], 2),
            Some(1.0)
        );
        assert_eq!(fit_temperature(&[2.0, 0.0], &[0], 2), Some(0.01));
        assert_eq!(fit_temperature(&[2.0, 0.0], &[1], 2), Some(100.0));
    }
}

//! Whether probabilities mean what they say.
//!
//! The mean loss of no example is not a number.

use serde::Serialize;

use super::{Real, rows};

/// The mean squared distance of a label's probability from the answer (`brier_score_loss`): between 0 and 1.
///
/// # Panics
/// If there is not one answer for each probability.
pub fn brier_score<R: Real>(probabilities: &[R], relevant: &[bool]) -> f64 {
    check(probabilities, relevant);
    let pairs = probabilities.iter().zip(relevant);
    let losses = pairs.map(|(&p, &relevant)| (p.into() - f64::from(u8::from(relevant))).powi(2));
    losses.sum::<f64>() / relevant.len() as f64
}

/// The mean over examples of the squared distances of all classes' probabilities from the answer (`brier_score_loss`):
/// between 0 and 2, or, as there, halved and so between 0 and 1 for fewer than three classes.
///
/// # Panics
/// If a class is not below `n_classes`, or there are not `n_classes` probabilities for each example.
pub fn class_brier_score<R: Real>(
    probabilities: &[R],
    reference: &[usize],
    n_classes: usize,
) -> f64 {
    let mut sum = 0.0;
    for (row, &class) in rows(probabilities, reference.len(), n_classes).zip(reference) {
        let own: f64 = row[class].into();
        let squares = row.iter().map(|&p| p.into().powi(2)).sum::<f64>();
        sum += squares - own.powi(2) + (1.0 - own).powi(2);
    }
    let scale = if n_classes < 3 { 0.5 } else { 1.0 };
    scale * sum / reference.len() as f64
}

/// The mean of −ln p of the reference's class, in nats (`log_loss`). Probabilities are clipped to between ε and 1 − ε,
/// with ε the machine epsilon of their type.
///
/// # Panics
/// If a class is not below `n_classes`, or there are not `n_classes` probabilities for each example.
pub fn log_loss<R: Real>(probabilities: &[R], reference: &[usize], n_classes: usize) -> f64 {
    let pairs = rows(probabilities, reference.len(), n_classes).zip(reference);
    let losses = pairs.map(|(row, &class)| nats::<R>(row[class].into()));
    losses.sum::<f64>() / reference.len() as f64
}

/// [`log_loss`] of the probability of one label.
///
/// # Panics
/// If there is not one answer for each probability.
pub fn binary_log_loss<R: Real>(probabilities: &[R], relevant: &[bool]) -> f64 {
    check(probabilities, relevant);
    let pairs = probabilities.iter().zip(relevant);
    let losses = pairs.map(|(&p, &relevant)| match relevant {
        true => nats::<R>(p.into()),
        false => nats::<R>(1.0 - p.into()),
    });
    losses.sum::<f64>() / relevant.len() as f64
}

fn nats<R: Real>(probability: f64) -> f64 {
    -probability.clamp(R::EPSILON, 1.0 - R::EPSILON).ln()
}

/// The examples whose confidence lies in one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ReliabilityBin {
    pub count: usize,
    /// The mean confidence; zero in an empty bin.
    pub confidence: f64,
    /// The share that is right; zero in an empty bin.
    pub accuracy: f64,
}

/// Confidence against accuracy in bins of equal width: bin m of M holds confidences above (m − 1) / M and up to m / M;
/// the first one also holds 0 (Guo et al., "On calibration of modern neural networks", ICML 2017, section 2, who take 15
/// bins).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reliability {
    pub bins: Vec<ReliabilityBin>,
}

impl Reliability {
    /// Sorts confidences, between 0 and 1, into bins. With the probability of one label as confidence and whether it is
    /// relevant as answer, this is `calibration_curve`.
    ///
    /// # Panics
    /// If there is not one answer for each confidence, or no bin.
    pub fn of<R: Real>(confidences: &[R], right: &[bool], n_bins: usize) -> Self {
        check(confidences, right);
        assert!(n_bins > 0, "at least one bin");
        let inner_edges: Vec<f64> = (1..n_bins).map(|m| m as f64 / n_bins as f64).collect();
        let mut bins = vec![ReliabilityBin::default(); n_bins];
        for (&confidence, &right) in confidences.iter().zip(right) {
            let confidence = confidence.into();
            let bin = &mut bins[inner_edges.partition_point(|&edge| edge < confidence)];
            bin.count += 1;
            bin.confidence += confidence;
            bin.accuracy += f64::from(u8::from(right));
        }
        for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
            bin.confidence /= bin.count as f64;
            bin.accuracy /= bin.count as f64;
        }
        Self { bins }
    }

    /// Of the most probable class of each example; of equally probable ones, the first.
    ///
    /// # Panics
    /// If there are not `n_classes` probabilities for each example, or no bin.
    pub fn of_classes<R: Real>(
        probabilities: &[R],
        reference: &[usize],
        n_classes: usize,
        n_bins: usize,
    ) -> Self {
        let (mut confidences, mut right) = (Vec::new(), Vec::new());
        for (row, &class) in rows(probabilities, reference.len(), n_classes).zip(reference) {
            let (mut best, mut confidence) = (0, f64::NEG_INFINITY);
            for (class, &probability) in row.iter().enumerate() {
                if probability.into() > confidence {
                    (best, confidence) = (class, probability.into());
                }
            }
            confidences.push(confidence);
            right.push(best == class);
        }
        Self::of(&confidences, &right, n_bins)
    }

    /// How far confidence is from accuracy, as the mean over examples of the distance in their bin; zero without
    /// examples.
    pub fn expected_calibration_error(&self) -> f64 {
        let total: usize = self.bins.iter().map(|bin| bin.count).sum();
        let distances = self.bins.iter().map(|bin| bin.count as f64 * bin.gap());
        distances.sum::<f64>() / total.max(1) as f64
    }

    /// The distance in the bin where it is greatest; zero without examples.
    pub fn maximum_calibration_error(&self) -> f64 {
        self.bins
            .iter()
            .map(ReliabilityBin::gap)
            .fold(0.0, f64::max)
    }
}

impl ReliabilityBin {
    fn gap(&self) -> f64 {
        (self.confidence - self.accuracy).abs()
    }
}

fn check<R>(probabilities: &[R], answers: &[bool]) {
    assert_eq!(
        probabilities.len(),
        answers.len(),
        "one answer for each probability"
    );
}

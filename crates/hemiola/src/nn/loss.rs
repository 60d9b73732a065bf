//! Losses that several models share.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Binary cross-entropy of logits x against targets t, elementwise and without overflow:
/// max(x, 0) − x·t + ln(1 + e^−|x|).
pub fn bce_with_logits<const D: usize>(logits: Tensor<D>, targets: Tensor<D>) -> Tensor<D> {
    let softplus = logits.clone().abs().neg().exp().log1p();
    logits.clone().clamp_min(0.0) - logits * targets + softplus
}

/// Cross-entropy of `logits` `[n, classes]` with the classes `targets` `[n]`, for each of them, `[n]`.
///
/// Classes must be below `classes`.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1)
        .gather(1, targets.unsqueeze_dim(1))
        .squeeze_dim::<1>(1)
        .neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn cross_entropy_of_logits_is_that_of_probabilities() {
        let device = Device::flex();
        for (x, t) in [(0.0f32, 1.0f32), (2.0, 0.3), (-3.0, 0.9), (60.0, 0.0)] {
            let found = bce_with_logits(
                Tensor::<1>::from_floats([x], &device),
                Tensor::<1>::from_floats([t], &device),
            )
            .into_scalar::<f64>();
            let (x, t) = (f64::from(x), f64::from(t));
            let expected = -t * (1.0 / (1.0 + (-x).exp())).ln() + (1.0 - t) * (1.0 + x.exp()).ln();
            assert!(
                (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "{x} {t}"
            );
        }
    }
}

//! What a variational autoencoder says of examples, and the two terms of its loss.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use crate::error::{Error, Result};
use crate::nn::loss::bce_with_logits;

/// Normal distributions in the latent space, one for each example.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// Means, [batch, latent_dim].
    pub mu: Tensor<2>,
    /// Logarithms of variances, [batch, latent_dim].
    pub logvar: Tensor<2>,
}

/// Examples, where they lie in the latent space, and what the decoder makes of that.
#[derive(Debug, Clone)]
pub struct VaeOutput<const D: usize> {
    /// Logits of the reconstruction, in the shape of the input.
    pub recon: Tensor<D>,
    pub posterior: Posterior,
    /// The latent vectors that were decoded, [batch, latent_dim].
    pub z: Tensor<2>,
}

/// The two terms of the loss in nats, summed over the batch; one number each.
#[derive(Debug, Clone)]
pub struct VaeLoss {
    /// Binary cross-entropy of the reconstruction.
    pub reconstruction: Tensor<1>,
    /// Divergence of the posterior from the standard normal distribution.
    pub kl: Tensor<1>,
}

impl Posterior {
    /// Latent vectors for noise `eps` [batch, latent_dim] from the standard normal distribution: mu + eps · exp(logvar / 2).
    pub fn sample(&self, eps: Tensor<2>) -> Tensor<2> {
        self.mu.clone() + eps * self.logvar.clone().div_scalar(2.0).exp()
    }

    /// Divergence of each dimension from the standard normal distribution in nats, mean over the batch, `[latent_dim]`.
    pub fn kl_per_dimension(&self) -> Tensor<1> {
        let (mu, logvar) = (self.mu.clone(), self.logvar.clone());
        let twice = mu.square() + logvar.clone().exp() - logvar.add_scalar(1.0);
        twice.mean_dim(0).squeeze_dim::<1>(0).div_scalar(2.0)
    }

    /// Divergence from the standard normal distribution in nats, summed over batch and dimensions.
    ///
    /// Each dimension counts with at least `free_bits` nats an example, mean over the batch, below which nothing pulls
    /// it towards the prior; 0 is the divergence itself. Kingma et al., "Improved Variational Inference with Inverse
    /// Autoregressive Flow" (NeurIPS 2016), appendix C.8.
    pub fn kl(&self, free_bits: f64) -> Tensor<1> {
        let [batch, _] = self.mu.dims();
        let mut each = self.kl_per_dimension();
        if free_bits > 0.0 {
            each = each.clamp_min(free_bits);
        }
        each.sum().mul_scalar(batch as f64)
    }
}

impl<const D: usize> VaeOutput<D> {
    /// Probability that each key sounds, in the shape of the input.
    pub fn probabilities(&self) -> Tensor<D> {
        sigmoid(self.recon.clone())
    }

    /// The terms of the loss against `targets`, 0 to 1 in the shape of the input, with [free bits](Posterior::kl).
    ///
    /// # Errors
    /// When the targets have another shape.
    pub fn loss(&self, targets: Tensor<D>, free_bits: f64) -> Result<VaeLoss> {
        if targets.dims() != self.recon.dims() {
            return Err(Error::config(format!(
                "music VAE: the targets have shape {:?}; expected {:?}, that of the input",
                targets.dims(),
                self.recon.dims()
            )));
        }
        Ok(VaeLoss {
            reconstruction: bce_with_logits(self.recon.clone(), targets).sum(),
            kl: self.posterior.kl(free_bits),
        })
    }
}

impl VaeLoss {
    /// `reconstruction + beta · kl`; Higgins et al., "beta-VAE" (ICLR 2017).
    pub fn total(&self, beta: f64) -> Tensor<1> {
        self.reconstruction.clone() + self.kl.clone().mul_scalar(beta)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_divergence_is_that_of_two_normal_distributions() {
        let device = Device::flex();
        // Means and variances of two dimensions in two examples.
        let (mu, variance) = ([[1.0f32, 0.0], [-2.0, 0.0]], [[1.0f32, 2.0], [0.5, 1.0]]);
        let posterior = Posterior {
            mu: Tensor::from_floats(mu, &device),
            logvar: Tensor::<2>::from_floats(variance, &device).log(),
        };
        // The integral of p · ln(p / q), for p the posterior and q the standard normal distribution.
        let integral = |mu: f64, variance: f64| -> f64 {
            let (step, width) = (1e-3, 20.0);
            (0..(2.0 * width / step) as usize)
                .map(|i| {
                    let x = i as f64 * step - width;
                    let log_p = -(x - mu).powi(2) / (2.0 * variance) - variance.ln() / 2.0;
                    let p = log_p.exp() / (2.0 * std::f64::consts::PI).sqrt();
                    p * (log_p + x * x / 2.0) * step
                })
                .sum()
        };
        let each = [0, 1].map(|dimension| {
            let of = |i: usize| integral(mu[i][dimension].into(), variance[i][dimension].into());
            (of(0) + of(1)) / 2.0
        });
        let found: Vec<f32> = posterior
            .kl_per_dimension()
            .into_data()
            .try_into_vec()
            .unwrap();
        for (found, expected) in found.iter().zip(each) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5,
                "{found} {expected}"
            );
        }
        let kl = |free_bits| posterior.kl(free_bits).into_scalar::<f64>();
        assert!((kl(0.0) - 2.0 * (each[0] + each[1])).abs() < 1e-5);
        // The second dimension is below 0.3 nats, the first above.
        assert!(each[1] < 0.3 && each[0] > 0.3);
        assert!((kl(0.3) - 2.0 * (each[0] + 0.3)).abs() < 1e-5);
    }

    #[test]
    fn free_bits_leave_a_quiet_dimension_alone() {
        let device = Device::flex().autodiff();
        let mu = Tensor::<2>::from_floats([[2.0, 0.1]], &device).require_grad();
        let posterior = Posterior {
            mu: mu.clone(),
            logvar: Tensor::zeros([1, 2], &device),
        };
        let gradients = posterior.kl(0.5).backward();
        let gradient: Vec<f32> = mu
            .grad(&gradients)
            .unwrap()
            .into_data()
            .try_into_vec()
            .unwrap();
        assert_eq!(gradient, [2.0, 0.0]);
    }
}

//! Parts of a transformer on plain slices, forward and backward.
//!
//! [`attention`] never holds more than a block of rows of a sequence's scores: the backward pass computes them anew from
//! their sums. [`pointwise`] fuses what is bound by memory: biases, activations, dropout, residuals, normalisation.

pub mod attention;
pub mod pointwise;
mod product;

/// Values that training sets to zero at random, the rest scaled up (Srivastava et al., "Dropout", 2014).
///
/// Which, follows from the seed and the value's index alone, so that the backward pass needs no record of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// 0 (included) to 1 (excluded)
    pub probability: f32,
    pub seed: u32,
}

impl Dropout {
    /// What the value with the index is multiplied with: 0 or 1 / (1 − probability).
    #[inline(always)]
    pub fn factor(self, index: u32) -> f32 {
        // The finaliser of MurmurHash3 (Appleby 2011, public domain).
        let mut hash = (index ^ self.seed).wrapping_add(self.seed.rotate_left(16));
        hash ^= hash >> 16;
        hash = hash.wrapping_mul(0x85eb_ca6b);
        hash ^= hash >> 13;
        hash = hash.wrapping_mul(0xc2b2_ae35);
        hash ^= hash >> 16;
        // 24 bits, which f32 holds exactly.
        let uniform = (hash >> 8) as f32 * (1.0 / 16_777_216.0);
        let kept = 1.0 / (1.0 - self.probability);
        if uniform < self.probability {
            0.0
        } else {
            kept
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_keeps_the_mean_and_drops_its_share() {
        for seed in [0, 1, 77] {
            let dropout = Dropout {
                probability: 0.1,
                seed,
            };
            let factors: Vec<f32> = (0..100_000).map(|i| dropout.factor(i)).collect();
            let dropped = factors.iter().filter(|f| **f == 0.0).count() as f64 / 1e5;
            let mean = factors.iter().map(|f| f64::from(*f)).sum::<f64>() / 1e5;
            assert!((dropped - 0.1).abs() < 0.005, "{dropped}");
            assert!((mean - 1.0).abs() < 0.01, "{mean}");
            // Neighbours are dropped independently.
            let both = factors.windows(2).filter(|w| w[0] == 0.0 && w[1] == 0.0);
            assert!((both.count() as f64 / 1e5 - 0.01).abs() < 0.002);
        }
    }
}

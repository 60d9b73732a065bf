//! Examples put together from several recordings.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};
use serde::{Deserialize, Serialize};

use crate::augment::mix::mix;
use crate::error::{Error, Result};
use crate::tasks::classify::Target;

/// Which examples are put together, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mixing {
    /// Every example and its labels are a weighted mean of two, the weight drawn from Beta(α, α); 0 leaves them alone.
    ///
    /// Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018).
    pub mixup_alpha: f64,
    /// Share of examples in which several recordings sound together, with the tags of all of them; for tags only.
    pub together: f64,
    /// How many sound together at most.
    pub most: usize,
    /// How loud the others are beside the first, in dB, drawn evenly.
    pub level_db: [f64; 2],
}

impl Default for Mixing {
    fn default() -> Self {
        Self {
            mixup_alpha: 0.0,
            together: 0.0,
            most: 3,
            level_db: [-10.0, 0.0],
        }
    }
}

/// Samples, and how much each label is true of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Example {
    pub samples: Vec<f32>,
    pub targets: Vec<f32>,
}

impl Mixing {
    /// # Errors
    /// When a value is impossible, or classes are to sound together; the message names the key.
    pub fn check(&self, target: Target) -> Result<()> {
        let fault = |message: String| Err(Error::config(format!("mixing.{message}")));
        if !(self.mixup_alpha >= 0.0 && self.mixup_alpha.is_finite()) {
            return fault(format!(
                "mixup_alpha is {}; expected 0 or more",
                self.mixup_alpha
            ));
        }
        if !(0.0..=1.0).contains(&self.together) {
            return fault(format!("together is {}; expected 0 to 1", self.together));
        }
        if self.together > 0.0 && target == Target::Class {
            return fault(
                "together makes examples of several labels; it needs data.target = \"tags\"".into(),
            );
        }
        if self.most < 2 {
            return fault(format!("most is {}; expected 2 or more", self.most));
        }
        let [low, high] = self.level_db;
        if !(low <= high && low.is_finite() && high.is_finite()) {
            return fault(format!(
                "level_db is [{low}, {high}]; expected two numbers, the lower first"
            ));
        }
        Ok(())
    }

    /// `first` with others, each drawn when it is needed.
    pub(super) fn apply(
        &self,
        first: Example,
        mut another: impl FnMut(&mut ChaCha8Rng) -> Example,
        rng: &mut ChaCha8Rng,
    ) -> Example {
        let mut example = first;
        if rng.random_bool(self.together) {
            for _ in 1..rng.random_range(2..=self.most) {
                let other = another(rng);
                let [low, high] = self.level_db;
                let level_db = rng.random_range(low..=high);
                mix(&mut example.samples, &other.samples, -level_db as f32);
                for (target, other) in example.targets.iter_mut().zip(other.targets) {
                    *target = target.max(other);
                }
            }
        }
        if self.mixup_alpha > 0.0 {
            let beta = Beta::new(self.mixup_alpha, self.mixup_alpha);
            let weight: f64 = beta.map_or(1.0, |beta| beta.sample(rng));
            let weight = weight as f32;
            let other = another(rng);
            let mean = |mine: &mut [f32], others: Vec<f32>| {
                for (mine, other) in mine.iter_mut().zip(others) {
                    *mine = weight * *mine + (1.0 - weight) * other;
                }
            };
            mean(&mut example.samples, other.samples);
            mean(&mut example.targets, other.targets);
        }
        example
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn example(value: f32, targets: [f32; 3]) -> Example {
        Example {
            samples: vec![value, -value],
            targets: targets.to_vec(),
        }
    }

    #[test]
    fn mixup_weighs_samples_and_labels_alike() {
        let mixing = Mixing {
            mixup_alpha: 0.4,
            ..Mixing::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut weights = Vec::new();
        for _ in 0..400 {
            let other = |_: &mut ChaCha8Rng| example(0.0, [0.0, 1.0, 0.0]);
            let mixed = mixing.apply(example(1.0, [1.0, 0.0, 0.0]), other, &mut rng);
            let weight = mixed.samples[0];
            assert!((mixed.targets[0] - weight).abs() < 1e-6);
            assert!((mixed.targets[1] - (1.0 - weight)).abs() < 1e-6);
            weights.push(f64::from(weight));
        }
        // Beta(α, α) has the mean 1/2 and the variance 1 / (4 (2 α + 1)).
        let mean = weights.iter().sum::<f64>() / 400.0;
        let variance = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / 400.0;
        assert!((mean - 0.5).abs() < 0.06, "{mean}");
        assert!((variance - 1.0 / 7.2).abs() < 0.02, "{variance}");
    }

    #[test]
    fn what_sounds_together_has_the_tags_of_all() {
        let mixing = Mixing {
            together: 1.0,
            most: 2,
            level_db: [-6.0, -6.0],
            ..Mixing::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let other = |_: &mut ChaCha8Rng| example(0.1, [0.0, 1.0, 0.0]);
        let mixed = mixing.apply(example(1.0, [1.0, 0.0, 0.0]), other, &mut rng);
        assert_eq!(mixed.targets, [1.0, 1.0, 0.0]);
        // 6 dB below the first, however loud it was.
        assert!((mixed.samples[0] - 1.0 - 10f32.powf(-0.3)).abs() < 1e-3);
    }

    #[test]
    fn impossible_values_are_named() {
        for (text, word) in [
            ("mixup_alpha = -1.0", "mixup_alpha"),
            ("together = 0.5", "tags"),
            ("most = 1", "most"),
            ("level_db = [0.0, -3.0]", "level_db"),
        ] {
            let mixing: Mixing = toml::from_str(text).unwrap();
            let message = mixing.check(Target::Class).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        let mixing: Mixing = toml::from_str("together = 0.5").unwrap();
        assert!(mixing.check(Target::Tags).is_ok());
    }
}

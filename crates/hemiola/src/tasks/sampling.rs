//! Drawing the next event from what a model thinks of each.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How events are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerConfig {
    /// What logits are divided by: below 1 the likely becomes likelier; 0 always takes the likeliest.
    pub temperature: f64,
    /// Only so many of the likeliest are drawn from; 0 for all (Fan et al., "Hierarchical Neural Story Generation", 2018).
    pub top_k: usize,
    /// Only the likeliest that together have this probability are drawn from; 1 for all (Holtzman et al., "The Curious
    /// Case of Neural Text Degeneration", 2020).
    pub top_p: f64,
    /// The same seed draws the same from the same logits. Those of one model differ in their last digits between kinds of
    /// processors, so that a piece is repeated exactly on machines of one kind.
    pub seed: u64,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            seed: 1,
        }
    }
}

/// Draws one event after another.
#[derive(Debug, Clone)]
pub struct Sampler {
    config: SamplerConfig,
    random: ChaCha8Rng,
}

impl Sampler {
    /// # Errors
    /// When the temperature is below 0 or `top_p` is not above 0 and at most 1.
    pub fn new(config: SamplerConfig) -> Result<Self> {
        if !(config.temperature >= 0.0 && config.temperature.is_finite()) {
            return Err(Error::config(format!(
                "temperature is {}; it must be 0 or more, and finite",
                config.temperature
            )));
        }
        if !(config.top_p > 0.0 && config.top_p <= 1.0) {
            return Err(Error::config(format!(
                "top_p is {}; it must be above 0 and at most 1",
                config.top_p
            )));
        }
        Ok(Self {
            random: ChaCha8Rng::seed_from_u64(config.seed),
            config,
        })
    }

    /// An index of `logits`, drawn; never one whose logit is negative infinity. `None` if all are, or one is NaN.
    ///
    /// Exactly one random number is used, whatever the logits.
    pub fn sample(&mut self, logits: &[f32]) -> Option<usize> {
        let chance: f64 = self.random.random();
        let mut ranked: Vec<(usize, f64)> = logits
            .iter()
            .map(|&logit| f64::from(logit))
            .enumerate()
            .filter(|(_, logit)| *logit != f64::NEG_INFINITY)
            .collect();
        if ranked.iter().any(|(_, logit)| logit.is_nan()) {
            return None;
        }
        // Of equals, the first; so that the order does not depend on how the sort goes.
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let (likeliest, highest) = *ranked.first()?;
        if self.config.temperature == 0.0 {
            return Some(likeliest);
        }
        if self.config.top_k > 0 {
            ranked.truncate(self.config.top_k);
        }
        for (_, value) in &mut ranked {
            *value = ((*value - highest) / self.config.temperature).exp();
        }
        let total: f64 = ranked.iter().map(|(_, value)| value).sum();
        if self.config.top_p < 1.0 {
            let mut sum = 0.0;
            let kept = ranked
                .iter()
                .position(|(_, value)| {
                    sum += value;
                    sum >= self.config.top_p * total
                })
                .map_or(ranked.len(), |last| last + 1);
            ranked.truncate(kept);
        }
        let total: f64 = ranked.iter().map(|(_, value)| value).sum();
        let mut rest = chance * total;
        let drawn = ranked.iter().find(|(_, value)| {
            rest -= value;
            rest < 0.0
        });
        Some(drawn.or(ranked.last())?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(config: SamplerConfig, logits: &[f32]) -> Vec<f64> {
        let mut sampler = Sampler::new(config).unwrap();
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..20_000 {
            counts[sampler.sample(logits).unwrap()] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn events_are_drawn_with_their_probabilities() {
        // Probabilities 0.5, 0.25, 0.125, 0.125, and one that is forbidden.
        let logits = [2.0f32, 1.0, 0.5, 0.5].map(|weight| weight.ln());
        let logits = [&logits[..], &[f32::NEG_INFINITY]].concat();
        let plain = SamplerConfig::default();
        for (config, expected) in [
            (plain, [0.5, 0.25, 0.125, 0.125, 0.0]),
            // Squares of the weights: 4, 1, 0.25, 0.25.
            (
                SamplerConfig {
                    temperature: 0.5,
                    ..plain
                },
                [8.0 / 11.0, 2.0 / 11.0, 0.5 / 11.0, 0.5 / 11.0, 0.0],
            ),
            (
                SamplerConfig { top_k: 2, ..plain },
                [2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0, 0.0],
            ),
            (
                SamplerConfig {
                    top_p: 0.6,
                    ..plain
                },
                [2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0, 0.0],
            ),
            (
                SamplerConfig {
                    temperature: 0.0,
                    ..plain
                },
                [1.0, 0.0, 0.0, 0.0, 0.0],
            ),
        ] {
            for (found, expected) in shares(config, &logits).into_iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 0.015,
                    "{config:?}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn nothing_to_draw_from_is_said() {
        let mut sampler = Sampler::new(SamplerConfig::default()).unwrap();
        assert_eq!(sampler.sample(&[]), None);
        assert_eq!(sampler.sample(&[f32::NEG_INFINITY; 3]), None);
        assert_eq!(sampler.sample(&[0.0, f32::NAN]), None);
    }

    #[test]
    fn impossible_settings_are_refused() {
        let plain = SamplerConfig::default();
        for config in [
            SamplerConfig {
                temperature: -1.0,
                ..plain
            },
            SamplerConfig {
                temperature: f64::NAN,
                ..plain
            },
            SamplerConfig {
                top_p: 0.0,
                ..plain
            },
            SamplerConfig {
                top_p: 1.1,
                ..plain
            },
        ] {
            assert!(Sampler::new(config).is_err(), "{config:?}");
        }
    }
}

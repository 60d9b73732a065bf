//! How verbs that make music draw from what a model thinks.

use anyhow::Result;
use hemiola::tasks::sampling::{Sampler, SamplerConfig};

use crate::wrong_use;

#[derive(clap::Args)]
pub struct SamplingArgs {
    /// The same seed makes the same music on the same kind of processor [default: another each time, which is told]
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Below 1 the likely becomes likelier; 0 always takes the likeliest
    #[arg(long, allow_negative_numbers = true, default_value_t = 1.0)]
    temperature: f64,
    /// Draw only from so many of the likeliest events; 0 for all
    #[arg(long, allow_negative_numbers = true, default_value_t = 0)]
    top_k: usize,
    /// Draw only from the likeliest events that together have this probability
    #[arg(long, allow_negative_numbers = true, default_value_t = 0.95)]
    top_p: f64,
}

impl SamplingArgs {
    /// Refuses impossible settings.
    pub fn sampler(&self) -> Result<SamplerConfig> {
        let config = SamplerConfig {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            seed: self.seed.unwrap_or_else(new_seed),
        };
        Sampler::new(config).map_err(|error| wrong_use(error.to_string()))?;
        Ok(config)
    }

    /// Tells the seed if nobody chose it.
    pub fn tell(&self, config: &SamplerConfig) {
        if self.seed.is_none() {
            eprintln!("seed {}", config.seed);
        }
    }
}

fn new_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |time| u64::from(time.subsec_nanos()) ^ time.as_secs()) % 1_000_000
}

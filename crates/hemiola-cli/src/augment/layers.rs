//! What lies over a changed sound: another recording, noise; and the level of all.

use std::path::{Path, PathBuf};

use anyhow::Result;
use hemiola::audio::AudioStream;
use hemiola::augment::mix::gain_for_snr;
use hemiola::augment::noise::{Noise, NoiseStream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Args;
use super::spool::Spool;
use crate::wrong_use;

/// How much softer a recording mixed in is where nobody says so, in dB: drawn from this range.
const MIX_DB: std::ops::RangeInclusive<f64> = 0.0..=20.0;

pub struct Layers {
    other: Option<(Repeated, f32)>,
    noise: Option<(NoiseStream, ChaCha8Rng, f32)>,
    gain: f32,
}

impl Layers {
    pub fn new(args: &Args, sound: &Spool, rate: u32, rng: &mut ChaCha8Rng) -> Result<Self> {
        let (length, power) = (sound.len(), sound.power());
        let other = match &args.mix {
            None => None,
            Some(path) => {
                let db = args.mix_db.unwrap_or_else(|| rng.random_range(MIX_DB));
                let mut other = Repeated::open(path, rate)?;
                let other_power = mean_power(length, |block| other.fill(block))?;
                let gain = gain_for_snr(power, other_power, db);
                Some((Repeated::open(path, rate)?, gain as f32))
            }
        };
        let noise = match args.snr {
            None => None,
            Some(snr_db) => {
                let stream = Noise::from(args.noise).stream(rate, rng);
                // The noise is made twice: its level is known only when it has passed.
                let (mut first, mut first_rng) = (stream.clone(), rng.clone());
                let noise_power = mean_power(length, |block| {
                    block.copy_from_slice(&first.samples(block.len(), &mut first_rng));
                    Ok(())
                })?;
                let gain = gain_for_snr(power, noise_power, snr_db);
                Some((stream, rng.clone(), gain as f32))
            }
        };
        Ok(Self {
            other,
            noise,
            gain: 10f64.powf(args.gain.unwrap_or(0.0) / 20.0) as f32,
        })
    }

    /// Adds to the next block, of as many samples as a [`Spool`] gives at once.
    pub fn add(&mut self, block: &mut [f32]) -> Result<()> {
        if let Some((other, gain)) = &mut self.other {
            let mut under = vec![0.0; block.len()];
            other.fill(&mut under)?;
            add(block, &under, *gain);
        }
        if let Some((stream, rng, gain)) = &mut self.noise {
            add(block, &stream.samples(block.len(), rng), *gain);
        }
        block.iter_mut().for_each(|sample| *sample *= self.gain);
        Ok(())
    }
}

fn add(samples: &mut [f32], others: &[f32], gain: f32) {
    for (sample, other) in samples.iter_mut().zip(others) {
        *sample += gain * other;
    }
}

/// The mean square of so many samples, which are made block by block as a [`Spool`] gives them.
fn mean_power(length: u64, mut fill: impl FnMut(&mut [f32]) -> Result<()>) -> Result<f64> {
    let mut sum = 0.0;
    let mut left = length;
    while left > 0 {
        let mut block = vec![0.0; left.min(Spool::BLOCK as u64) as usize];
        fill(&mut block)?;
        sum += block.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
        left -= block.len() as u64;
    }
    Ok(sum / length.max(1) as f64)
}

/// A recording that begins again when it has ended.
struct Repeated {
    path: PathBuf,
    rate: u32,
    stream: AudioStream,
    waiting: Vec<f32>,
}

impl Repeated {
    fn open(path: &Path, rate: u32) -> Result<Self> {
        if path == Path::new("-") {
            return Err(wrong_use("--mix needs a file: it is read more than once"));
        }
        Ok(Self {
            path: path.to_owned(),
            rate,
            stream: AudioStream::open(path, rate)?,
            waiting: Vec::new(),
        })
    }

    fn fill(&mut self, samples: &mut [f32]) -> Result<()> {
        let mut empty = false;
        while self.waiting.len() < samples.len() {
            match self.stream.next_block()? {
                Some(block) => {
                    self.waiting.extend_from_slice(block);
                    empty = false;
                }
                None if empty => {
                    let path = self.path.display();
                    anyhow::bail!("{path}: there is no sound in this recording to mix in");
                }
                None => {
                    self.stream = AudioStream::open(&self.path, self.rate)?;
                    empty = true;
                }
            }
        }
        samples.copy_from_slice(&self.waiting[..samples.len()]);
        self.waiting.drain(..samples.len());
        Ok(())
    }
}

//! Noises of rooms, microphones and mains.

use std::f32::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Harmonics of the mains that hum.
const HUM_HARMONICS: usize = 8;
/// Clicks per second at most.
const CLICKS_PER_S: f32 = 12.0;

/// Kinds of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    White,
    /// 3 dB less per octave.
    Pink,
    /// 6 dB less per octave.
    Brown,
    /// 50 or 60 Hz with harmonics.
    Hum,
    /// Short impulses at random times.
    Clicks,
}

impl Noise {
    pub const ALL: [Self; 5] = [
        Self::White,
        Self::Pink,
        Self::Brown,
        Self::Hum,
        Self::Clicks,
    ];

    /// `length` samples of some loudness.
    pub fn samples(self, length: usize, sample_rate: u32, rng: &mut ChaCha8Rng) -> Vec<f32> {
        match self {
            Self::White => white(length, rng),
            Self::Pink => pink(length, rng),
            Self::Brown => brown(length, rng),
            Self::Hum => hum(length, sample_rate, rng),
            Self::Clicks => clicks(length, sample_rate, rng),
        }
    }

    /// Adds it to `samples`, `snr_db` softer than them in mean power; silence stays silent.
    pub fn add(self, samples: &mut [f32], snr_db: f32, sample_rate: u32, rng: &mut ChaCha8Rng) {
        let noise = self.samples(samples.len(), sample_rate, rng);
        let (signal_power, noise_power) = (power(samples), power(&noise));
        if noise_power <= 0.0 {
            return;
        }
        let gain = (signal_power / noise_power).sqrt() * 10f32.powf(-snr_db / 20.0);
        for (sample, noise) in samples.iter_mut().zip(noise) {
            *sample += gain * noise;
        }
    }
}

/// Mean square.
pub(super) fn power(samples: &[f32]) -> f32 {
    let sum: f64 = samples
        .iter()
        .map(|sample| f64::from(sample * sample))
        .sum();
    (sum / samples.len().max(1) as f64) as f32
}

/// Noise of even density: the sum of the four bytes of a random number, which is close enough to a normal
/// distribution and four times as fast.
pub(super) fn white(length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut samples = Vec::with_capacity(length + 1);
    while samples.len() < length {
        for half in [rng.random::<u64>(), rng.random::<u64>()]
            .iter()
            .flat_map(|word| [*word as u32, (*word >> 32) as u32])
        {
            let sum: i32 = half.to_le_bytes().iter().map(|byte| i32::from(*byte)).sum();
            samples.push((sum - 510) as f32 / 148.0);
        }
    }
    samples.truncate(length);
    samples
}

/// White noise through three poles (Paul Kellet's economical filter).
fn pink(length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut samples = white(length, rng);
    let mut state = [0.0; 3];
    for sample in &mut samples {
        let white = *sample;
        state[0] = 0.99765 * state[0] + 0.099_046 * white;
        state[1] = 0.963 * state[1] + 0.296_516_4 * white;
        state[2] = 0.57 * state[2] + 1.052_691_3 * white;
        *sample = state.iter().sum::<f32>() + 0.1848 * white;
    }
    samples
}

fn brown(length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut samples = white(length, rng);
    let mut state = 0.0;
    for sample in &mut samples {
        // The leak keeps the walk from drifting away.
        state = 0.998 * state + *sample;
        *sample = state;
    }
    samples
}

fn hum(length: usize, sample_rate: u32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mains_hz = if rng.random_bool(0.5) { 50.0 } else { 60.0 };
    let mut samples = vec![0.0; length];
    for harmonic in 1..=HUM_HARMONICS {
        let amplitude = rng.random_range(0.1..1.0) / harmonic as f32;
        let step = TAU * mains_hz * harmonic as f32 / sample_rate as f32;
        // Each sample is the last one turned by a step.
        let (sin, cos) = step.sin_cos();
        let (mut y, mut x) = rng.random_range(0.0..TAU).sin_cos();
        for sample in &mut samples {
            *sample += amplitude * y;
            (x, y) = (x * cos - y * sin, x * sin + y * cos);
        }
    }
    samples
}

fn clicks(length: usize, sample_rate: u32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut samples = vec![0.0; length];
    let seconds = length as f32 / sample_rate as f32;
    let count = (seconds * rng.random_range(0.5..CLICKS_PER_S)).ceil() as usize;
    for _ in 0..count {
        if length == 0 {
            break;
        }
        let start = rng.random_range(0..length);
        let decay = rng.random_range(0.3..0.95f32);
        let mut level = rng.random_range(0.2..1.0f32);
        for sample in samples.iter_mut().skip(start).take(64) {
            *sample += level;
            level *= -decay;
        }
    }
    samples
}

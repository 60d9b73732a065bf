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

    /// An endless stream of it, of some loudness.
    pub fn stream(self, sample_rate: u32, rng: &mut ChaCha8Rng) -> NoiseStream {
        NoiseStream {
            kind: self,
            sample_rate,
            poles: [0.0; 3],
            hum: match self {
                Self::Hum => hum(sample_rate, rng),
                _ => Vec::new(),
            },
        }
    }

    /// `length` samples of some loudness.
    pub fn samples(self, length: usize, sample_rate: u32, rng: &mut ChaCha8Rng) -> Vec<f32> {
        self.stream(sample_rate, rng).samples(length, rng)
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

/// Noise that goes on where it was.
#[derive(Debug, Clone)]
pub struct NoiseStream {
    kind: Noise,
    sample_rate: u32,
    poles: [f32; 3],
    hum: Vec<Oscillator>,
}

impl NoiseStream {
    /// The next samples.
    pub fn samples(&mut self, length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        match self.kind {
            Noise::White => white(length, rng),
            Noise::Pink => self.pink(length, rng),
            Noise::Brown => self.brown(length, rng),
            Noise::Hum => {
                let mut samples = vec![0.0; length];
                self.hum.iter_mut().for_each(|sine| sine.add(&mut samples));
                samples
            }
            Noise::Clicks => clicks(length, self.sample_rate, rng),
        }
    }

    /// White noise through three poles (Paul Kellet's economical filter).
    fn pink(&mut self, length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let mut samples = white(length, rng);
        let state = &mut self.poles;
        for sample in &mut samples {
            let white = *sample;
            state[0] = 0.99765 * state[0] + 0.099_046 * white;
            state[1] = 0.963 * state[1] + 0.296_516_4 * white;
            state[2] = 0.57 * state[2] + 1.052_691_3 * white;
            *sample = state.iter().sum::<f32>() + 0.1848 * white;
        }
        samples
    }

    fn brown(&mut self, length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let mut samples = white(length, rng);
        let state = &mut self.poles[0];
        for sample in &mut samples {
            // The leak keeps the walk from drifting away.
            *state = 0.998 * *state + *sample;
            *sample = *state;
        }
        samples
    }
}

/// A sine: a point on a circle, which each sample turns by a step.
#[derive(Debug, Clone)]
struct Oscillator {
    amplitude: f32,
    step: [f32; 2],
    point: [f32; 2],
}

impl Oscillator {
    fn add(&mut self, samples: &mut [f32]) {
        let [sin, cos] = self.step;
        let [mut y, mut x] = self.point;
        for sample in samples {
            *sample += self.amplitude * y;
            (x, y) = (x * cos - y * sin, x * sin + y * cos);
        }
        // Rounding would let the circle grow or shrink over an hour.
        let radius = x.hypot(y);
        self.point = [y / radius, x / radius];
    }
}

fn hum(sample_rate: u32, rng: &mut ChaCha8Rng) -> Vec<Oscillator> {
    let mains_hz = if rng.random_bool(0.5) { 50.0 } else { 60.0 };
    let oscillator = |harmonic: usize| Oscillator {
        amplitude: rng.random_range(0.1..1.0) / harmonic as f32,
        step: (TAU * mains_hz * harmonic as f32 / sample_rate as f32)
            .sin_cos()
            .into(),
        point: rng.random_range(0.0..TAU).sin_cos().into(),
    };
    (1..=HUM_HARMONICS).map(oscillator).collect()
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

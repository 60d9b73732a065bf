//! Made-up rooms: impulse responses, and convolution with them.

use std::collections::VecDeque;
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use serde::{Deserialize, Serialize};

use super::filter::{Biquad, Shape};
use super::noise::{power, white};

/// Edges in Hz between the bands that decay on their own.
const BAND_EDGES_HZ: [f64; 3] = [400.0, 1600.0, 4000.0];
const EARLY_S: f64 = 0.08;
/// Samples of a block of the convolution.
const BLOCK: usize = 8192;

/// The rooms to draw from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomRange {
    /// Shortest and longest time in seconds in which the middle of the spectrum decays by 60 dB.
    pub rt60_s: [f64; 2],
    /// Level of the direct sound over everything reflected, in dB.
    pub direct_to_reverberant_db: [f64; 2],
    /// Longest time in seconds until the first reflection.
    pub pre_delay_s: f64,
}

impl Default for RoomRange {
    fn default() -> Self {
        Self {
            rt60_s: [0.15, 2.5],
            direct_to_reverberant_db: [-6.0, 15.0],
            pre_delay_s: 0.04,
        }
    }
}

/// A room's impulse response. The direct sound is its first sample, so that what is convolved keeps its times.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    pub rt60_s: f64,
    pub direct_to_reverberant_db: f64,
    pub pre_delay_s: f64,
    /// The direct sound, 1, and what follows.
    pub response: Vec<f32>,
}

impl Room {
    /// A room out of a range: sparse early reflections, then noise that decays the sooner the higher it is.
    pub fn draw(range: &RoomRange, sample_rate: u32, rng: &mut ChaCha8Rng) -> Self {
        let rate = f64::from(sample_rate);
        let [shortest, longest] = range.rt60_s;
        // Evenly on a logarithmic scale.
        let rt60_s = (rng.random_range(shortest.ln()..=longest.ln())).exp();
        let [low_db, high_db] = range.direct_to_reverberant_db;
        let direct_to_reverberant_db = rng.random_range(low_db..=high_db);
        let pre_delay_s = rng.random_range(0.0..=range.pre_delay_s);

        // 40 dB of decay below the reflections is inaudible under music and halves the work.
        let tail_length = (rate * rt60_s * 0.75).ceil() as usize;
        let start = ((pre_delay_s * rate) as usize).max(1);
        let mut response = vec![0.0; start + tail_length];
        let tail = tail(tail_length, rt60_s, rate, rng);
        response[start..].copy_from_slice(&tail);
        let tail_level = power(&tail).sqrt() * 6.0;
        let bunch = ((EARLY_S.min(rt60_s) * rate) as usize).max(1);
        for _ in 0..rng.random_range(3..12) {
            let at = start + rng.random_range(0..bunch);
            let level = tail_level * rng.random_range(0.2..1.0f32);
            if let Some(sample) = response.get_mut(at) {
                *sample += if rng.random_bool(0.5) { level } else { -level };
            }
        }
        let energy = f64::from(power(&response)) * response.len() as f64;
        let gain = (10f64.powf(-direct_to_reverberant_db / 10.0) / energy.max(1e-30)).sqrt() as f32;
        response.iter_mut().for_each(|sample| *sample *= gain);
        response[0] = 1.0;
        Self {
            rt60_s,
            direct_to_reverberant_db,
            pre_delay_s,
            response,
        }
    }
}

/// Decaying noise in four bands; `rt60_s` is that of the second and third.
fn tail(length: usize, rt60_s: f64, rate: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let low = rng.random_range(0.8..1.5);
    let high = rng.random_range(0.3..0.8);
    let rt60 = [low, 1.0, 1.0, high].map(|share| share * rt60_s);
    let mut sum = vec![0.0; length];
    for (band, rt60_s) in rt60.into_iter().enumerate() {
        let mut noise = white(length, rng);
        let pass = |shape, hz| Biquad::new(shape, hz, rate as u32);
        let q = std::f64::consts::FRAC_1_SQRT_2;
        if let Some(below) = band.checked_sub(1) {
            pass(Shape::HighPass { q }, BAND_EDGES_HZ[below]).apply(&mut noise);
        }
        if let Some(above) = BAND_EDGES_HZ.get(band) {
            pass(Shape::LowPass { q }, *above).apply(&mut noise);
        }
        let decay = 10f64.powf(-3.0 / (rt60_s * rate)) as f32;
        let mut level = 1.0;
        for (sum, noise) in sum.iter_mut().zip(noise) {
            *sum += level * noise;
            level *= decay;
        }
    }
    sum
}

/// Convolution with one response, which is transformed once.
pub struct Convolver {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// Spectra of the response's blocks.
    blocks: Vec<Vec<Complex<f32>>>,
}

impl Convolver {
    /// Samples of a block.
    pub const BLOCK: usize = BLOCK;

    pub fn new(response: &[f32]) -> Self {
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(2 * BLOCK);
        let inverse = planner.plan_fft_inverse(2 * BLOCK);
        let blocks = response
            .chunks(BLOCK)
            .map(|block| spectrum(forward.as_ref(), block))
            .collect();
        Self {
            forward,
            inverse,
            blocks,
        }
    }

    /// Convolves in place; what would ring after the end is cut off.
    pub fn apply(&self, samples: &mut [f32]) {
        let mut state = ConvolverState::default();
        for block in samples.chunks_mut(BLOCK) {
            self.apply_from(&mut state, block);
        }
    }

    /// Convolves in place and goes on where the block before ended. All blocks but the last have [`Convolver::BLOCK`]
    /// samples, the last may have fewer.
    pub fn apply_from(&self, state: &mut ConvolverState, block: &mut [f32]) {
        state
            .inputs
            .push_front(spectrum(self.forward.as_ref(), block));
        state.inputs.truncate(self.blocks.len());
        state.overlap.resize(BLOCK, 0.0);
        let mut product = self.inverse.make_input_vec();
        for (response, input) in self.blocks.iter().zip(&state.inputs) {
            for ((product, response), input) in product.iter_mut().zip(response).zip(input) {
                *product += response * input;
            }
        }
        let mut time = self.inverse.make_output_vec();
        inverse(self.inverse.as_ref(), &mut product, &mut time);
        let scale = 1.0 / (2 * BLOCK) as f32;
        for ((output, new), old) in block.iter_mut().zip(&time).zip(&state.overlap) {
            *output = (new + old) * scale;
        }
        state.overlap.copy_from_slice(&time[BLOCK..]);
    }
}

/// What a convolution remembers between two blocks; the default is silence.
#[derive(Debug, Clone, Default)]
pub struct ConvolverState {
    /// Spectra of the last blocks, the newest first.
    inputs: VecDeque<Vec<Complex<f32>>>,
    overlap: Vec<f32>,
}

fn spectrum(forward: &dyn RealToComplex<f32>, block: &[f32]) -> Vec<Complex<f32>> {
    let mut padded = forward.make_input_vec();
    padded[..block.len()].copy_from_slice(block);
    let mut spectrum = forward.make_output_vec();
    // The lengths are those of the plan, so this cannot fail.
    let _ = forward.process(&mut padded, &mut spectrum);
    spectrum
}

fn inverse(plan: &dyn ComplexToReal<f32>, product: &mut [Complex<f32>], time: &mut [f32]) {
    // The transform of real samples is real at both ends; rounding may have left a trace there.
    if let Some(first) = product.first_mut() {
        first.im = 0.0;
    }
    if let Some(last) = product.last_mut() {
        last.im = 0.0;
    }
    // The lengths are those of the plan, so this cannot fail.
    let _ = plan.process(product, time);
}

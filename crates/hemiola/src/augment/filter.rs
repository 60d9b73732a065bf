//! Second-order filters (Robert Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients").

use std::f64::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One second-order section, normalised to a0 = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

/// What a section remembers between two blocks; the default is rest.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BiquadState([f32; 2]);

/// The shapes of the cookbook that are needed here; frequencies in Hz, gains in dB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    Peak { gain_db: f64, q: f64 },
    LowShelf { gain_db: f64 },
    HighShelf { gain_db: f64 },
    LowPass { q: f64 },
    HighPass { q: f64 },
}

impl Biquad {
    /// A section around `hz`, which is kept below 0.49 of the sample rate.
    pub fn new(shape: Shape, hz: f64, sample_rate: u32) -> Self {
        let rate = f64::from(sample_rate);
        let w = TAU * hz.clamp(1.0, 0.49 * rate) / rate;
        let (sin, cos) = w.sin_cos();
        let (b, a0, a) = match shape {
            Shape::Peak { gain_db, q } => {
                let gain = 10f64.powf(gain_db / 40.0);
                let alpha = sin / (2.0 * q);
                (
                    [1.0 + alpha * gain, -2.0 * cos, 1.0 - alpha * gain],
                    1.0 + alpha / gain,
                    [-2.0 * cos, 1.0 - alpha / gain],
                )
            }
            Shape::LowShelf { gain_db } => shelf(gain_db, sin, cos),
            // A high shelf is the low shelf mirrored at a quarter of the sample rate.
            Shape::HighShelf { gain_db } => {
                let ([b0, b1, b2], a0, [a1, a2]) = shelf(gain_db, sin, -cos);
                ([b0, -b1, b2], a0, [-a1, a2])
            }
            Shape::LowPass { q } => {
                let alpha = sin / (2.0 * q);
                let b = (1.0 - cos) / 2.0;
                ([b, 2.0 * b, b], 1.0 + alpha, [-2.0 * cos, 1.0 - alpha])
            }
            Shape::HighPass { q } => {
                let alpha = sin / (2.0 * q);
                let b = (1.0 + cos) / 2.0;
                ([b, -2.0 * b, b], 1.0 + alpha, [-2.0 * cos, 1.0 - alpha])
            }
        };
        Self {
            b: b.map(|b| b / a0),
            a: a.map(|a| a / a0),
        }
    }

    /// Filters in place, from rest.
    pub fn apply(&self, samples: &mut [f32]) {
        self.apply_from(&mut BiquadState::default(), samples);
    }

    /// Filters in place and goes on where the block before ended.
    pub fn apply_from(&self, state: &mut BiquadState, samples: &mut [f32]) {
        let [b0, b1, b2] = self.b.map(|b| b as f32);
        let [a1, a2] = self.a.map(|a| a as f32);
        let [mut s1, mut s2] = state.0;
        for sample in samples {
            let x = *sample;
            let y = b0 * x + s1;
            s1 = b1 * x - a1 * y + s2;
            s2 = b2 * x - a2 * y;
            *sample = y;
        }
        state.0 = [s1, s2];
    }

    /// The gain in dB at a frequency.
    pub fn gain_db(&self, hz: f64, sample_rate: u32) -> f64 {
        let w = TAU * hz / f64::from(sample_rate);
        let magnitude = |c0: f64, c1: f64, c2: f64| {
            let re = c0 + c1 * w.cos() + c2 * (2.0 * w).cos();
            let im = c1 * w.sin() + c2 * (2.0 * w).sin();
            re.hypot(im)
        };
        let [b0, b1, b2] = self.b;
        let [a1, a2] = self.a;
        20.0 * (magnitude(b0, b1, b2) / magnitude(1.0, a1, a2)).log10()
    }
}

/// A random equaliser: two to five peaks and shelves from 50 Hz to 7 kHz that rise or fall by up to `limit_db`.
pub fn random_equaliser(limit_db: f64, sample_rate: u32, rng: &mut ChaCha8Rng) -> Vec<Biquad> {
    let count = rng.random_range(2..=5);
    let section = |_| {
        let hz = rng.random_range(50f64.ln()..7000f64.ln()).exp();
        let gain_db = rng.random_range(-limit_db..=limit_db);
        let shape = match rng.random_range(0..4) {
            0 => Shape::LowShelf { gain_db },
            1 => Shape::HighShelf { gain_db },
            _ => Shape::Peak {
                gain_db,
                q: rng.random_range(0.4..4.0),
            },
        };
        Biquad::new(shape, hz, sample_rate)
    };
    (0..count).map(section).collect()
}

/// Coefficients of a low shelf of slope 1.
fn shelf(gain_db: f64, sin: f64, cos: f64) -> ([f64; 3], f64, [f64; 2]) {
    let gain = 10f64.powf(gain_db / 40.0);
    let root = 2.0 * gain.sqrt() * sin / 2.0 * std::f64::consts::SQRT_2;
    let (up, down) = (gain + 1.0, gain - 1.0);
    (
        [
            gain * (up - down * cos + root),
            2.0 * gain * (down - up * cos),
            gain * (up - down * cos - root),
        ],
        up + down * cos + root,
        [-2.0 * (down + up * cos), up + down * cos - root],
    )
}

//! Second-order filters (Robert Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients").

use std::f64::consts::TAU;

/// One second-order section, normalised to a0 = 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

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
        let [b0, b1, b2] = self.b.map(|b| b as f32);
        let [a1, a2] = self.a.map(|a| a as f32);
        let (mut s1, mut s2) = (0.0, 0.0);
        for sample in samples {
            let x = *sample;
            let y = b0 * x + s1;
            s1 = b1 * x - a1 * y + s2;
            s2 = b2 * x - a2 * y;
            *sample = y;
        }
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

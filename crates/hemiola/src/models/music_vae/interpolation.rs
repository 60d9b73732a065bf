//! Ways from one latent vector to another.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Vectors whose sine of the angle between them is below this are taken for parallel.
const PARALLEL_SINE: f64 = 1e-6;

/// How to go from one latent vector to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// On a straight line.
    Linear,
    /// On an arc with a constant speed of turning, which keeps the length of vectors of the same length, as most samples
    /// of a normal distribution in many dimensions are. Shoemake, "Animating Rotation with Quaternion Curves"
    /// (SIGGRAPH 1985); White, "Sampling Generative Networks" (2016).
    Spherical,
}

/// `steps` latent vectors from `z_a` to `z_b` `[latent]`, both ends included and exact: [steps, latent], detached.
///
/// # Errors
/// When there are fewer than 2 steps, or the lengths differ.
pub fn interpolate(
    z_a: Tensor<1>,
    z_b: Tensor<1>,
    steps: usize,
    interpolation: Interpolation,
) -> Result<Tensor<2>> {
    let ([length], [other]) = (z_a.dims(), z_b.dims());
    if length != other {
        return Err(Error::config(format!(
            "interpolation between latent vectors of {length} and {other} numbers; expected the same length"
        )));
    }
    if steps < 2 {
        return Err(Error::config(format!(
            "interpolation in {steps} steps; expected at least 2, the two ends"
        )));
    }
    let device = z_a.device();
    let read = |z: Tensor<1>| {
        let values = z.into_data().convert::<f64>().try_into_vec::<f64>();
        values.map_err(|e| Error::config(format!("interpolation: a latent vector: {e:?}")))
    };
    let (a, b) = (read(z_a)?, read(z_b)?);
    let arc = match interpolation {
        Interpolation::Linear => None,
        Interpolation::Spherical => Arc::between(&a, &b),
    };
    let mut path = Vec::with_capacity(steps * length);
    for step in 0..steps {
        let t = step as f64 / (steps - 1) as f64;
        let point: Vec<f64> = match &arc {
            _ if step == 0 => a.clone(),
            _ if step == steps - 1 => b.clone(),
            Some(arc) => arc.point(t),
            None => combine(1.0 - t, &a, t, &b),
        };
        path.extend(point.into_iter().map(|value| value as f32));
    }
    let data = TensorData::new(path, [steps, length]);
    Ok(Tensor::from_data(data, &device))
}

fn combine(of_a: f64, a: &[f64], of_b: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| of_a * a + of_b * b).collect()
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// A turn from one vector to another in the plane of both.
struct Arc {
    from: Vec<f64>,
    to: Vec<f64>,
    /// Between `from` and `to` in radians; its sine is not zero.
    angle: f64,
    /// The whole way in these angles: 1, or 2 where `to` is halfway to the opposite of `from`.
    turns: f64,
    /// Length at the end over length at the start, where `to` does not bring it.
    growth: f64,
}

impl Arc {
    /// `None` where a straight line is the arc: between vectors of one direction, and from or to zero.
    fn between(a: &[f64], b: &[f64]) -> Option<Self> {
        let (length_a, length_b) = (norm(a), norm(b));
        if length_a == 0.0 || length_b == 0.0 {
            return None;
        }
        let (unit_a, unit_b) = (
            combine(1.0 / length_a, a, 0.0, a),
            combine(1.0 / length_b, b, 0.0, b),
        );
        // More precise than the arc cosine near 0 and π.
        let angle = 2.0
            * norm(&combine(1.0, &unit_a, -1.0, &unit_b))
                .atan2(norm(&combine(1.0, &unit_a, 1.0, &unit_b)));
        if angle.sin() > PARALLEL_SINE {
            return Some(Self {
                from: a.to_vec(),
                to: b.to_vec(),
                angle,
                turns: 1.0,
                growth: 1.0,
            });
        }
        if angle < 1.0 {
            return None;
        }
        // Opposite vectors have no plane: turn towards the axis that they have least of.
        let (axis, _) =
            (unit_a.iter().enumerate()).min_by(|(_, x), (_, y)| x.abs().total_cmp(&y.abs()))?;
        let mut side: Vec<f64> = unit_a.iter().map(|value| -unit_a[axis] * value).collect();
        side[axis] += 1.0;
        let length = norm(&side);
        // In one dimension there is nowhere to turn.
        (length > PARALLEL_SINE).then(|| Self {
            from: a.to_vec(),
            to: combine(length_a / length, &side, 0.0, &side),
            angle: std::f64::consts::FRAC_PI_2,
            turns: 2.0,
            growth: length_b / length_a,
        })
    }

    fn point(&self, t: f64) -> Vec<f64> {
        let turned = self.turns * t;
        let scale = (1.0 + t * (self.growth - 1.0)) / self.angle.sin();
        combine(
            scale * ((1.0 - turned) * self.angle).sin(),
            &self.from,
            scale * (turned * self.angle).sin(),
            &self.to,
        )
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use proptest::prelude::*;

    use super::*;

    fn path(a: &[f32], b: &[f32], steps: usize, interpolation: Interpolation) -> Vec<Vec<f32>> {
        let tensor = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [values.len()]);
            Tensor::<1>::from_data(data, &Device::flex())
        };
        let path = interpolate(tensor(a), tensor(b), steps, interpolation).unwrap();
        assert_eq!(path.dims(), [steps, a.len()]);
        let values: Vec<f32> = path.into_data().try_into_vec().unwrap();
        values.chunks(a.len()).map(<[f32]>::to_vec).collect()
    }

    fn length(vector: &[f32]) -> f64 {
        norm(&vector.iter().map(|&v| f64::from(v)).collect::<Vec<_>>())
    }

    fn unit(vector: &[f32]) -> Vec<f32> {
        let length = length(vector) as f32;
        vector.iter().map(|v| v / length).collect()
    }

    fn angle(a: &[f32], b: &[f32]) -> f64 {
        let product = |a: &[f32], b: &[f32]| -> f64 {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        (product(a, b) / (length(a) * length(b)))
            .clamp(-1.0, 1.0)
            .acos()
    }

    fn vector() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(-3.0f32..3.0, 5)
    }

    proptest! {
        #[test]
        fn ends_are_exact(a in vector(), b in vector(), steps in 2usize..9) {
            for interpolation in [Interpolation::Linear, Interpolation::Spherical] {
                let path = path(&a, &b, steps, interpolation);
                prop_assert_eq!(&path[0], &a);
                prop_assert_eq!(&path[steps - 1], &b);
            }
        }

        #[test]
        fn an_arc_between_unit_vectors_turns_evenly_and_keeps_their_length(a in vector(), b in vector()) {
            prop_assume!(length(&a) > 0.1 && length(&b) > 0.1);
            let (a, b) = (unit(&a), unit(&b));
            let path = path(&a, &b, 6, Interpolation::Spherical);
            for point in &path {
                prop_assert!((length(point) - 1.0).abs() < 1e-5);
            }
            for pair in path.windows(2) {
                prop_assert!((angle(&pair[0], &pair[1]) - angle(&a, &b) / 5.0).abs() < 2e-3);
            }
        }

        #[test]
        fn an_arc_between_opposite_vectors_goes_half_round(a in vector(), growth in 0.5f32..2.0) {
            prop_assume!(length(&a) > 0.1);
            let a = unit(&a);
            let b: Vec<f32> = a.iter().map(|v| -growth * v).collect();
            let path = path(&a, &b, 5, Interpolation::Spherical);
            for (step, point) in path.iter().enumerate() {
                let t = step as f64 / 4.0;
                let expected = 1.0 + t * (f64::from(growth) - 1.0);
                prop_assert!((length(point) - expected).abs() < 1e-5);
                prop_assert!((angle(&a, point) - t * std::f64::consts::PI).abs() < 2e-3);
            }
        }

        #[test]
        fn a_straight_line_divides_evenly(a in vector(), b in vector()) {
            let path = path(&a, &b, 4, Interpolation::Linear);
            for (i, (a, b)) in a.iter().zip(&b).enumerate() {
                prop_assert!((path[1][i] - (2.0 * a + b) / 3.0).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn equal_and_empty_directions_stay_finite() {
        for (a, b) in [
            ([1.0, 2.0], [1.0, 2.0]),
            ([1.0, 2.0], [2.0, 4.0]),
            ([0.0, 0.0], [1.0, 0.0]),
            ([0.0, 0.0], [0.0, 0.0]),
            ([1.0, 2.0], [1.0, 2.000_000_2]),
            ([1.0, 2.0], [-1.0, -2.000_000_2]),
        ] {
            for point in path(&a, &b, 7, Interpolation::Spherical) {
                assert!(point.iter().all(|v| v.is_finite()), "{a:?} {b:?} {point:?}");
            }
        }
        assert_eq!(
            path(&[1.0, 2.0], &[2.0, 4.0], 3, Interpolation::Spherical)[1],
            [1.5, 3.0]
        );
        assert_eq!(path(&[1.0], &[-1.0], 3, Interpolation::Spherical)[1], [0.0]);
    }

    #[test]
    fn too_few_steps_and_other_lengths_are_refused() {
        let zeros = |length| Tensor::<1>::zeros([length], &Device::flex());
        for (b, steps, expected) in [(3, 1, "in 1 steps"), (4, 5, "of 3 and 4 numbers")] {
            let message = interpolate(zeros(3), zeros(b), steps, Interpolation::Linear)
                .unwrap_err()
                .to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}

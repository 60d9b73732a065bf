//! What stands between a transformer's matrix products: biases, activation, dropout, residuals and normalisation, each
//! group in one pass over the data.

use rayon::prelude::*;

use super::Dropout;
use crate::nn::recurrent::kernel::simd::{Job, Level, Vector, exp};

/// Values that a thread takes at a time, about.
const CHUNK: usize = 32_768;
/// Partial sums of a reduction, so that it runs in vectors.
const LANES: usize = 16;

/// Rows of a chunk.
fn chunk_rows(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}

/// Σ f(i) for i below `n`.
#[inline(always)]
fn sum(n: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
    }
    sums.iter().sum::<f32>() + (whole..n).map(f).sum::<f32>()
}

/// Adds vectors up.
fn total<const N: usize>(
    parts: impl Iterator<Item = [Vec<f32>; N]>,
    width: usize,
) -> [Vec<f32>; N] {
    let mut totals = [0; N].map(|_| vec![0.0; width]);
    for part in parts {
        for (total, part) in totals.iter_mut().zip(part) {
            total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
    }
    totals
}

/// Standard normal distribution: the share above |x|, and its density at x.
///
/// Abramowitz and Stegun 1964, 7.1.26; absolute error below 10⁻⁷.
#[inline(always)]
fn normal<V: Vector>(x: V) -> (V, V) {
    const SERIES: [f32; 5] = [
        1.061_405_4,
        -1.453_152,
        1.421_413_7,
        -0.284_496_74,
        0.254_829_6,
    ];
    let one = V::splat(1.0);
    let distance = x.max(V::splat(0.0).sub(x));
    // e^(−x²/2)
    let bell = exp(x.mul(x).mul(V::splat(-0.5)));
    let t = one.div(distance.mul_add(V::splat(0.327_591_1 / std::f32::consts::SQRT_2), one));
    let mut series = V::splat(SERIES[0]);
    for coefficient in &SERIES[1..] {
        series = series.mul_add(t, V::splat(*coefficient));
    }
    let tail = series.mul(t).mul(bell).mul(V::splat(0.5));
    // 1 / √(2π)
    (tail, bell.mul(V::splat(0.398_942_3)))
}

/// x · Φ(x) = max(x, 0) − |x| · (1 − Φ(|x|))
#[inline(always)]
fn gelu_value<V: Vector>(x: V) -> V {
    let (tail, _) = normal(x);
    let distance = x.max(V::splat(0.0).sub(x));
    x.max(V::splat(0.0)).sub(distance.mul(tail))
}

/// Φ(x) + x · φ(x)
#[inline(always)]
fn gelu_slope<V: Vector>(x: V) -> V {
    let (tail, density) = normal(x);
    let half = V::splat(0.5);
    let one = V::splat(1.0);
    let sign = x.mul(V::splat(1e30)).min(one).max(V::splat(-1.0));
    sign.mul_add(half.sub(tail), half).add(x.mul(density))
}

/// The vector at `start` of a row; zeros behind its end.
///
/// No closure holds vectors here: only what is inlined by force into [`Level::run`] is compiled for its instructions.
#[inline(always)]
fn load<V: Vector>(row: &[f32], start: usize) -> V {
    if start + V::LANES <= row.len() {
        return V::load(&row[start..]);
    }
    let mut lanes = [0.0; LANES];
    lanes[..row.len() - start].copy_from_slice(&row[start..]);
    V::load(&lanes)
}

/// The inverse of [`load`].
#[inline(always)]
fn store<V: Vector>(vector: V, row: &mut [f32], start: usize) {
    if start + V::LANES <= row.len() {
        vector.store(&mut row[start..]);
        return;
    }
    let mut lanes = [0.0; LANES];
    vector.store(&mut lanes);
    let rest = row.len() - start;
    row[start..].copy_from_slice(&lanes[..rest]);
}

#[inline(always)]
fn drop_row(row: &mut [f32], dropout: Option<Dropout>, first: usize) {
    if let Some(dropout) = dropout {
        for (i, value) in row.iter_mut().enumerate() {
            *value *= dropout.factor((first + i) as u32);
        }
    }
}

/// Dropout of GELU(`x` + `bias`) for `x` `[rows, width]` and `bias` `[width]`; GELU in its exact form.
///
/// Source: Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016).
///
/// # Panics
/// If the length of `x` is no multiple of that of `bias`.
pub fn bias_gelu(x: &[f32], bias: &[f32], dropout: Option<Dropout>) -> Vec<f32> {
    let width = bias.len();
    let mut output = vec![0.0; x.len()];
    if x.is_empty() {
        return output;
    }
    assert!(x.len().is_multiple_of(width), "whole rows");
    let rows = chunk_rows(width);
    output
        .par_chunks_mut(rows * width)
        .zip(x.par_chunks(rows * width))
        .enumerate()
        .for_each(|(chunk, (output, x))| {
            Level::best().run(BiasGelu {
                x,
                bias,
                output,
                dropout,
                first: chunk * rows * width,
            });
        });
    output
}

struct BiasGelu<'a> {
    x: &'a [f32],
    bias: &'a [f32],
    output: &'a mut [f32],
    dropout: Option<Dropout>,
    first: usize,
}

impl Job for BiasGelu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let width = self.bias.len();
        let rows = (self.x.chunks_exact(width)).zip(self.output.chunks_exact_mut(width));
        for (row, (x, output)) in rows.enumerate() {
            for start in (0..width).step_by(V::LANES) {
                let sum = load::<V>(x, start).add(load(self.bias, start));
                store(gelu_value(sum), output, start);
            }
            drop_row(output, self.dropout, self.first + row * width);
        }
    }
}

/// Gradients of [`bias_gelu`] with respect to `x` and `bias`.
///
/// # Panics
/// If lengths differ, or are no multiple of the bias's.
pub fn bias_gelu_backward(
    x: &[f32],
    bias: &[f32],
    dropout: Option<Dropout>,
    slope: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let width = bias.len();
    let mut to_x = vec![0.0; x.len()];
    assert_eq!(x.len(), slope.len(), "gradient of the output");
    if x.is_empty() {
        return (to_x, vec![0.0; width]);
    }
    assert!(x.len().is_multiple_of(width), "whole rows");
    let rows = chunk_rows(width);
    let parts: Vec<[Vec<f32>; 1]> = to_x
        .par_chunks_mut(rows * width)
        .zip(x.par_chunks(rows * width))
        .zip(slope.par_chunks(rows * width))
        .enumerate()
        .map(|(chunk, ((to_x, x), slope))| {
            [Level::best().run(BiasGeluGradient {
                x,
                bias,
                slope,
                to_x,
                dropout,
                first: chunk * rows * width,
            })]
        })
        .collect();
    let [to_bias] = total(parts.into_iter(), width);
    (to_x, to_bias)
}

struct BiasGeluGradient<'a> {
    x: &'a [f32],
    bias: &'a [f32],
    slope: &'a [f32],
    to_x: &'a mut [f32],
    dropout: Option<Dropout>,
    first: usize,
}

impl Job for BiasGeluGradient<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Vec<f32> {
        let width = self.bias.len();
        let mut to_bias = vec![0.0; width];
        let rows = (self.x.chunks_exact(width))
            .zip(self.slope.chunks_exact(width))
            .zip(self.to_x.chunks_exact_mut(width));
        for (row, ((x, slope), to_x)) in rows.enumerate() {
            for start in (0..width).step_by(V::LANES) {
                let sum = load::<V>(x, start).add(load(self.bias, start));
                let value = gelu_slope(sum).mul(load(slope, start));
                store(value, to_x, start);
            }
            drop_row(to_x, self.dropout, self.first + row * width);
            for (sum, value) in to_bias.iter_mut().zip(&*to_x) {
                *sum += value;
            }
        }
        to_bias
    }
}

/// What [`add_norm`] normalises: `residual` + dropout(`x` + `bias`), with `x` and `residual` `[rows, width]`.
#[derive(Clone, Copy)]
pub struct Added<'a> {
    pub x: &'a [f32],
    pub bias: &'a [f32],
    pub residual: &'a [f32],
    pub dropout: Option<Dropout>,
}

impl Added<'_> {
    fn check(&self, weight: &[f32]) {
        let width = self.bias.len();
        assert_eq!(weight.len(), width, "weight");
        assert_eq!(self.x.len(), self.residual.len(), "residual");
        assert!(
            self.x.is_empty() || self.x.len().is_multiple_of(width),
            "whole rows"
        );
    }

    /// The sum in one row, and the mean and the inverse of the deviation of its values.
    #[inline(always)]
    fn row(&self, row: usize, into: &mut [f32], epsilon: f32) -> (f32, f32) {
        let width = self.bias.len();
        let x = &self.x[row * width..][..width];
        for (into, (x, bias)) in into.iter_mut().zip(x.iter().zip(self.bias)) {
            *into = x + bias;
        }
        drop_row(into, self.dropout, row * width);
        for (into, residual) in into.iter_mut().zip(&self.residual[row * width..]) {
            *into += residual;
        }
        let scale = 1.0 / width as f32;
        let mean = sum(width, |i| into[i]) * scale;
        let variance = sum(width, |i| (into[i] - mean) * (into[i] - mean)) * scale;
        (mean, 1.0 / (variance + epsilon).sqrt())
    }
}

/// Layer normalisation of a sum: rows with mean 0 and variance 1, times `weight`, plus `shift`, `[width]` each.
///
/// Source: Ba, Kiros and Hinton, "Layer Normalization" (2016).
///
/// # Panics
/// If lengths do not fit.
pub fn add_norm(added: Added<'_>, weight: &[f32], shift: &[f32], epsilon: f32) -> Vec<f32> {
    added.check(weight);
    added.check(shift);
    let width = weight.len();
    let mut output = vec![0.0; added.x.len()];
    if output.is_empty() {
        return output;
    }
    let rows = chunk_rows(width);
    output
        .par_chunks_mut(rows * width)
        .enumerate()
        .for_each(|(chunk, output)| {
            Level::best().run(AddNorm {
                added,
                weight,
                shift,
                epsilon,
                output,
                first: chunk * rows,
            });
        });
    output
}

struct AddNorm<'a> {
    added: Added<'a>,
    weight: &'a [f32],
    shift: &'a [f32],
    epsilon: f32,
    output: &'a mut [f32],
    first: usize,
}

impl Job for AddNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let width = self.weight.len();
        for (row, output) in self.output.chunks_exact_mut(width).enumerate() {
            let (mean, inverse) = self.added.row(self.first + row, output, self.epsilon);
            for (value, (weight, shift)) in
                output.iter_mut().zip(self.weight.iter().zip(self.shift))
            {
                *value = (*value - mean) * inverse * weight + shift;
            }
        }
    }
}

/// Gradients of [`add_norm`].
pub struct AddNormGradients {
    pub x: Vec<f32>,
    pub bias: Vec<f32>,
    pub residual: Vec<f32>,
    pub weight: Vec<f32>,
    pub shift: Vec<f32>,
}

/// Gradients of [`add_norm`] from its arguments and the gradient of its output.
///
/// # Panics
/// If lengths do not fit.
pub fn add_norm_backward(
    added: Added<'_>,
    weight: &[f32],
    epsilon: f32,
    slope: &[f32],
) -> AddNormGradients {
    added.check(weight);
    assert_eq!(added.x.len(), slope.len(), "gradient of the output");
    let width = weight.len();
    let mut to_x = vec![0.0; added.x.len()];
    let mut to_residual = vec![0.0; added.x.len()];
    let rows = chunk_rows(width);
    let parts: Vec<[Vec<f32>; 3]> = if to_x.is_empty() {
        Vec::new()
    } else {
        to_x.par_chunks_mut(rows * width)
            .zip(to_residual.par_chunks_mut(rows * width))
            .zip(slope.par_chunks(rows * width))
            .enumerate()
            .map(|(chunk, ((to_x, to_residual), slope))| {
                Level::best().run(AddNormGradient {
                    added,
                    weight,
                    epsilon,
                    slope,
                    to_x,
                    to_residual,
                    first: chunk * rows,
                })
            })
            .collect()
    };
    let [bias, weight, shift] = total(parts.into_iter(), width);
    AddNormGradients {
        x: to_x,
        bias,
        residual: to_residual,
        weight,
        shift,
    }
}

struct AddNormGradient<'a> {
    added: Added<'a>,
    weight: &'a [f32],
    epsilon: f32,
    slope: &'a [f32],
    to_x: &'a mut [f32],
    to_residual: &'a mut [f32],
    first: usize,
}

impl Job for AddNormGradient<'_> {
    type Output = [Vec<f32>; 3];

    #[inline(always)]
    fn run<V: Vector>(self) -> [Vec<f32>; 3] {
        let width = self.weight.len();
        let scale = 1.0 / width as f32;
        let [mut to_bias, mut to_weight, mut to_shift] = [0; 3].map(|_| vec![0.0; width]);
        let mut normal = vec![0.0; width];
        let rows = (self.slope.chunks_exact(width))
            .zip(self.to_x.chunks_exact_mut(width))
            .zip(self.to_residual.chunks_exact_mut(width));
        for (row, ((slope, to_x), to_residual)) in rows.enumerate() {
            let (mean, inverse) = self.added.row(self.first + row, &mut normal, self.epsilon);
            normal.iter_mut().for_each(|v| *v = (*v - mean) * inverse);
            for i in 0..width {
                to_weight[i] += slope[i] * normal[i];
                to_shift[i] += slope[i];
                to_residual[i] = slope[i] * self.weight[i];
            }
            let mean = sum(width, |i| to_residual[i]) * scale;
            let along = sum(width, |i| to_residual[i] * normal[i]) * scale;
            for (to, normal) in to_residual.iter_mut().zip(&normal) {
                *to = (*to - mean - normal * along) * inverse;
            }
            to_x.copy_from_slice(to_residual);
            drop_row(to_x, self.added.dropout, (self.first + row) * width);
            for (sum, value) in to_bias.iter_mut().zip(&*to_x) {
                *sum += value;
            }
        }
        [to_bias, to_weight, to_shift]
    }
}

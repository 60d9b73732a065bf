//! Batch normalisation with an optional ReLU on plain slices, channels last.
//!
//! Source: Ioffe and Szegedy 2015, "Batch Normalization". All of it is bound by memory, so the parts are fused:
//! training reads the data twice and writes it once; its gradient reads data and output gradient twice and writes once.

mod layout;
mod passes;

use rayon::prelude::*;

use super::kernel::Level;
use layout::Layout;
use passes::{add_slopes, add_squares, add_up, normalise, slopes};

/// Mean and biased variance of every channel over a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
    /// Positions the statistics were taken over.
    pub positions: usize,
}

impl Statistics {
    /// The variance that PyTorch keeps in `running_var`: divided by n − 1. One position has none; it counts as biased.
    pub fn unbiased_variance(&self) -> Vec<f32> {
        let n = self.positions as f32;
        let factor = if self.positions > 1 {
            n / (n - 1.0)
        } else {
            1.0
        };
        self.variance
            .iter()
            .map(|variance| variance * factor)
            .collect()
    }
}

/// Gradients of a normalisation with batch statistics.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// [positions, channels]
    pub input: Vec<f32>,
    /// `[channels]`
    pub weight: Vec<f32>,
    /// `[channels]`
    pub bias: Vec<f32>,
}

/// A normalisation whose statistics are given: y = (x − mean) · scale + bias for each channel.
#[derive(Clone, Debug)]
pub struct Normaliser {
    pub mean: Vec<f32>,
    /// weight / √(variance + epsilon)
    pub scale: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Normaliser {
    /// From statistics, batch or running, and the layer's weight and bias, each `[channels]`.
    pub fn new(mean: &[f32], variance: &[f32], weight: &[f32], bias: &[f32], epsilon: f64) -> Self {
        let scale = weight
            .iter()
            .zip(variance)
            .map(|(&weight, &variance)| {
                (f64::from(weight) / (f64::from(variance) + epsilon).sqrt()) as f32
            })
            .collect();
        Self {
            mean: mean.to_vec(),
            scale,
            bias: bias.to_vec(),
        }
    }

    /// A normalisation that changes nothing.
    pub(super) fn identity(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            scale: vec![1.0; channels],
            bias: vec![0.0; channels],
        }
    }

    /// `input` [positions, channels] normalised, negative values made 0 if `relu`.
    ///
    /// # Panics
    /// If the length of `input` is no multiple of the channels.
    pub fn apply(&self, input: &[f32], relu: bool) -> Vec<f32> {
        let mut output = vec![0.0; input.len()];
        if input.is_empty() {
            return output;
        }
        let layout = Layout::new(self.scale.len(), input.len());
        let [mean, scale, bias] =
            [&self.mean, &self.scale, &self.bias].map(|values| layout.tile(values));
        let level = Level::best();
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        output
            .par_chunks_mut(layout.chunk)
            .zip(input.par_chunks(layout.chunk))
            .for_each(|(output, input)| {
                normalise(level, output, input, &mean, &scale, &bias, floor)
            });
        output
    }

    /// Weight [out_channels, …] and bias `[out_channels]` of a convolution that ends in this normalisation.
    pub fn fold(&self, weight: &[f32], bias: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let filter = weight.len() / self.scale.len().max(1);
        let weight = weight
            .chunks_exact(filter.max(1))
            .zip(&self.scale)
            .flat_map(|(filter, scale)| filter.iter().map(move |value| value * scale))
            .collect();
        let bias = bias
            .iter()
            .zip(&self.mean)
            .zip(self.scale.iter().zip(&self.bias))
            .map(|((bias, mean), (scale, shift))| (bias - mean) * scale + shift)
            .collect();
        (weight, bias)
    }
}

/// Mean and variance of every channel of `input` [positions, channels].
///
/// # Panics
/// If `input` is empty or no multiple of `channels`.
pub fn statistics(channels: usize, input: &[f32]) -> Statistics {
    let layout = Layout::new(channels, input.len());
    let level = Level::best();
    // Each chunk is centred on its own mean while it is in the cache; chunks are joined in f64 (Chan et al. 1979).
    let parts: Vec<(usize, Vec<f64>, Vec<f64>)> = input
        .par_chunks(layout.chunk)
        .map(|chunk| {
            let count = chunk.len() / channels;
            let mut sums = vec![0.0; layout.period];
            add_up(level, &mut sums, chunk);
            let mean: Vec<f64> = layout
                .fold(&sums)
                .iter()
                .map(|sum| sum / count as f64)
                .collect();
            let centre: Vec<f32> = mean.iter().map(|&mean| mean as f32).collect();
            sums.fill(0.0);
            add_squares(level, &mut sums, chunk, &layout.tile(&centre));
            // The centre is the mean rounded to f32.
            let squares = layout
                .fold(&sums)
                .iter()
                .zip(mean.iter().zip(&centre))
                .map(|(square, (mean, &centre))| {
                    square - count as f64 * (mean - f64::from(centre)).powi(2)
                })
                .collect();
            (count, mean, squares)
        })
        .collect();
    let mut total = 0;
    let mut mean = vec![0.0; channels];
    let mut squares = vec![0.0; channels];
    for (count, chunk_mean, chunk_squares) in parts {
        let joined = (total + count) as f64;
        for channel in 0..channels {
            let distance = chunk_mean[channel] - mean[channel];
            mean[channel] += distance * count as f64 / joined;
            squares[channel] +=
                chunk_squares[channel] + distance * distance * (total * count) as f64 / joined;
        }
        total += count;
    }
    Statistics {
        mean: mean.iter().map(|&mean| mean as f32).collect(),
        variance: squares
            .iter()
            .map(|square| (square / total as f64).max(0.0) as f32)
            .collect(),
        positions: total,
    }
}

/// Normalises `input` [positions, channels] by its own statistics, which are returned too; then ReLU if `relu`.
///
/// # Panics
/// If `input` is empty or no multiple of the channels, or `weight` and `bias` differ in length.
pub fn forward(
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    epsilon: f64,
    relu: bool,
) -> (Vec<f32>, Statistics) {
    assert_eq!(weight.len(), bias.len(), "channels of weight and bias");
    let statistics = statistics(weight.len(), input);
    let normaliser = Normaliser::new(
        &statistics.mean,
        &statistics.variance,
        weight,
        bias,
        epsilon,
    );
    (normaliser.apply(input, relu), statistics)
}

/// The gradients of [`forward`], given its arguments, the statistics it returned and the gradient of its output.
///
/// # Panics
/// If the slices differ in length or in channels.
pub fn backward(
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    epsilon: f64,
    relu: bool,
    statistics: &Statistics,
    output_gradient: &[f32],
) -> Gradients {
    let [mean, variance] = [&statistics.mean, &statistics.variance];
    let normaliser = Normaliser::new(mean, variance, weight, bias, epsilon);
    gradients(
        input,
        &normaliser,
        relu,
        output_gradient,
        |sums, products| Coupling::new(statistics, &normaliser.scale, epsilon, sums, products),
    )
}

/// The gradients of [`Normaliser::apply`] of given statistics, which have none themselves.
///
/// # Panics
/// As [`backward`].
pub fn fixed_backward(
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    epsilon: f64,
    relu: bool,
    [mean, variance]: [&[f32]; 2],
    output_gradient: &[f32],
) -> Gradients {
    let normaliser = Normaliser::new(mean, variance, weight, bias, epsilon);
    gradients(
        input,
        &normaliser,
        relu,
        output_gradient,
        |sums, products| Coupling::none(variance, epsilon, sums, products),
    )
}

fn gradients(
    input: &[f32],
    forward: &Normaliser,
    relu: bool,
    output_gradient: &[f32],
    coupling: impl FnOnce(&[f64], &[f64]) -> Coupling,
) -> Gradients {
    let channels = forward.scale.len();
    assert_eq!(
        input.len(),
        output_gradient.len(),
        "length of the output's gradient"
    );
    assert!(
        forward.bias.len() == channels && forward.mean.len() == channels,
        "channels"
    );
    let layout = Layout::new(channels, input.len());
    let level = Level::best();
    let (scale, mean) = (layout.tile(&forward.scale), layout.tile(&forward.mean));
    let mut bias = layout.tile(&forward.bias);
    if !relu {
        // What decides whether a gradient passes is then always positive.
        bias.fill(f32::INFINITY);
    }

    let parts: Vec<(Vec<f64>, Vec<f64>)> = input
        .par_chunks(layout.chunk)
        .zip(output_gradient.par_chunks(layout.chunk))
        .map(|(input, slope)| {
            let mut sums = vec![0.0; layout.period];
            let mut products = vec![0.0; layout.period];
            add_slopes(
                level,
                &mut sums,
                &mut products,
                input,
                slope,
                &scale,
                &bias,
                &mean,
            );
            (layout.fold(&sums), layout.fold(&products))
        })
        .collect();
    let mut sums = vec![0.0; channels];
    let mut products = vec![0.0; channels];
    for (sum, product) in parts {
        sums.iter_mut()
            .zip(sum)
            .for_each(|(all, part)| *all += part);
        products
            .iter_mut()
            .zip(product)
            .for_each(|(all, part)| *all += part);
    }

    let coupling = coupling(&sums, &products);
    let (slope_mean, slope_input) = (
        layout.tile(&coupling.slope_mean),
        layout.tile(&coupling.slope_input),
    );
    let mut gradient = vec![0.0; input.len()];
    gradient
        .par_chunks_mut(layout.chunk)
        .zip(input.par_chunks(layout.chunk))
        .zip(output_gradient.par_chunks(layout.chunk))
        .for_each(|((gradient, input), slope)| {
            slopes(
                level,
                gradient,
                input,
                slope,
                &scale,
                &bias,
                &mean,
                &slope_mean,
                &slope_input,
            );
        });
    Gradients {
        input: gradient,
        weight: coupling.weight,
        bias: coupling.bias,
    }
}

/// How the gradients of all positions act on one another through the batch statistics:
/// dx = scale · (g − mean(g) − x̂ · mean(g · x̂)), x̂ = (x − mean) · inverse deviation.
pub(super) struct Coupling {
    /// scale · mean(g)
    pub slope_mean: Vec<f32>,
    /// What (x − mean) is multiplied by: scale · inverse deviation · mean(g · x̂)
    pub slope_input: Vec<f32>,
    /// Gradient of the layer's weight.
    pub weight: Vec<f32>,
    /// Gradient of the layer's bias.
    pub bias: Vec<f32>,
}

impl Coupling {
    /// From the sums over positions of g and of g · (x − mean), each `[channels]`.
    pub fn new(
        statistics: &Statistics,
        scale: &[f32],
        epsilon: f64,
        sums: &[f64],
        products: &[f64],
    ) -> Self {
        let positions = statistics.positions as f64;
        let inverse = inverse_deviations(&statistics.variance, epsilon);
        let own = Self::none(&statistics.variance, epsilon, sums, products);
        Self {
            slope_mean: per_channel(sums, |c| f64::from(scale[c]) * sums[c] / positions),
            slope_input: per_channel(sums, |c| {
                f64::from(scale[c]) * inverse[c] * inverse[c] * products[c] / positions
            }),
            ..own
        }
    }

    /// Of given statistics: positions do not act on one another.
    fn none(variance: &[f32], epsilon: f64, sums: &[f64], products: &[f64]) -> Self {
        let inverse = inverse_deviations(variance, epsilon);
        Self {
            slope_mean: vec![0.0; sums.len()],
            slope_input: vec![0.0; sums.len()],
            weight: per_channel(sums, |c| products[c] * inverse[c]),
            bias: per_channel(sums, |c| sums[c]),
        }
    }
}

fn inverse_deviations(variance: &[f32], epsilon: f64) -> Vec<f64> {
    variance
        .iter()
        .map(|&variance| 1.0 / (f64::from(variance) + epsilon).sqrt())
        .collect()
}

fn per_channel(channels: &[f64], value: impl Fn(usize) -> f64) -> Vec<f32> {
    (0..channels.len()).map(|c| value(c) as f32).collect()
}

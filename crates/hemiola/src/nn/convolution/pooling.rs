//! Max-pooling on plain slices, channels last, alone or joined with batch normalisation and ReLU.
//!
//! All of it is bound by memory. Joined, training reads the data twice and writes only what remains of it, and the
//! gradient reads the data twice and writes it once. The place of every window's winner is kept as a byte, so that the
//! gradient needs no output.

mod passes;

use rayon::prelude::*;

use super::batch_norm::{self, Coupling, Gradients, Normaliser, Statistics};
use super::kernel::Level;
use passes::{add_won_row, give_row, lost_slopes, pool_row, relu_pool_row, won_slopes_row};

/// Floats a thread takes at a time, about.
const TASK_FLOATS: usize = 65_536;
/// The winner of a window whose values ReLU made 0.
const NOBODY: u8 = u8::MAX;

/// Sizes of a pooling whose windows lie side by side. Rows and columns that fill no window are left out, as PyTorch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// Height and width of a window, of at most 255 places.
    pub window: [usize; 2],
}

impl Windows {
    /// Height and width of the output.
    pub fn output_size(&self) -> [usize; 2] {
        [self.height / self.window[0], self.width / self.window[1]]
    }

    /// Length of the input, [batch, height, width, channels].
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.row()
    }

    /// Length of the output, [batch, output height, output width, channels].
    pub fn output_len(&self) -> usize {
        self.batch * self.output_size()[0] * self.output_row()
    }

    fn row(&self) -> usize {
        self.width * self.channels
    }

    fn output_row(&self) -> usize {
        self.output_size()[1] * self.channels
    }

    /// Rows of windows that a thread takes at a time.
    fn task_rows(&self) -> usize {
        (TASK_FLOATS / (self.row() * self.window[0]).max(1)).max(1)
    }

    fn check(&self) {
        let places = self.window[0].saturating_mul(self.window[1]);
        assert!(
            (1..=usize::from(NOBODY)).contains(&places),
            "a window has 1 to {NOBODY} places, got {:?}",
            self.window
        );
    }
}

/// What remains of the data, [batch, output height, output width, channels], and where in its window each value was.
#[derive(Clone, Debug)]
pub struct Pooled {
    pub output: Vec<f32>,
    pub winners: Vec<u8>,
}

/// The largest value of every window; the first of equals wins.
///
/// # Panics
/// If `input` is not as long as `windows` says, or the window is empty or too large.
pub fn max_pool(windows: &Windows, input: &[f32]) -> Pooled {
    let identity = Normaliser::identity(windows.channels);
    pool(windows, input, &identity, f32::NEG_INFINITY, 0)
}

/// The gradient of [`max_pool`]'s input, [batch, height, width, channels], given the winners and the output's gradient.
///
/// # Panics
/// If a slice is not as long as `windows` says.
pub fn max_pool_gradient(windows: &Windows, winners: &[u8], output_gradient: &[f32]) -> Vec<f32> {
    windows.check();
    assert_eq!(
        output_gradient.len(),
        windows.output_len(),
        "length of the output's gradient"
    );
    assert_eq!(winners.len(), output_gradient.len(), "number of winners");
    let mut gradient = vec![0.0; windows.input_len()];
    if output_gradient.is_empty() {
        return gradient;
    }
    let level = Level::best();
    let (row, output_row) = (windows.row(), windows.output_row());
    let image = windows.output_size()[0] * output_row;
    gradient
        .par_chunks_mut(windows.height * row)
        .zip(
            winners
                .par_chunks(image)
                .zip(output_gradient.par_chunks(image)),
        )
        .for_each(|(gradient, (winners, slope))| {
            gradient
                .par_chunks_mut(windows.window[0] * row)
                .zip(
                    winners
                        .par_chunks(output_row)
                        .zip(slope.par_chunks(output_row)),
                )
                .with_min_len(windows.task_rows())
                .for_each(|(gradient, (winners, slope))| {
                    let Windows {
                        window, channels, ..
                    } = *windows;
                    give_row(level, gradient, winners, slope, row, window, channels);
                });
        });
    gradient
}

/// Normalises `input` [batch, height, width, channels] by its own statistics, which are returned too, then ReLU, then [`max_pool`].
///
/// # Panics
/// As [`max_pool`], if `input` is empty, or if `weight` and `bias` are not as long as there are channels.
pub fn batch_norm_relu_pool(
    windows: &Windows,
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    epsilon: f64,
) -> (Pooled, Statistics) {
    assert!(
        weight.len() == windows.channels && bias.len() == windows.channels,
        "channels of weight and bias"
    );
    let statistics = batch_norm::statistics(windows.channels, input);
    let normaliser = Normaliser::new(
        &statistics.mean,
        &statistics.variance,
        weight,
        bias,
        epsilon,
    );
    (pool(windows, input, &normaliser, 0.0, NOBODY), statistics)
}

/// The gradients of [`batch_norm_relu_pool`], given its arguments, what it returned and the gradient of its output.
///
/// # Panics
/// If the slices differ in length or in channels.
pub fn batch_norm_relu_pool_gradients(
    windows: &Windows,
    input: &[f32],
    weight: &[f32],
    epsilon: f64,
    statistics: &Statistics,
    winners: &[u8],
    output_gradient: &[f32],
) -> Gradients {
    windows.check();
    let n = windows.channels;
    assert_eq!(input.len(), windows.input_len(), "length of the input");
    assert_eq!(
        output_gradient.len(),
        windows.output_len(),
        "length of the output's gradient"
    );
    assert_eq!(winners.len(), output_gradient.len(), "number of winners");
    let mean = &statistics.mean;
    let normaliser = Normaliser::new(mean, &statistics.variance, weight, &vec![0.0; n], epsilon);
    let scale = &normaliser.scale;
    let level = Level::best();
    let (row, output_row) = (windows.row(), windows.output_row());
    let [rows, columns] = windows.window;
    let height = windows.output_size()[0];
    let image = windows.height * row;

    let (mut sums, mut products) = (vec![0.0; n], vec![0.0; n]);
    if !output_gradient.is_empty() {
        let parts: Vec<(Vec<f32>, Vec<f32>)> = winners
            .par_chunks(output_row)
            .zip(output_gradient.par_chunks(output_row))
            .enumerate()
            .map(|(line, (winners, slope))| {
                let (mut sums, mut products) = (vec![0.0; n], vec![0.0; n]);
                let input = &input[line / height * image + line % height * rows * row..];
                add_won_row(
                    level,
                    &mut sums,
                    &mut products,
                    input,
                    winners,
                    slope,
                    row,
                    [rows, columns],
                    mean,
                );
                (sums, products)
            })
            .collect();
        for (sum, product) in parts {
            for c in 0..n {
                sums[c] += f64::from(sum[c]);
                products[c] += f64::from(product[c]);
            }
        }
    }

    let coupling = Coupling::new(statistics, scale, epsilon, &sums, &products);
    let (slope_mean, slope_input) = (&coupling.slope_mean, &coupling.slope_input);
    let mut gradient = vec![0.0; input.len()];
    let covered = windows.output_size()[1] * columns * n;
    gradient
        .par_chunks_mut(image)
        .zip(input.par_chunks(image))
        .enumerate()
        .for_each(|(index, (gradient, input))| {
            gradient
                .par_chunks_mut(rows * row)
                .zip(input.par_chunks(rows * row))
                .with_min_len(windows.task_rows())
                .enumerate()
                .for_each(|(line, (gradient, input))| {
                    if line == height {
                        return lost_slopes(level, gradient, input, mean, slope_mean, slope_input);
                    }
                    let at = (index * height + line) * output_row;
                    won_slopes_row(
                        level,
                        gradient,
                        input,
                        &winners[at..][..output_row],
                        &output_gradient[at..][..output_row],
                        row,
                        [rows, columns],
                        scale,
                        mean,
                        slope_mean,
                        slope_input,
                    );
                    for (gradient, input) in gradient.chunks_mut(row).zip(input.chunks(row)) {
                        let (gradient, input) = (&mut gradient[covered..], &input[covered..]);
                        lost_slopes(level, gradient, input, mean, slope_mean, slope_input);
                    }
                });
        });
    Gradients {
        input: gradient,
        weight: coupling.weight,
        bias: coupling.bias,
    }
}

/// ReLU of `input` [rows, row / channels, channels], then the largest of every window into `output`.
pub(super) fn relu_pool(
    level: Level,
    channels: usize,
    row: usize,
    window: [usize; 2],
    input: &[f32],
    output: &mut [f32],
) {
    let output_row = row / channels / window[1] * channels;
    for (output, input) in output
        .chunks_exact_mut(output_row)
        .zip(input.chunks_exact(window[0] * row))
    {
        relu_pool_row(level, output, input, row, window, channels);
    }
}

fn pool(
    windows: &Windows,
    input: &[f32],
    normaliser: &Normaliser,
    floor: f32,
    nobody: u8,
) -> Pooled {
    windows.check();
    assert_eq!(input.len(), windows.input_len(), "length of the input");
    let mut output = vec![0.0; windows.output_len()];
    let mut winners = vec![0; output.len()];
    if output.is_empty() {
        return Pooled { output, winners };
    }
    let level = Level::best();
    let (row, output_row) = (windows.row(), windows.output_row());
    let image = windows.output_size()[0] * output_row;
    output
        .par_chunks_mut(image)
        .zip(winners.par_chunks_mut(image))
        .zip(input.par_chunks(windows.height * row))
        .for_each(|((output, winners), input)| {
            output
                .par_chunks_mut(output_row)
                .zip(winners.par_chunks_mut(output_row))
                .zip(input.par_chunks(windows.window[0] * row))
                .with_min_len(windows.task_rows())
                .for_each(|((output, winners), input)| {
                    pool_row(
                        level,
                        output,
                        winners,
                        input,
                        row,
                        windows.window,
                        &normaliser.mean,
                        &normaliser.scale,
                        &normaliser.bias,
                        floor,
                        nobody,
                    );
                });
        });
    Pooled { output, winners }
}

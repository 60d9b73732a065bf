//! Two-dimensional convolution on plain slices, channels last, forward and backward.
//!
//! A task is some rows of one image. It copies the input rows it needs, with zeros around them, into a buffer that
//! stays in the cache, so that the inner loops know no edges; a tile of positions by up to 32 output channels is then
//! summed in registers. The gradient of the input is the same operation with turned weights.

mod filters;
mod geometry;
mod tile;
mod vector;

use std::cell::RefCell;

use rayon::prelude::*;

use super::pooling;
use filters::{Block, Filters, blocks, turn, unpack};
pub use geometry::{Geometry, Padding};
use tile::{Grid, Run, accumulate, correlate};
pub use vector::Level;

/// Floats a task reads and writes, so that they stay in the second-level cache.
const TASK_FLOATS: usize = 65_536;
/// Work is cut into at least this many tasks where it has that many rows, whatever the number of threads: sums then do not depend on the machine.
const MIN_TASKS: usize = 16;
/// Partial sums of the parameters' gradients; they are added in a fixed order.
const GRADIENT_GROUPS: usize = 16;

/// The convolution.
///
/// - `input` [batch, height, width, in_channels], `weight` [out_channels, in_channels, kernel height, kernel width], `bias` `[out_channels]`
/// - returns [batch, output height, output width, out_channels]
///
/// # Panics
/// If a slice is not as long as `geometry` says.
pub fn forward(
    geometry: &Geometry,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    forward_at(Level::best(), geometry, input, weight, bias)
}

/// [`forward`] with the instructions of `level`, which the processor must have.
pub fn forward_at(
    level: Level,
    geometry: &Geometry,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    geometry.check(level);
    assert_eq!(input.len(), geometry.input_len(), "length of the input");
    assert_eq!(weight.len(), geometry.weight_len(), "length of the weight");
    let filters = Filters::pack(level, geometry, weight, bias);
    run_forward(level, geometry, &filters, input, None)
}

/// [`forward`], then ReLU, then the largest of every `window` of height by width: only that is written to memory.
///
/// Returns [batch, output height / window height, output width / window width, out_channels], both rounded down.
///
/// # Panics
/// As [`forward`], and if the window is empty.
pub fn forward_relu_pool(
    geometry: &Geometry,
    window: [usize; 2],
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f32> {
    let level = Level::best();
    geometry.check(level);
    assert!(!window.contains(&0), "a window of {window:?}");
    assert_eq!(input.len(), geometry.input_len(), "length of the input");
    assert_eq!(weight.len(), geometry.weight_len(), "length of the weight");
    let filters = Filters::pack(level, geometry, weight, Some(bias));
    run_forward(level, geometry, &filters, input, Some(window))
}

/// The gradient of the input, [batch, height, width, in_channels].
///
/// - `weight` as in [`forward`], `output_gradient` [batch, height, width, out_channels]
///
/// # Panics
/// If a slice is not as long as `geometry` says.
pub fn input_gradient(geometry: &Geometry, weight: &[f32], output_gradient: &[f32]) -> Vec<f32> {
    input_gradient_at(Level::best(), geometry, weight, output_gradient)
}

/// [`input_gradient`] with the instructions of `level`, which the processor must have.
pub fn input_gradient_at(
    level: Level,
    geometry: &Geometry,
    weight: &[f32],
    output_gradient: &[f32],
) -> Vec<f32> {
    geometry.check(level);
    assert_eq!(
        output_gradient.len(),
        geometry.output_len(),
        "length of the output's gradient"
    );
    assert_eq!(weight.len(), geometry.weight_len(), "length of the weight");
    if output_gradient.is_empty() {
        return vec![0.0; geometry.input_len()];
    }
    let turned = geometry.turned();
    let filters = Filters::pack(level, &turned, &turn(geometry, weight), None);
    run_forward(level, &turned, &filters, output_gradient, None)
}

/// The gradients of weight, [out_channels, in_channels, kernel height, kernel width], and bias, `[out_channels]`.
///
/// - `input` and `output_gradient` as in [`forward`] and [`input_gradient`]
///
/// # Panics
/// If a slice is not as long as `geometry` says.
pub fn parameter_gradients(
    geometry: &Geometry,
    input: &[f32],
    output_gradient: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    parameter_gradients_at(Level::best(), geometry, input, output_gradient)
}

/// [`parameter_gradients`] with the instructions of `level`, which the processor must have.
pub fn parameter_gradients_at(
    level: Level,
    geometry: &Geometry,
    input: &[f32],
    output_gradient: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    geometry.check(level);
    assert_eq!(input.len(), geometry.input_len(), "length of the input");
    assert_eq!(
        output_gradient.len(),
        geometry.output_len(),
        "length of the output's gradient"
    );
    let blocks = blocks(level, geometry.out_channels);
    let taps = geometry.taps();
    let lanes: usize = blocks.iter().map(|block| block.lanes).sum();
    if input.is_empty() || output_gradient.is_empty() {
        return (
            vec![0.0; geometry.weight_len()],
            vec![0.0; geometry.out_channels],
        );
    }

    let [height, width] = geometry.output_size();
    let image_len = geometry.height * geometry.width * geometry.in_channels;
    let slope_row = width * geometry.out_channels;
    let rows = task_rows(geometry);
    let tasks: Vec<(usize, usize)> = (0..geometry.batch)
        .flat_map(|image| (0..height).step_by(rows).map(move |first| (image, first)))
        .collect();
    let group = tasks.len().div_ceil(GRADIENT_GROUPS);
    let partial: Vec<(Vec<f32>, Vec<f32>)> = tasks
        .par_chunks(group)
        .map(|tasks| {
            let mut weight = vec![0.0; taps * lanes];
            let mut bias = vec![0.0; lanes];
            for &(image, first) in tasks {
                let rows = rows.min(height - first);
                let input = &input[image * image_len..][..image_len];
                let slope =
                    &output_gradient[(image * height + first) * slope_row..][..rows * slope_row];
                let place = Place { first, rows };
                add_parameter_gradients(
                    level,
                    geometry,
                    &blocks,
                    place,
                    input,
                    slope,
                    &mut weight,
                    &mut bias,
                );
            }
            (weight, bias)
        })
        .collect();

    let mut partial = partial.into_iter();
    let (mut weight, mut bias) = partial.next().unwrap_or_default();
    for (more_weight, more_bias) in partial {
        weight
            .iter_mut()
            .zip(more_weight)
            .for_each(|(sum, more)| *sum += more);
        bias.iter_mut()
            .zip(more_bias)
            .for_each(|(sum, more)| *sum += more);
    }
    (
        unpack(geometry, &blocks, &weight),
        // Only the last block has lanes beyond its channels, so the channels are the first lanes.
        bias[..geometry.out_channels].to_vec(),
    )
}

/// Which rows of an image's output a task computes.
#[derive(Clone, Copy)]
struct Place {
    first: usize,
    rows: usize,
}

fn task_rows(geometry: &Geometry) -> usize {
    let [height, width] = geometry.output_size();
    let row = geometry.padded_width() * geometry.in_channels + width * geometry.out_channels;
    let fitting = TASK_FLOATS / row.max(1);
    let shared = (geometry.batch * height).div_ceil(MIN_TASKS);
    fitting.min(shared).min(height).max(1)
}

/// The runs of taps; with one column of taps, or taps side by side, a run holds all that lie together.
fn runs(geometry: &Geometry) -> Vec<Run> {
    let channels = geometry.in_channels;
    let width = geometry.padded_width();
    let mut runs = Vec::new();
    for y in 0..geometry.kernel[0] {
        let row = y * geometry.dilation[0] * width * channels;
        if geometry.dilation[1] == 1 {
            runs.push(Run {
                offset: row,
                taps: geometry.kernel[1] * channels,
            });
        } else {
            runs.extend((0..geometry.kernel[1]).map(|x| Run {
                offset: row + x * geometry.dilation[1] * channels,
                taps: channels,
            }));
        }
    }
    runs
}

/// The positions of a task. Without columns of zeros the rows join to one, which leaves fewer ends.
fn grid(geometry: &Geometry, rows: usize) -> Grid {
    let padded = geometry.padded_width();
    let [_, width] = geometry.output_size();
    let (rows, length) = if padded == width {
        (1, rows * width)
    } else {
        (rows, width)
    };
    Grid {
        rows,
        width: length,
        input_row: padded * geometry.in_channels,
        input_step: geometry.in_channels,
        output_row: width * geometry.out_channels,
        output_step: geometry.out_channels,
    }
}

thread_local! {
    /// Input rows with zeros around them, and output rows; kept, for a fresh buffer costs page faults.
    static ROWS: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// The rows of `image` that a task reads, zeros where there are none; `image` itself where nothing is to be added.
fn padded<'a>(
    geometry: &Geometry,
    place: Place,
    image: &'a [f32],
    buffer: &'a mut Vec<f32>,
) -> &'a [f32] {
    let channels = geometry.in_channels;
    let row = geometry.width * channels;
    let read = place.rows + geometry.span()[0];
    if geometry.padding == [[0; 2]; 2] {
        return &image[place.first * row..][..read * row];
    }
    let [left, right] = geometry.padding[1].map(|zeros| zeros * channels);
    buffer.clear();
    for y in place.first..place.first + read {
        match y.checked_sub(geometry.padding[0][0]) {
            Some(y) if y < geometry.height => {
                buffer.resize(buffer.len() + left, 0.0);
                buffer.extend_from_slice(&image[y * row..][..row]);
                buffer.resize(buffer.len() + right, 0.0);
            }
            _ => buffer.resize(buffer.len() + left + row + right, 0.0),
        }
    }
    buffer
}

/// The convolution, followed by ReLU and pooling where there is a `window`.
fn run_forward(
    level: Level,
    geometry: &Geometry,
    filters: &Filters,
    input: &[f32],
    window: Option<[usize; 2]>,
) -> Vec<f32> {
    let [height, width] = geometry.output_size();
    let [rows_each, columns_each] = window.unwrap_or([1, 1]);
    let row = width / columns_each * geometry.out_channels;
    let image = height / rows_each * row;
    let mut output = vec![0.0; geometry.batch * image];
    if output.is_empty() {
        return output;
    }
    let runs = runs(geometry);
    let rows = task_rows(geometry).div_ceil(rows_each);
    let image_len = geometry.height * geometry.width * geometry.in_channels;
    let compute = |place, input: &[f32], output: &mut [f32], buffer: &mut Vec<f32>| {
        let input = padded(geometry, place, input, buffer);
        let grid = grid(geometry, place.rows);
        for block in &filters.blocks {
            correlate(
                level,
                block.lanes,
                &grid,
                &runs,
                input,
                &filters.weight[block.first * geometry.taps()..],
                &filters.bias[block.first..],
                output,
                block.first,
                block.count,
            );
        }
    };
    output
        .par_chunks_mut(image)
        .enumerate()
        .for_each(|(index, output)| {
            let input = &input[index * image_len..][..image_len];
            output
                .par_chunks_mut(rows * row)
                .enumerate()
                .for_each(|(task, output)| {
                    ROWS.with_borrow_mut(|(buffer, result)| {
                        let place = Place {
                            first: task * rows * rows_each,
                            rows: output.len() / row * rows_each,
                        };
                        let Some(window) = window else {
                            return compute(place, input, output, buffer);
                        };
                        let row = width * geometry.out_channels;
                        result.resize(place.rows * row, 0.0);
                        compute(place, input, result, buffer);
                        pooling::relu_pool(
                            level,
                            geometry.out_channels,
                            row,
                            window,
                            result,
                            output,
                        );
                    });
                });
        });
    output
}

/// Adds one task's share to `weight`, packed as [`Filters`] are, and to `bias` [lanes].
#[allow(clippy::too_many_arguments)]
fn add_parameter_gradients(
    level: Level,
    geometry: &Geometry,
    blocks: &[Block],
    place: Place,
    image: &[f32],
    slope: &[f32],
    weight: &mut [f32],
    bias: &mut [f32],
) {
    ROWS.with_borrow_mut(|(buffer, slopes)| {
        let input = padded(geometry, place, image, buffer);
        // The last block may read beyond the last channel: into the next position, and after the last one into zeros.
        let slope = if blocks.iter().all(|block| block.count == block.lanes) {
            slope
        } else {
            slopes.clear();
            slopes.extend_from_slice(slope);
            slopes.resize(slope.len() + level.widest(), 0.0);
            slopes
        };
        let grid = grid(geometry, place.rows);
        let taps = geometry.taps();
        for block in blocks {
            let slope = &slope[block.first..];
            let mut sums = &mut weight[block.first * taps..];
            for run in runs(geometry) {
                accumulate(level, block.lanes, &grid, run, input, slope, sums);
                sums = &mut sums[run.taps * block.lanes..];
            }
            // A bias is a tap whose input is always 1.
            let one = Grid {
                input_row: 0,
                input_step: 0,
                ..grid
            };
            let tap = Run { offset: 0, taps: 1 };
            accumulate(
                level,
                block.lanes,
                &one,
                tap,
                &[1.0],
                slope,
                &mut bias[block.first..],
            );
        }
    });
}

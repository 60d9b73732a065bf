//! Two-dimensional convolution on plain slices, channels last, forward and backward.
//!
//! A task is some rows of one image. It copies the input rows it needs, with zeros around them, into a buffer that
//! stays in the cache, so that the inner loops know no edges; a tile of positions by up to 32 output channels is then
//! summed in registers. The gradient of the input is the same operation with turned weights.

mod filters;
mod tile;
mod vector;

use std::cell::RefCell;

use rayon::prelude::*;

use filters::{Block, Filters, blocks, turn, unpack};
use tile::{Grid, Run, accumulate, correlate};
pub use vector::Level;

/// Floats a task reads and writes, so that they stay in the second-level cache.
const TASK_FLOATS: usize = 65_536;
/// Work is cut into at least this many tasks where it has that many rows, whatever the number of threads: sums then do not depend on the machine.
const MIN_TASKS: usize = 16;
/// Partial sums of the parameters' gradients; they are added in a fixed order.
const GRADIENT_GROUPS: usize = 16;

/// Sizes of a convolution with stride 1 and zero padding that keeps height and width.
///
/// As PyTorch's `padding="same"`, a kernel of even span has the additional row or column of zeros after the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Taps along height and width.
    pub kernel: [usize; 2],
    /// Distance of adjacent taps along height and width.
    pub dilation: [usize; 2],
}

impl Geometry {
    /// Length of the input, [batch, height, width, in_channels].
    pub fn input_len(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels
    }

    /// Length of the output, [batch, height, width, out_channels].
    pub fn output_len(&self) -> usize {
        self.batch * self.height * self.width * self.out_channels
    }

    /// Length of the weight, [out_channels, in_channels, kernel height, kernel width].
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel[0] * self.kernel[1]
    }

    fn span(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.dilation[axis] * (self.kernel[axis] - 1))
    }

    fn check(&self, level: Level) {
        assert!(level <= Level::best(), "this processor has no {level:?}");
        assert!(
            self.kernel.iter().chain(&self.dilation).all(|&n| n > 0),
            "a kernel and its dilation are at least 1, got {self:?}"
        );
    }
}

/// The convolution.
///
/// - `input` [batch, height, width, in_channels], `weight` [out_channels, in_channels, kernel height, kernel width], `bias` `[out_channels]`
/// - returns [batch, height, width, out_channels]
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
    let before = geometry.span().map(|span| span / 2);
    let filters = Filters::pack(level, geometry, weight, bias);
    run_forward(level, geometry, before, &filters, input)
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
    let turned = Geometry {
        in_channels: geometry.out_channels,
        out_channels: geometry.in_channels,
        ..*geometry
    };
    // What was padded after the image is now padded before it.
    let before = geometry.span().map(|span| span - span / 2);
    let filters = Filters::pack(level, &turned, &turn(geometry, weight), None);
    run_forward(level, &turned, before, &filters, output_gradient)
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
    let taps = geometry.kernel[0] * geometry.kernel[1] * geometry.in_channels;
    let lanes: usize = blocks.iter().map(|block| block.lanes).sum();
    if input.is_empty() || output_gradient.is_empty() {
        return (
            vec![0.0; geometry.weight_len()],
            vec![0.0; geometry.out_channels],
        );
    }

    let before = geometry.span().map(|span| span / 2);
    let rows = task_rows(geometry);
    let tasks: Vec<(usize, usize)> = (0..geometry.batch)
        .flat_map(|image| {
            (0..geometry.height)
                .step_by(rows)
                .map(move |first| (image, first))
        })
        .collect();
    let group = tasks.len().div_ceil(GRADIENT_GROUPS);
    let partial: Vec<(Vec<f32>, Vec<f32>)> = tasks
        .par_chunks(group)
        .map(|tasks| {
            let mut weight = vec![0.0; taps * lanes];
            let mut bias = vec![0.0; lanes];
            for &(image, first) in tasks {
                let rows = rows.min(geometry.height - first);
                let size = geometry.height * geometry.width;
                let input =
                    &input[image * size * geometry.in_channels..][..size * geometry.in_channels];
                let slope = &output_gradient
                    [(image * geometry.height + first) * geometry.width * geometry.out_channels..]
                    [..rows * geometry.width * geometry.out_channels];
                let place = Place {
                    first,
                    rows,
                    before,
                };
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

/// Which rows of an image a task computes, and how many rows and columns of zeros stand before the image.
#[derive(Clone, Copy)]
struct Place {
    first: usize,
    rows: usize,
    before: [usize; 2],
}

fn task_rows(geometry: &Geometry) -> usize {
    let row = (geometry.width + geometry.span()[1]) * geometry.in_channels
        + geometry.width * geometry.out_channels;
    let fitting = TASK_FLOATS / row.max(1);
    let shared = (geometry.batch * geometry.height).div_ceil(MIN_TASKS);
    fitting.min(shared).min(geometry.height).max(1)
}

/// The runs of taps; with one column of taps, or taps side by side, a run holds all that lie together.
fn runs(geometry: &Geometry) -> Vec<Run> {
    let channels = geometry.in_channels;
    let width = geometry.width + geometry.span()[1];
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
    let padded = geometry.width + geometry.span()[1];
    let (rows, width) = if padded == geometry.width {
        (1, rows * geometry.width)
    } else {
        (rows, geometry.width)
    };
    Grid {
        rows,
        width,
        input_row: padded * geometry.in_channels,
        input_step: geometry.in_channels,
        output_row: geometry.width * geometry.out_channels,
        output_step: geometry.out_channels,
    }
}

thread_local! {
    /// Input rows with zeros around them, and a copy of the output's gradient; kept, for a fresh buffer costs page faults.
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
    let [span_height, span_width] = geometry.span();
    if span_height == 0 && span_width == 0 {
        return &image[place.first * row..][..place.rows * row];
    }
    let (left, right) = (
        place.before[1] * channels,
        (span_width - place.before[1]) * channels,
    );
    buffer.clear();
    for y in place.first..place.first + place.rows + span_height {
        match y.checked_sub(place.before[0]) {
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

fn run_forward(
    level: Level,
    geometry: &Geometry,
    before: [usize; 2],
    filters: &Filters,
    input: &[f32],
) -> Vec<f32> {
    let mut output = vec![0.0; geometry.output_len()];
    if output.is_empty() {
        return output;
    }
    let runs = runs(geometry);
    let rows = task_rows(geometry);
    let taps = geometry.kernel[0] * geometry.kernel[1] * geometry.in_channels;
    let image = geometry.height * geometry.width;
    let row = geometry.width * geometry.out_channels;
    output
        .par_chunks_mut(image * geometry.out_channels)
        .enumerate()
        .for_each(|(index, output)| {
            let input =
                &input[index * image * geometry.in_channels..][..image * geometry.in_channels];
            output
                .par_chunks_mut(rows * row)
                .enumerate()
                .for_each(|(task, output)| {
                    ROWS.with_borrow_mut(|(buffer, _)| {
                        let place = Place {
                            first: task * rows,
                            rows: output.len() / row,
                            before,
                        };
                        let input = padded(geometry, place, input, buffer);
                        let grid = grid(geometry, place.rows);
                        for block in &filters.blocks {
                            let weight = &filters.weight[block.first * taps..];
                            let bias = &filters.bias[block.first..];
                            correlate(
                                level,
                                block.lanes,
                                &grid,
                                &runs,
                                input,
                                weight,
                                bias,
                                output,
                                block.first,
                                block.count,
                            );
                        }
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
        let taps = geometry.kernel[0] * geometry.kernel[1] * geometry.in_channels;
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

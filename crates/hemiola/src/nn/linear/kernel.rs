//! `y = x·W + b`, or its ReLU, forward and backward on plain slices.

use rayon::prelude::*;

use crate::nn::recurrent::kernel::product::{Matrix, matmul};

/// Products of fewer multiplications run on one thread.
const PARALLEL_FROM: usize = 1 << 20;
/// Every thread packs the other factor for itself, which fewer rows do not repay.
const ROWS_OF_A_THREAD: usize = 64;
/// Edge of the squares in which a matrix is transposed, in values.
const TILE: usize = 16;

/// Sizes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// The loss's gradients with respect to all that went into a layer.
pub struct Gradients {
    /// `[rows, inputs]`; absent if it was not asked for
    pub x: Option<Vec<f32>>,
    /// `[inputs, outputs]`
    pub weight: Vec<f32>,
    /// `[outputs]`
    pub bias: Vec<f32>,
}

/// `x` `[rows, inputs]` times `weight` `[inputs, outputs]` plus `bias` `[outputs]`, then ReLU if `relu`.
///
/// # Panics
/// If a slice's length does not fit `shape`.
pub fn forward(shape: Shape, x: &[f32], weight: &[f32], bias: &[f32], relu: bool) -> Vec<f32> {
    let Shape {
        rows,
        inputs,
        outputs,
    } = shape;
    assert_eq!(x.len(), rows * inputs, "length of the input");
    assert_eq!(weight.len(), inputs * outputs, "length of the weight");
    assert_eq!(bias.len(), outputs, "length of the bias");
    let weight = Matrix::rows(weight, outputs);
    in_row_blocks(rows, outputs, inputs, |first, part| {
        let x = Matrix::rows(&x[first * inputs..], inputs);
        matmul(
            part,
            [part.len() / outputs, outputs, inputs],
            x,
            weight,
            false,
        );
        for row in part.chunks_exact_mut(outputs) {
            for (y, bias) in row.iter_mut().zip(bias) {
                let sum = *y + bias;
                *y = if relu { sum.max(0.0) } else { sum };
            }
        }
    })
}

/// From the gradient `slope` of the output, `[rows, outputs]`. `output` is what [`forward`] returned where it ended in ReLU.
///
/// # Panics
/// If a slice's length does not fit `shape`.
pub fn backward(
    shape: Shape,
    x: &[f32],
    weight: &[f32],
    output: Option<&[f32]>,
    slope: &[f32],
    wants_x: bool,
) -> Gradients {
    let Shape {
        rows,
        inputs,
        outputs,
    } = shape;
    assert_eq!(x.len(), rows * inputs, "length of the input");
    assert_eq!(weight.len(), inputs * outputs, "length of the weight");
    assert_eq!(slope.len(), rows * outputs, "length of the gradient");
    let masked: Option<Vec<f32>> = output.map(|output| {
        assert_eq!(output.len(), slope.len(), "length of the output");
        let pairs = slope.iter().zip(output);
        pairs
            .map(|(slope, y)| if *y > 0.0 { *slope } else { 0.0 })
            .collect()
    });
    let slope = masked.as_deref().unwrap_or(slope);
    let of_weight = in_row_blocks(inputs, outputs, rows, |first, part| {
        let columns_of_x = Matrix {
            data: x.get(first..).unwrap_or_default(),
            row_stride: 1,
            column_stride: inputs,
        };
        let slope = Matrix::rows(slope, outputs);
        matmul(
            part,
            [part.len() / outputs, outputs, rows],
            columns_of_x,
            slope,
            false,
        );
    });
    let of_x = wants_x.then(|| {
        let weight = transposed(weight, inputs, outputs);
        let weight = Matrix::rows(&weight, inputs);
        in_row_blocks(rows, inputs, outputs, |first, part| {
            let slope = Matrix::rows(&slope[first * outputs..], outputs);
            matmul(
                part,
                [part.len() / inputs, inputs, outputs],
                slope,
                weight,
                false,
            );
        })
    });
    let mut of_bias = vec![0.0; outputs];
    for row in slope.chunks_exact(outputs.max(1)) {
        for (sum, slope) in of_bias.iter_mut().zip(row) {
            *sum += slope;
        }
    }
    Gradients {
        x: of_x,
        weight: of_weight,
        bias: of_bias,
    }
}

/// A matrix of `rows` rows of `width` values, which `fill` computes some rows at a time, given the first of them, each with
/// `inner · width` multiplications.
fn in_row_blocks(
    rows: usize,
    width: usize,
    inner: usize,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let mut matrix = vec![0.0; rows * width];
    if matrix.is_empty() {
        return matrix;
    }
    let threads = rayon::current_num_threads();
    if threads == 1 || rows * width * inner < PARALLEL_FROM {
        fill(0, &mut matrix);
        return matrix;
    }
    let block = rows.div_ceil(threads).max(ROWS_OF_A_THREAD);
    matrix
        .par_chunks_mut(block * width)
        .enumerate()
        .for_each(|(index, part)| fill(index * block, part));
    matrix
}

/// Columns become rows. A product with rows that lie so is faster by more than this takes.
fn transposed(matrix: &[f32], rows: usize, width: usize) -> Vec<f32> {
    let mut columns = vec![0.0; matrix.len()];
    for row in (0..rows).step_by(TILE) {
        for column in (0..width).step_by(TILE) {
            for r in row..rows.min(row + TILE) {
                for c in column..width.min(column + TILE) {
                    columns[c * rows + r] = matrix[r * width + c];
                }
            }
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len)
            .map(|i| ((i * 37 + seed * 11) % 19) as f32 / 4.0 - 2.0)
            .collect()
    }

    #[test]
    fn products_in_blocks_are_the_definition() {
        // The last ones are large enough for several threads, with blocks of different sizes.
        for (rows, inputs, outputs) in [
            (1, 1, 1),
            (3, 7, 5),
            (20, 17, 33),
            (131, 100, 90),
            (300, 70, 64),
        ] {
            let shape = Shape {
                rows,
                inputs,
                outputs,
            };
            let (x, weight) = (numbers(rows * inputs, 1), numbers(inputs * outputs, 2));
            let (bias, slope) = (numbers(outputs, 3), numbers(rows * outputs, 4));
            for relu in [false, true] {
                let y = forward(shape, &x, &weight, &bias, relu);
                let output = relu.then_some(y.as_slice());
                let found = backward(shape, &x, &weight, output, &slope, true);
                let mut expected = [
                    vec![0.0; x.len()],
                    vec![0.0; weight.len()],
                    vec![0.0; outputs],
                ];
                for r in 0..rows {
                    for o in 0..outputs {
                        let terms =
                            (0..inputs).map(|i| x[r * inputs + i] * weight[i * outputs + o]);
                        let sum: f32 = bias[o] + terms.sum::<f32>();
                        let (value, passes) = match relu {
                            true => (sum.max(0.0), sum > 0.0),
                            false => (sum, true),
                        };
                        assert!((y[r * outputs + o] - value).abs() < 1e-3);
                        if !passes {
                            continue;
                        }
                        let slope = slope[r * outputs + o];
                        for i in 0..inputs {
                            expected[0][r * inputs + i] += slope * weight[i * outputs + o];
                            expected[1][i * outputs + o] += slope * x[r * inputs + i];
                        }
                        expected[2][o] += slope;
                    }
                }
                let found = [found.x.unwrap(), found.weight, found.bias];
                for (found, expected) in found.iter().zip(&expected) {
                    for (found, expected) in found.iter().zip(expected) {
                        assert!(
                            (found - expected).abs() < 2e-3,
                            "{shape:?} {found} {expected}"
                        );
                    }
                }
            }
        }
    }
}

//! One direction of a layer, whatever its cell: its parameters, the products over all frames, and the way of states and
//! gradients in and out of the packed order.

use super::product::{self, Matrix, Packing, Panels, RowBlock, in_row_blocks, panel_product};
use super::sequence::{Order, Shape, Slots};
use super::simd::Vector;

/// The parameters of one direction; `gates` is 4 in an LSTM and 3 in a GRU.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// `[gates · hidden, input]`
    pub input: &'a [f32],
    /// `[gates · hidden, hidden]`
    pub hidden: &'a [f32],
    /// `[gates · hidden]`
    pub input_bias: &'a [f32],
    /// `[gates · hidden]`
    pub hidden_bias: &'a [f32],
}

/// Gradients of one direction's [`Weights`].
pub struct WeightGradients {
    pub input: Vec<f32>,
    pub hidden: Vec<f32>,
    pub input_bias: Vec<f32>,
    pub hidden_bias: Vec<f32>,
}

/// Panics where a length does not fit; `states` are `[directions, batch, hidden]` each.
pub(super) fn check<'a>(
    gates: usize,
    shape: Shape,
    x: &[f32],
    directions: &[Weights<'_>],
    states: impl IntoIterator<Item = &'a [f32]>,
) {
    assert!(
        matches!(directions.len(), 1 | 2),
        "one or two directions, not {}",
        directions.len()
    );
    assert_eq!(x.len(), shape.frames() * shape.input, "length of the input");
    for weights in directions {
        weights.check(gates, shape.input, shape.hidden);
    }
    for state in states {
        let len = directions.len() * shape.batch * shape.hidden;
        assert_eq!(state.len(), len, "length of a state");
    }
}

impl Weights<'_> {
    pub(super) fn check(&self, gates: usize, input: usize, hidden: usize) {
        let rows = gates * hidden;
        assert_eq!(self.input.len(), rows * input, "input weights");
        assert_eq!(self.hidden.len(), rows * hidden, "hidden weights");
        assert_eq!(self.input_bias.len(), rows, "input bias");
        assert_eq!(self.hidden_bias.len(), rows, "hidden bias");
    }
}

/// `[time, batch, gates in packed order]`, the part of the gates that depends on `x` alone, without bias.
pub(super) fn input_product(
    packing: Packing,
    shape: Shape,
    x: &[f32],
    weights: &[f32],
    threads: bool,
) -> Vec<f32> {
    let mut gates = vec![0.0; shape.frames() * packing.rows()];
    let packed = packing.pack_rows(weights, shape.input);
    product::matmul(
        &mut gates,
        [shape.frames(), packing.rows(), shape.input],
        Matrix::rows(x, shape.input),
        Matrix::rows(&packed, shape.input).transposed(),
        threads,
    );
    gates
}

/// Copies a direction's part of `[directions, batch, hidden]` to the beginnings of rows of `stride` values.
pub(super) fn put_state(
    shape: Shape,
    direction: usize,
    state: &[f32],
    rows: &mut [f32],
    stride: usize,
) {
    for b in 0..shape.batch {
        let from = (direction * shape.batch + b) * shape.hidden;
        rows[b * stride..][..shape.hidden].copy_from_slice(&state[from..][..shape.hidden]);
    }
}

/// The inverse of [`put_state`]: `[batch, hidden]`.
pub(super) fn take_state(shape: Shape, rows: &[f32], stride: usize) -> Vec<f32> {
    (0..shape.batch)
        .flat_map(|b| rows[b * stride..][..shape.hidden].iter().copied())
        .collect()
}

/// The hidden states of all frames, directions side by side, `[…, directions · hidden]` in the given order; each
/// direction has `[time + 1, batch, units]`, see [`Slots`].
pub(super) fn side_by_side(
    packing: Packing,
    shape: Shape,
    order: Order,
    directions: &[&[f32]],
) -> Vec<f32> {
    let width = directions.len() * shape.hidden;
    let units = packing.units();
    let mut y = vec![0.0; shape.frames() * width];
    for (direction, hidden) in directions.iter().enumerate() {
        let slots = Slots::new(shape.time, direction == 1);
        for b in 0..shape.batch {
            for t in 0..shape.time {
                let from = (slots.after(t) * shape.batch + b) * units;
                let to = order.row(shape, b, t) * width + direction * shape.hidden;
                y[to..][..shape.hidden].copy_from_slice(&hidden[from..][..shape.hidden]);
            }
        }
    }
    y
}

/// The gradient of a layer's output, of which a direction has a part of each row.
#[derive(Clone, Copy)]
pub(super) struct OutputSlope<'a> {
    pub shape: Shape,
    pub order: Order,
    pub y: &'a [f32],
    pub directions: usize,
    pub direction: usize,
}

impl OutputSlope<'_> {
    /// Adds that of one frame of one sequence.
    #[inline(always)]
    pub fn add_to(&self, to: &mut [f32], b: usize, frame: usize) {
        let hidden = self.shape.hidden;
        let row = self.order.row(self.shape, b, frame);
        let start = (row * self.directions + self.direction) * hidden;
        for (to, y) in to.iter_mut().zip(&self.y[start..][..hidden]) {
            *to += y;
        }
    }
}

/// Vectors per row in a panel of the backward product.
const BACKWARD_VECTORS: usize = 4;

/// Hidden weights, packed for [`add_product`]; `lanes` is the width of the vectors.
pub(super) fn backward_panels(packing: Packing, weights: &[f32]) -> Panels {
    Panels::of_rows(
        packing,
        weights,
        packing.hidden,
        BACKWARD_VECTORS * packing.lanes,
    )
}

/// Adds to each row of `hidden`, `panels.width()` values long, the product of a row of gate gradients, of which there are
/// `batch`, with the hidden weights.
#[inline(always)]
pub(super) fn add_product<V: Vector>(
    panels: &Panels,
    gates: &[f32],
    batch: usize,
    hidden: &mut [f32],
) {
    for (panel, columns) in panels.iter().enumerate() {
        let mut work = AddProduct {
            panel: columns,
            first_column: panel * BACKWARD_VECTORS * V::LANES,
            gates,
            gates_stride: gates.len().checked_div(batch).unwrap_or(0),
            hidden,
            hidden_stride: panels.width(),
        };
        in_row_blocks::<V>(batch, &mut work);
    }
}

struct AddProduct<'a> {
    panel: &'a [f32],
    first_column: usize,
    gates: &'a [f32],
    gates_stride: usize,
    hidden: &'a mut [f32],
    hidden_stride: usize,
}

impl RowBlock for AddProduct<'_> {
    #[inline(always)]
    fn block<V: Vector, const ROWS: usize>(&mut self, first_row: usize) {
        let start = first_row * self.hidden_stride + self.first_column;
        let mut sums = [[V::splat(0.0); BACKWARD_VECTORS]; ROWS];
        for (row, sums) in sums.iter_mut().enumerate() {
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(&self.hidden[start + row * self.hidden_stride + n * V::LANES..]);
            }
        }
        let sums = panel_product(
            sums,
            &self.gates[first_row * self.gates_stride..],
            self.gates_stride,
            self.panel,
        );
        for (row, sums) in sums.into_iter().enumerate() {
            for (n, sum) in sums.into_iter().enumerate() {
                sum.store(&mut self.hidden[start + row * self.hidden_stride + n * V::LANES..]);
            }
        }
    }
}

/// The gradients of one direction's gates before their activations, `[time, batch, gates in packed order]` each.
#[derive(Clone, Copy)]
pub(super) struct GateGradients<'a> {
    pub packing: Packing,
    pub shape: Shape,
    /// Of what the input adds to them
    pub input: &'a [f32],
    /// Of what the hidden state adds to them, where that is not the same
    pub hidden: Option<&'a [f32]>,
}

impl GateGradients<'_> {
    /// From the input `x` and the states before all frames, `[time, batch, units]`.
    pub fn of_weights(&self, x: &[f32], before: &[f32], threads: bool) -> WeightGradients {
        let packing = self.packing;
        let (rows, units, input) = (packing.rows(), packing.units(), self.shape.input);
        let product = |gates: &[f32], with: &[f32], stride: usize, width: usize| {
            let mut gradient = vec![0.0; rows * stride];
            product::matmul(
                &mut gradient,
                [rows, stride, self.shape.frames()],
                Matrix::rows(gates, rows).transposed(),
                Matrix::rows(with, stride),
                threads,
            );
            packing.unpack_rows(&gradient, stride, width)
        };
        let sum = |gates: &[f32]| {
            let mut sums = vec![0.0; rows];
            for row in gates.chunks_exact(rows.max(1)) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            packing.unpack_rows(&sums, 1, 1)
        };
        let input_bias = sum(self.input);
        let hidden_bias = self.hidden.map_or_else(|| input_bias.clone(), sum);
        WeightGradients {
            input: product(self.input, x, input, input),
            hidden: product(
                self.hidden.unwrap_or(self.input),
                before,
                units,
                packing.hidden,
            ),
            input_bias,
            hidden_bias,
        }
    }

    /// `[time, batch, input]`, from the input weights.
    pub fn of_input(&self, weights: &[f32], threads: bool) -> Vec<f32> {
        let (rows, width) = (self.packing.rows(), self.shape.input);
        let mut gradient = vec![0.0; self.shape.frames() * width];
        let packed = self.packing.pack_rows(weights, width);
        product::matmul(
            &mut gradient,
            [self.shape.frames(), width, rows],
            Matrix::rows(self.input, rows),
            Matrix::rows(&packed, width),
            threads,
        );
        gradient
    }
}

/// The sum of the directions' gradients of the input, absent where they have none.
pub(super) fn sum(gradients: impl Iterator<Item = Option<Vec<f32>>>) -> Option<Vec<f32>> {
    gradients.flatten().reduce(|mut sum, gradient| {
        for (sum, value) in sum.iter_mut().zip(gradient) {
            *sum += value;
        }
        sum
    })
}

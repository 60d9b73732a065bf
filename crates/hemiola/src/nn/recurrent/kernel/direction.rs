//! One direction of a layer, whatever its cell: its parameters, the products over all frames, and the way of states and
//! gradients in and out of the packed order.

use super::product::{self, Matrix, Packing, Panels, RowBlock, in_row_blocks, panel_product};
use super::sequence::{Order, Part, Shape};
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
    // The product is faster with columns in this order than with a transposed view of packed rows.
    let packed = packing.pack_columns(weights, shape.input);
    product::matmul(
        &mut gates,
        [shape.frames(), packing.rows(), shape.input],
        Matrix::rows(x, shape.input),
        Matrix::rows(&packed, packing.rows()),
        threads,
    );
    gates
}

/// Copies a part's rows of `[directions, batch, hidden]` to the beginnings of rows of `stride` values.
pub(super) fn put_state(part: Part, state: &[f32], rows: &mut [f32], stride: usize) {
    let hidden = part.shape.hidden;
    for b in 0..part.shape.batch {
        rows[b * stride..][..hidden]
            .copy_from_slice(&state[part.state_row(b) * hidden..][..hidden]);
    }
}

/// The beginnings of a part's rows: `[batch, hidden]`.
pub(super) fn take_state(part: Part, rows: &[f32], stride: usize) -> Vec<f32> {
    (0..part.shape.batch)
        .flat_map(|b| rows[b * stride..][..part.shape.hidden].iter().copied())
        .collect()
}

/// The inverse of [`put_state`] for all parts: `[directions, batch, hidden]`.
pub(super) fn join_states<'a>(
    shape: Shape,
    directions: usize,
    parts: impl IntoIterator<Item = (Part, &'a [f32])>,
    stride: usize,
) -> Vec<f32> {
    let hidden = shape.hidden;
    let mut state = vec![0.0; directions * shape.batch * hidden];
    for (part, rows) in parts {
        for b in 0..part.shape.batch {
            state[part.state_row(b) * hidden..][..hidden]
                .copy_from_slice(&rows[b * stride..][..hidden]);
        }
    }
    state
}

/// The hidden states of all frames, directions side by side, `[…, directions · hidden]` in the given order; a part has
/// `[time + 1, batch, units]`, see [`Slots`](super::sequence::Slots).
pub(super) fn side_by_side<'a>(
    packing: Packing,
    shape: Shape,
    order: Order,
    directions: usize,
    parts: impl IntoIterator<Item = (Part, &'a [f32])>,
) -> Vec<f32> {
    let hidden = shape.hidden;
    let width = directions * hidden;
    let units = packing.units();
    let mut y = vec![0.0; shape.frames() * width];
    for (part, states) in parts {
        for b in 0..part.shape.batch {
            for t in 0..shape.time {
                let from = (part.slots().after(t) * part.shape.batch + b) * units;
                let to = part.row(order, b, t) * width + part.direction * hidden;
                y[to..][..hidden].copy_from_slice(&states[from..][..hidden]);
            }
        }
    }
    y
}

/// The gradient of a layer's output, of which a part has some of the rows and a piece of each.
#[derive(Clone, Copy)]
pub(super) struct OutputSlope<'a> {
    pub part: Part,
    pub order: Order,
    pub y: &'a [f32],
    pub directions: usize,
}

impl OutputSlope<'_> {
    /// Adds that of one frame of one sequence.
    #[inline(always)]
    pub fn add_to(&self, to: &mut [f32], b: usize, frame: usize) {
        let hidden = self.part.shape.hidden;
        let row = self.part.row(self.order, b, frame);
        let start = (row * self.directions + self.part.direction) * hidden;
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

/// The gradients of a part's gates before their activations, `[time, batch, gates in packed order]` each.
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

impl WeightGradients {
    fn add(&mut self, other: &Self) {
        for (sum, values) in [
            (&mut self.input, &other.input),
            (&mut self.hidden, &other.hidden),
            (&mut self.input_bias, &other.input_bias),
            (&mut self.hidden_bias, &other.hidden_bias),
        ] {
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += value;
            }
        }
    }
}

/// The gradients of a part, or of a layer, with respect to all that went in.
pub(super) struct AllGradients<const STATES: usize> {
    /// `[time, batch, input]`, of a layer in the order of the input; absent if it was not asked for
    pub x: Option<Vec<f32>>,
    /// One per direction, of a part its own
    pub weights: Vec<WeightGradients>,
    /// Of the initial states, `[directions, batch, hidden]` each, of a part `[batch, hidden]`
    pub states: [Vec<f32>; STATES],
}

/// The gradients of a layer from those of its parts.
pub(super) fn join<const STATES: usize>(
    shape: Shape,
    order: Order,
    directions: usize,
    parts: Vec<(Part, AllGradients<STATES>)>,
) -> AllGradients<STATES> {
    let states = std::array::from_fn(|state| {
        let rows = (parts.iter()).map(|(part, gradients)| (*part, &gradients.states[state][..]));
        join_states(shape, directions, rows, shape.hidden)
    });
    let mut weights: Vec<WeightGradients> = Vec::with_capacity(directions);
    let mut x = None;
    for (part, gradients) in parts {
        for of_part in gradients.weights {
            match weights.get_mut(part.direction) {
                Some(sum) => sum.add(&of_part),
                None => weights.push(of_part),
            }
        }
        if let Some(of_part) = gradients.x {
            let x = x.get_or_insert_with(|| vec![0.0; shape.frames() * shape.input]);
            part.add(order, &of_part, x, shape.input);
        }
    }
    AllGradients { x, weights, states }
}

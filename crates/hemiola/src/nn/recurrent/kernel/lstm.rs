//! One LSTM layer: `c = f·c + i·g`, `h = o·tanh c`, with the gates i, f, o = σ(Wx + b + Uh + b') and g = tanh of the same.
//!
//! Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, with forget gates; weights as
//! PyTorch has them: gates packed i, f, g, o and two biases.

use super::product::{self, Matrix, Packing, Panels, RowBlock, in_row_blocks, panel_product};
use super::sequence::{Order, Shape, Slots, for_each_direction};
use super::simd::{Job, Level, Vector, sigmoid, tanh};

mod backward;

pub use backward::backward;

/// i, f, g, o
const GATES: usize = 4;

/// Vectors per row in a panel of the backward product.
const BACKWARD_VECTORS: usize = 4;

/// The parameters of one direction.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// `[4 · hidden, input]`
    pub input: &'a [f32],
    /// `[4 · hidden, hidden]`
    pub hidden: &'a [f32],
    /// `[4 · hidden]`
    pub input_bias: &'a [f32],
    /// `[4 · hidden]`
    pub hidden_bias: &'a [f32],
}

/// The states of all directions, `[directions, batch, hidden]` each.
#[derive(Clone, Copy)]
pub struct State<'a> {
    pub h: &'a [f32],
    pub c: &'a [f32],
}

/// What a layer computes.
pub struct Output {
    /// The hidden states of all frames, both directions side by side: `[…, directions · hidden]`, in the input's order.
    pub y: Vec<f32>,
    /// Final hidden states, `[directions, batch, hidden]`
    pub h: Vec<f32>,
    /// Final cell states, `[directions, batch, hidden]`
    pub c: Vec<f32>,
}

/// What [`backward`] needs from [`forward`].
#[derive(Clone)]
pub struct Tape {
    level: Level,
    directions: Vec<Trace>,
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tape")
            .field("level", &self.level)
            .field("directions", &self.directions.len())
            .finish_non_exhaustive()
    }
}

/// A direction's way through the frames. States and gates have padded units; see [`Packing`].
#[derive(Clone)]
struct Trace {
    /// `[time, batch, gates in packed order]`
    gates: Vec<f32>,
    /// `[time + 1, batch, units]`, see [`Slots`]
    hidden: Vec<f32>,
    /// `[time + 1, batch, units]`, or without a tape `[batch, units]`
    cell: Vec<f32>,
}

/// The loss's gradients with respect to an [`Output`].
#[derive(Clone, Copy)]
pub struct OutputGradients<'a> {
    pub y: &'a [f32],
    /// Those of the final states, zero where absent
    pub last: Option<State<'a>>,
}

/// The loss's gradients with respect to all that went into a layer.
pub struct Gradients {
    /// As the input; absent if it was not asked for
    pub x: Option<Vec<f32>>,
    /// One per direction
    pub weights: Vec<WeightGradients>,
    /// `[directions, batch, hidden]`
    pub h: Vec<f32>,
    /// `[directions, batch, hidden]`
    pub c: Vec<f32>,
}

/// Gradients of one direction's [`Weights`].
pub struct WeightGradients {
    pub input: Vec<f32>,
    pub hidden: Vec<f32>,
    /// The same for both biases
    pub bias: Vec<f32>,
}

fn packing(level: Level, shape: Shape) -> Packing {
    Packing {
        gates: GATES,
        hidden: shape.hidden,
        lanes: level.lanes(),
    }
}

fn check(shape: Shape, x: &[f32], directions: &[Weights<'_>], state: Option<State<'_>>) {
    assert!(
        matches!(directions.len(), 1 | 2),
        "one or two directions, not {}",
        directions.len()
    );
    assert_eq!(x.len(), shape.frames() * shape.input, "length of the input");
    let rows = GATES * shape.hidden;
    for weights in directions {
        assert_eq!(weights.input.len(), rows * shape.input, "input weights");
        assert_eq!(weights.hidden.len(), rows * shape.hidden, "hidden weights");
        assert_eq!(weights.input_bias.len(), rows, "input bias");
        assert_eq!(weights.hidden_bias.len(), rows, "hidden bias");
    }
    if let Some(state) = state {
        let len = directions.len() * shape.batch * shape.hidden;
        assert_eq!(state.h.len(), len, "initial hidden state");
        assert_eq!(state.c.len(), len, "initial cell state");
    }
}

/// Runs a layer over all frames of `x`; the second of `directions` runs from the last frame to the first.
///
/// `state` is zero where absent. The tape is made if `keep` is set; it takes `6 · hidden` values per frame and direction.
///
/// # Panics
/// If a slice's length does not fit `shape`.
pub fn forward(
    level: Level,
    shape: Shape,
    order: Order,
    x: &[f32],
    directions: &[Weights<'_>],
    state: Option<State<'_>>,
    keep: bool,
) -> (Output, Option<Tape>) {
    check(shape, x, directions, state);
    let packing = packing(level, shape);
    let x = order.to_time_first(shape, x, shape.input);
    let traces = for_each_direction(directions.len(), |direction, threads| {
        let weights = directions[direction];
        let slots = Slots::new(shape.time, direction == 1);
        let mut trace = Trace {
            gates: input_product(packing, shape, &x, weights.input, threads),
            hidden: vec![0.0; (shape.time + 1) * shape.batch * packing.units()],
            cell: vec![0.0; if keep { shape.time + 1 } else { 1 } * shape.batch * packing.units()],
        };
        let cell_start = if keep { slots.first() } else { 0 };
        if let Some(state) = state {
            let part = direction * shape.batch * shape.hidden;
            for (states, start, from) in [
                (&mut trace.hidden, slots.first(), &state.h[part..]),
                (&mut trace.cell, cell_start, &state.c[part..]),
            ] {
                for b in 0..shape.batch {
                    states[(start * shape.batch + b) * packing.units()..][..shape.hidden]
                        .copy_from_slice(&from[b * shape.hidden..][..shape.hidden]);
                }
            }
        }
        let bias: Vec<f32> = (weights.input_bias.iter())
            .zip(weights.hidden_bias)
            .map(|(a, b)| a + b)
            .collect();
        level.run(Forward {
            shape,
            slots,
            keep,
            panels: &Panels::of_transposed(packing, weights.hidden, shape.hidden),
            bias: &packing.pack_rows(&bias, 1),
            trace: &mut trace,
        });
        trace
    });
    let output = output(packing, shape, order, &traces, keep);
    let tape = keep.then_some(Tape {
        level,
        directions: traces,
    });
    (output, tape)
}

/// `[time, batch, gates in packed order]`, the part of the gates that depends on `x` alone.
fn input_product(
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

fn output(packing: Packing, shape: Shape, order: Order, traces: &[Trace], kept: bool) -> Output {
    let width = traces.len() * shape.hidden;
    let units = packing.units();
    let row = |slot: usize, b: usize| {
        let start = (slot * shape.batch + b) * units;
        start..start + shape.hidden
    };
    let mut y = vec![0.0; shape.frames() * width];
    let mut h = Vec::with_capacity(shape.batch * width);
    let mut c = Vec::with_capacity(shape.batch * width);
    for (direction, trace) in traces.iter().enumerate() {
        let slots = Slots::new(shape.time, direction == 1);
        for b in 0..shape.batch {
            for t in 0..shape.time {
                let to = order.row(shape, b, t) * width + direction * shape.hidden;
                y[to..][..shape.hidden].copy_from_slice(&trace.hidden[row(slots.after(t), b)]);
            }
            let cell_end = if kept { slots.last() } else { 0 };
            h.extend_from_slice(&trace.hidden[row(slots.last(), b)]);
            c.extend_from_slice(&trace.cell[row(cell_end, b)]);
        }
    }
    Output { y, h, c }
}

/// The steps of one direction, from the input products in `trace.gates`.
struct Forward<'a> {
    shape: Shape,
    slots: Slots,
    keep: bool,
    panels: &'a Panels,
    bias: &'a [f32],
    trace: &'a mut Trace,
}

impl Job for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Shape { batch, hidden, .. } = self.shape;
        let groups = hidden.div_ceil(V::LANES);
        let slot = batch * groups * V::LANES;
        for step in 0..self.shape.time {
            let frame = self.slots.frame(step);
            let (before, after) = (self.slots.before(frame), self.slots.after(frame));
            for (group, panel) in self.panels.iter().enumerate() {
                let mut work = ForwardStep {
                    group,
                    units: groups * V::LANES,
                    panel,
                    bias: &self.bias[group * GATES * V::LANES..],
                    keep: self.keep,
                    gates: &mut self.trace.gates[frame * slot * GATES..][..slot * GATES],
                    hidden: &mut self.trace.hidden,
                    cell: &mut self.trace.cell,
                    hidden_slots: (before * slot, after * slot),
                    cell_slots: if self.keep {
                        (before * slot, after * slot)
                    } else {
                        (0, 0)
                    },
                };
                in_row_blocks::<V>(batch, &mut work);
            }
        }
    }
}

/// One group of units in one step.
struct ForwardStep<'a> {
    group: usize,
    units: usize,
    panel: &'a [f32],
    bias: &'a [f32],
    keep: bool,
    gates: &'a mut [f32],
    hidden: &'a mut [f32],
    cell: &'a mut [f32],
    /// Where the states before and after the step start
    hidden_slots: (usize, usize),
    cell_slots: (usize, usize),
}

impl RowBlock for ForwardStep<'_> {
    #[inline(always)]
    fn block<V: Vector, const ROWS: usize>(&mut self, first_row: usize) {
        let mut sums = [[V::splat(0.0); GATES]; ROWS];
        for sums in &mut sums {
            for (gate, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(&self.bias[gate * V::LANES..]);
            }
        }
        let before = &self.hidden[self.hidden_slots.0 + first_row * self.units..];
        let sums = panel_product(sums, before, self.units, self.panel);
        for (row, sums) in sums.into_iter().enumerate() {
            let unit = (first_row + row) * self.units + self.group * V::LANES;
            let gates = (first_row + row) * self.units * GATES + self.group * GATES * V::LANES;
            let gates = &mut self.gates[gates..][..GATES * V::LANES];
            let mut pre = sums;
            for (gate, pre) in pre.iter_mut().enumerate() {
                *pre = pre.add(V::load(&gates[gate * V::LANES..]));
            }
            let [i, f, g, o] = [
                sigmoid(pre[0]),
                sigmoid(pre[1]),
                tanh(pre[2]),
                sigmoid(pre[3]),
            ];
            let c = V::load(&self.cell[self.cell_slots.0 + unit..]);
            let c = f.mul_add(c, i.mul(g));
            c.store(&mut self.cell[self.cell_slots.1 + unit..]);
            o.mul(tanh(c))
                .store(&mut self.hidden[self.hidden_slots.1 + unit..]);
            if self.keep {
                for (gate, value) in [i, f, g, o].into_iter().enumerate() {
                    value.store(&mut gates[gate * V::LANES..]);
                }
            }
        }
    }
}

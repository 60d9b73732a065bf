//! One LSTM layer: `c = f·c + i·g`, `h = o·tanh c`, with the gates i, f, o = σ(Wx + b + Uh + b') and g = tanh of the same.
//!
//! Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, with forget gates; weights as
//! PyTorch has them: gates packed i, f, g, o and two biases.

use super::product::{self, Matrix, Packing, Panels, RowBlock, in_row_blocks, panel_product};
use super::sequence::{Order, Shape, Slots, for_each_direction};
use super::simd::{Job, Level, Vector, sigmoid, tanh};

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

/// Gradients of a layer whose [`forward`] made `tape` from the same `x`, `directions` and order.
///
/// `wants_x` asks for the input's gradient, a third of the large products.
///
/// # Panics
/// If a slice's length does not fit `shape`.
pub fn backward(
    shape: Shape,
    order: Order,
    x: &[f32],
    directions: &[Weights<'_>],
    tape: &Tape,
    output: OutputGradients<'_>,
    wants_x: bool,
) -> Gradients {
    let OutputGradients { y, last } = output;
    check(shape, x, directions, last);
    let width = directions.len() * shape.hidden;
    assert_eq!(tape.directions.len(), directions.len(), "directions");
    assert_eq!(y.len(), shape.frames() * width, "gradient of the output");
    let level = tape.level;
    let packing = packing(level, shape);
    let units = packing.units();
    let x = order.to_time_first(shape, x, shape.input);

    let parts = for_each_direction(directions.len(), |direction, threads| {
        let (weights, trace) = (directions[direction], &tape.directions[direction]);
        let slots = Slots::new(shape.time, direction == 1);
        let panels = Panels::of_rows(
            packing,
            weights.hidden,
            shape.hidden,
            BACKWARD_VECTORS * level.lanes(),
        );
        let mut steps = Backward {
            shape,
            order,
            slots,
            panels: &panels,
            trace,
            y,
            y_width: width,
            y_start: direction * shape.hidden,
            gates: vec![0.0; shape.frames() * packing.rows()],
            hidden: vec![0.0; shape.batch * panels.width()],
            cell: vec![0.0; shape.batch * units],
        };
        if let Some(last) = last {
            for b in 0..shape.batch {
                let from = (direction * shape.batch + b) * shape.hidden;
                steps.hidden[b * panels.width()..][..shape.hidden]
                    .copy_from_slice(&last.h[from..][..shape.hidden]);
                steps.cell[b * units..][..shape.hidden]
                    .copy_from_slice(&last.c[from..][..shape.hidden]);
            }
        }
        let (gates, hidden, cell) = level.run(steps);

        let rows = packing.rows();
        let frames = shape.frames();
        let transposed_gates = Matrix::rows(&gates, rows).transposed();
        let mut input_weights = vec![0.0; rows * shape.input];
        product::matmul(
            &mut input_weights,
            [rows, shape.input, frames],
            transposed_gates,
            Matrix::rows(&x, shape.input),
            threads,
        );
        let mut hidden_weights = vec![0.0; rows * units];
        let before = &trace.hidden[slots.before(0) * shape.batch * units..];
        product::matmul(
            &mut hidden_weights,
            [rows, units, frames],
            transposed_gates,
            Matrix::rows(before, units),
            threads,
        );
        let mut bias = vec![0.0; rows];
        for row in gates.chunks_exact(rows.max(1)) {
            for (sum, value) in bias.iter_mut().zip(row) {
                *sum += value;
            }
        }
        let input = wants_x.then(|| {
            let mut input = vec![0.0; frames * shape.input];
            let packed = packing.pack_rows(weights.input, shape.input);
            product::matmul(
                &mut input,
                [frames, shape.input, rows],
                Matrix::rows(&gates, rows),
                Matrix::rows(&packed, shape.input),
                threads,
            );
            input
        });
        let weights = WeightGradients {
            input: packing.unpack_rows(&input_weights, shape.input, shape.input),
            hidden: packing.unpack_rows(&hidden_weights, units, shape.hidden),
            bias: packing.unpack_rows(&bias, 1, 1),
        };
        let part = |states: &[f32], stride: usize| -> Vec<f32> {
            (0..shape.batch)
                .flat_map(|b| states[b * stride..][..shape.hidden].iter().copied())
                .collect()
        };
        (
            input,
            weights,
            part(&hidden, panels.width()),
            part(&cell, units),
        )
    });

    let mut gradients = Gradients {
        x: None,
        weights: Vec::with_capacity(directions.len()),
        h: Vec::new(),
        c: Vec::new(),
    };
    for (input, weights, h, c) in parts {
        gradients.x = match (gradients.x, input) {
            (None, input) => input,
            (sum, None) => sum,
            (Some(mut sum), Some(input)) => {
                for (sum, value) in sum.iter_mut().zip(input) {
                    *sum += value;
                }
                Some(sum)
            }
        };
        gradients.weights.push(weights);
        gradients.h.extend(h);
        gradients.c.extend(c);
    }
    gradients.x = (gradients.x).map(|x| order.from_time_first(shape, x, shape.input));
    gradients
}

/// The steps of one direction back through time; returns the gradients of the gates before their activations and of the
/// initial states.
struct Backward<'a> {
    shape: Shape,
    order: Order,
    slots: Slots,
    panels: &'a Panels,
    trace: &'a Trace,
    /// The output's gradient and where this direction's part of a row is
    y: &'a [f32],
    y_width: usize,
    y_start: usize,
    /// `[time, batch, gates in packed order]`
    gates: Vec<f32>,
    /// `[batch, width of the panels]`
    hidden: Vec<f32>,
    /// `[batch, units]`
    cell: Vec<f32>,
}

impl Job for Backward<'_> {
    type Output = (Vec<f32>, Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn run<V: Vector>(mut self) -> Self::Output {
        let Shape { batch, hidden, .. } = self.shape;
        let units = hidden.div_ceil(V::LANES) * V::LANES;
        let width = self.panels.width();
        for step in (0..self.shape.time).rev() {
            let frame = self.slots.frame(step);
            for b in 0..batch {
                let row = self.order.row(self.shape, b, frame);
                let y = &self.y[row * self.y_width + self.y_start..][..hidden];
                let dh = &mut self.hidden[b * width..][..units];
                for (dh, y) in dh.iter_mut().zip(y) {
                    *dh += y;
                }
                let rows = |slot: usize| (slot * batch + b) * units;
                step_gradients::<V>(
                    &self.trace.gates[rows(frame) * GATES..][..units * GATES],
                    &self.trace.cell[rows(self.slots.before(frame))..][..units],
                    &self.trace.cell[rows(self.slots.after(frame))..][..units],
                    dh,
                    &mut self.cell[b * units..][..units],
                    &mut self.gates[rows(frame) * GATES..][..units * GATES],
                );
            }
            let gates = &self.gates[frame * batch * units * GATES..][..batch * units * GATES];
            for (panel, columns) in self.panels.iter().enumerate() {
                let mut work = BackwardStep {
                    panel: columns,
                    first_column: panel * BACKWARD_VECTORS * V::LANES,
                    gates,
                    gates_stride: units * GATES,
                    hidden: &mut self.hidden,
                    hidden_stride: width,
                };
                in_row_blocks::<V>(batch, &mut work);
            }
        }
        (self.gates, self.hidden, self.cell)
    }
}

/// The gradients of one frame's gates, from those of its hidden state `dh` and, on entry, its cell state `dc`; on exit `dc`
/// is the gradient of the cell state before.
#[inline(always)]
fn step_gradients<V: Vector>(
    gates: &[f32],
    before: &[f32],
    after: &[f32],
    dh: &[f32],
    dc: &mut [f32],
    into: &mut [f32],
) {
    let one = V::splat(1.0);
    let groups =
        (gates.chunks_exact(GATES * V::LANES)).zip(into.chunks_exact_mut(GATES * V::LANES));
    for (group, (gates, into)) in groups.enumerate() {
        let unit = group * V::LANES;
        let gate = |gate: usize| V::load(&gates[gate * V::LANES..]);
        let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
        let tanh_c = tanh(V::load(&after[unit..]));
        let dh = V::load(&dh[unit..]);
        let one_less_square = |v: V| one.sub(v.mul(v));
        let slope = |v: V| v.mul(one.sub(v));
        let through_cell = dh
            .mul(o)
            .mul_add(one_less_square(tanh_c), V::load(&dc[unit..]));
        let into_gates = [
            through_cell.mul(g).mul(slope(i)),
            through_cell.mul(V::load(&before[unit..])).mul(slope(f)),
            through_cell.mul(i).mul(one_less_square(g)),
            dh.mul(tanh_c).mul(slope(o)),
        ];
        for (gate, value) in into_gates.into_iter().enumerate() {
            value.store(&mut into[gate * V::LANES..]);
        }
        through_cell.mul(f).store(&mut dc[unit..]);
    }
}

/// One panel of the product of a frame's gate gradients with the hidden weights.
struct BackwardStep<'a> {
    panel: &'a [f32],
    first_column: usize,
    gates: &'a [f32],
    gates_stride: usize,
    hidden: &'a mut [f32],
    hidden_stride: usize,
}

impl RowBlock for BackwardStep<'_> {
    #[inline(always)]
    fn block<V: Vector, const ROWS: usize>(&mut self, first_row: usize) {
        let sums = panel_product(
            [[V::splat(0.0); BACKWARD_VECTORS]; ROWS],
            &self.gates[first_row * self.gates_stride..],
            self.gates_stride,
            self.panel,
        );
        for (row, sums) in sums.into_iter().enumerate() {
            let start = (first_row + row) * self.hidden_stride + self.first_column;
            for (n, sum) in sums.into_iter().enumerate() {
                sum.store(&mut self.hidden[start + n * V::LANES..]);
            }
        }
    }
}

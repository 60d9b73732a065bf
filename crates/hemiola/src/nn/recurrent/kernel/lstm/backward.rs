//! The gradients of an LSTM layer: step by step backwards in time, then one product over all frames for each weight.

use super::*;

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

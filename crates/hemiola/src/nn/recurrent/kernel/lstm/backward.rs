//! The gradients of an LSTM layer: step by step backwards in time, then one product over all frames for each weight.

use super::super::direction::{
    AllGradients, GateGradients, OutputSlope, add_product, backward_panels, join, take_state,
};
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
    let states = last.iter().flat_map(|state| [state.h, state.c]);
    check(GATES, shape, x, directions, states);
    let width = directions.len() * shape.hidden;
    assert_eq!(y.len(), shape.frames() * width, "gradient of the output");
    let level = tape.level;
    let packing = packing(level, shape);
    let units = packing.units();
    let parts = for_each_part(&tape.parts, |(part, trace), threads| {
        let (part, weights) = (*part, directions[part.direction]);
        let panels = backward_panels(packing, weights.hidden);
        let mut steps = Backward {
            slope: OutputSlope {
                part,
                order,
                y,
                directions: directions.len(),
            },
            panels: &panels,
            trace,
            gates: vec![0.0; part.shape.frames() * packing.rows()],
            hidden: vec![0.0; part.shape.batch * panels.width()],
            cell: vec![0.0; part.shape.batch * units],
        };
        if let Some(last) = last {
            put_state(part, last.h, &mut steps.hidden, panels.width());
            put_state(part, last.c, &mut steps.cell, units);
        }
        let (gates, hidden, cell) = level.run(steps);
        let gates = GateGradients {
            packing,
            shape: part.shape,
            input: &gates,
            hidden: None,
        };
        let x = part.take(order, x, shape.input);
        let before = part.slots().before(0) * part.shape.batch * units;
        let gradients = AllGradients {
            x: wants_x.then(|| gates.of_input(weights.input, threads)),
            weights: vec![gates.of_weights(&x, &trace.hidden[before..], threads)],
            states: [
                take_state(part, &hidden, panels.width()),
                take_state(part, &cell, units),
            ],
        };
        (part, gradients)
    });
    let AllGradients {
        x,
        weights,
        states: [h, c],
    } = join(shape, order, directions.len(), parts);
    Gradients { x, weights, h, c }
}

/// The steps of one part back through time; returns the gradients of the gates before their activations and of the
/// initial states.
struct Backward<'a> {
    slope: OutputSlope<'a>,
    panels: &'a Panels,
    trace: &'a Trace,
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
        let Shape {
            batch,
            time,
            hidden,
            ..
        } = self.slope.part.shape;
        let slots = self.slope.part.slots();
        let units = hidden.div_ceil(V::LANES) * V::LANES;
        let width = self.panels.width();
        for step in (0..time).rev() {
            let frame = slots.frame(step);
            for b in 0..batch {
                let dh = &mut self.hidden[b * width..][..units];
                self.slope.add_to(dh, b, frame);
                let rows = |slot: usize| (slot * batch + b) * units;
                step_gradients::<V>(
                    &self.trace.gates[rows(frame) * GATES..][..units * GATES],
                    &self.trace.cell[rows(slots.before(frame))..][..units],
                    &self.trace.cell[rows(slots.after(frame))..][..units],
                    dh,
                    &mut self.cell[b * units..][..units],
                    &mut self.gates[rows(frame) * GATES..][..units * GATES],
                );
            }
            let row = batch * units * GATES;
            let gates = &self.gates[frame * row..][..row];
            add_product::<V>(self.panels, gates, batch, &mut self.hidden);
        }
        (self.gates, self.hidden, self.cell)
    }
}

/// The gradients of one frame's gates, from those of its hidden state `dh` and its cell state `dc`; on exit these are the
/// gradients of the states before, as far as they do not go through the gates.
#[inline(always)]
fn step_gradients<V: Vector>(
    gates: &[f32],
    before: &[f32],
    after: &[f32],
    dh: &mut [f32],
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
        let from_h = V::load(&dh[unit..]);
        let one_less_square = |v: V| one.sub(v.mul(v));
        let slope = |v: V| v.mul(one.sub(v));
        let through_cell = from_h
            .mul(o)
            .mul_add(one_less_square(tanh_c), V::load(&dc[unit..]));
        let into_gates = [
            through_cell.mul(g).mul(slope(i)),
            through_cell.mul(V::load(&before[unit..])).mul(slope(f)),
            through_cell.mul(i).mul(one_less_square(g)),
            from_h.mul(tanh_c).mul(slope(o)),
        ];
        for (gate, value) in into_gates.into_iter().enumerate() {
            value.store(&mut into[gate * V::LANES..]);
        }
        through_cell.mul(f).store(&mut dc[unit..]);
        V::splat(0.0).store(&mut dh[unit..]);
    }
}

//! The gradients of a GRU layer: step by step backwards in time, then one product over all frames for each weight.

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
    check(GATES, shape, x, directions, last);
    let width = directions.len() * shape.hidden;
    assert_eq!(y.len(), shape.frames() * width, "gradient of the output");
    let level = tape.level;
    let packing = packing(level, shape.hidden);
    let parts = for_each_part(&tape.parts, |(part, trace), threads| {
        let (part, weights) = (*part, directions[part.direction]);
        let panels = backward_panels(packing, weights.hidden);
        let gates = part.shape.frames() * packing.rows();
        let mut steps = Backward {
            slope: OutputSlope {
                part,
                order,
                y,
                directions: directions.len(),
            },
            panels: &panels,
            trace,
            from_input: vec![0.0; gates],
            from_hidden: vec![0.0; gates],
            hidden: vec![0.0; part.shape.batch * panels.width()],
        };
        if let Some(last) = last {
            put_state(part, last, &mut steps.hidden, panels.width());
        }
        let (from_input, from_hidden, hidden) = level.run(steps);
        let gates = GateGradients {
            packing,
            shape: part.shape,
            input: &from_input,
            hidden: Some(&from_hidden),
        };
        let x = part.take(order, x, shape.input);
        let before = part.slots().before(0) * part.shape.batch * packing.units();
        let gradients = AllGradients {
            x: wants_x.then(|| gates.of_input(weights.input, threads)),
            weights: vec![gates.of_weights(&x, &trace.hidden[before..], threads)],
            states: [take_state(part, &hidden, panels.width())],
        };
        (part, gradients)
    });
    let AllGradients {
        x,
        weights,
        states: [h],
    } = join(shape, order, directions.len(), parts);
    Gradients { x, weights, h }
}

/// The steps of one part back through time; returns the gradients of what input and hidden state add to the gates,
/// and of the initial states.
struct Backward<'a> {
    slope: OutputSlope<'a>,
    panels: &'a Panels,
    trace: &'a Trace,
    /// `[time, batch, gates in packed order]`
    from_input: Vec<f32>,
    /// `[time, batch, gates in packed order]`
    from_hidden: Vec<f32>,
    /// `[batch, width of the panels]`
    hidden: Vec<f32>,
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
                let row = |slot: usize| (slot * batch + b) * units;
                let gates = row(frame) * GATES..(row(frame) + units) * GATES;
                step_gradients::<V>(
                    &self.trace.gates[gates.clone()],
                    &self.trace.from_hidden[row(frame)..][..units],
                    &self.trace.hidden[row(slots.before(frame))..][..units],
                    dh,
                    &mut self.from_input[gates.clone()],
                    &mut self.from_hidden[gates],
                );
            }
            let row = batch * units * GATES;
            let gates = &self.from_hidden[frame * row..][..row];
            add_product::<V>(self.panels, gates, batch, &mut self.hidden);
        }
        (self.from_input, self.from_hidden, self.hidden)
    }
}

/// The gradients of one frame's gates, from that of its state `dh`; on exit this is the gradient of the state before, as
/// far as it does not go through the gates.
#[inline(always)]
fn step_gradients<V: Vector>(
    gates: &[f32],
    from_hidden: &[f32],
    before: &[f32],
    dh: &mut [f32],
    into_input: &mut [f32],
    into_hidden: &mut [f32],
) {
    let one = V::splat(1.0);
    let slope = |v: V| v.mul(one.sub(v));
    let vector = GATES * V::LANES;
    let groups = (gates.chunks_exact(vector))
        .zip(into_input.chunks_exact_mut(vector))
        .zip(into_hidden.chunks_exact_mut(vector));
    for (group, ((gates, into_input), into_hidden)) in groups.enumerate() {
        let unit = group * V::LANES;
        let [r, z, n] = load_gates::<V>(gates);
        let state = V::load(&dh[unit..]);
        let of_n = (state.mul(one.sub(z))).mul(one.sub(n.mul(n)));
        let of_z = state.mul(V::load(&before[unit..]).sub(n)).mul(slope(z));
        let of_r = of_n.mul(V::load(&from_hidden[unit..])).mul(slope(r));
        store_gates([of_r, of_z, of_n], into_input);
        store_gates([of_r, of_z, of_n.mul(r)], into_hidden);
        state.mul(z).store(&mut dh[unit..]);
    }
}

//! One LSTM layer: `c = f·c + i·g`, `h = o·tanh c`, with the gates i, f, o = σ(Wx + b + Uh + b') and g = tanh of the same.
//!
//! Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, with forget gates; weights as
//! PyTorch has them: gates packed i, f, g, o and two biases.

use super::direction::{check, input_product, join_states, put_state, side_by_side};
use super::product::{Packing, Panels, RowBlock, in_row_blocks, panel_product};
use super::sequence::{Order, Part, Shape, Slots, for_each_part};
use super::simd::{Job, Level, Vector, sigmoid, tanh};

mod backward;

pub use super::direction::{WeightGradients, Weights};
pub use backward::backward;

/// i, f, g, o
const GATES: usize = 4;

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
    parts: Vec<(Part, Trace)>,
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tape")
            .field("level", &self.level)
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

/// A part's way through the frames. States and gates have padded units; see [`Packing`].
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

fn packing(level: Level, shape: Shape) -> Packing {
    Packing {
        gates: GATES,
        hidden: shape.hidden,
        lanes: level.lanes(),
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
    let states = state.iter().flat_map(|state| [state.h, state.c]);
    check(GATES, shape, x, directions, states);
    let packing = packing(level, shape);
    let units = packing.units();
    let traces = for_each_part(&Part::all(shape, directions.len()), |&part, threads| {
        let weights = directions[part.direction];
        let slots = part.slots();
        let slot = part.shape.batch * units;
        let x = part.take(order, x, shape.input);
        let mut trace = Trace {
            gates: input_product(packing, part.shape, &x, weights.input, threads),
            hidden: vec![0.0; (shape.time + 1) * slot],
            cell: vec![0.0; if keep { shape.time + 1 } else { 1 } * slot],
        };
        if let Some(state) = state {
            let cell_start = if keep { slots.first() } else { 0 };
            let hidden = &mut trace.hidden[slots.first() * slot..];
            put_state(part, state.h, hidden, units);
            put_state(part, state.c, &mut trace.cell[cell_start * slot..], units);
        }
        let bias: Vec<f32> = (weights.input_bias.iter())
            .zip(weights.hidden_bias)
            .map(|(a, b)| a + b)
            .collect();
        level.run(Forward {
            shape: part.shape,
            slots,
            keep,
            panels: &Panels::of_transposed(packing, weights.hidden, shape.hidden),
            bias: &packing.pack_rows(&bias, 1),
            trace: &mut trace,
        });
        (part, trace)
    });
    let slot = |part: Part, slot: usize| slot * part.shape.batch * units;
    let hidden = traces
        .iter()
        .map(|(part, trace)| (*part, &trace.hidden[..]));
    let last_hidden =
        (hidden.clone()).map(|(part, hidden)| (part, &hidden[slot(part, part.slots().last())..]));
    let last_cell = traces.iter().map(|(part, trace)| {
        let last = if keep { part.slots().last() } else { 0 };
        (*part, &trace.cell[slot(*part, last)..])
    });
    let output = Output {
        h: join_states(shape, directions.len(), last_hidden, units),
        c: join_states(shape, directions.len(), last_cell, units),
        y: side_by_side(packing, shape, order, directions.len(), hidden),
    };
    let tape = keep.then_some(Tape {
        level,
        parts: traces,
    });
    (output, tape)
}

/// The steps of one part, from the input products in `trace.gates`.
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

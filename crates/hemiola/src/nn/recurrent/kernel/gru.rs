//! One GRU layer: `h' = (1 − z)·n + z·h`, with the gates r, z = σ(Wx + b + Uh + b') and the candidate
//! `n = tanh(Wx + b + r·(Uh + b'))`.
//!
//! Cho et al., Learning Phrase Representations using RNN Encoder–Decoder, 2014, section 2.3, with the reset gate r after
//! the product with the hidden state, as PyTorch and cuDNN have it; gates packed r, z, n and two biases.

use super::direction::{check, input_product, join_states, put_state, side_by_side};
use super::product::{Packing, Panels, RowBlock, in_row_blocks, panel_product};
use super::sequence::{Order, Part, Shape, Slots, for_each_part};
use super::simd::{Job, Level, Vector, sigmoid, tanh};

mod backward;
mod step;

pub use super::direction::{WeightGradients, Weights};
pub use backward::backward;
pub use step::{Packed, Stepper};

/// r, z, n
const GATES: usize = 3;

/// What a layer computes.
pub struct Output {
    /// The hidden states of all frames, both directions side by side: `[…, directions · hidden]`, in the input's order.
    pub y: Vec<f32>,
    /// Final hidden states, `[directions, batch, hidden]`
    pub h: Vec<f32>,
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
    /// What the hidden state adds to the candidate before the reset gate, `[time, batch, units]`; empty without a tape
    from_hidden: Vec<f32>,
    /// `[time + 1, batch, units]`, see [`Slots`]
    hidden: Vec<f32>,
}

/// The loss's gradients with respect to an [`Output`].
#[derive(Clone, Copy)]
pub struct OutputGradients<'a> {
    pub y: &'a [f32],
    /// Those of the final states, zero where absent
    pub last: Option<&'a [f32]>,
}

/// The loss's gradients with respect to all that went into a layer.
pub struct Gradients {
    /// As the input; absent if it was not asked for
    pub x: Option<Vec<f32>>,
    /// One per direction
    pub weights: Vec<WeightGradients>,
    /// `[directions, batch, hidden]`
    pub h: Vec<f32>,
}

fn packing(level: Level, hidden: usize) -> Packing {
    Packing {
        gates: GATES,
        hidden,
        lanes: level.lanes(),
    }
}

/// Runs a layer over all frames of `x`; the second of `directions` runs from the last frame to the first.
///
/// `state`, `[directions, batch, hidden]`, is zero where absent. The tape is made if `keep` is set; it takes `5 · hidden`
/// values per frame and direction.
///
/// # Panics
/// If a slice's length does not fit `shape`.
pub fn forward(
    level: Level,
    shape: Shape,
    order: Order,
    x: &[f32],
    directions: &[Weights<'_>],
    state: Option<&[f32]>,
    keep: bool,
) -> (Output, Option<Tape>) {
    check(GATES, shape, x, directions, state);
    let packing = packing(level, shape.hidden);
    let units = packing.units();
    let traces = for_each_part(&Part::all(shape, directions.len()), |&part, threads| {
        let weights = directions[part.direction];
        let slot = part.shape.batch * units;
        let x = part.take(order, x, shape.input);
        let mut trace = Trace {
            gates: input_product(packing, part.shape, &x, weights.input, threads),
            from_hidden: vec![0.0; if keep { shape.time * slot } else { 0 }],
            hidden: vec![0.0; (shape.time + 1) * slot],
        };
        if let Some(state) = state {
            let start = &mut trace.hidden[part.slots().first() * slot..];
            put_state(part, state, start, units);
        }
        level.run(Forward {
            shape: part.shape,
            slots: part.slots(),
            keep,
            panels: &Panels::of_transposed(packing, weights.hidden, shape.hidden),
            input_bias: &packing.pack_rows(weights.input_bias, 1),
            hidden_bias: &packing.pack_rows(weights.hidden_bias, 1),
            trace: &mut trace,
        });
        (part, trace)
    });
    let hidden = traces
        .iter()
        .map(|(part, trace)| (*part, &trace.hidden[..]));
    let last = hidden.clone().map(|(part, hidden)| {
        let slot = part.shape.batch * units;
        (part, &hidden[part.slots().last() * slot..])
    });
    let output = Output {
        h: join_states(shape, directions.len(), last, units),
        y: side_by_side(packing, shape, order, directions.len(), hidden),
    };
    let tape = keep.then_some(Tape {
        level,
        parts: traces,
    });
    (output, tape)
}

/// What the gates of some units become, and their state.
struct Step<V> {
    r: V,
    z: V,
    n: V,
    h: V,
}

/// From what input and hidden state add to each gate, biases included, and the state before.
#[inline(always)]
fn step<V: Vector>(from_input: [V; GATES], from_hidden: [V; GATES], h: V) -> Step<V> {
    let r = sigmoid(from_input[0].add(from_hidden[0]));
    let z = sigmoid(from_input[1].add(from_hidden[1]));
    let n = tanh(r.mul_add(from_hidden[2], from_input[2]));
    let h = z.mul_add(h.sub(n), n);
    Step { r, z, n, h }
}

#[inline(always)]
fn load_gates<V: Vector>(from: &[f32]) -> [V; GATES] {
    let mut gates = [V::splat(0.0); GATES];
    for (gate, value) in gates.iter_mut().enumerate() {
        *value = V::load(&from[gate * V::LANES..]);
    }
    gates
}

#[inline(always)]
fn store_gates<V: Vector>(gates: [V; GATES], to: &mut [f32]) {
    for (gate, value) in gates.into_iter().enumerate() {
        value.store(&mut to[gate * V::LANES..]);
    }
}

/// The steps of one part, from the input products in `trace.gates`.
struct Forward<'a> {
    shape: Shape,
    slots: Slots,
    keep: bool,
    panels: &'a Panels,
    input_bias: &'a [f32],
    hidden_bias: &'a [f32],
    trace: &'a mut Trace,
}

impl Job for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Shape {
            batch,
            time,
            hidden,
            ..
        } = self.shape;
        let groups = hidden.div_ceil(V::LANES);
        let slot = batch * groups * V::LANES;
        for step in 0..time {
            let frame = self.slots.frame(step);
            for (group, panel) in self.panels.iter().enumerate() {
                let mut work = ForwardStep {
                    group,
                    units: groups * V::LANES,
                    panel,
                    input_bias: &self.input_bias[group * GATES * V::LANES..],
                    hidden_bias: &self.hidden_bias[group * GATES * V::LANES..],
                    gates: &mut self.trace.gates[frame * slot * GATES..][..slot * GATES],
                    from_hidden: (self.keep)
                        .then(|| &mut self.trace.from_hidden[frame * slot..][..slot]),
                    hidden: &mut self.trace.hidden,
                    before: self.slots.before(frame) * slot,
                    after: self.slots.after(frame) * slot,
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
    input_bias: &'a [f32],
    hidden_bias: &'a [f32],
    gates: &'a mut [f32],
    /// Present if the gates are to be kept
    from_hidden: Option<&'a mut [f32]>,
    hidden: &'a mut [f32],
    /// Where the states before and after the step start
    before: usize,
    after: usize,
}

impl RowBlock for ForwardStep<'_> {
    #[inline(always)]
    fn block<V: Vector, const ROWS: usize>(&mut self, first_row: usize) {
        let from_hidden = panel_product(
            [load_gates::<V>(self.hidden_bias); ROWS],
            &self.hidden[self.before + first_row * self.units..],
            self.units,
            self.panel,
        );
        let bias = load_gates::<V>(self.input_bias);
        for (row, from_hidden) in from_hidden.into_iter().enumerate() {
            let row = (first_row + row) * self.units;
            let unit = row + self.group * V::LANES;
            let gates = &mut self.gates[row * GATES + self.group * GATES * V::LANES..];
            let mut from_input = load_gates::<V>(gates);
            for (value, bias) in from_input.iter_mut().zip(bias) {
                *value = value.add(bias);
            }
            let before = V::load(&self.hidden[self.before + unit..]);
            let Step { r, z, n, h } = step(from_input, from_hidden, before);
            h.store(&mut self.hidden[self.after + unit..]);
            if let Some(kept) = &mut self.from_hidden {
                store_gates([r, z, n], gates);
                from_hidden[2].store(&mut kept[unit..]);
            }
        }
    }
}

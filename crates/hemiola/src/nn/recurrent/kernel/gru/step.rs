//! A GRU frame by frame: the weights are packed once, a step reads them from beginning to end.

use std::sync::Arc;

use super::*;

/// The weights of stacked layers of one direction, packed for [`Stepper`]s, any number of which share them.
pub struct Packed {
    level: Level,
    packing: Packing,
    input: usize,
    layers: Vec<Layer>,
}

struct Layer {
    input: Panels,
    hidden: Panels,
    input_bias: Vec<f32>,
    hidden_bias: Vec<f32>,
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packed")
            .field("level", &self.level)
            .field("input", &self.input)
            .field("hidden", &self.packing.hidden)
            .field("layers", &self.layers.len())
            .finish()
    }
}

impl Packed {
    /// Of layers with `hidden` units each; the first takes frames of `input` features.
    ///
    /// # Panics
    /// If there is no layer or no feature, or a slice's length does not fit.
    pub fn new(level: Level, input: usize, hidden: usize, layers: &[Weights<'_>]) -> Self {
        assert!(
            input > 0 && !layers.is_empty(),
            "one feature and one layer at least"
        );
        let packing = packing(level, hidden);
        let pack = |(index, weights): (usize, &Weights<'_>)| {
            let input = if index == 0 { input } else { hidden };
            weights.check(GATES, input, hidden);
            Layer {
                input: Panels::of_transposed(packing, weights.input, input),
                hidden: Panels::of_transposed(packing, weights.hidden, hidden),
                input_bias: packing.pack_rows(weights.input_bias, 1),
                hidden_bias: packing.pack_rows(weights.hidden_bias, 1),
            }
        };
        Self {
            level,
            packing,
            input,
            layers: layers.iter().enumerate().map(pack).collect(),
        }
    }

    /// Features of a frame.
    pub fn input(&self) -> usize {
        self.input
    }

    /// Units of a layer.
    pub fn hidden(&self) -> usize {
        self.packing.hidden
    }

    pub fn layers(&self) -> usize {
        self.layers.len()
    }
}

/// One stream of frames through a [`Packed`] GRU.
#[derive(Clone, Debug)]
pub struct Stepper {
    packed: Arc<Packed>,
    /// One per layer, with padded units
    states: Vec<Vec<f32>>,
    next: Vec<f32>,
}

impl Stepper {
    /// A stream that begins with states of zero.
    pub fn new(packed: Arc<Packed>) -> Self {
        let units = packed.packing.units();
        Self {
            states: vec![vec![0.0; units]; packed.layers()],
            next: vec![0.0; units],
            packed,
        }
    }

    pub fn packed(&self) -> &Arc<Packed> {
        &self.packed
    }

    /// Takes one frame; returns the last layer's new state, which is the GRU's output.
    ///
    /// # Panics
    /// If the frame has another length than [`Packed::input`].
    pub fn step(&mut self, frame: &[f32]) -> &[f32] {
        assert_eq!(frame.len(), self.packed.input, "length of the frame");
        self.packed.level.run(Frame {
            frame,
            packed: &self.packed,
            states: &mut self.states,
            next: &mut self.next,
        });
        self.state(self.states.len() - 1)
    }

    /// Back to states of zero.
    pub fn reset(&mut self) {
        for state in &mut self.states {
            state.fill(0.0);
        }
    }

    /// The state of a layer after the last frame.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn state(&self, layer: usize) -> &[f32] {
        &self.states[layer][..self.packed.hidden()]
    }

    /// Goes on from a given state of a layer.
    ///
    /// # Panics
    /// If there is no such layer, or the state has not one value per unit.
    pub fn set_state(&mut self, layer: usize, state: &[f32]) {
        self.states[layer][..self.packed.hidden()].copy_from_slice(state);
    }
}

/// One frame through all layers.
struct Frame<'a> {
    frame: &'a [f32],
    packed: &'a Packed,
    states: &'a mut [Vec<f32>],
    next: &'a mut Vec<f32>,
}

impl Job for Frame<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let hidden = self.packed.hidden();
        for (index, layer) in self.packed.layers.iter().enumerate() {
            let (below, above) = self.states.split_at_mut(index);
            let x = below.last().map_or(self.frame, |state| &state[..hidden]);
            let state = &mut above[0];
            let panels = layer.input.iter().zip(layer.hidden.iter());
            for (group, (input, hidden)) in panels.enumerate() {
                let unit = group * V::LANES;
                let bias = |bias: &[f32]| [load_gates::<V>(&bias[GATES * unit..])];
                let [from_input] = panel_product(bias(&layer.input_bias), x, 0, input);
                let [from_hidden] = panel_product(bias(&layer.hidden_bias), state, 0, hidden);
                let before = V::load(&state[unit..]);
                (step(from_input, from_hidden, before).h).store(&mut self.next[unit..]);
            }
            std::mem::swap(state, self.next);
        }
    }
}

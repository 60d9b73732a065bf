//! What is true of the kernel of every cell.

use hemiola::nn::recurrent::kernel::{Level, Order, Shape, direction::Weights};
use rand::{RngExt, SeedableRng};

/// A kind of cell: its equations and its kernel.
pub trait Cell {
    const GATES: usize;
    /// States that go from frame to frame, the output first
    const STATES: usize;
    type Tape;

    /// The next states of one unit, from its states and what input and hidden state add to each of its gates.
    fn unit(from_input: &[f64], from_hidden: &[f64], states: &[f64]) -> Vec<f64>;

    /// Output and final states.
    fn forward(
        call: &Call<'_>,
        level: Level,
        states: Option<&[Vec<f32>]>,
        keep: bool,
    ) -> (Vec<Vec<f32>>, Option<Self::Tape>);

    /// Gradients of the input, of each direction's weights and biases, and of the initial states, from those of output and
    /// final states.
    fn backward(call: &Call<'_>, tape: &Self::Tape, outputs: &[Vec<f32>]) -> Vec<Vec<f32>>;
}

/// What both directions of a kernel take.
pub struct Call<'a> {
    pub shape: Shape,
    pub order: Order,
    pub x: &'a [f32],
    pub weights: Vec<Weights<'a>>,
}

pub fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// Everything that goes into a layer, in f64 for the equations.
#[derive(Clone)]
pub struct Layer {
    pub shape: Shape,
    pub order: Order,
    pub x: Vec<f64>,
    /// Input weights, hidden weights, input bias, hidden bias of each direction
    pub weights: Vec<[Vec<f64>; 4]>,
    /// Initial states, `[directions, batch, hidden]` each
    pub states: Vec<Vec<f64>>,
}

impl Layer {
    pub fn random<C: Cell>(shape: Shape, order: Order, directions: usize, seed: u64) -> Self {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        // Values that f32 holds exactly, so that both sides start from the same numbers.
        let mut random = |len: usize, scale: f32| -> Vec<f64> {
            (0..len)
                .map(|_| f64::from(rng.random_range(-scale..scale)))
                .collect()
        };
        let (input, hidden) = (shape.input, shape.hidden);
        let rows = C::GATES * hidden;
        let scale = 1.5 / (hidden as f32).sqrt();
        Self {
            shape,
            order,
            x: random(shape.frames() * input, 2.0),
            weights: (0..directions)
                .map(|_| [rows * input, rows * hidden, rows, rows].map(|len| random(len, scale)))
                .collect(),
            states: (0..C::STATES)
                .map(|_| random(directions * shape.batch * hidden, 1.0))
                .collect(),
        }
    }

    /// Output and final states by the equations, one scalar after the other.
    pub fn equations<C: Cell>(&self) -> Vec<Vec<f64>> {
        let Shape {
            batch,
            time,
            input,
            hidden,
        } = self.shape;
        let directions = self.weights.len();
        let mut y = vec![0.0; batch * time * directions * hidden];
        let mut last = self.states.clone();
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        for (d, [w, u, bw, bu]) in self.weights.iter().enumerate() {
            for b in 0..batch {
                let start = (d * batch + b) * hidden;
                for step in 0..time {
                    let t = if d == 1 { time - 1 - step } else { step };
                    let row = match self.order {
                        Order::BatchFirst => b * time + t,
                        Order::TimeFirst => t * batch + b,
                    };
                    let x = &self.x[row * input..][..input];
                    let h = last[0][start..][..hidden].to_vec();
                    for unit in 0..hidden {
                        let rows = (0..C::GATES).map(|gate| gate * hidden + unit);
                        let (from_input, from_hidden): (Vec<f64>, Vec<f64>) = rows
                            .map(|r| {
                                (
                                    dot(&w[r * input..][..input], x) + bw[r],
                                    dot(&u[r * hidden..][..hidden], &h) + bu[r],
                                )
                            })
                            .unzip();
                        let before: Vec<f64> = last.iter().map(|s| s[start + unit]).collect();
                        let after = C::unit(&from_input, &from_hidden, &before);
                        for (states, value) in last.iter_mut().zip(after) {
                            states[start + unit] = value;
                        }
                    }
                    y[(row * directions + d) * hidden..][..hidden]
                        .copy_from_slice(&last[0][start..][..hidden]);
                }
            }
        }
        last.insert(0, y);
        last
    }

    /// All numbers that go in, in the order of [`Cell::backward`]'s gradients.
    fn inputs(&mut self) -> Vec<&mut Vec<f64>> {
        let mut all = vec![&mut self.x];
        all.extend(self.weights.iter_mut().flatten());
        all.extend(&mut self.states);
        all
    }

    pub fn single(&self) -> Single {
        Single {
            shape: self.shape,
            order: self.order,
            x: single(&self.x),
            weights: (self.weights.iter())
                .map(|weights| weights.each_ref().map(|w| single(w)))
                .collect(),
            states: self.states.iter().map(|s| single(s)).collect(),
        }
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// A [`Layer`] in f32, for the kernel.
pub struct Single {
    shape: Shape,
    order: Order,
    pub x: Vec<f32>,
    weights: Vec<[Vec<f32>; 4]>,
    pub states: Vec<Vec<f32>>,
}

impl Single {
    pub fn call(&self) -> Call<'_> {
        let weights = self.weights.iter();
        Call {
            shape: self.shape,
            order: self.order,
            x: &self.x,
            weights: weights
                .map(|[input, hidden, input_bias, hidden_bias]| Weights {
                    input,
                    hidden,
                    input_bias,
                    hidden_bias,
                })
                .collect(),
        }
    }
}

pub fn assert_close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    for (index, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(got) - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "{what}[{index}]: {got}, not {expected}"
        );
    }
}

/// (batch, time, input, hidden, directions): ones, no frames, odd sizes, more and fewer than a vector, all sizes of row
/// blocks.
const CASES: [[usize; 5]; 13] = [
    [1, 1, 1, 1, 1],
    [2, 0, 3, 5, 2],
    [1, 1, 3, 5, 2],
    [1, 7, 2, 16, 1],
    [2, 3, 1, 17, 2],
    [3, 4, 5, 15, 2],
    [4, 2, 7, 33, 1],
    [5, 3, 16, 8, 2],
    [6, 2, 9, 20, 2],
    [7, 5, 3, 1, 2],
    [8, 1, 4, 31, 2],
    [11, 2, 3, 64, 1],
    [13, 3, 2, 70, 2],
];

fn cases<C: Cell>() -> impl Iterator<Item = Layer> {
    CASES
        .into_iter()
        .zip(0..)
        .flat_map(|([batch, time, input, hidden, directions], seed)| {
            [Order::BatchFirst, Order::TimeFirst].map(|order| {
                let shape = Shape {
                    batch,
                    time,
                    input,
                    hidden,
                };
                Layer::random::<C>(shape, order, directions, seed)
            })
        })
}

pub fn forward_follows_the_equations_at_every_level<C: Cell>() {
    for layer in cases::<C>() {
        let values = layer.single();
        let expected = layer.equations::<C>();
        for level in Level::available() {
            for keep in [false, true] {
                let (outputs, tape) = C::forward(&values.call(), level, Some(&values.states), keep);
                assert_eq!(tape.is_some(), keep);
                assert_eq!(outputs.len(), expected.len());
                for (index, (output, expected)) in outputs.iter().zip(&expected).enumerate() {
                    let name = format!("{level:?} {:?} {:?} {index}", layer.shape, layer.order);
                    assert_close(&name, output, expected, 2e-6);
                }
            }
        }
    }
}

pub fn absent_state_is_zero<C: Cell>() {
    let shape = Shape {
        batch: 3,
        time: 4,
        input: 5,
        hidden: 19,
    };
    let mut layer = Layer::random::<C>(shape, Order::BatchFirst, 2, 1);
    layer.states.iter_mut().for_each(|s| s.fill(0.0));
    let (outputs, _) = C::forward(&layer.single().call(), Level::best(), None, false);
    assert_close("y", &outputs[0], &layer.equations::<C>()[0], 2e-6);
}

pub fn a_long_loud_sequence_keeps_to_the_equations<C: Cell>() {
    let shape = Shape {
        batch: 2,
        time: 300,
        input: 24,
        hidden: 40,
    };
    let mut layer = Layer::random::<C>(shape, Order::TimeFirst, 2, 2);
    layer.x.iter_mut().for_each(|x| *x *= 8.0);
    let expected = layer.equations::<C>();
    let values = layer.single();
    for level in Level::available() {
        let (outputs, _) = C::forward(&values.call(), level, Some(&values.states), false);
        assert_close("y", &outputs[0], &expected[0], 1e-5);
    }
}

pub fn backward_gives_the_numerical_gradients_at_every_level<C: Cell>() {
    for mut layer in cases::<C>() {
        let values = layer.single();
        // The loss: every output times a random factor.
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(99);
        let factors: Vec<Vec<f64>> = (layer.equations::<C>().iter())
            .map(|output| {
                (output.iter())
                    .map(|_| f64::from(rng.random_range(-1f32..1.0)))
                    .collect()
            })
            .collect();
        let loss = |layer: &Layer| -> f64 {
            (layer.equations::<C>().iter().flatten())
                .zip(factors.iter().flatten())
                .map(|(y, factor)| y * factor)
                .sum()
        };
        let slopes: Vec<Vec<f32>> = factors.iter().map(|f| single(f)).collect();

        let computed: Vec<(Level, Vec<Vec<f32>>)> = Level::available()
            .into_iter()
            .map(|level| {
                let (_, tape) = C::forward(&values.call(), level, Some(&values.states), true);
                let tape = tape.expect("a tape was asked for");
                (level, C::backward(&values.call(), &tape, &slopes))
            })
            .collect();

        let (shape, order) = (layer.shape, layer.order);
        for slot in 0..layer.inputs().len() {
            let len = layer.inputs()[slot].len();
            for (level, all) in &computed {
                assert_eq!(all[slot].len(), len, "{level:?}: length of gradient {slot}");
            }
            // Some entries of the large tensors, spread over all of them.
            for index in (0..len).step_by((len / 12).max(1)) {
                const DELTA: f64 = 1e-5;
                let original = layer.inputs()[slot][index];
                layer.inputs()[slot][index] = original + DELTA;
                let above = loss(&layer);
                layer.inputs()[slot][index] = original - DELTA;
                let below = loss(&layer);
                layer.inputs()[slot][index] = original;
                let expected = (above - below) / (2.0 * DELTA);
                for (level, all) in &computed {
                    let got = f64::from(all[slot][index]);
                    assert!(
                        (got - expected).abs() <= 1e-5 * (1.0 + expected.abs()),
                        "{level:?} {shape:?} {order:?}: gradient {slot}[{index}] is {got}, not {expected}"
                    );
                }
            }
        }
    }
}

pub fn not_a_number_stays_visible<C: Cell>() {
    let shape = Shape {
        batch: 1,
        time: 2,
        input: 1,
        hidden: 3,
    };
    let mut layer = Layer::random::<C>(shape, Order::BatchFirst, 1, 3);
    layer.x[0] = f64::NAN;
    let values = layer.single();
    for level in Level::available() {
        let (outputs, _) = C::forward(&values.call(), level, None, false);
        assert!(outputs[0].iter().all(|y| y.is_nan()), "{level:?}");
    }
}

/// Tests of a cell, named as what they check.
macro_rules! tests_of_cell {
    ($cell:ty: $($test:ident)*) => {
        $(#[test]
        fn $test() {
            $crate::cell::$test::<$cell>();
        })*
    };
}
pub(crate) use tests_of_cell;

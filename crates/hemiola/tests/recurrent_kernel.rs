//! The LSTM kernel against the equations written down in f64, and against their numerical gradients.

use hemiola::nn::recurrent::kernel::{Level, Order, Shape, lstm};
use rand::{RngExt, SeedableRng};

/// Everything that goes into a layer, in f64 for the equations and in f32 for the kernel.
#[derive(Clone)]
struct Layer {
    shape: Shape,
    order: Order,
    x: Vec<f64>,
    /// Input weights, hidden weights, input bias, hidden bias of each direction
    weights: Vec<[Vec<f64>; 4]>,
    /// Initial hidden and cell states, `[directions, batch, hidden]`
    state: [Vec<f64>; 2],
}

/// Output, final hidden and final cell states.
type Result3 = [Vec<f64>; 3];

impl Layer {
    fn random(shape: Shape, order: Order, directions: usize, seed: u64) -> Self {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        // Values that f32 holds exactly, so that both sides start from the same numbers.
        let mut random = |len: usize, scale: f32| -> Vec<f64> {
            (0..len)
                .map(|_| f64::from(rng.random_range(-scale..scale)))
                .collect()
        };
        let (input, hidden) = (shape.input, shape.hidden);
        let scale = 1.5 / (hidden as f32).sqrt();
        Self {
            shape,
            order,
            x: random(shape.frames() * input, 2.0),
            weights: (0..directions)
                .map(|_| {
                    [
                        random(4 * hidden * input, scale),
                        random(4 * hidden * hidden, scale),
                        random(4 * hidden, scale),
                        random(4 * hidden, scale),
                    ]
                })
                .collect(),
            state: [(); 2].map(|()| random(directions * shape.batch * hidden, 1.0)),
        }
    }

    /// The equations, one scalar after the other.
    fn equations(&self) -> Result3 {
        let Shape {
            batch,
            time,
            input,
            hidden,
        } = self.shape;
        let directions = self.weights.len();
        let mut y = vec![0.0; batch * time * directions * hidden];
        let [mut last_h, mut last_c] = self.state.clone();
        for (d, [w, u, bw, bu]) in self.weights.iter().enumerate() {
            for b in 0..batch {
                let start = (d * batch + b) * hidden;
                let mut h = self.state[0][start..start + hidden].to_vec();
                let mut c = self.state[1][start..start + hidden].to_vec();
                for step in 0..time {
                    let t = if d == 1 { time - 1 - step } else { step };
                    let row = match self.order {
                        Order::BatchFirst => b * time + t,
                        Order::TimeFirst => t * batch + b,
                    };
                    let x = &self.x[row * input..][..input];
                    let pre = |gate: usize, unit: usize| -> f64 {
                        let r = gate * hidden + unit;
                        let from_x: f64 = (0..input).map(|k| w[r * input + k] * x[k]).sum();
                        let from_h: f64 = (0..hidden).map(|k| u[r * hidden + k] * h[k]).sum();
                        from_x + from_h + bw[r] + bu[r]
                    };
                    let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
                    let mut next = h.clone();
                    for unit in 0..hidden {
                        let (i, f) = (sigmoid(pre(0, unit)), sigmoid(pre(1, unit)));
                        let (g, o) = (pre(2, unit).tanh(), sigmoid(pre(3, unit)));
                        c[unit] = f * c[unit] + i * g;
                        next[unit] = o * c[unit].tanh();
                    }
                    h = next;
                    y[(row * directions + d) * hidden..][..hidden].copy_from_slice(&h);
                }
                last_h[start..start + hidden].copy_from_slice(&h);
                last_c[start..start + hidden].copy_from_slice(&c);
            }
        }
        [y, last_h, last_c]
    }

    /// All numbers that go in, one after the other.
    fn inputs(&mut self) -> Vec<&mut Vec<f64>> {
        let mut all = vec![&mut self.x];
        all.extend(self.weights.iter_mut().flatten());
        all.extend(&mut self.state);
        all
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// The layer in f32 as the kernel wants it.
struct Single {
    x: Vec<f32>,
    weights: Vec<[Vec<f32>; 4]>,
    state: [Vec<f32>; 2],
}

impl Single {
    fn new(layer: &Layer) -> Self {
        Self {
            x: single(&layer.x),
            weights: (layer.weights.iter())
                .map(|w| [single(&w[0]), single(&w[1]), single(&w[2]), single(&w[3])])
                .collect(),
            state: [single(&layer.state[0]), single(&layer.state[1])],
        }
    }

    fn weights(&self) -> Vec<lstm::Weights<'_>> {
        (self.weights.iter())
            .map(|[input, hidden, input_bias, hidden_bias]| lstm::Weights {
                input,
                hidden,
                input_bias,
                hidden_bias,
            })
            .collect()
    }

    fn state(&self) -> lstm::State<'_> {
        lstm::State {
            h: &self.state[0],
            c: &self.state[1],
        }
    }
}

fn assert_close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    for (index, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(got) - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "{what}[{index}]: {got}, not {expected}"
        );
    }
}

/// (batch, time, input, hidden, directions): ones, odd sizes, more and fewer than a vector, all sizes of row blocks.
const CASES: [[usize; 5]; 12] = [
    [1, 1, 1, 1, 1],
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

fn cases() -> impl Iterator<Item = Layer> {
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
                Layer::random(shape, order, directions, seed)
            })
        })
}

#[test]
fn forward_follows_the_equations_at_every_level() {
    for layer in cases() {
        let (values, shape, order) = (Single::new(&layer), layer.shape, layer.order);
        let [y, h, c] = layer.equations();
        for level in Level::available() {
            for keep in [false, true] {
                let (output, tape) = lstm::forward(
                    level,
                    shape,
                    order,
                    &values.x,
                    &values.weights(),
                    Some(values.state()),
                    keep,
                );
                assert_eq!(tape.is_some(), keep);
                let name = format!("{level:?} {shape:?} {order:?}");
                assert_close(&format!("{name} y"), &output.y, &y, 2e-6);
                assert_close(&format!("{name} h"), &output.h, &h, 2e-6);
                assert_close(&format!("{name} c"), &output.c, &c, 2e-6);
            }
        }
    }
}

#[test]
fn absent_state_is_zero() {
    let shape = Shape {
        batch: 3,
        time: 4,
        input: 5,
        hidden: 19,
    };
    let mut layer = Layer::random(shape, Order::BatchFirst, 2, 1);
    layer.state.iter_mut().for_each(|s| s.fill(0.0));
    let [y, ..] = layer.equations();
    let values = Single::new(&layer);
    let (output, _) = lstm::forward(
        Level::best(),
        shape,
        layer.order,
        &values.x,
        &values.weights(),
        None,
        false,
    );
    assert_close("y", &output.y, &y, 2e-6);
}

#[test]
fn a_long_loud_sequence_keeps_to_the_equations() {
    let shape = Shape {
        batch: 2,
        time: 300,
        input: 24,
        hidden: 40,
    };
    let mut layer = Layer::random(shape, Order::TimeFirst, 2, 2);
    layer.x.iter_mut().for_each(|x| *x *= 8.0);
    let [y, ..] = layer.equations();
    let values = Single::new(&layer);
    for level in Level::available() {
        let (output, _) = lstm::forward(
            level,
            shape,
            layer.order,
            &values.x,
            &values.weights(),
            Some(values.state()),
            false,
        );
        assert_close("y", &output.y, &y, 1e-5);
    }
}

#[test]
fn backward_gives_the_numerical_gradients_at_every_level() {
    for mut layer in cases() {
        let (shape, order) = (layer.shape, layer.order);
        let values = Single::new(&layer);
        // The loss: every output times a random factor.
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(99);
        let factors = layer.equations().map(|out| -> Vec<f64> {
            out.iter()
                .map(|_| f64::from(rng.random_range(-1f32..1.0)))
                .collect()
        });
        let loss = |layer: &Layer| -> f64 {
            (layer.equations().iter().flatten())
                .zip(factors.iter().flatten())
                .map(|(y, factor)| y * factor)
                .sum()
        };
        let [y, h, c] = factors.each_ref().map(|f| single(f));

        let computed: Vec<(Level, Vec<Vec<f32>>)> = Level::available()
            .into_iter()
            .map(|level| {
                let (_, tape) = lstm::forward(
                    level,
                    shape,
                    order,
                    &values.x,
                    &values.weights(),
                    Some(values.state()),
                    true,
                );
                let gradients = lstm::backward(
                    shape,
                    order,
                    &values.x,
                    &values.weights(),
                    &tape.expect("a tape was asked for"),
                    lstm::OutputGradients {
                        y: &y,
                        last: Some(lstm::State { h: &h, c: &c }),
                    },
                    true,
                );
                let mut all = vec![gradients.x.expect("it was asked for")];
                for w in gradients.weights {
                    all.extend([w.input, w.hidden, w.bias.clone(), w.bias]);
                }
                all.extend([gradients.h, gradients.c]);
                (level, all)
            })
            .collect();

        let slots = layer.inputs().len();
        for slot in 0..slots {
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

#[test]
fn not_a_number_stays_visible() {
    let shape = Shape {
        batch: 1,
        time: 2,
        input: 1,
        hidden: 3,
    };
    let mut layer = Layer::random(shape, Order::BatchFirst, 1, 3);
    layer.x[0] = f64::NAN;
    let values = Single::new(&layer);
    for level in Level::available() {
        let (output, _) = lstm::forward(
            level,
            shape,
            layer.order,
            &values.x,
            &values.weights(),
            None,
            false,
        );
        assert!(output.y.iter().all(|y| y.is_nan()), "{level:?}");
    }
}

//! Layers of LSTMs in one or two directions, as PyTorch's `nn.LSTM`.
//!
//! Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997.

use burn::backend::Dispatch;
use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::layer::{Layer, Stack};
use super::operator::{self, LstmStart, RecurrentBackend};

/// i, f, g, o
const GATES: usize = 4;

/// Sizes of an [`Lstm`].
#[derive(Config, Debug)]
pub struct LstmConfig {
    /// Features of the input
    pub input_size: usize,
    /// Units per direction
    pub hidden_size: usize,
    #[config(default = 1)]
    pub num_layers: usize,
    #[config(default = false)]
    pub bidirectional: bool,
    /// Probability of dropping a value between two layers in training
    #[config(default = 0.0)]
    pub dropout: f64,
}

/// Layers of LSTMs; build it with [`LstmConfig::init`].
#[derive(Module, Debug)]
pub struct Lstm {
    pub layers: Vec<Layer>,
    pub dropout: Dropout,
}

/// Hidden and cell states of all layers and directions, layer by layer: `[layers · directions, batch, hidden]` each.
#[derive(Clone, Debug)]
pub struct LstmState {
    pub hidden: Tensor<3>,
    pub cell: Tensor<3>,
}

impl LstmConfig {
    /// Parameters are uniform in ±1/√hidden, as PyTorch's.
    ///
    /// # Panics
    /// If `dropout` is outside 0 (included) to 1 (excluded).
    pub fn init(&self, device: &Device) -> Lstm {
        let stack = Stack {
            gates: GATES,
            input: self.input_size,
            hidden: self.hidden_size,
            layers: self.num_layers,
            bidirectional: self.bidirectional,
        };
        Lstm {
            layers: stack.init(device),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

impl Lstm {
    /// From `[batch, time, input]` to `[batch, time, directions · hidden]`, starting from states of zero.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let mut x = x.swap_dims(0, 1); // [time, batch, input]
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                x = self.dropout.forward(x);
            }
            x = layer.lstm(x, None, false).0; // [time, batch, directions · hidden]
        }
        x.swap_dims(0, 1)
    }

    /// As [`Lstm::forward`], from given states (zero if absent); returns the final states as well.
    ///
    /// Output and final states are differentiable with respect to input, initial states and parameters.
    pub fn forward_with_state(
        &self,
        x: Tensor<3>,
        state: Option<LstmState>,
    ) -> (Tensor<3>, LstmState) {
        let mut x = x.swap_dims(0, 1); // [time, batch, input]
        let mut last = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                x = self.dropout.forward(x);
            }
            let directions = layer.directions().len();
            let start = state.as_ref().map(|state| LstmState {
                hidden: state
                    .hidden
                    .clone()
                    .narrow(0, index * directions, directions),
                cell: state.cell.clone().narrow(0, index * directions, directions),
            });
            let (y, end) = layer.lstm(x, start, true);
            x = y; // [time, batch, directions · hidden]
            last.extend(end);
        }
        let (hidden, cell) = last.into_iter().map(|s| (s.hidden, s.cell)).unzip();
        let state = LstmState {
            hidden: Tensor::cat(hidden, 0),
            cell: Tensor::cat(cell, 0),
        };
        (x.swap_dims(0, 1), state)
    }
}

impl Layer {
    /// From `[time, batch, input]` to `[time, batch, directions · hidden]`; the final state only if `wants_state`.
    fn lstm(
        &self,
        x: Tensor<3>,
        start: Option<LstmState>,
        wants_state: bool,
    ) -> (Tensor<3>, Option<LstmState>) {
        let [time, batch, _] = x.dims();
        let [_, hidden] = self.forward.weight_hh.dims();
        let directions = self.directions().len();
        let start = start.unwrap_or_else(|| {
            let zeros = Tensor::zeros([directions, batch, hidden], &x.device());
            LstmState {
                hidden: zeros.clone(),
                cell: zeros,
            }
        });
        if !operator::supports(&x) {
            let (y, state) = self.plain_lstm(x, start);
            return (y, wants_state.then_some(state));
        }
        let x = x.into_dispatch();
        let start = LstmStart {
            hidden: start.hidden.into_dispatch(),
            cell: start.cell.into_dispatch(),
        };
        let output = Dispatch::lstm(x, self.operands(), start, wants_state);
        let output = Tensor::<3>::from_dispatch(output);
        if !wants_state {
            return (output, None);
        }
        let y = output.clone().narrow(0, 0, time);
        let part = |row: usize, direction: usize| {
            (output.clone().narrow(0, row, 1)).narrow(2, direction * hidden, hidden) // [1, batch, hidden]
        };
        // The reverse direction ends at the first frame; the operator puts the cell states behind the last.
        let ends = [time - 1, 0];
        let state = LstmState {
            hidden: Tensor::cat((0..directions).map(|d| part(ends[d], d)).collect(), 0),
            cell: Tensor::cat((0..directions).map(|d| part(time, d)).collect(), 0),
        };
        (y, Some(state))
    }

    /// The layer in burn's own operations, for devices without the operator.
    fn plain_lstm(&self, x: Tensor<3>, start: LstmState) -> (Tensor<3>, LstmState) {
        let [time, batch, input] = x.dims();
        let mut outputs = Vec::new();
        let (mut last_hidden, mut last_cell) = (Vec::new(), Vec::new());
        for (index, direction) in self.directions().into_iter().enumerate() {
            let weight = direction.weight_hh.val().transpose(); // [hidden, 4 · hidden]
            let [hidden, rows] = weight.dims();
            let bias = direction.bias_ih.val() + direction.bias_hh.val();
            let gates = x
                .clone()
                .reshape([time * batch, input])
                .matmul(direction.weight_ih.val().transpose())
                .add(bias.unsqueeze())
                .reshape([time, batch, rows]);
            let state = |states: &Tensor<3>| -> Tensor<2> {
                states.clone().narrow(0, index, 1).squeeze_dim(0) // [batch, hidden]
            };
            let (mut h, mut c) = (state(&start.hidden), state(&start.cell));
            let mut frames = Vec::with_capacity(time);
            for step in 0..time {
                let t = if index == 1 { time - 1 - step } else { step };
                let gates: Tensor<2> = gates.clone().narrow(0, t, 1).squeeze_dim(0);
                let gates = gates + h.matmul(weight.clone()); // [batch, 4 · hidden]
                let gate = |gate: usize| gates.clone().narrow(1, gate * hidden, hidden);
                c = sigmoid(gate(1)) * c + sigmoid(gate(0)) * gate(2).tanh();
                h = sigmoid(gate(3)) * c.clone().tanh();
                frames.push(h.clone());
            }
            if index == 1 {
                frames.reverse();
            }
            outputs.push(Tensor::stack::<3>(frames, 0)); // [time, batch, hidden]
            last_hidden.push(h);
            last_cell.push(c);
        }
        let state = LstmState {
            hidden: Tensor::stack(last_hidden, 0),
            cell: Tensor::stack(last_cell, 0),
        };
        (Tensor::cat(outputs, 2), state)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, TensorData, Tolerance};

    use super::*;

    fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
    }

    type Outcome = Vec<(&'static str, TensorData)>;

    /// Outputs of one layer and the gradients of all that goes in, by the operator or in burn's own operations.
    fn outcome(layer: &Layer, x: &Tensor<3>, start: &LstmState, fused: bool) -> Outcome {
        let x = x.clone().require_grad();
        let start = LstmState {
            hidden: start.hidden.clone().require_grad(),
            cell: start.cell.clone().require_grad(),
        };
        let (y, state) = if fused {
            assert!(operator::supports(&x));
            let (y, state) = layer.lstm(x.clone(), Some(start.clone()), true);
            (y, state.expect("it was asked for"))
        } else {
            layer.plain_lstm(x.clone(), start.clone())
        };
        // Squares give every value a gradient of its own.
        let loss = y.clone().powi_scalar(2).sum()
            + state.hidden.clone().powi_scalar(2).sum().mul_scalar(0.3)
            + state.cell.clone().powi_scalar(2).sum().mul_scalar(0.7);
        let gradients = loss.backward();
        let gradient = |of: &Tensor<3>| of.grad(&gradients).expect("a gradient").into_data();
        let mut all = vec![
            ("gradient of x", gradient(&x)),
            ("gradient of h", gradient(&start.hidden)),
            ("gradient of c", gradient(&start.cell)),
            ("y", y.into_data()),
            ("h", state.hidden.into_data()),
            ("c", state.cell.into_data()),
        ];
        for direction in layer.directions() {
            for weight in [&direction.weight_ih, &direction.weight_hh] {
                let gradient = weight.val().grad(&gradients).expect("a gradient");
                all.push(("gradient of a weight", gradient.into_data()));
            }
            for bias in [&direction.bias_ih, &direction.bias_hh] {
                let gradient = bias.val().grad(&gradients).expect("a gradient");
                all.push(("gradient of a bias", gradient.into_data()));
            }
        }
        all
    }

    #[test]
    fn the_operator_agrees_with_burns_own_operations() {
        let device = Device::flex().autodiff();
        for ([batch, time, input, hidden], bidirectional) in [
            ([1, 1, 1, 1], false),
            ([1, 5, 3, 7], true),
            ([3, 1, 2, 16], true),
            ([5, 9, 20, 33], true),
            ([4, 12, 6, 24], false),
        ] {
            let config = LstmConfig::new(input, hidden).with_bidirectional(bidirectional);
            let lstm = config.init(&device);
            let layer = &lstm.layers[0];
            let directions = layer.directions().len();
            let start = LstmState {
                hidden: random([directions, batch, hidden], &device),
                cell: random([directions, batch, hidden], &device),
            };
            // A transposed view, as the module passes it.
            let x = random([batch, time, input], &device).swap_dims(0, 1);
            let fused = outcome(layer, &x, &start, true);
            let plain = outcome(layer, &x, &start, false);
            for ((name, fused), (_, plain)) in fused.iter().zip(&plain) {
                println!("{name} of {batch}x{time}x{input}x{hidden}");
                fused.assert_approx_eq::<f32>(plain, Tolerance::absolute(2e-5));
            }
        }
    }

    #[test]
    fn a_sequence_in_two_parts_gives_the_same_as_the_whole() {
        let device = Device::flex();
        let lstm = LstmConfig::new(5, 19).with_num_layers(2).init(&device);
        let x = random([2, 11, 5], &device);
        let whole = lstm.forward(x.clone());
        let (first, state) = lstm.forward_with_state(x.clone().narrow(1, 0, 4), None);
        let (second, _) = lstm.forward_with_state(x.narrow(1, 4, 7), Some(state));
        let parts = Tensor::cat(vec![first, second], 1);
        (parts.into_data()).assert_approx_eq::<f32>(&whole.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn training_and_inference_give_the_same_without_dropout() {
        let device = Device::flex().autodiff();
        let config = LstmConfig::new(6, 10)
            .with_num_layers(3)
            .with_bidirectional(true);
        let lstm = config.init(&device);
        let x = random([3, 8, 6], &device);
        let tracked = lstm.forward(x.clone());
        let untracked = lstm.to_device(&device.clone().inner()).forward(x.inner());
        (tracked.into_data())
            .assert_approx_eq::<f32>(&untracked.into_data(), Tolerance::absolute(0.0));
    }
}

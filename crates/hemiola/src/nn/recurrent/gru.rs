//! Layers of GRUs in one or two directions, as PyTorch's `nn.GRU`.
//!
//! Cho et al., Learning Phrase Representations using RNN Encoder–Decoder for Statistical Machine Translation, 2014; the
//! reset gate after the product with the hidden state, as in PyTorch.

use burn::backend::Dispatch;
use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::kernel::Level;
use super::kernel::gru::{Packed, Weights};
use super::layer::{Layer, Stack};
use super::operator::{self, RecurrentBackend};
use crate::error::{self, Error};

/// r, z, n
const GATES: usize = 3;

/// Sizes of a [`Gru`].
#[derive(Config, Debug)]
pub struct GruConfig {
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

/// Layers of GRUs; build it with [`GruConfig::init`].
#[derive(Module, Debug)]
pub struct Gru {
    pub layers: Vec<Layer>,
    pub dropout: Dropout,
}

impl GruConfig {
    /// Parameters are uniform in ±1/√hidden, as PyTorch's.
    ///
    /// # Panics
    /// If `dropout` is outside 0 (included) to 1 (excluded).
    pub fn init(&self, device: &Device) -> Gru {
        let stack = Stack {
            gates: GATES,
            input: self.input_size,
            hidden: self.hidden_size,
            layers: self.num_layers,
            bidirectional: self.bidirectional,
        };
        Gru {
            layers: stack.init(device),
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

impl Gru {
    /// From `[batch, time, input]` to `[batch, time, directions · hidden]`, starting from states of zero.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.forward_with_state(x, None).0
    }

    /// As [`Gru::forward`], from given states (zero if absent) `[layers · directions, batch, hidden]`; returns the final
    /// states as well, which are the given ones where there are no frames.
    ///
    /// Output and final states are differentiable with respect to input, initial states and parameters.
    pub fn forward_with_state(
        &self,
        x: Tensor<3>,
        state: Option<Tensor<3>>,
    ) -> (Tensor<3>, Tensor<3>) {
        let [batch, time, _] = x.dims();
        let [_, hidden] = self.layers[0].forward.weight_hh.dims();
        let directions = self.layers[0].directions().len();
        let states = [self.layers.len() * directions, batch, hidden];
        let state = state.unwrap_or_else(|| Tensor::zeros(states, &x.device()));
        if time == 0 {
            let empty = Tensor::zeros([batch, 0, directions * hidden], &x.device());
            return (empty, state);
        }
        let mut x = x.swap_dims(0, 1); // [time, batch, input]
        let mut last = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                x = self.dropout.forward(x);
            }
            let start = state.clone().narrow(0, index * directions, directions);
            x = layer.gru(x, start); // [time, batch, directions · hidden]
            for direction in 0..directions {
                // The reverse direction ends at the first frame.
                let end = if direction == 1 { 0 } else { time - 1 };
                let end = x.clone().narrow(0, end, 1);
                last.push(end.narrow(2, direction * hidden, hidden)); // [1, batch, hidden]
            }
        }
        (x.swap_dims(0, 1), Tensor::cat(last, 0))
    }

    /// The weights as they are now, for [`Stepper`](super::kernel::gru::Stepper)s that take one frame at a time.
    ///
    /// # Errors
    /// If there are two directions: the second needs all frames at once.
    pub fn packed(&self) -> error::Result<Packed> {
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            if layer.reverse.is_some() {
                return Err(Error::config(
                    "a bidirectional GRU cannot go frame by frame; use one of one direction",
                ));
            }
            let direction = &layer.forward;
            layers.push([
                numbers(&direction.weight_ih),
                numbers(&direction.weight_hh),
                numbers(&direction.bias_ih),
                numbers(&direction.bias_hh),
            ]);
        }
        let [input, hidden] = [
            &self.layers[0].forward.weight_ih,
            &self.layers[0].forward.weight_hh,
        ]
        .map(|weight| weight.dims()[1]);
        let weights: Vec<Weights<'_>> = layers
            .iter()
            .map(|[input, hidden, input_bias, hidden_bias]| Weights {
                input,
                hidden,
                input_bias,
                hidden_bias,
            })
            .collect();
        Ok(Packed::new(Level::best(), input, hidden, &weights))
    }
}

/// A parameter's values in row-major order.
fn numbers<const D: usize>(parameter: &Param<Tensor<D>>) -> Vec<f32> {
    parameter.val().into_data().iter::<f32>().collect()
}

impl Layer {
    /// From `[time, batch, input]` and states `[directions, batch, hidden]` to `[time, batch, directions · hidden]`.
    fn gru(&self, x: Tensor<3>, start: Tensor<3>) -> Tensor<3> {
        if !operator::supports(&x) {
            return self.plain_gru(x, start);
        }
        let output = Dispatch::gru(x.into_dispatch(), self.operands(), start.into_dispatch());
        Tensor::from_dispatch(output)
    }

    /// The layer in burn's own operations, for devices without the operator.
    fn plain_gru(&self, x: Tensor<3>, start: Tensor<3>) -> Tensor<3> {
        let [time, batch, input] = x.dims();
        let mut outputs = Vec::new();
        for (index, direction) in self.directions().into_iter().enumerate() {
            let weight = direction.weight_hh.val().transpose(); // [hidden, 3 · hidden]
            let bias = direction.bias_hh.val().unsqueeze::<2>();
            let [hidden, rows] = weight.dims();
            let from_input = x
                .clone()
                .reshape([time * batch, input])
                .matmul(direction.weight_ih.val().transpose())
                .add(direction.bias_ih.val().unsqueeze())
                .reshape([time, batch, rows]);
            let mut h: Tensor<2> = start.clone().narrow(0, index, 1).squeeze_dim(0); // [batch, hidden]
            let mut frames = Vec::with_capacity(time);
            for step in 0..time {
                let t = if index == 1 { time - 1 - step } else { step };
                let from_input: Tensor<2> = from_input.clone().narrow(0, t, 1).squeeze_dim(0);
                let from_hidden = h.clone().matmul(weight.clone()) + bias.clone(); // [batch, 3 · hidden]
                let gate =
                    |of: &Tensor<2>, gate: usize| of.clone().narrow(1, gate * hidden, hidden);
                let sum = |index: usize| gate(&from_input, index) + gate(&from_hidden, index);
                let (r, z) = (sigmoid(sum(0)), sigmoid(sum(1)));
                let n = (gate(&from_input, 2) + r * gate(&from_hidden, 2)).tanh();
                h = n.clone() + z * (h - n);
                frames.push(h.clone());
            }
            if index == 1 {
                frames.reverse();
            }
            outputs.push(Tensor::stack::<3>(frames, 0)); // [time, batch, hidden]
        }
        Tensor::cat(outputs, 2)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::tensor::{Distribution, TensorData, Tolerance};

    use super::super::kernel::gru::Stepper;
    use super::*;

    fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
    }

    /// Output of one layer and the gradients of all that goes in, by the operator or in burn's own operations.
    fn outcome(
        layer: &Layer,
        x: &Tensor<3>,
        start: &Tensor<3>,
        fused: bool,
    ) -> Vec<(&'static str, TensorData)> {
        let x = x.clone().require_grad();
        let start = start.clone().require_grad();
        assert!(operator::supports(&x));
        let y = if fused {
            layer.gru(x.clone(), start.clone())
        } else {
            layer.plain_gru(x.clone(), start.clone())
        };
        // Squares give every value a gradient of its own.
        let gradients = y.clone().powi_scalar(2).sum().backward();
        let gradient = |of: &Tensor<3>| of.grad(&gradients).expect("a gradient").into_data();
        let mut all = vec![
            ("gradient of x", gradient(&x)),
            ("gradient of h", gradient(&start)),
            ("y", y.into_data()),
        ];
        for direction in layer.directions() {
            for (name, weight) in [
                ("gradient of weight_ih", &direction.weight_ih),
                ("gradient of weight_hh", &direction.weight_hh),
            ] {
                let gradient = weight.val().grad(&gradients).expect("a gradient");
                all.push((name, gradient.into_data()));
            }
            for (name, bias) in [
                ("gradient of bias_ih", &direction.bias_ih),
                ("gradient of bias_hh", &direction.bias_hh),
            ] {
                let gradient = bias.val().grad(&gradients).expect("a gradient");
                all.push((name, gradient.into_data()));
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
            let config = GruConfig::new(input, hidden).with_bidirectional(bidirectional);
            let gru = config.init(&device);
            let layer = &gru.layers[0];
            let start = random([layer.directions().len(), batch, hidden], &device);
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
    fn final_states_are_the_outputs_of_the_ends() {
        let device = Device::flex();
        let gru = GruConfig::new(3, 6)
            .with_num_layers(2)
            .with_bidirectional(true)
            .init(&device);
        let (y, state) = gru.forward_with_state(random([2, 5, 3], &device), None);
        assert_eq!(state.dims(), [4, 2, 6]);
        for (row, frame, unit) in [(2, 4, 0), (3, 0, 6)] {
            let of_y: Tensor<2> = y
                .clone()
                .narrow(1, frame, 1)
                .narrow(2, unit, 6)
                .squeeze_dim(1);
            let of_state: Tensor<2> = state.clone().narrow(0, row, 1).squeeze_dim(0);
            assert_eq!(of_y.into_data(), of_state.into_data());
        }
    }

    #[test]
    fn parts_and_single_frames_give_the_same_as_the_whole() {
        let device = Device::flex();
        let gru = GruConfig::new(5, 19).with_num_layers(2).init(&device);
        let x = random([1, 11, 5], &device);
        let (whole, last) = gru.forward_with_state(x.clone(), None);
        let (mut parts, mut state) = (Vec::new(), None);
        for (start, len) in [(0, 4), (4, 0), (4, 1), (5, 6)] {
            let (part, end) =
                gru.forward_with_state(x.clone().slice([0..1, start..start + len]), state);
            parts.push(part);
            state = Some(end);
        }
        let parts = Tensor::cat(parts, 1).into_data();
        parts.assert_approx_eq::<f32>(&whole.clone().into_data(), Tolerance::absolute(1e-6));

        let mut stepper = Stepper::new(Arc::new(gru.packed().expect("one direction")));
        let frames: Vec<f32> = x.into_data().iter().collect();
        let steps: Vec<f32> = frames
            .chunks_exact(5)
            .flat_map(|frame| stepper.step(frame).to_vec())
            .collect();
        TensorData::new(steps, [1, 11, 19])
            .assert_approx_eq::<f32>(&whole.into_data(), Tolerance::absolute(1e-6));
        let states: Vec<f32> = (0..2).flat_map(|l| stepper.state(l).to_vec()).collect();
        TensorData::new(states, [2, 1, 19])
            .assert_approx_eq::<f32>(&last.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn no_frames_leave_the_state_alone() {
        let device = Device::flex().autodiff();
        let gru = GruConfig::new(3, 4).with_num_layers(2).init(&device);
        let start = random([2, 3, 4], &device);
        let (y, state) =
            gru.forward_with_state(Tensor::zeros([3, 0, 3], &device), Some(start.clone()));
        assert_eq!(y.dims(), [3, 0, 4]);
        assert_eq!(state.into_data(), start.into_data());
    }

    #[test]
    fn two_directions_cannot_be_packed_for_steps() {
        let config = GruConfig::new(3, 4).with_bidirectional(true);
        let message = config
            .init(&Device::flex())
            .packed()
            .unwrap_err()
            .to_string();
        assert!(message.contains("bidirectional"), "{message}");
    }
}

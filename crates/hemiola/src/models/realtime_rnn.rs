//! RealTimeMusicRNN: chroma of a live stream, frame by frame.
//!
//! A GRU, a causal convolution over its last three outputs with a residual, and one sigmoid per pitch class. The layers are
//! those of the tutorial "Deep Learning Paradigms in Music Information Retrieval". The state that goes from one part of a
//! stream to the next holds the GRU's hidden state and the two outputs that the convolution looks back on, so that a stream
//! gives the same chroma however it is cut.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nn::convolution::Conv1d;
use crate::nn::recurrent::kernel::gru;
use crate::nn::recurrent::{Gru, GruConfig};

/// Pitch classes, from C to B.
pub const N_CHROMA: usize = 12;
/// Frames that the convolution sees: the current one and those before it.
const KERNEL: usize = 3;

/// Sizes of a [`RealTimeMusicRnn`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RealTimeMusicRnnConfig {
    /// Bins of an input frame.
    pub input_dim: usize,
    /// Units of a GRU layer.
    pub hidden_dim: usize,
    /// Stacked GRU layers.
    pub n_layers: usize,
}

impl Default for RealTimeMusicRnnConfig {
    fn default() -> Self {
        Self {
            input_dim: 128,
            hidden_dim: 128,
            n_layers: 2,
        }
    }
}

impl RealTimeMusicRnnConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("input_dim", self.input_dim),
            ("hidden_dim", self.hidden_dim),
            ("n_layers", self.n_layers),
        ] {
            if value == 0 {
                return Err(Error::config(format!(
                    "real-time model: {name} is 0; it must be at least 1"
                )));
            }
        }
        Ok(())
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<RealTimeMusicRnn> {
        self.validate()?;
        let hidden = self.hidden_dim;
        Ok(RealTimeMusicRnn {
            gru: GruConfig::new(self.input_dim, hidden)
                .with_num_layers(self.n_layers)
                .init(device),
            causal_conv: Conv1d::new([hidden, hidden], KERNEL, device),
            output: LinearConfig::new(hidden, N_CHROMA).init(device),
        })
    }
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct RealTimeMusicRnn {
    gru: Gru,
    causal_conv: Conv1d,
    output: Linear,
}

/// What a stretch of frames gives.
#[derive(Debug, Clone)]
pub struct ChromaOutput {
    /// Chroma before the sigmoid, [batch, time, 12].
    pub logits: Tensor<3>,
    /// States of the GRU after the last frame, [layers, batch, hidden_dim].
    pub hidden: Tensor<3>,
}

impl ChromaOutput {
    /// How present each pitch class is, 0–1, [batch, time, 12].
    pub fn chroma(&self) -> Tensor<3> {
        sigmoid(self.logits.clone())
    }

    /// Mean squared error of the chroma, from `target` [batch, time, 12] in 0–1.
    pub fn loss(&self, target: Tensor<3>) -> Tensor<1> {
        (self.chroma() - target).powi_scalar(2).mean()
    }
}

/// Where streams are, between two frames.
#[derive(Debug, Clone)]
pub struct RealTimeState {
    /// States of the GRU, [layers, batch, hidden_dim].
    pub hidden: Tensor<3>,
    /// The GRU's last two outputs, older first, [batch, 2, hidden_dim].
    pub previous: Tensor<3>,
}

impl RealTimeMusicRnn {
    /// Chroma of whole recordings: log-mel frames [batch, time, input_dim].
    pub fn forward(&self, log_mel: Tensor<3>) -> ChromaOutput {
        let state = self.initial_state(log_mel.dims()[0]);
        self.forward_with_state(log_mel, state).0
    }

    /// The next frames of streams, [batch, time, input_dim], of which there may be none; and where the streams are then.
    ///
    /// Differentiable through the states, too.
    pub fn forward_with_state(
        &self,
        log_mel: Tensor<3>,
        state: RealTimeState,
    ) -> (ChromaOutput, RealTimeState) {
        let [batch, time, _] = log_mel.dims();
        let (recurrent, hidden) = self.gru.forward_with_state(log_mel, Some(state.hidden)); // [batch, time, hidden]
        if time == 0 {
            let output = ChromaOutput {
                logits: Tensor::zeros([batch, 0, N_CHROMA], &recurrent.device()),
                hidden: hidden.clone(),
            };
            let previous = state.previous;
            return (output, RealTimeState { hidden, previous });
        }
        let context = Tensor::cat(vec![state.previous, recurrent.clone()], 1); // [batch, 2 + time, hidden]
        // Each place of the padded convolution sees one neighbour on either side; one place earlier, it sees the past alone.
        let convolved = self.causal_conv.forward(context.clone()).narrow(1, 1, time);
        let output = ChromaOutput {
            logits: self.output.forward(recurrent + convolved),
            hidden: hidden.clone(),
        };
        let previous = context.narrow(1, time, KERNEL - 1);
        (output, RealTimeState { hidden, previous })
    }

    /// The beginning of `batch` streams.
    pub fn initial_state(&self, batch: usize) -> RealTimeState {
        let (layers, hidden) = (self.gru.layers.len(), self.hidden_dim());
        let device = self.output.weight.device();
        RealTimeState {
            hidden: Tensor::zeros([layers, batch, hidden], &device),
            previous: Tensor::zeros([batch, KERNEL - 1, hidden], &device),
        }
    }

    /// Bins that an input frame must have.
    pub fn input_dim(&self) -> usize {
        self.gru.layers[0].forward.weight_ih.dims()[1]
    }

    fn hidden_dim(&self) -> usize {
        self.output.weight.dims()[0]
    }

    /// The model with the weights it has now, prepared for single frames, at the beginning of a stream.
    pub fn stepper(&self) -> Result<RealTimeStepper> {
        let gru = Arc::new(self.gru.packed()?);
        Ok(RealTimeStepper {
            gru: gru::Stepper::new(gru),
            context: vec![0.0; KERNEL * self.hidden_dim()],
            readout: Arc::new(self.readout()),
        })
    }

    /// Convolution, residual and output in one: nothing between them is nonlinear.
    fn readout(&self) -> Readout {
        let hidden = self.hidden_dim();
        let conv = numbers(&self.causal_conv.weight); // [to, from, 3]
        let output = numbers(&self.output.weight); // [hidden, 12]
        let conv_bias = numbers(&self.causal_conv.bias);
        let mut weights = vec![[0f64; N_CHROMA]; KERNEL * hidden];
        let mut bias = [0f64; N_CHROMA];
        if let Some(output_bias) = &self.output.bias {
            for (bias, value) in bias.iter_mut().zip(numbers(output_bias)) {
                *bias = value;
            }
        }
        let current = (KERNEL - 1) * hidden;
        let add = |to: &mut [f64; N_CHROMA], factor: f64, row: &[f64]| {
            for (to, value) in to.iter_mut().zip(row) {
                *to += factor * value;
            }
        };
        for (unit, row) in output.chunks_exact(N_CHROMA).enumerate() {
            add(&mut bias, conv_bias[unit], row);
            add(&mut weights[current + unit], 1.0, row);
            let taps = conv[unit * hidden * KERNEL..][..hidden * KERNEL].chunks_exact(KERNEL);
            for (from, taps) in taps.enumerate() {
                for (frame, &tap) in taps.iter().enumerate() {
                    add(&mut weights[frame * hidden + from], tap, row);
                }
            }
        }
        let single = |row: &[f64; N_CHROMA]| row.map(|value| value as f32);
        Readout {
            weights: weights.iter().map(single).collect(),
            bias: single(&bias),
        }
    }

    /// The PyTorch name of a parameter of this module.
    pub fn torch_name(path: &str) -> String {
        crate::nn::recurrent::keys::pytorch_of_path(path).unwrap_or_else(|| path.to_owned())
    }
}

/// A parameter's values in row-major order.
fn numbers<const D: usize>(parameter: &Param<Tensor<D>>) -> Vec<f64> {
    parameter.val().into_data().iter::<f64>().collect()
}

/// From the GRU's last three outputs to the logits.
#[derive(Debug)]
struct Readout {
    /// One row per output of the GRU, older outputs first.
    weights: Vec<[f32; N_CHROMA]>,
    bias: [f32; N_CHROMA],
}

/// One stream of single frames through a [`RealTimeMusicRnn`], without a tensor per frame.
///
/// Clones are streams of their own and share the weights.
#[derive(Debug, Clone)]
pub struct RealTimeStepper {
    gru: gru::Stepper,
    /// The GRU's last three outputs, older first.
    context: Vec<f32>,
    readout: Arc<Readout>,
}

impl RealTimeStepper {
    /// Chroma, 0–1, after one more log-mel frame.
    ///
    /// # Panics
    /// If the frame has not the model's `input_dim` bins.
    pub fn step(&mut self, frame: &[f32]) -> [f32; N_CHROMA] {
        let output = self.gru.step(frame);
        self.context.copy_within(output.len().., 0);
        let current = self.context.len() - output.len();
        self.context[current..].copy_from_slice(output);
        let mut logits = self.readout.bias;
        for (value, weights) in self.context.iter().zip(&self.readout.weights) {
            for (logit, weight) in logits.iter_mut().zip(weights) {
                *logit += value * weight;
            }
        }
        logits.map(|logit| 1.0 / (1.0 + (-logit).exp()))
    }

    /// Bins that a frame must have.
    pub fn input_dim(&self) -> usize {
        self.gru.packed().input()
    }

    /// Back to the beginning of a stream.
    pub fn reset(&mut self) {
        self.gru.reset();
        self.context.fill(0.0);
    }

    /// Where the stream is, as [`RealTimeMusicRnn::forward_with_state`] has it.
    pub fn state(&self, device: &Device) -> RealTimeState {
        let (layers, hidden) = (self.gru.packed().layers(), self.gru.packed().hidden());
        let states: Vec<f32> = (0..layers)
            .flat_map(|layer| self.gru.state(layer).iter().copied())
            .collect();
        let previous = self.context[hidden..].to_vec();
        let tensor =
            |values, shape: [usize; 3]| Tensor::from_data(TensorData::new(values, shape), device);
        RealTimeState {
            hidden: tensor(states, [layers, 1, hidden]),
            previous: tensor(previous, [1, KERNEL - 1, hidden]),
        }
    }

    /// Goes on from where a stream of the same model is, the one at `index` of the batch.
    ///
    /// # Errors
    /// When the state is of a model of other sizes, or of fewer streams.
    pub fn resume(&mut self, state: &RealTimeState, index: usize) -> Result<()> {
        let (layers, hidden) = (self.gru.packed().layers(), self.gru.packed().hidden());
        let [found_layers, streams, found_hidden] = state.hidden.dims();
        if state.previous.dims() != [streams, KERNEL - 1, hidden]
            || [found_layers, found_hidden] != [layers, hidden]
            || index >= streams
        {
            return Err(Error::config(format!(
                "stream {index} of a real-time model of {layers} layers of {hidden} units cannot go on from states \
                 of shapes {:?} and {:?}; expected [{layers}, streams, {hidden}] and [streams, {}, {hidden}]",
                state.hidden.dims(),
                state.previous.dims(),
                KERNEL - 1,
            )));
        }
        let of_stream = |states: &Tensor<3>, dim: usize| -> Vec<f32> {
            let states = states.clone().narrow(dim, index, 1);
            states.into_data().iter::<f32>().collect()
        };
        let states = of_stream(&state.hidden, 1);
        for (layer, state) in states.chunks_exact(hidden).enumerate() {
            self.gru.set_state(layer, state);
        }
        self.context[hidden..].copy_from_slice(&of_stream(&state.previous, 0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_preset_has_the_tutorials_parameters() {
        let model = RealTimeMusicRnnConfig::default().init(&Device::flex());
        assert_eq!(model.unwrap().num_params(), 248_972);
    }

    #[test]
    fn impossible_sizes_are_refused_by_name() {
        for (field, text) in [
            ("input_dim", r#"{"input_dim": 0}"#),
            ("hidden_dim", r#"{"hidden_dim": 0}"#),
            ("n_layers", r#"{"n_layers": 0}"#),
        ] {
            let config: RealTimeMusicRnnConfig = serde_json::from_str(text).unwrap();
            let message = config.init(&Device::flex()).unwrap_err().to_string();
            assert!(message.contains(field), "{message}");
        }
        assert!(serde_json::from_str::<RealTimeMusicRnnConfig>(r#"{"hidden": 3}"#).is_err());
    }

    #[test]
    fn the_chroma_of_a_frame_does_not_know_later_frames() {
        let config = RealTimeMusicRnnConfig {
            input_dim: 4,
            hidden_dim: 5,
            n_layers: 1,
        };
        let device = Device::flex();
        let model = config.init(&device).unwrap();
        let frames = |last: f32| {
            let frames = Tensor::<3>::ones([1, 4, 4], &device);
            let last = Tensor::full([1, 1, 4], last, &device);
            model.forward(Tensor::cat(vec![frames, last], 1)).chroma()
        };
        let (one, other) = (frames(2.0), frames(-3.0));
        let before = |chroma: &Tensor<3>| chroma.clone().narrow(1, 0, 4).into_data();
        assert_eq!(before(&one), before(&other));
        assert_ne!(one.into_data(), other.into_data());
    }
}

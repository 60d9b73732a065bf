//! Layers for data with the channels last; names, layouts, initial values and semantics of their parameters are PyTorch's.

use burn::module::{Flag, Module, Param, RunningState};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use super::kernel::Padding;
use super::operator::{self, FixedNorm};

/// Two-dimensional convolution, stride 1, with zero padding that keeps height and width unless it is told otherwise.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// [out_channels, in_channels, kernel height, kernel width]
    pub weight: Param<Tensor<4>>,
    /// `[out_channels]`
    pub bias: Param<Tensor<1>>,
    dilation: [usize; 2],
    #[module(skip)]
    padding: Padding,
}

impl Conv2d {
    /// Uniform initial values within 1/√(in_channels · kernel area).
    pub fn new(
        [in_channels, out_channels]: [usize; 2],
        kernel: [usize; 2],
        dilation: [usize; 2],
        device: &Device,
    ) -> Self {
        let initial = uniform(in_channels * kernel[0] * kernel[1]);
        Self {
            weight: initial.init([out_channels, in_channels, kernel[0], kernel[1]], device),
            bias: initial.init([out_channels], device),
            dilation,
            padding: Padding::Same,
        }
    }

    pub fn with_padding(self, padding: Padding) -> Self {
        Self { padding, ..self }
    }

    /// [batch, height, width, in_channels] → [batch, height, width, out_channels]; without padding, height and width
    /// shrink by the kernel's span.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        operator::conv2d(
            input,
            self.weight.val(),
            self.bias.val(),
            self.dilation,
            self.padding,
        )
    }
}

/// One-dimensional convolution, stride 1, with zero padding that keeps the length.
#[derive(Module, Debug)]
pub struct Conv1d {
    /// [out_channels, in_channels, kernel]
    pub weight: Param<Tensor<3>>,
    /// `[out_channels]`
    pub bias: Param<Tensor<1>>,
}

impl Conv1d {
    /// Uniform initial values within 1/√(in_channels · kernel).
    pub fn new([in_channels, out_channels]: [usize; 2], kernel: usize, device: &Device) -> Self {
        let initial = uniform(in_channels * kernel);
        Self {
            weight: initial.init([out_channels, in_channels, kernel], device),
            bias: initial.init([out_channels], device),
        }
    }

    /// [batch, time, in_channels] → [batch, time, out_channels]
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let weight = self.weight.val().unsqueeze_dim(3); // [out, in, kernel, 1]
        let input = input.unsqueeze_dim(2); // [batch, time, 1, in]
        operator::conv2d(input, weight, self.bias.val(), [1, 1], Padding::Same).squeeze_dim(2)
    }
}

fn uniform(fan_in: usize) -> Initializer {
    let bound = 1.0 / (fan_in as f64).sqrt();
    Initializer::Uniform {
        min: -bound,
        max: bound,
    }
}

/// Batch normalisation over all axes but the last.
///
/// On a device with autodiff it takes the statistics of the batch and moves the running ones towards them, unless it is
/// frozen ([`Module::freeze`]); otherwise it takes the running statistics.
///
/// Source: Ioffe and Szegedy 2015, "Batch Normalization".
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// `[channels]`
    pub weight: Param<Tensor<1>>,
    /// `[channels]`
    pub bias: Param<Tensor<1>>,
    /// `[channels]`
    pub running_mean: RunningState<Tensor<1>>,
    /// `[channels]`, unbiased
    pub running_var: RunningState<Tensor<1>>,
    training: Param<Flag>,
    epsilon: f64,
    momentum: f64,
}

impl BatchNorm {
    /// What is added to the variance.
    pub const EPSILON: f64 = 1e-5;
    /// How much of a batch's statistics enters the running ones.
    pub const MOMENTUM: f64 = 0.1;

    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            training: Param::from_bool(true),
            epsilon: Self::EPSILON,
            momentum: Self::MOMENTUM,
        }
    }

    /// […, channels] → […, channels]
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.normalise(input, false)
    }

    /// ReLU of [`forward`](Self::forward), in the same passes over the data.
    pub fn forward_relu<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.normalise(input, true)
    }

    /// The largest of every `window` of height by width of [`forward_relu`](Self::forward_relu): [batch, height, width,
    /// channels] → [batch, height / window height, width / window width, channels], both rounded down.
    pub fn forward_relu_pool(&self, input: Tensor<4>, window: [usize; 2]) -> Tensor<4> {
        if window == [1, 1] || !self.trains(&input.device()) {
            return operator::max_pool(self.forward_relu(input), window);
        }
        let (output, mean, variance) = operator::batch_norm_relu_pool_train(
            input,
            self.weight.val(),
            self.bias.val(),
            self.epsilon,
            window,
        );
        self.follow(mean, variance);
        output
    }

    fn normalise<const D: usize>(&self, input: Tensor<D>, relu: bool) -> Tensor<D> {
        let device = input.device();
        if self.trains(&device) {
            let (weight, bias) = (self.weight.val(), self.bias.val());
            let (output, mean, variance) =
                operator::batch_norm_train(input, weight, bias, self.epsilon, relu);
            self.follow(mean, variance);
            return output;
        }
        operator::batch_norm(input, self.fixed(&device), relu)
    }

    fn trains(&self, device: &Device) -> bool {
        device.is_autodiff() && self.training.is_enabled()
    }

    /// With the running statistics.
    fn fixed(&self, device: &Device) -> FixedNorm {
        FixedNorm {
            weight: self.weight.val(),
            bias: self.bias.val(),
            mean: self.running_mean.value().to_device(device),
            variance: self.running_var.value().to_device(device),
            epsilon: self.epsilon,
        }
    }

    /// Moves the running statistics towards the batch's.
    fn follow(&self, mean: Tensor<1>, variance: Tensor<1>) {
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, variance)] {
            let old = running.value_sync().to_device(&batch.device());
            running.update((old * (1.0 - self.momentum) + batch * self.momentum).detach());
            // Whoever reads the state, as a checkpoint does, sees this update too.
            running.value_sync();
        }
    }
}

/// A convolution and the normalisation after it; in a module the names of its parameters are those of PyTorch's `Sequential`.
pub type ConvBlock = (Conv2d, BatchNorm);

/// Convolution, batch normalisation, ReLU, and the largest of every `window` of height by width, [1, 1] for all:
/// [batch, height, width, in_channels] → [batch, height / window height, width / window width, out_channels].
///
/// In inference the normalisation is part of the convolution, and only the result is written to memory.
pub fn conv_block(
    (convolution, normalisation): &ConvBlock,
    input: Tensor<4>,
    window: [usize; 2],
) -> Tensor<4> {
    let device = input.device();
    if device.is_autodiff() {
        return normalisation.forward_relu_pool(convolution.forward(input), window);
    }
    operator::conv2d_norm_relu_pool(
        input,
        convolution.weight.val(),
        convolution.bias.val(),
        convolution.dilation,
        convolution.padding,
        normalisation.fixed(&device),
        window,
    )
}

//! Pooling as differentiable operators of burn's CPU backend.

use burn::backend::autodiff::{
    Autodiff,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, ops::MaxPoolOptions};

use super::{batch_norm_train_plain, flex, has_kernels, with_floats};
use crate::nn::convolution::batch_norm::Statistics;
use crate::nn::convolution::pooling::{self, Pooled, Windows};

/// Operators with gradients.
#[backend_extension(Flex, Autodiff)]
trait PoolingBackend: Backend {
    fn channels_last_max_pool(input: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self>;

    /// Output, mean, unbiased variance.
    fn channels_last_batch_norm_relu_pool(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        window: [usize; 2],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// The largest value of every `window` of height by width: `input` [batch, height, width, channels] → [batch, height / window
/// height, width / window width, channels], both rounded down.
pub fn max_pool(input: Tensor<4>, window: [usize; 2]) -> Tensor<4> {
    if window == [1, 1] {
        return input;
    }
    if !has_kernels(&input) {
        return max_pool_plain(input, window);
    }
    Tensor::from_dispatch(<Dispatch as PoolingBackend>::channels_last_max_pool(
        input.into_dispatch(),
        window,
    ))
}

/// [`max_pool`] made of burn's operators, for devices without own kernels.
pub fn max_pool_plain(input: Tensor<4>, window: [usize; 2]) -> Tensor<4> {
    let input = input.permute([0, 3, 1, 2]); // [batch, channels, height, width]
    burn::tensor::module::max_pool2d(input, MaxPoolOptions::new(window)).permute([0, 2, 3, 1])
}

/// `input` [batch, height, width, channels] normalised by its own statistics, then ReLU, then [`max_pool`]; and mean and
/// unbiased variance `[channels]`, detached.
pub fn batch_norm_relu_pool_train(
    input: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    window: [usize; 2],
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    if !has_kernels(&input) {
        return batch_norm_relu_pool_train_plain(input, weight, bias, epsilon, window);
    }
    let (output, mean, variance) = <Dispatch as PoolingBackend>::channels_last_batch_norm_relu_pool(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
        window,
    );
    (
        Tensor::from_dispatch(output),
        Tensor::from_dispatch(mean),
        Tensor::from_dispatch(variance),
    )
}

/// [`batch_norm_relu_pool_train`] made of burn's operators, for devices without own kernels.
pub fn batch_norm_relu_pool_train_plain(
    input: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    window: [usize; 2],
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let (output, mean, variance) = batch_norm_train_plain(input, weight, bias, epsilon, true);
    (max_pool_plain(output, window), mean, variance)
}

fn windows(input: &FlexTensor, window: [usize; 2]) -> Windows {
    let [batch, height, width, channels] = input.shape().dims();
    Windows {
        batch,
        height,
        width,
        channels,
        window,
    }
}

fn output_tensor(windows: &Windows, values: Vec<f32>) -> FlexTensor {
    let [height, width] = windows.output_size();
    flex(values, [windows.batch, height, width, windows.channels])
}

fn pool(input: &FlexTensor, windows: &Windows) -> (FlexTensor, Vec<u8>) {
    let Pooled { output, winners } = with_floats(input, |input| pooling::max_pool(windows, input));
    (output_tensor(windows, output), winners)
}

fn normalise_and_pool(
    input: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    epsilon: f64,
    windows: &Windows,
) -> (FlexTensor, Vec<u8>, Statistics) {
    let (Pooled { output, winners }, statistics) = with_floats(input, |input| {
        with_floats(weight, |weight| {
            with_floats(bias, |bias| {
                pooling::batch_norm_relu_pool(windows, input, weight, bias, epsilon)
            })
        })
    });
    (output_tensor(windows, output), winners, statistics)
}

impl PoolingBackend for Flex {
    fn channels_last_max_pool(input: FlexTensor, window: [usize; 2]) -> FlexTensor {
        pool(&input, &windows(&input, window)).0
    }

    fn channels_last_batch_norm_relu_pool(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        epsilon: f64,
        window: [usize; 2],
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let windows = windows(&input, window);
        let (output, _, statistics) = normalise_and_pool(&input, &weight, &bias, epsilon, &windows);
        let variance = flex(statistics.unbiased_variance(), weight.shape());
        (output, flex(statistics.mean, weight.shape()), variance)
    }
}

#[derive(Debug)]
struct MaxPoolGradient;

impl Backward<Flex, 1> for MaxPoolGradient {
    /// Sizes, and who won.
    type State = (Windows, Vec<u8>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<Flex>(&ops.node);
        let (windows, winners) = ops.state;
        let [of_input] = ops.parents;
        if let Some(node) = of_input {
            let gradient = with_floats(&slope, |slope| {
                pooling::max_pool_gradient(&windows, &winners, slope)
            });
            let shape = [
                windows.batch,
                windows.height,
                windows.width,
                windows.channels,
            ];
            gradients.register::<Flex>(node.id, flex(gradient, shape));
        }
    }
}

#[derive(Debug)]
struct BatchNormReluPoolGradient;

#[derive(Clone, Debug)]
struct BatchNormReluPoolState {
    input: FlexTensor,
    weight: FlexTensor,
    epsilon: f64,
    windows: Windows,
    winners: Vec<u8>,
    statistics: Statistics,
}

impl Backward<Flex, 3> for BatchNormReluPoolGradient {
    type State = BatchNormReluPoolState;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<Flex>(&ops.node);
        let state = ops.state;
        let found = with_floats(&state.input, |input| {
            with_floats(&state.weight, |weight| {
                with_floats(&slope, |slope| {
                    pooling::batch_norm_relu_pool_gradients(
                        &state.windows,
                        input,
                        weight,
                        state.epsilon,
                        &state.statistics,
                        &state.winners,
                        slope,
                    )
                })
            })
        });
        let found = [
            flex(found.input, state.input.shape()),
            flex(found.weight, state.weight.shape()),
            flex(found.bias, state.weight.shape()),
        ];
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> PoolingBackend for Autodiff<Flex, C> {
    fn channels_last_max_pool(input: FloatTensor<Self>, window: [usize; 2]) -> FloatTensor<Self> {
        let prepared = MaxPoolGradient
            .prepare::<C>([input.node()])
            .compute_bound()
            .stateful();
        let input = input.into_primitive();
        let windows = windows(&input, window);
        let (output, winners) = pool(&input, &windows);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((windows, winners), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn channels_last_batch_norm_relu_pool(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        window: [usize; 2],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let prepared = BatchNormReluPoolGradient
            .prepare::<C>([input.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful();
        let (input, weight, bias) = (
            input.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
        );
        let windows = windows(&input, window);
        let (output, winners, statistics) =
            normalise_and_pool(&input, &weight, &bias, epsilon, &windows);
        let mean = flex(statistics.mean.clone(), weight.shape());
        let variance = flex(statistics.unbiased_variance(), weight.shape());
        let output = match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(
                BatchNormReluPoolState {
                    input,
                    weight,
                    epsilon,
                    windows,
                    winners,
                    statistics,
                },
                output,
            ),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        (
            output,
            <FloatTensor<Self>>::new(mean),
            <FloatTensor<Self>>::new(variance),
        )
    }
}

//! The operators' gradients.

use burn::backend::autodiff::{
    Autodiff,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::{ConvolutionBackend, flex, geometry, normalise, with_floats};
use crate::nn::convolution::batch_norm::{self, Statistics};
use crate::nn::convolution::kernel::{self, Padding};

#[derive(Debug)]
struct ConvolutionGradient;

impl Backward<Flex, 3> for ConvolutionGradient {
    /// Input, weight, dilation, padding.
    type State = (FlexTensor, FlexTensor, [usize; 2], Padding);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [of_input, of_weight, of_bias] = ops.parents;
        let slope = gradients.consume::<Flex>(&ops.node);
        let (input, weight, dilation, padding) = ops.state;
        let geometry = geometry(&input, &weight, dilation, padding);
        with_floats(&slope, |slope| {
            if of_weight.is_some() || of_bias.is_some() {
                let (to_weight, to_bias) = with_floats(&input, |input| {
                    kernel::parameter_gradients(&geometry, input, slope)
                });
                if let Some(node) = of_weight {
                    gradients.register::<Flex>(node.id, flex(to_weight, weight.shape()));
                }
                if let Some(node) = of_bias {
                    gradients.register::<Flex>(node.id, flex(to_bias, [geometry.out_channels]));
                }
            }
            if let Some(node) = of_input {
                let to_input = with_floats(&weight, |weight| {
                    kernel::input_gradient(&geometry, weight, slope)
                });
                gradients.register::<Flex>(node.id, flex(to_input, input.shape()));
            }
        });
    }
}

#[derive(Debug)]
struct BatchNormGradient;

#[derive(Clone, Debug)]
struct BatchNormState {
    input: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    epsilon: f64,
    relu: bool,
    statistics: Statistics,
}

impl Backward<Flex, 3> for BatchNormGradient {
    type State = BatchNormState;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<Flex>(&ops.node);
        let BatchNormState {
            input,
            weight,
            bias,
            epsilon,
            relu,
            statistics,
        } = ops.state;
        let found = with_floats(&input, |input| {
            with_floats(&weight, |weight| {
                with_floats(&bias, |bias| {
                    with_floats(&slope, |slope| {
                        batch_norm::backward(input, weight, bias, epsilon, relu, &statistics, slope)
                    })
                })
            })
        });
        let found = [
            flex(found.input, input.shape()),
            flex(found.weight, weight.shape()),
            flex(found.bias, bias.shape()),
        ];
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct FixedNormGradient;

#[derive(Clone, Debug)]
struct FixedNormState {
    /// Input, weight, bias, mean, variance.
    tensors: [FlexTensor; 5],
    epsilon: f64,
    relu: bool,
}

impl Backward<Flex, 3> for FixedNormGradient {
    type State = FixedNormState;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<Flex>(&ops.node);
        let FixedNormState {
            tensors: [input, weight, bias, mean, variance],
            epsilon,
            relu,
        } = ops.state;
        let channels = weight.shape();
        let [weight, bias, mean, variance] =
            [weight, bias, mean, variance].map(|tensor| with_floats(&tensor, <[f32]>::to_vec));
        let found = with_floats(&input, |input| {
            with_floats(&slope, |slope| {
                let statistics = [mean.as_slice(), &variance];
                batch_norm::fixed_backward(input, &weight, &bias, epsilon, relu, statistics, slope)
            })
        });
        let found = [
            flex(found.input, input.shape()),
            flex(found.weight, channels.clone()),
            flex(found.bias, channels),
        ];
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> ConvolutionBackend for Autodiff<Flex, C> {
    fn channels_last_convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dilation: [usize; 2],
        padding: Padding,
    ) -> FloatTensor<Self> {
        let prepared = ConvolutionGradient
            .prepare::<C>([input.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful();
        let (input, weight, bias) = (
            input.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
        );
        let output =
            Flex::channels_last_convolution(input.clone(), weight.clone(), bias, dilation, padding);
        match prepared {
            OpsKind::Tracked(prepared) => {
                prepared.finish((input, weight, dilation, padding), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn channels_last_batch_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let prepared = BatchNormGradient
            .prepare::<C>([input.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful();
        let (input, weight, bias) = (
            input.into_primitive(),
            weight.into_primitive(),
            bias.into_primitive(),
        );
        let (output, statistics) = normalise(&input, &weight, &bias, epsilon, relu);
        let mean = flex(statistics.mean.clone(), weight.shape());
        let variance = flex(statistics.unbiased_variance(), weight.shape());
        let output = match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(
                BatchNormState {
                    input,
                    weight,
                    bias,
                    epsilon,
                    relu,
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

    fn channels_last_normalise(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> FloatTensor<Self> {
        let prepared = FixedNormGradient
            .prepare::<C>([input.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful();
        let tensors = [input, weight, bias, mean, variance].map(|tensor| tensor.into_primitive());
        let [input, weight, bias, mean, variance] = tensors.clone();
        let output =
            Flex::channels_last_normalise(input, weight, bias, mean, variance, epsilon, relu);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(
                FixedNormState {
                    tensors,
                    epsilon,
                    relu,
                },
                output,
            ),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

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

use super::{Attention, AttentionCall, Dropout, Sum, TransformerBackend, flex, floats};
use crate::nn::transformer::kernel::{attention, pointwise};

#[derive(Debug)]
struct AttentionGradient;

impl Backward<Flex, 2> for AttentionGradient {
    /// Arguments, result, sums.
    type State = (Attention, FlexTensor, Vec<f32>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (attention, context, sums) = ops.state;
        let found = attention::backward(
            attention.geometry(),
            floats(&attention.packed),
            attention.attended(),
            floats(&context),
            &sums,
            floats(&slope),
        );
        let [of_packed, of_relative] = ops.parents;
        if let Some(node) = of_packed {
            gradients.register::<Flex>(node.id, flex(found.packed, attention.packed.shape()));
        }
        if let (Some(node), Some(found)) = (of_relative, found.relative) {
            gradients.register::<Flex>(node.id, flex(found, attention.relative.shape()));
        }
    }
}

#[derive(Debug)]
struct BiasGeluGradient;

impl Backward<Flex, 2> for BiasGeluGradient {
    type State = (FlexTensor, FlexTensor, Option<Dropout>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (x, bias, dropout) = ops.state;
        let (to_x, to_bias) =
            pointwise::bias_gelu_backward(floats(&x), floats(&bias), dropout, floats(&slope));
        let found = [flex(to_x, x.shape()), flex(to_bias, bias.shape())];
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct AddNormGradient;

impl Backward<Flex, 5> for AddNormGradient {
    type State = Sum;

    fn backward(self, ops: Ops<Self::State, 5>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let sum = ops.state;
        let found = pointwise::add_norm_backward(
            sum.added(),
            floats(&sum.weight),
            sum.epsilon,
            floats(&slope),
        );
        let width = sum.weight.shape();
        let found = [
            flex(found.x, sum.x.shape()),
            flex(found.bias, width.clone()),
            flex(found.residual, sum.x.shape()),
            flex(found.weight, width.clone()),
            flex(found.shift, width),
        ];
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> TransformerBackend for Autodiff<Flex, C> {
    fn packed_attention(
        packed: FloatTensor<Self>,
        relative: FloatTensor<Self>,
        call: AttentionCall,
    ) -> FloatTensor<Self> {
        let prepared = AttentionGradient
            .prepare::<C>([packed.node(), relative.node()])
            .compute_bound()
            .stateful();
        let attention = Attention::new(packed.into_primitive(), relative.into_primitive(), call);
        let (context, sums) = attention.forward();
        match prepared {
            OpsKind::Tracked(prepared) => {
                prepared.finish((attention, context.clone(), sums), context)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(context),
        }
    }

    fn bias_gelu(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dropout: Option<Dropout>,
    ) -> FloatTensor<Self> {
        let prepared = BiasGeluGradient
            .prepare::<C>([x.node(), bias.node()])
            .compute_bound()
            .stateful();
        let x = x.into_primitive().to_contiguous();
        let bias = bias.into_primitive().to_contiguous();
        let output = Flex::bias_gelu(x.clone(), bias.clone(), dropout);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((x, bias, dropout), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn add_norm(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
        dropout: Option<Dropout>,
    ) -> FloatTensor<Self> {
        let prepared = AddNormGradient
            .prepare::<C>([
                x.node(),
                bias.node(),
                residual.node(),
                weight.node(),
                shift.node(),
            ])
            .compute_bound()
            .stateful();
        let sum = Sum {
            x: x.into_primitive().to_contiguous(),
            bias: bias.into_primitive().to_contiguous(),
            residual: residual.into_primitive().to_contiguous(),
            weight: weight.into_primitive().to_contiguous(),
            epsilon,
            dropout,
        };
        let output = sum.forward(&shift.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(sum, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

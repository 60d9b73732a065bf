//! The kernel as a differentiable operator of burn's CPU backend, and in burn's own operations for other devices.

use burn::backend::autodiff::{
    Autodiff,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::kernel::{self, Shape};

#[backend_extension(Flex, Autodiff)]
trait LinearBackend: Backend {
    fn biased_product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self>;
}

/// The layer's output for `x` [rows, inputs]: [rows, outputs].
pub fn linear(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    apply(layer, x, false)
}

/// As [`linear`], then ReLU.
pub fn linear_relu(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    apply(layer, x, true)
}

fn apply(layer: &Linear, x: Tensor<2>, relu: bool) -> Tensor<2> {
    let device = x.device();
    let on_processor = device.clone().without_autodiff() == Device::flex();
    let (true, DType::F32, Some(bias)) = (on_processor, x.dtype(), &layer.bias) else {
        return plain(layer, x, relu);
    };
    let weight = layer.weight.val();
    assert_eq!(x.dims()[1], weight.dims()[0], "inputs of the layer");
    Tensor::from_dispatch(<Dispatch as LinearBackend>::biased_product(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.val().into_dispatch(),
        relu,
    ))
}

fn plain(layer: &Linear, x: Tensor<2>, relu: bool) -> Tensor<2> {
    let y = layer.forward(x);
    if relu {
        burn::tensor::activation::relu(y)
    } else {
        y
    }
}

/// The tensors of a call, contiguous.
#[derive(Clone, Debug)]
struct Call {
    shape: Shape,
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    relu: bool,
}

fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("the operator takes contiguous tensors of f32 only")
}

fn flex<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

impl Call {
    fn new(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, relu: bool) -> Self {
        let ([rows, inputs], [_, outputs]) = (x.shape().dims(), weight.shape().dims());
        Self {
            shape: Shape {
                rows,
                inputs,
                outputs,
            },
            x: x.to_contiguous(),
            weight: weight.to_contiguous(),
            bias: bias.to_contiguous(),
            relu,
        }
    }

    fn forward(&self) -> FlexTensor {
        let [x, weight, bias] = [&self.x, &self.weight, &self.bias].map(values);
        let y = kernel::forward(self.shape, x, weight, bias, self.relu);
        flex(y, [self.shape.rows, self.shape.outputs])
    }
}

impl LinearBackend for Flex {
    fn biased_product(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        relu: bool,
    ) -> FlexTensor {
        Call::new(x, weight, bias, relu).forward()
    }
}

#[derive(Debug)]
struct LinearGradient;

impl Backward<Flex, 3> for LinearGradient {
    /// The call, and its output if it ended in ReLU.
    type State = (Call, Option<FlexTensor>);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let slope = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (call, output) = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        let Shape {
            rows,
            inputs,
            outputs,
        } = call.shape;
        let found = kernel::backward(
            call.shape,
            values(&call.x),
            values(&call.weight),
            output.as_ref().map(values),
            values(&slope),
            of_x.is_some(),
        );
        if let (Some(node), Some(x)) = (of_x, found.x) {
            gradients.register::<Flex>(node.id, flex(x, [rows, inputs]));
        }
        if let Some(node) = of_weight {
            gradients.register::<Flex>(node.id, flex(found.weight, [inputs, outputs]));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, flex(found.bias, [outputs]));
        }
    }
}

impl<C: CheckpointStrategy> LinearBackend for Autodiff<Flex, C> {
    fn biased_product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        let prepared = LinearGradient
            .prepare::<C>([x.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful();
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let call = Call::new(x, weight, bias, relu);
        let output = call.forward();
        match prepared {
            OpsKind::Tracked(prepared) => {
                let kept = relu.then(|| output.clone());
                prepared.finish((call, kept), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    #[test]
    fn the_operator_agrees_with_burns_own_operations() {
        let device = Device::flex().autodiff();
        for (rows, inputs, outputs) in [(1, 1, 1), (9, 5, 17), (200, 80, 90)] {
            let layer = LinearConfig::new(inputs, outputs).init(&device);
            let x = Tensor::<2>::random([inputs, rows], Distribution::Default, &device);
            for relu in [false, true] {
                let outcome = |plainly: bool| {
                    let x = x.clone().require_grad();
                    // A transposed view: the operator must not take it for row-major.
                    let view = x.clone().transpose();
                    let y = match plainly {
                        true => plain(&layer, view, relu),
                        false => apply(&layer, view, relu),
                    };
                    let gradients = y.clone().powi_scalar(2).mean().backward();
                    let bias = layer.bias.as_ref().expect("a bias").val();
                    let gradient = |tensor: Tensor<2>| tensor.grad(&gradients).expect("a gradient");
                    [
                        y.into_data(),
                        gradient(x).into_data(),
                        gradient(layer.weight.val()).into_data(),
                        bias.grad(&gradients).expect("a gradient").into_data(),
                    ]
                };
                for (found, expected) in outcome(false).iter().zip(&outcome(true)) {
                    found.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-5));
                }
            }
        }
    }
}

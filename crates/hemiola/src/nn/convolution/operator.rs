//! The kernels as differentiable operators of burn's CPU backend.

mod gradient;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Device, Tensor, TensorData, ops::ConvOptions};

use super::batch_norm::{self, Normaliser, Statistics};
use super::kernel::{self, Geometry};

/// Operators with gradients.
#[backend_extension(Flex, Autodiff)]
trait ConvolutionBackend: Backend {
    fn channels_last_convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dilation: [usize; 2],
    ) -> FloatTensor<Self>;

    /// Output, mean, unbiased variance.
    fn channels_last_batch_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// The operator that only inference needs.
#[backend_extension(Flex)]
trait InferenceBackend: Backend {
    fn channels_last_normalise(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> FloatTensor<Self>;
}

/// Convolution of `input` [batch, height, width, in_channels] with `weight` [out_channels, in_channels, kernel height,
/// kernel width] and `bias` `[out_channels]`, stride 1, zero padding that keeps height and width as PyTorch's `padding="same"`.
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    dilation: [usize; 2],
) -> Tensor<4> {
    let [_, _, _, channels] = input.dims();
    let [out_channels, in_channels, ..] = weight.dims();
    assert_eq!(
        channels, in_channels,
        "channels of the input and of the weight"
    );
    assert_eq!(
        bias.dims(),
        [out_channels],
        "channels of the bias and of the weight"
    );
    if !has_kernels(&input) {
        return conv2d_plain(input, weight, bias, dilation);
    }
    Tensor::from_dispatch(<Dispatch as ConvolutionBackend>::channels_last_convolution(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        dilation,
    ))
}

/// [`conv2d`] made of burn's operators, for devices without own kernels.
pub fn conv2d_plain(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    dilation: [usize; 2],
) -> Tensor<4> {
    let [_, _, height, width] = weight.dims();
    let padding = [(height, dilation[0]), (width, dilation[1])].map(|(kernel, dilation)| {
        let span = dilation * (kernel - 1);
        (span / 2, span - span / 2)
    });
    let options = ConvOptions::new_with_padding([1, 1], padding, dilation, 1);
    let input = input.permute([0, 3, 1, 2]); // [batch, channels, height, width]
    burn::tensor::module::conv2d(input, weight, Some(bias), options).permute([0, 2, 3, 1])
}

/// `input` […, channels] normalised by its own statistics, then ReLU if `relu`; and mean and unbiased variance `[channels]`, detached.
pub fn batch_norm_train<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    relu: bool,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    if !has_kernels(&input) {
        return batch_norm_train_plain(input, weight, bias, epsilon, relu);
    }
    let (output, mean, variance) = <Dispatch as ConvolutionBackend>::channels_last_batch_norm(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
        relu,
    );
    (
        Tensor::from_dispatch(output),
        Tensor::from_dispatch(mean),
        Tensor::from_dispatch(variance),
    )
}

/// [`batch_norm_train`] made of burn's operators, for devices without own kernels.
pub fn batch_norm_train_plain<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    relu: bool,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    let shape = input.dims();
    let channels = shape[D - 1];
    let positions: usize = shape[..D - 1].iter().product();
    let flat = input.reshape([positions, channels]);
    let normal = burn::tensor::module::batch_norm_train(flat, weight, bias, epsilon);
    let factor = if positions > 1 {
        positions as f64 / (positions - 1) as f64
    } else {
        1.0
    };
    let output = normal.output.reshape(shape);
    (
        if relu {
            burn::tensor::activation::relu(output)
        } else {
            output
        },
        normal.mean.detach(),
        normal.variance.detach() * factor,
    )
}

/// `input` […, channels] normalised by given statistics, then ReLU if `relu`.
pub fn batch_norm<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
    relu: bool,
) -> Tensor<D> {
    if !has_kernels(&input) || input.device().is_autodiff() {
        let shape = input.dims();
        let channels = shape[D - 1];
        let scale = weight / (variance + epsilon).sqrt();
        let flat = input.reshape([-1, channels as isize]);
        let normal =
            (flat - mean.unsqueeze::<2>()) * scale.unsqueeze::<2>() + bias.unsqueeze::<2>();
        let output = normal.reshape(shape);
        return if relu {
            burn::tensor::activation::relu(output)
        } else {
            output
        };
    }
    Tensor::from_dispatch(<Dispatch as InferenceBackend>::channels_last_normalise(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        epsilon,
        relu,
    ))
}

fn has_kernels<const D: usize>(input: &Tensor<D>) -> bool {
    input.dtype() == DType::F32 && input.device().without_autodiff() == Device::flex()
}

fn with_floats<R>(tensor: &FlexTensor, use_floats: impl FnOnce(&[f32]) -> R) -> R {
    let tensor = tensor.to_contiguous();
    use_floats(
        tensor
            .as_slice()
            .expect("a contiguous tensor of f32, which its caller has checked"),
    )
}

fn flex(values: Vec<f32>, shape: impl Into<burn::tensor::Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

fn geometry(input: &FlexTensor, weight: &FlexTensor, dilation: [usize; 2]) -> Geometry {
    let ([batch, height, width, in_channels], [out_channels, _, y, x]) =
        (input.shape().dims(), weight.shape().dims());
    Geometry {
        batch,
        height,
        width,
        in_channels,
        out_channels,
        kernel: [y, x],
        dilation,
    }
}

impl ConvolutionBackend for Flex {
    fn channels_last_convolution(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        dilation: [usize; 2],
    ) -> FlexTensor {
        let geometry = geometry(&input, &weight, dilation);
        let output = with_floats(&input, |input| {
            with_floats(&weight, |weight| {
                with_floats(&bias, |bias| {
                    kernel::forward(&geometry, input, weight, Some(bias))
                })
            })
        });
        let Geometry {
            batch,
            height,
            width,
            out_channels,
            ..
        } = geometry;
        flex(output, [batch, height, width, out_channels])
    }

    fn channels_last_batch_norm(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        epsilon: f64,
        relu: bool,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (output, statistics) = normalise(&input, &weight, &bias, epsilon, relu);
        let variance = statistics.unbiased_variance();
        let channels = variance.len();
        (
            output,
            flex(statistics.mean, [channels]),
            flex(variance, [channels]),
        )
    }
}

fn normalise(
    input: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    epsilon: f64,
    relu: bool,
) -> (FlexTensor, Statistics) {
    let (output, statistics) = with_floats(input, |input| {
        with_floats(weight, |weight| {
            with_floats(bias, |bias| {
                batch_norm::forward(input, weight, bias, epsilon, relu)
            })
        })
    });
    (flex(output, input.shape()), statistics)
}

impl InferenceBackend for Flex {
    fn channels_last_normalise(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        epsilon: f64,
        relu: bool,
    ) -> FlexTensor {
        let [weight, bias, mean, variance] =
            [weight, bias, mean, variance].map(|tensor| with_floats(&tensor, <[f32]>::to_vec));
        let normaliser = Normaliser::new(&mean, &variance, &weight, &bias, epsilon);
        let output = with_floats(&input, |input| normaliser.apply(input, relu));
        flex(output, input.shape())
    }
}

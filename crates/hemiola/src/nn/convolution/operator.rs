//! The kernels as differentiable operators of burn's CPU backend.

mod gradient;
mod pooling;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Device, Tensor, TensorData, ops::ConvOptions};

use super::batch_norm::{self, Normaliser, Statistics};
use super::kernel::{self, Geometry, Padding};

pub use pooling::{
    batch_norm_relu_pool_train, batch_norm_relu_pool_train_plain, max_pool, max_pool_plain,
};

/// Operators with gradients.
#[backend_extension(Flex, Autodiff)]
trait ConvolutionBackend: Backend {
    fn channels_last_convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dilation: [usize; 2],
        padding: Padding,
    ) -> FloatTensor<Self>;

    /// Output, mean, unbiased variance.
    fn channels_last_batch_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

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

/// The operator that only inference needs.
#[backend_extension(Flex)]
trait InferenceBackend: Backend {
    #[allow(clippy::too_many_arguments)]
    fn channels_last_block(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        epsilon: f64,
        dilation: [usize; 2],
        padding: Padding,
        window: [usize; 2],
    ) -> FloatTensor<Self>;
}

/// Convolution of `input` [batch, height, width, in_channels] with `weight` [out_channels, in_channels, kernel height,
/// kernel width] and `bias` `[out_channels]`, stride 1.
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    dilation: [usize; 2],
    padding: Padding,
) -> Tensor<4> {
    assert_channels(&input, &weight, &bias);
    if !has_kernels(&input) {
        return conv2d_plain(input, weight, bias, dilation, padding);
    }
    Tensor::from_dispatch(<Dispatch as ConvolutionBackend>::channels_last_convolution(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        dilation,
        padding,
    ))
}

/// [`conv2d`] made of burn's operators, for devices without own kernels.
pub fn conv2d_plain(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    dilation: [usize; 2],
    padding: Padding,
) -> Tensor<4> {
    let [_, _, height, width] = weight.dims();
    let zeros = padding.zeros([height, width], dilation).map(Into::into);
    let options = ConvOptions::new_with_padding([1, 1], zeros, dilation, 1);
    let input = input.permute([0, 3, 1, 2]); // [batch, channels, height, width]
    burn::tensor::module::conv2d(input, weight, Some(bias), options).permute([0, 2, 3, 1])
}

fn assert_channels(input: &Tensor<4>, weight: &Tensor<4>, bias: &Tensor<1>) {
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
}

/// A normalisation by given statistics, each tensor `[channels]`.
#[derive(Clone, Debug)]
pub struct FixedNorm {
    pub weight: Tensor<1>,
    pub bias: Tensor<1>,
    pub mean: Tensor<1>,
    pub variance: Tensor<1>,
    pub epsilon: f64,
}

/// [`conv2d`], then a normalisation by given statistics, ReLU, and the largest of every `window` of height by width.
pub fn conv2d_norm_relu_pool(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    dilation: [usize; 2],
    padding: Padding,
    norm: FixedNorm,
    window: [usize; 2],
) -> Tensor<4> {
    assert_channels(&input, &weight, &bias);
    if !has_kernels(&input) || input.device().is_autodiff() {
        let output = conv2d(input, weight, bias, dilation, padding);
        let output = batch_norm(output, norm, true);
        return max_pool(output, window);
    }
    Tensor::from_dispatch(<Dispatch as InferenceBackend>::channels_last_block(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        norm.weight.into_dispatch(),
        norm.bias.into_dispatch(),
        norm.mean.into_dispatch(),
        norm.variance.into_dispatch(),
        norm.epsilon,
        dilation,
        padding,
        window,
    ))
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

/// `input` […, channels] normalised by given statistics, which get no gradient, then ReLU if `relu`.
pub fn batch_norm<const D: usize>(input: Tensor<D>, norm: FixedNorm, relu: bool) -> Tensor<D> {
    if !has_kernels(&input) || input.shape().num_elements() == 0 {
        return batch_norm_plain(input, norm, relu);
    }
    Tensor::from_dispatch(<Dispatch as ConvolutionBackend>::channels_last_normalise(
        input.into_dispatch(),
        norm.weight.into_dispatch(),
        norm.bias.into_dispatch(),
        norm.mean.into_dispatch(),
        norm.variance.into_dispatch(),
        norm.epsilon,
        relu,
    ))
}

/// [`batch_norm()`] made of burn's operators, for devices without own kernels.
pub fn batch_norm_plain<const D: usize>(
    input: Tensor<D>,
    norm: FixedNorm,
    relu: bool,
) -> Tensor<D> {
    let shape = input.dims();
    let scale = norm.weight / (norm.variance + norm.epsilon).sqrt();
    let flat = input.reshape([-1, shape[D - 1] as isize]);
    let centred = flat - norm.mean.unsqueeze::<2>();
    let output = (centred * scale.unsqueeze::<2>() + norm.bias.unsqueeze::<2>()).reshape(shape);
    if relu {
        burn::tensor::activation::relu(output)
    } else {
        output
    }
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

fn geometry(
    input: &FlexTensor,
    weight: &FlexTensor,
    dilation: [usize; 2],
    padding: Padding,
) -> Geometry {
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
        padding: padding.zeros([y, x], dilation),
    }
}

impl ConvolutionBackend for Flex {
    fn channels_last_convolution(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        dilation: [usize; 2],
        padding: Padding,
    ) -> FlexTensor {
        let geometry = geometry(&input, &weight, dilation, padding);
        let output = with_floats(&input, |input| {
            with_floats(&weight, |weight| {
                with_floats(&bias, |bias| {
                    kernel::forward(&geometry, input, weight, Some(bias))
                })
            })
        });
        let [height, width] = geometry.output_size();
        flex(
            output,
            [geometry.batch, height, width, geometry.out_channels],
        )
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
    fn channels_last_block(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        epsilon: f64,
        dilation: [usize; 2],
        padding: Padding,
        window: [usize; 2],
    ) -> FlexTensor {
        let geometry = geometry(&input, &weight, dilation, padding);
        let [bias, scale, shift, mean, variance] = [bias, scale, shift, mean, variance]
            .map(|tensor| with_floats(&tensor, <[f32]>::to_vec));
        let normaliser = Normaliser::new(&mean, &variance, &scale, &shift, epsilon);
        let (weight, bias) = with_floats(&weight, |weight| normaliser.fold(weight, &bias));
        let output = with_floats(&input, |input| {
            kernel::forward_relu_pool(&geometry, window, input, &weight, &bias)
        });
        let [height, width] = geometry.output_size();
        let [rows, columns] = window;
        let shape = [
            geometry.batch,
            height / rows,
            width / columns,
            geometry.out_channels,
        ];
        flex(output, shape)
    }
}

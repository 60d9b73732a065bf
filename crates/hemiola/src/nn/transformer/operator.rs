//! The kernels as differentiable operators of burn's CPU backend, with equals made of burn's own operators for other
//! devices.

mod gradient;

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};

use super::kernel::attention::{self, Attended, Geometry};
use super::kernel::pointwise::{self, Added};

pub use super::kernel::Dropout;

/// What positions attend to.
#[derive(Clone, Debug, Default)]
pub struct AttentionMask {
    /// No position sees a later one.
    pub causal: bool,
    /// Positions of each sequence that are seen, from its first, at least 1; all where absent.
    pub lengths: Option<Arc<[usize]>>,
}

/// Everything about a call of attention but its tensors.
#[derive(Clone, Debug)]
struct AttentionCall {
    heads: usize,
    mask: AttentionMask,
    /// Whether the second tensor holds relative positions.
    relative: bool,
    dropout: Option<Dropout>,
}

#[backend_extension(Flex, Autodiff)]
trait TransformerBackend: Backend {
    fn packed_attention(
        packed: FloatTensor<Self>,
        relative: FloatTensor<Self>,
        call: AttentionCall,
    ) -> FloatTensor<Self>;

    fn bias_gelu(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dropout: Option<Dropout>,
    ) -> FloatTensor<Self>;

    fn add_norm(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        epsilon: f32,
        dropout: Option<Dropout>,
    ) -> FloatTensor<Self>;
}

/// Dropout with a seed from the device's random numbers; none if the probability is 0.
pub fn new_dropout(probability: f64, device: &Device) -> Option<Dropout> {
    if probability <= 0.0 {
        return None;
    }
    let random = Tensor::<1>::random([2], Distribution::Default, &device.clone().inner());
    let parts: Vec<f32> = random.into_data().iter::<f32>().collect();
    let seed = parts.iter().fold(0, |seed: u32, part| {
        seed.rotate_left(16) ^ (part * 16_777_216.0) as u32
    });
    Some(Dropout {
        probability: probability as f32,
        seed,
    })
}

/// Multi-head self-attention on queries, keys and values `[batch, time, 3 · width]`, to `[batch, time, width]`; `batch` and
/// `time` are at least 1.
///
/// `relative` is `[2 · time − 1, width]`; its row `i − j + time − 1` is added to key j for query i.
pub fn packed_attention(
    packed: Tensor<3>,
    relative: Option<Tensor<2>>,
    heads: usize,
    mask: &AttentionMask,
    dropout: Option<Dropout>,
) -> Tensor<3> {
    let [batch, ..] = packed.dims();
    if let Some(lengths) = &mask.lengths {
        assert_eq!(lengths.len(), batch, "one length for each sequence");
    }
    if !has_kernels(&packed) {
        return packed_attention_plain(packed, relative, heads, mask, dropout);
    }
    let call = AttentionCall {
        heads,
        mask: mask.clone(),
        relative: relative.is_some(),
        dropout,
    };
    let relative = relative.unwrap_or_else(|| Tensor::zeros([1, 1], &packed.device()));
    Tensor::from_dispatch(<Dispatch as TransformerBackend>::packed_attention(
        packed.into_dispatch(),
        relative.into_dispatch(),
        call,
    ))
}

/// [`packed_attention`] made of burn's operators, for devices without own kernels.
pub fn packed_attention_plain(
    packed: Tensor<3>,
    relative: Option<Tensor<2>>,
    heads: usize,
    mask: &AttentionMask,
    dropout: Option<Dropout>,
) -> Tensor<3> {
    let [batch, time, packed_width] = packed.dims();
    let (weights, values) = attention_weights(packed, relative, heads, mask);
    let context = drop_plain(weights, dropout).matmul(values); // [batch, heads, time, head]
    context
        .swap_dims(1, 2)
        .reshape([batch, time, packed_width / 3])
}

/// The weights that [`packed_attention`] averages with, `[batch, heads, time, time]`, and the values,
/// `[batch, heads, time, head]`.
pub fn attention_weights(
    packed: Tensor<3>,
    relative: Option<Tensor<2>>,
    heads: usize,
    mask: &AttentionMask,
) -> (Tensor<4>, Tensor<4>) {
    let [batch, time, packed_width] = packed.dims();
    let width = packed_width / 3;
    let head = width / heads;
    let device = packed.device();
    let part = |i: usize| {
        let part = packed.clone().narrow(2, i * width, width);
        part.reshape([batch, time, heads, head]).swap_dims(1, 2) // [batch, heads, time, head]
    };
    let queries = part(0).mul_scalar(1.0 / (head as f64).sqrt());
    let mut scores = queries.clone().matmul(part(1).swap_dims(2, 3)); // [batch, heads, time, time]
    if let Some(relative) = relative {
        // Rows by falling offset: column c of row i is offset time − 1 − c, and key j is at c = time − 1 − i + j.
        let relative = relative
            .flip([0])
            .reshape([1, 2 * time - 1, heads, head])
            .permute([0, 2, 3, 1]); // [1, heads, head, 2 · time − 1]
        let skewed = queries.matmul(relative);
        scores = scores + skew(skewed);
    }
    if mask.causal {
        let later = Tensor::<2>::ones([time, time], &device).triu(1);
        scores = scores + later.mul_scalar(-1e30).unsqueeze();
    }
    if let Some(lengths) = &mask.lengths {
        let hidden = lengths
            .iter()
            .flat_map(|&n| (0..time).map(move |j| if j < n { 0.0f32 } else { -1e30 }));
        let hidden = TensorData::new(hidden.collect(), [batch, 1, 1, time]);
        scores = scores + Tensor::from_data(hidden, &device);
    }
    (softmax(scores, 3), part(2))
}

/// From columns by falling offset `[batch, heads, time, 2 · time − 1]` to columns by key, `[batch, heads, time, time]`:
/// the skewing of Huang et al., "Music Transformer" (2019).
fn skew(products: Tensor<4>) -> Tensor<4> {
    let [batch, heads, time, columns] = products.dims();
    let device = products.device();
    // With one column more, a row shorter by one cell moves every next row by one.
    let padded = Tensor::cat(
        vec![products, Tensor::zeros([batch, heads, time, 1], &device)],
        3,
    );
    padded
        .reshape([batch, heads, time * (columns + 1)])
        .narrow(2, time - 1, time * columns)
        .reshape([batch, heads, time, columns])
        .narrow(3, 0, time)
}

/// Dropout of GELU(`x` + `bias`), for `x` `[…, width]` and `bias` `[width]`.
pub fn bias_gelu<const D: usize>(
    x: Tensor<D>,
    bias: Tensor<1>,
    dropout: Option<Dropout>,
) -> Tensor<D> {
    if !has_kernels(&x) {
        return bias_gelu_plain(x, bias, dropout);
    }
    Tensor::from_dispatch(<Dispatch as TransformerBackend>::bias_gelu(
        x.into_dispatch(),
        bias.into_dispatch(),
        dropout,
    ))
}

/// [`bias_gelu`] made of burn's operators, for devices without own kernels.
pub fn bias_gelu_plain<const D: usize>(
    x: Tensor<D>,
    bias: Tensor<1>,
    dropout: Option<Dropout>,
) -> Tensor<D> {
    drop_plain(gelu(x + bias.unsqueeze()), dropout)
}

/// Layer normalisation, by `weight` and `shift`, of `residual` + dropout(`x` + `bias`); `x` is `[…, width]`.
pub fn add_norm<const D: usize>(
    x: Tensor<D>,
    bias: Tensor<1>,
    residual: Tensor<D>,
    [weight, shift]: [Tensor<1>; 2],
    epsilon: f64,
    dropout: Option<Dropout>,
) -> Tensor<D> {
    if !has_kernels(&x) {
        return add_norm_plain(x, bias, residual, [weight, shift], epsilon, dropout);
    }
    Tensor::from_dispatch(<Dispatch as TransformerBackend>::add_norm(
        x.into_dispatch(),
        bias.into_dispatch(),
        residual.into_dispatch(),
        weight.into_dispatch(),
        shift.into_dispatch(),
        epsilon as f32,
        dropout,
    ))
}

/// [`add_norm`] made of burn's operators, for devices without own kernels.
pub fn add_norm_plain<const D: usize>(
    x: Tensor<D>,
    bias: Tensor<1>,
    residual: Tensor<D>,
    [weight, shift]: [Tensor<1>; 2],
    epsilon: f64,
    dropout: Option<Dropout>,
) -> Tensor<D> {
    let sum = residual + drop_plain(x + bias.unsqueeze(), dropout);
    let mean = sum.clone().mean_dim(D - 1);
    let centred = sum - mean;
    let variance = centred.clone().powi_scalar(2).mean_dim(D - 1);
    let normal = centred / (variance + epsilon).sqrt();
    normal * weight.unsqueeze() + shift.unsqueeze()
}

/// The same values dropped as the kernels drop.
fn drop_plain<const D: usize>(x: Tensor<D>, dropout: Option<Dropout>) -> Tensor<D> {
    let Some(dropout) = dropout else {
        return x;
    };
    let shape = x.dims();
    let factors = (0..shape.iter().product::<usize>() as u32).map(|i| dropout.factor(i));
    let factors = TensorData::new(factors.collect(), shape);
    let factors = Tensor::from_data(factors, &x.device());
    x * factors
}

fn has_kernels<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && x.device().without_autodiff() == Device::flex()
}

fn floats(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("a contiguous tensor of f32, which its caller has checked")
}

fn flex(values: Vec<f32>, shape: impl Into<burn::tensor::Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.into()))
}

/// The tensors of a call of attention, contiguous.
#[derive(Clone, Debug)]
struct Attention {
    packed: FlexTensor,
    relative: FlexTensor,
    call: AttentionCall,
}

impl Attention {
    fn new(packed: FlexTensor, relative: FlexTensor, call: AttentionCall) -> Self {
        Self {
            packed: packed.to_contiguous(),
            relative: relative.to_contiguous(),
            call,
        }
    }

    fn geometry(&self) -> Geometry {
        let [batch, time, packed] = self.packed.shape().dims();
        Geometry {
            batch,
            time,
            heads: self.call.heads,
            width: packed / 3,
        }
    }

    fn attended(&self) -> Attended<'_> {
        Attended {
            causal: self.call.mask.causal,
            relative: self.call.relative.then(|| floats(&self.relative)),
            lengths: self.call.mask.lengths.as_deref(),
            dropout: self.call.dropout,
        }
    }

    /// What was attended to, and the logarithms of the sums.
    fn forward(&self) -> (FlexTensor, Vec<f32>) {
        let geometry = self.geometry();
        let (context, sums) = attention::forward(geometry, floats(&self.packed), self.attended());
        let shape = [geometry.batch, geometry.time, geometry.width];
        (flex(context, shape), sums)
    }
}

/// The tensors of a sum that is normalised, contiguous.
#[derive(Clone, Debug)]
struct Sum {
    x: FlexTensor,
    bias: FlexTensor,
    residual: FlexTensor,
    weight: FlexTensor,
    epsilon: f32,
    dropout: Option<Dropout>,
}

impl Sum {
    fn added(&self) -> Added<'_> {
        Added {
            x: floats(&self.x),
            bias: floats(&self.bias),
            residual: floats(&self.residual),
            dropout: self.dropout,
        }
    }

    fn forward(&self, shift: &FlexTensor) -> FlexTensor {
        let shift = shift.to_contiguous();
        let output = pointwise::add_norm(
            self.added(),
            floats(&self.weight),
            floats(&shift),
            self.epsilon,
        );
        flex(output, self.x.shape())
    }
}

impl TransformerBackend for Flex {
    fn packed_attention(
        packed: FlexTensor,
        relative: FlexTensor,
        call: AttentionCall,
    ) -> FlexTensor {
        Attention::new(packed, relative, call).forward().0
    }

    fn bias_gelu(x: FlexTensor, bias: FlexTensor, dropout: Option<Dropout>) -> FlexTensor {
        let (x, bias) = (x.to_contiguous(), bias.to_contiguous());
        let output = pointwise::bias_gelu(floats(&x), floats(&bias), dropout);
        flex(output, x.shape())
    }

    fn add_norm(
        x: FlexTensor,
        bias: FlexTensor,
        residual: FlexTensor,
        weight: FlexTensor,
        shift: FlexTensor,
        epsilon: f32,
        dropout: Option<Dropout>,
    ) -> FlexTensor {
        let [x, bias, residual, weight] =
            [x, bias, residual, weight].map(|tensor| tensor.to_contiguous());
        let sum = Sum {
            x,
            bias,
            residual,
            weight,
            epsilon,
            dropout,
        };
        sum.forward(&shift)
    }
}

//! One encoder layer, as PyTorch's `nn.TransformerEncoderLayer` with normalisation behind each part.

use burn::module::{Flag, Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::operator::{self, AttentionMask, Dropout};
use crate::nn::attention::packed_projections;

/// Sizes of an [`EncoderLayer`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderLayerConfig {
    /// Features of a position; a multiple of `n_heads`
    pub width: usize,
    pub n_heads: usize,
    /// Width of the feed-forward part
    pub hidden: usize,
    /// Probability of dropping an attention weight, a hidden value or a part's output in training
    pub dropout: f64,
}

/// Self-attention and a feed-forward part with GELU, each with a residual and a normalisation of the sum.
///
/// Vaswani et al., "Attention Is All You Need" (2017); parameters and their names are PyTorch's.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    self_attn: PackedAttention,
    linear1: Linear,
    linear2: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    n_heads: usize,
    dropout: f64,
    training: Param<Flag>,
}

/// The parameters of PyTorch's `nn.MultiheadAttention`.
#[derive(Module, Debug)]
pub(super) struct PackedAttention {
    pub(super) in_proj: Linear,
    pub(super) out_proj: Linear,
}

/// What is added to the variance in a normalisation.
pub const EPSILON: f64 = 1e-5;

impl EncoderLayerConfig {
    /// Initial values as PyTorch's: Xavier for the projections of attention, whose biases are 0, and uniform within
    /// 1/√inputs for the rest.
    pub fn init(&self, device: &Device) -> EncoderLayer {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let [in_proj, out_proj] = packed_projections(self.width, device);
        let norm = || {
            LayerNormConfig::new(self.width)
                .with_epsilon(EPSILON)
                .init(device)
        };
        EncoderLayer {
            self_attn: PackedAttention { in_proj, out_proj },
            linear1: linear(self.width, self.hidden),
            linear2: linear(self.hidden, self.width),
            norm1: norm(),
            norm2: norm(),
            n_heads: self.n_heads,
            dropout: self.dropout,
            training: Param::from_bool(true),
        }
    }
}

impl EncoderLayer {
    /// `[batch, time, width]` to the same shape. `relative`, if any, is `[2 · time − 1, width]`, by rising offset of query
    /// minus key.
    pub fn forward(
        &self,
        x: Tensor<3>,
        relative: Option<Tensor<2>>,
        mask: &AttentionMask,
    ) -> Tensor<3> {
        let device = x.device();
        let dropout = || -> Option<Dropout> {
            (device.is_autodiff() && self.training.is_enabled())
                .then(|| operator::new_dropout(self.dropout, &device))
                .flatten()
        };
        let packed = self.self_attn.in_proj.forward(x.clone()); // [batch, time, 3 · width]
        let context = operator::packed_attention(packed, relative, self.n_heads, mask, dropout());
        let (weight, bias) = parts(&self.self_attn.out_proj);
        let attended = product(context, weight);
        let x = operator::add_norm(attended, bias, x, norm(&self.norm1), EPSILON, dropout());

        let (weight, bias) = parts(&self.linear1);
        let hidden = operator::bias_gelu(product(x.clone(), weight), bias, dropout());
        let (weight, bias) = parts(&self.linear2);
        operator::add_norm(
            product(hidden, weight),
            bias,
            x,
            norm(&self.norm2),
            EPSILON,
            dropout(),
        )
    }

    /// Attention weights `[batch, heads, time, time]` for the layer's input.
    pub fn attention_weights(
        &self,
        x: Tensor<3>,
        relative: Option<Tensor<2>>,
        mask: &AttentionMask,
    ) -> Tensor<4> {
        let packed = self.self_attn.in_proj.forward(x);
        operator::attention_weights(packed, relative, self.n_heads, mask).0
    }

    pub fn n_heads(&self) -> usize {
        self.n_heads
    }

    pub(super) fn parameters(&self) -> LayerParameters {
        LayerParameters {
            in_proj: parts(&self.self_attn.in_proj),
            out_proj: parts(&self.self_attn.out_proj),
            linear1: parts(&self.linear1),
            linear2: parts(&self.linear2),
            norm1: norm(&self.norm1),
            norm2: norm(&self.norm2),
        }
    }
}

/// A layer's tensors: weights `[inputs, outputs]` with biases, and normalisations' weights with shifts.
pub(super) struct LayerParameters {
    pub in_proj: (Tensor<2>, Tensor<1>),
    pub out_proj: (Tensor<2>, Tensor<1>),
    pub linear1: (Tensor<2>, Tensor<1>),
    pub linear2: (Tensor<2>, Tensor<1>),
    pub norm1: [Tensor<1>; 2],
    pub norm2: [Tensor<1>; 2],
}

/// Weight `[inputs, outputs]` and bias.
fn parts(linear: &Linear) -> (Tensor<2>, Tensor<1>) {
    let weight = linear.weight.val();
    let [_, outputs] = weight.dims();
    let bias = match &linear.bias {
        Some(bias) => bias.val(),
        None => Tensor::zeros([outputs], &weight.device()),
    };
    (weight, bias)
}

fn norm(norm: &LayerNorm) -> [Tensor<1>; 2] {
    let weight = norm.gamma.val();
    let shift = match &norm.beta {
        Some(shift) => shift.val(),
        None => weight.zeros_like(),
    };
    [weight, shift]
}

/// `x` `[batch, time, inputs]` times `weight` `[inputs, outputs]`.
fn product(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [batch, time, inputs] = x.dims();
    let [_, outputs] = weight.dims();
    x.reshape([batch * time, inputs])
        .matmul(weight)
        .reshape([batch, time, outputs])
}

//! Multi-head self-attention in the packed form of PyTorch's `nn.MultiheadAttention`.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

/// The projections `[width, 3 · width]` into queries, keys and values and `[width, width]` out of attention, with the
/// initial values of PyTorch's: Xavier into, uniform within 1/√width out of it, biases of 0.
pub(in crate::nn) fn packed_projections(width: usize, device: &Device) -> [Linear; 2] {
    let mut in_proj = LinearConfig::new(width, 3 * width)
        .with_initializer(Initializer::XavierUniform { gain: 1.0 })
        .init(device);
    let mut out_proj = LinearConfig::new(width, width).init(device);
    // Made anew rather than mapped to zeros, which would leave parameters that are not trained.
    in_proj.bias = Some(Initializer::Zeros.init([3 * width], device));
    out_proj.bias = Some(Initializer::Zeros.init([width], device));
    [in_proj, out_proj]
}

/// Self-attention over time with one projection for queries, keys and values.
///
/// Vaswani et al., "Attention Is All You Need" (2017), section 3.2. Parameters in a checkpoint:
/// `in_proj_weight` [3·width, width], `in_proj_bias`, `out_proj.weight`, `out_proj.bias`.
#[derive(Module, Debug)]
pub struct SelfAttention {
    in_proj: Linear,
    out_proj: Linear,
    dropout: Dropout,
    n_heads: usize,
}

impl SelfAttention {
    /// `width` must be a multiple of `n_heads`.
    pub fn new(width: usize, n_heads: usize, dropout: f64, device: &Device) -> Self {
        let [in_proj, out_proj] = packed_projections(width, device);
        Self {
            in_proj,
            out_proj,
            dropout: DropoutConfig::new(dropout).init(),
            n_heads,
        }
    }

    /// Attends over time: [batch, time, width] → the same shape, and the weights
    /// [batch, heads, time, time] before dropout.
    pub fn forward(&self, x: Tensor<3>) -> (Tensor<3>, Tensor<4>) {
        let [batch, time, width] = x.dims();
        let head = width / self.n_heads;
        let packed = self.in_proj.forward(x); // [batch, time, 3·width]
        let part = |i: usize| {
            packed
                .clone()
                .narrow(2, i * width, width)
                .reshape([batch, time, self.n_heads, head])
                .swap_dims(1, 2) // [batch, heads, time, head]
        };
        let queries = part(0).mul_scalar(1.0 / (head as f64).sqrt());
        let scores = queries.matmul(part(1).swap_dims(2, 3)); // [batch, heads, time, time]
        let weights = softmax(scores, 3);
        let context = self
            .dropout
            .forward(weights.clone())
            .matmul(part(2)) // [batch, heads, time, head]
            .swap_dims(1, 2)
            .reshape([batch, time, width]);
        (self.out_proj.forward(context), weights)
    }
}

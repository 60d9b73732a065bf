//! Causal layers that take position after position and keep the keys and values of those before.
//!
//! On plain slices: one position's products are too small for the cost of a graph of tensors. Weights are laid out in the
//! order in which they are read, which is all that a product of one row costs.

use std::sync::Arc;

use burn::nn::Linear;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::layer::{EPSILON, EncoderLayer};
use crate::nn::recurrent::kernel::product::{RowBlock, in_row_blocks, panel_product};
use crate::nn::recurrent::kernel::simd::{Job, Level, Vector};
use crate::nn::transformer::kernel::pointwise::{self, Added};

/// Vectors in a row of a panel.
const PANEL_VECTORS: usize = 4;
/// Weights above which a product is spread over threads.
const THREADED: usize = 1 << 17;

/// A matrix `[inputs, outputs]`, cut into panels of columns, and a bias.
#[derive(Debug)]
struct Weights {
    panels: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Weights {
    fn new(weight: Tensor<2>, bias: Tensor<1>) -> Self {
        let [inputs, outputs] = weight.dims();
        let columns = Self::columns();
        let rows = values(weight);
        let mut panels = vec![0.0; outputs.div_ceil(columns) * inputs * columns];
        for (input, row) in rows.chunks_exact(outputs.max(1)).enumerate() {
            for (panel, part) in row.chunks(columns).enumerate() {
                panels[(panel * inputs + input) * columns..][..part.len()].copy_from_slice(part);
            }
        }
        Self {
            panels,
            bias: values(bias),
            inputs,
            outputs,
        }
    }

    /// Columns of a panel.
    fn columns() -> usize {
        PANEL_VECTORS * Level::best().lanes()
    }

    /// `x` `[rows, inputs]` times the matrix, without the bias: `[rows, outputs]`.
    fn product(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let columns = Self::columns();
        let one = |(index, panel): (usize, &[f32])| {
            let mut part = vec![0.0; rows * columns];
            Level::best().run(Product {
                x,
                inputs: self.inputs,
                panel,
                into: &mut part,
            });
            (index * columns, part)
        };
        let panels = self.panels.chunks_exact(self.inputs * columns);
        let parts: Vec<(usize, Vec<f32>)> = if rows * self.panels.len() > THREADED {
            let panels = self.panels.par_chunks_exact(self.inputs * columns);
            panels.enumerate().map(one).collect()
        } else {
            panels.enumerate().map(one).collect()
        };
        let mut output = vec![0.0; rows * self.outputs];
        for (first, part) in parts {
            let width = columns.min(self.outputs - first);
            for (row, part) in part.chunks_exact(columns).enumerate() {
                output[row * self.outputs + first..][..width].copy_from_slice(&part[..width]);
            }
        }
        output
    }

    /// [`Self::product`] plus the bias.
    fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut output = self.product(x);
        for row in output.chunks_exact_mut(self.outputs) {
            row.iter_mut().zip(&self.bias).for_each(|(y, b)| *y += b);
        }
        output
    }
}

/// Some rows times one panel.
struct Product<'a> {
    x: &'a [f32],
    inputs: usize,
    panel: &'a [f32],
    into: &'a mut [f32],
}

impl Job for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        in_row_blocks::<V>(self.x.len() / self.inputs, &mut self);
    }
}

impl RowBlock for Product<'_> {
    #[inline(always)]
    fn block<V: Vector, const ROWS: usize>(&mut self, first_row: usize) {
        let sums = panel_product(
            [[V::splat(0.0); PANEL_VECTORS]; ROWS],
            &self.x[first_row * self.inputs..],
            self.inputs,
            self.panel,
        );
        for (row, sums) in sums.into_iter().enumerate() {
            let start = (first_row + row) * PANEL_VECTORS * V::LANES;
            for (n, sum) in sums.into_iter().enumerate() {
                sum.store(&mut self.into[start + n * V::LANES..]);
            }
        }
    }
}

#[derive(Debug)]
struct Layer {
    in_proj: Weights,
    out_proj: Weights,
    linear1: Weights,
    linear2: Weights,
    /// Weight and shift
    norms: [[Vec<f32>; 2]; 2],
}

impl Layer {
    fn new(layer: &EncoderLayer) -> Self {
        let parameters = layer.parameters();
        let weights = |(weight, bias)| Weights::new(weight, bias);
        Self {
            in_proj: weights(parameters.in_proj),
            out_proj: weights(parameters.out_proj),
            linear1: weights(parameters.linear1),
            linear2: weights(parameters.linear2),
            norms: [parameters.norm1, parameters.norm2].map(|norm| norm.map(values)),
        }
    }

    /// The normalisation of `residual` plus `weights` of `x`.
    fn add_norm(&self, norm: usize, weights: &Weights, x: &[f32], residual: &[f32]) -> Vec<f32> {
        let x = weights.product(x);
        let added = Added {
            x: &x,
            bias: &weights.bias,
            residual,
            dropout: None,
        };
        let [weight, shift] = &self.norms[norm];
        pointwise::add_norm(added, weight, shift, EPSILON as f32)
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Keys and values of the positions so far in one layer, `[positions, width]` each.
#[derive(Debug, Clone, Default)]
struct Memory {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// Causal [`EncoderLayer`]s and a head, with a memory of the positions so far. Clones share the weights.
#[derive(Debug, Clone)]
pub struct Decoder {
    layers: Arc<[Layer]>,
    head: Arc<Weights>,
    /// `[2 · max_positions − 1, width]`
    relative: Option<Arc<[f32]>>,
    heads: usize,
    width: usize,
    max_positions: usize,
    memory: Vec<Memory>,
    position: usize,
}

impl Decoder {
    /// `relative`, if any, is `[2 · max_positions − 1, width]`, by rising offset of query minus key.
    pub fn new(
        layers: &[EncoderLayer],
        relative: Option<Vec<f32>>,
        head: &Linear,
        max_positions: usize,
    ) -> Self {
        let weight = head.weight.val();
        let [width, outputs] = weight.dims();
        let bias = match &head.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([outputs], &weight.device()),
        };
        Self {
            heads: layers.first().map_or(1, EncoderLayer::n_heads),
            layers: layers.iter().map(Layer::new).collect(),
            head: Arc::new(Weights::new(weight, bias)),
            relative: relative.map(Arc::from),
            width,
            max_positions,
            memory: vec![Memory::default(); layers.len()],
            position: 0,
        }
    }

    /// Positions taken.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Forgets all positions.
    pub fn reset(&mut self) {
        self.memory.fill(Memory::default());
        self.position = 0;
    }

    /// Takes positions `[n, width]` and returns what the head says of the last, `[outputs]`.
    ///
    /// # Panics
    /// If there is none, or there are more than `max_positions` in all.
    pub fn push(&mut self, mut x: Vec<f32>) -> Vec<f32> {
        let n = x.len() / self.width;
        assert!(n > 0 && self.position + n <= self.max_positions);
        let layers = self.layers.clone();
        for (index, layer) in layers.iter().enumerate() {
            let packed = layer.in_proj.apply(&x); // [n, 3 · width]
            for row in packed.chunks_exact(3 * self.width) {
                let memory = &mut self.memory[index];
                memory.keys.extend(&row[self.width..2 * self.width]);
                memory.values.extend(&row[2 * self.width..]);
            }
            let context = self.attend(index, &packed);
            let attended = layer.add_norm(0, &layer.out_proj, &context, &x);
            let hidden =
                pointwise::bias_gelu(&layer.linear1.product(&attended), &layer.linear1.bias, None);
            x = layer.add_norm(1, &layer.linear2, &hidden, &attended);
        }
        self.position += n;
        self.head.apply(&x[(n - 1) * self.width..])
    }

    /// What the queries of `packed` attend to, `[n, width]`.
    fn attend(&self, layer: usize, packed: &[f32]) -> Vec<f32> {
        let head = self.width / self.heads;
        let mut context = vec![0.0; packed.len() / 3];
        let one = |(index, context): (usize, &mut [f32])| {
            let (row, number) = (index / self.heads, index % self.heads);
            let query = &packed[row * 3 * self.width + number * head..][..head];
            Level::best().run(Attend {
                query,
                memory: &self.memory[layer],
                relative: self.relative.as_deref(),
                position: self.position + row,
                max_positions: self.max_positions,
                width: self.width,
                start: number * head,
                context,
            });
        };
        if context.len() * (self.position + 1) > THREADED {
            context.par_chunks_exact_mut(head).enumerate().for_each(one);
        } else {
            context.chunks_exact_mut(head).enumerate().for_each(one);
        }
        context
    }
}

/// One head of one position.
struct Attend<'a> {
    query: &'a [f32],
    memory: &'a Memory,
    relative: Option<&'a [f32]>,
    position: usize,
    max_positions: usize,
    width: usize,
    /// Where the head begins in a row
    start: usize,
    context: &'a mut [f32],
}

impl Job for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let head = self.query.len();
        let scale = 1.0 / (head as f32).sqrt();
        let row = |from: &[f32], index: usize| -> usize {
            debug_assert!(index * self.width + self.start + head <= from.len());
            index * self.width + self.start
        };
        let mut scores: Vec<f32> = (0..=self.position)
            .map(|key| {
                let keys = &self.memory.keys[row(&self.memory.keys, key)..][..head];
                let mut score = dot(self.query, keys);
                if let Some(relative) = self.relative {
                    let offset = self.position - key + self.max_positions - 1;
                    score += dot(self.query, &relative[row(relative, offset)..][..head]);
                }
                score * scale
            })
            .collect();
        let highest = scores.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let mut sum = 0.0;
        for score in &mut scores {
            *score = (*score - highest).exp();
            sum += *score;
        }
        for (key, weight) in scores.into_iter().enumerate() {
            let values = &self.memory.values[row(&self.memory.values, key)..][..head];
            let weight = weight / sum;
            for (to, value) in self.context.iter_mut().zip(values) {
                *to += weight * value;
            }
        }
    }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

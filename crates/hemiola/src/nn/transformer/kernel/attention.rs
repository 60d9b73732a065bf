//! Multi-head self-attention with relative positions, on packed queries, keys and values.
//!
//! score(i, j) = (qᵢ·kⱼ + qᵢ·e₍ᵢ₋ⱼ₎) / √(width / heads); the weights are its softmax over j.
//!
//! Vaswani et al., "Attention Is All You Need" (2017). Relative positions, with the skewing of a block's products instead
//! of a [time, time, width] tensor: Huang et al., "Music Transformer" (2019). Blocks and the recomputation of weights in the
//! backward pass: Dao et al., "FlashAttention" (2022).

use rayon::prelude::*;

use super::Dropout;
use super::product::{Strides, View, multiply, rows};
use crate::nn::recurrent::kernel::simd::{Job, Level, Vector, exp};

/// Queries whose scores are computed at a time.
const BLOCK: usize = 64;

/// Sizes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub batch: usize,
    /// Positions of a sequence
    pub time: usize,
    pub heads: usize,
    /// Of all heads together; a multiple of `heads`
    pub width: usize,
}

impl Geometry {
    fn head(self) -> usize {
        self.width / self.heads
    }

    fn units(self) -> usize {
        self.batch * self.heads
    }

    fn scale(self) -> f32 {
        1.0 / (self.head() as f32).sqrt()
    }
}

/// What positions attend to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attended<'a> {
    /// No position sees a later one.
    pub causal: bool,
    /// `[2 · time − 1, width]`: row `i − j + time − 1` is what position i adds to its query for position j.
    pub relative: Option<&'a [f32]>,
    /// Positions of each sequence that are seen, at least 1; all where absent.
    pub lengths: Option<&'a [usize]>,
    /// On the weights
    pub dropout: Option<Dropout>,
}

/// Gradients of [`forward`].
pub struct Gradients {
    /// `[batch, time, 3 · width]`
    pub packed: Vec<f32>,
    /// `[2 · time − 1, width]`
    pub relative: Option<Vec<f32>>,
}

fn check(geometry: Geometry, packed: &[f32], attended: &Attended<'_>) {
    let Geometry {
        batch,
        time,
        heads,
        width,
    } = geometry;
    assert!(heads > 0 && width % heads == 0, "heads divide the width");
    assert_eq!(packed.len(), batch * time * 3 * width, "packed input");
    if let Some(relative) = attended.relative {
        let offsets = (2 * time).saturating_sub(1);
        assert_eq!(relative.len(), offsets * width, "relative positions");
    }
    if let Some(lengths) = attended.lengths {
        assert_eq!(lengths.len(), batch, "one length for each sequence");
        assert!(
            lengths.iter().all(|&n| (1..=time).contains(&n)),
            "lengths are from 1 to the number of positions"
        );
    }
}

/// From queries, keys and values `packed` `[batch, time, 3 · width]` to what was attended to, `[batch, time, width]`, and
/// the logarithm of each query's sum of exponentials, `[batch, heads, time]`, which [`backward`] wants.
///
/// # Panics
/// If a slice's length does not fit `geometry`.
pub fn forward(geometry: Geometry, packed: &[f32], attended: Attended<'_>) -> (Vec<f32>, Vec<f32>) {
    check(geometry, packed, &attended);
    let Geometry { time, width, .. } = geometry;
    if time == 0 {
        return (Vec::new(), Vec::new());
    }
    let head = geometry.head();
    let parts: Vec<(Vec<f32>, Vec<f32>)> = (0..geometry.units())
        .into_par_iter()
        .map(|unit| {
            let unit = Unit::new(geometry, unit, packed, attended);
            let mut context = vec![0.0; time * head];
            let mut log_sums = vec![0.0; time];
            let mut scores = Scores::new(time);
            for first in (0..time).step_by(BLOCK) {
                let block = unit.block(first);
                unit.scores(block, &mut scores);
                let sums = &mut log_sums[first..first + block.rows];
                Level::best().run(Softmax {
                    unit: &unit,
                    block,
                    scores: &mut scores,
                    log_sums: sums,
                });
                multiply(
                    &mut context[first * head..],
                    rows(head),
                    [block.rows, head, block.keys],
                    scores.weights(),
                    unit.values(),
                    1.0,
                    false,
                );
            }
            (context, log_sums)
        })
        .collect();
    let mut context = vec![0.0; geometry.batch * time * width];
    interleave(geometry, &mut context, width, 0, |unit| &parts[unit].0);
    let log_sums = parts.into_iter().flat_map(|(_, sums)| sums).collect();
    (context, log_sums)
}

/// Gradients of [`forward`], from its arguments, its two results and the gradient of the first.
///
/// # Panics
/// If a slice's length does not fit `geometry`.
pub fn backward(
    geometry: Geometry,
    packed: &[f32],
    attended: Attended<'_>,
    context: &[f32],
    log_sums: &[f32],
    slope: &[f32],
) -> Gradients {
    check(geometry, packed, &attended);
    let Geometry {
        batch,
        time,
        heads,
        width,
    } = geometry;
    assert_eq!(context.len(), batch * time * width, "context");
    assert_eq!(slope.len(), context.len(), "gradient of the context");
    assert_eq!(log_sums.len(), batch * heads * time, "sums");
    let head = geometry.head();
    let offsets = (2 * time).saturating_sub(1);
    let parts: Vec<[Vec<f32>; 4]> = (0..geometry.units())
        .into_par_iter()
        .map(|index| {
            let unit = Unit::new(geometry, index, packed, attended);
            unit.backward(
                context,
                &log_sums[index * time..][..time],
                slope,
                &mut Scores::new(time),
                &mut Scores::new(time),
            )
        })
        .collect();
    let mut gradient = vec![0.0; packed.len()];
    // Queries, keys, values.
    for (part, start) in [0, width, 2 * width].into_iter().enumerate() {
        interleave(geometry, &mut gradient, 3 * width, start, |unit| {
            &parts[unit][part]
        });
    }
    let relative = attended.relative.map(|_| {
        let mut sum = vec![0.0; offsets * width];
        if width > 0 {
            sum.par_chunks_exact_mut(width)
                .enumerate()
                .for_each(|(offset, row)| {
                    for (unit, part) in parts.iter().enumerate() {
                        let to = &mut row[unit % heads * head..][..head];
                        for (to, from) in to.iter_mut().zip(&part[3][offset * head..][..head]) {
                            *to += from;
                        }
                    }
                });
        }
        sum
    });
    Gradients {
        packed: gradient,
        relative,
    }
}

/// Puts the parts of all heads, `[time, head]` each, side by side into rows of `stride` values from column `start`.
fn interleave<'a>(
    geometry: Geometry,
    into: &mut [f32],
    stride: usize,
    start: usize,
    part: impl Fn(usize) -> &'a [f32] + Sync,
) {
    let head = geometry.head();
    if geometry.time == 0 || stride == 0 {
        return;
    }
    into.par_chunks_exact_mut(geometry.time * stride)
        .enumerate()
        .for_each(|(sequence, into)| {
            for index in 0..geometry.heads {
                let part = part(sequence * geometry.heads + index);
                for (to, from) in into.chunks_exact_mut(stride).zip(part.chunks_exact(head)) {
                    to[start + index * head..][..head].copy_from_slice(from);
                }
            }
        });
}

/// One head of one sequence.
struct Unit<'a> {
    geometry: Geometry,
    packed: &'a [f32],
    attended: Attended<'a>,
    sequence: usize,
    head: usize,
    /// Number of the unit, for dropout
    index: usize,
    /// Positions that are seen
    length: usize,
}

/// Some rows of a unit's scores.
#[derive(Clone, Copy)]
struct Block {
    /// First query
    first: usize,
    rows: usize,
    /// Keys that any of the queries sees
    keys: usize,
}

impl Block {
    /// Offsets i − j between its queries and keys.
    fn offsets(self) -> usize {
        self.rows + self.keys - 1
    }
}

/// A block's scores or weights, and its products with relative positions.
struct Scores {
    /// `[BLOCK, stride]`
    scores: Vec<f32>,
    stride: usize,
    /// `[BLOCK, skewed_stride]`, columns by falling offset
    skewed: Vec<f32>,
    skewed_stride: usize,
}

impl Scores {
    fn new(time: usize) -> Self {
        // Whole vectors of any width.
        let stride = time.next_multiple_of(16);
        let skewed_stride = time + BLOCK - 1;
        Self {
            scores: vec![0.0; BLOCK * stride],
            stride,
            skewed: vec![0.0; BLOCK * skewed_stride],
            skewed_stride,
        }
    }

    fn weights(&self) -> View<'_> {
        View::rows(&self.scores, 0, self.stride as isize)
    }
}

impl<'a> Unit<'a> {
    fn new(geometry: Geometry, index: usize, packed: &'a [f32], attended: Attended<'a>) -> Self {
        let (sequence, head) = (index / geometry.heads, index % geometry.heads);
        Self {
            geometry,
            packed,
            attended,
            sequence,
            head,
            index,
            length: attended.lengths.map_or(geometry.time, |l| l[sequence]),
        }
    }

    fn block(&self, first: usize) -> Block {
        let rows = BLOCK.min(self.geometry.time - first);
        let keys = if self.attended.causal {
            self.length.min(first + rows)
        } else {
            self.length
        };
        Block { first, rows, keys }
    }

    /// Keys that the query at `position` sees.
    #[inline(always)]
    fn seen(&self, position: usize) -> usize {
        if self.attended.causal {
            self.length.min(position + 1)
        } else {
            self.length
        }
    }

    /// Queries (0), keys (1) or values (2) from the given position.
    fn part(&self, part: usize, position: usize) -> View<'a> {
        let Geometry { time, width, .. } = self.geometry;
        let row = (self.sequence * time + position) * 3 + part;
        View::rows(
            self.packed,
            row * width + self.head * self.geometry.head(),
            3 * width as isize,
        )
    }

    fn values(&self) -> View<'a> {
        self.part(2, 0)
    }

    /// The relative positions of a block as rows by falling offset.
    fn relative(&self, relative: &'a [f32], block: Block) -> View<'a> {
        let Geometry { time, width, .. } = self.geometry;
        let highest = block.first + block.rows - 1;
        View::rows(
            relative,
            (highest + time - 1) * width + self.head * self.geometry.head(),
            -(width as isize),
        )
    }

    /// Scores of a block, each row up to the last of the block's keys.
    fn scores(&self, block: Block, into: &mut Scores) {
        let (head, scale) = (self.geometry.head(), self.geometry.scale());
        let queries = self.part(0, block.first);
        multiply(
            &mut into.scores,
            rows(into.stride),
            [block.rows, block.keys, head],
            queries,
            self.part(1, 0).transposed(),
            scale,
            false,
        );
        let Some(relative) = self.attended.relative else {
            return;
        };
        multiply(
            &mut into.skewed,
            rows(into.skewed_stride),
            [block.rows, block.offsets(), head],
            queries,
            self.relative(relative, block).transposed(),
            scale,
            false,
        );
        for row in 0..block.rows {
            let from = row * into.skewed_stride + block.rows - 1 - row;
            let to = &mut into.scores[row * into.stride..][..block.keys];
            for (to, from) in to.iter_mut().zip(&into.skewed[from..]) {
                *to += from;
            }
        }
    }

    /// Index of a weight, for dropout.
    #[inline(always)]
    fn weight_index(&self, query: usize, key: usize) -> u32 {
        let row = self.index.wrapping_mul(self.geometry.time) + query;
        row.wrapping_mul(self.geometry.time).wrapping_add(key) as u32
    }

    /// Gradients of queries, keys and values, `[time, head]` each, and of relative positions, `[2 · time − 1, head]`.
    fn backward(
        &self,
        context: &[f32],
        log_sums: &[f32],
        slope: &[f32],
        scores: &mut Scores,
        slopes: &mut Scores,
    ) -> [Vec<f32>; 4] {
        let Geometry { time, width, .. } = self.geometry;
        let (head, scale) = (self.geometry.head(), self.geometry.scale());
        let mut parts = [0; 3].map(|_| vec![0.0; time * head]);
        let [to_queries, to_keys, to_values] = &mut parts;
        let offsets = self.attended.relative.map_or(0, |_| 2 * time - 1);
        let mut to_relative = vec![0.0; offsets * head];
        for first in (0..time).step_by(BLOCK) {
            let block = self.block(first);
            let start = (self.sequence * time + first) * width + self.head * head;
            let slope_rows = View::rows(slope, start, width as isize);
            self.scores(block, scores);
            // The gradient of the weights after dropout.
            multiply(
                &mut slopes.scores,
                rows(slopes.stride),
                [block.rows, block.keys, head],
                slope_rows,
                self.values().transposed(),
                1.0,
                false,
            );
            Level::best().run(SoftmaxGradient {
                unit: self,
                block,
                scores,
                slopes,
                log_sums: &log_sums[first..first + block.rows],
                context,
                slope,
            });
            multiply(
                to_values,
                rows(head),
                [block.keys, head, block.rows],
                scores.weights().transposed(),
                slope_rows,
                1.0,
                true,
            );
            multiply(
                &mut to_queries[first * head..],
                rows(head),
                [block.rows, head, block.keys],
                slopes.weights(),
                self.part(1, 0),
                scale,
                false,
            );
            multiply(
                to_keys,
                rows(head),
                [block.keys, head, block.rows],
                slopes.weights().transposed(),
                self.part(0, first),
                scale,
                true,
            );
            let Some(relative) = self.attended.relative else {
                continue;
            };
            let stride = slopes.skewed_stride;
            slopes.skewed[..block.rows * stride].fill(0.0);
            for row in 0..block.rows {
                let to = row * stride + block.rows - 1 - row;
                slopes.skewed[to..][..block.keys]
                    .copy_from_slice(&slopes.scores[row * slopes.stride..][..block.keys]);
            }
            let skewed = View::rows(&slopes.skewed, 0, stride as isize);
            multiply(
                &mut to_queries[first * head..],
                rows(head),
                [block.rows, head, block.offsets()],
                skewed,
                self.relative(relative, block),
                scale,
                true,
            );
            multiply(
                &mut to_relative,
                Strides {
                    start: (first + block.rows - 1 + time - 1) * head,
                    rows: -(head as isize),
                    columns: 1,
                },
                [block.offsets(), head, block.rows],
                skewed.transposed(),
                self.part(0, first),
                scale,
                true,
            );
        }
        let [to_queries, to_keys, to_values] = parts;
        [to_queries, to_keys, to_values, to_relative]
    }
}

/// Turns a block's scores into weights, zero where nothing is seen.
struct Softmax<'a, 'b> {
    unit: &'a Unit<'b>,
    block: Block,
    scores: &'a mut Scores,
    log_sums: &'a mut [f32],
}

impl Job for Softmax<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Block { first, rows, keys } = self.block;
        for row in 0..rows {
            let seen = self.unit.seen(first + row);
            let stride = self.scores.stride;
            let row_scores = &mut self.scores.scores[row * stride..][..stride];
            let highest = row_scores[..seen]
                .iter()
                .fold(f32::NEG_INFINITY, |highest, &score| highest.max(score));
            let sum = exponentials::<V>(row_scores, seen, keys, highest);
            self.log_sums[row] = highest + sum.ln();
            let factor = 1.0 / sum;
            match self.unit.attended.dropout {
                None => row_scores[..seen].iter_mut().for_each(|w| *w *= factor),
                Some(dropout) => {
                    let index = self.unit.weight_index(first + row, 0);
                    for (key, weight) in row_scores[..seen].iter_mut().enumerate() {
                        *weight *= factor * dropout.factor(index.wrapping_add(key as u32));
                    }
                }
            }
        }
    }
}

/// Replaces the first `seen` scores by the exponentials of their distance to `from` and those up to `keys` by zero;
/// returns the sum.
#[inline(always)]
fn exponentials<V: Vector>(scores: &mut [f32], seen: usize, keys: usize, from: f32) -> f32 {
    let from = V::splat(from);
    let whole = seen.next_multiple_of(V::LANES);
    for chunk in scores[..whole].chunks_exact_mut(V::LANES) {
        exp(V::load(chunk).sub(from)).store(chunk);
    }
    scores[seen..whole.max(keys)].fill(0.0);
    let mut sums = V::splat(0.0);
    for chunk in scores[..whole].chunks_exact(V::LANES) {
        sums = sums.add(V::load(chunk));
    }
    let mut lanes = [0.0; 16];
    sums.store(&mut lanes);
    lanes[..V::LANES].iter().sum()
}

/// Turns a block's scores into weights after dropout, and the gradient of these in `slopes` into that of the scores.
struct SoftmaxGradient<'a, 'b> {
    unit: &'a Unit<'b>,
    block: Block,
    scores: &'a mut Scores,
    slopes: &'a mut Scores,
    log_sums: &'a [f32],
    context: &'a [f32],
    slope: &'a [f32],
}

impl Job for SoftmaxGradient<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Geometry { time, width, .. } = self.unit.geometry;
        let head = self.unit.geometry.head();
        let Block { first, rows, keys } = self.block;
        for row in 0..rows {
            let query = first + row;
            let seen = self.unit.seen(query);
            let stride = self.scores.stride;
            let weights = &mut self.scores.scores[row * stride..][..stride];
            exponentials::<V>(weights, seen, keys, self.log_sums[row]);
            let at = (self.unit.sequence * time + query) * width + self.unit.head * head;
            // Σ weight · its gradient, which dropout does not change.
            let mean: f32 = (self.context[at..][..head].iter())
                .zip(&self.slope[at..][..head])
                .map(|(a, b)| a * b)
                .sum();
            let slopes = &mut self.slopes.scores[row * stride..][..stride];
            match self.unit.attended.dropout {
                None => {
                    for (slope, weight) in slopes[..seen].iter_mut().zip(&*weights) {
                        *slope = weight * (*slope - mean);
                    }
                }
                Some(dropout) => {
                    let index = self.unit.weight_index(query, 0);
                    for (key, (slope, weight)) in slopes[..seen].iter_mut().zip(weights).enumerate()
                    {
                        let factor = dropout.factor(index.wrapping_add(key as u32));
                        *slope = *weight * (factor * *slope - mean);
                        *weight *= factor;
                    }
                }
            }
            slopes[seen..keys.max(seen)].fill(0.0);
        }
    }
}

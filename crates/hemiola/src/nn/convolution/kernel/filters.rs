//! Weights in the order the inner loops read them.

use super::{Geometry, Level};

/// A group of output channels that one pass computes.
pub(super) struct Block {
    pub first: usize,
    pub count: usize,
    /// Width of the registers that hold them; at least `count`.
    pub lanes: usize,
}

pub(super) fn blocks(level: Level, channels: usize) -> Vec<Block> {
    (0..channels)
        .step_by(level.widest())
        .map(|first| {
            let count = (channels - first).min(level.widest());
            Block {
                first,
                count,
                lanes: count.next_multiple_of(8),
            }
        })
        .collect()
}

/// Weights in the order the inner loop reads them: per block [kernel height, kernel width, in_channels, lanes], absent channels zero.
pub(super) struct Filters {
    pub blocks: Vec<Block>,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Filters {
    pub fn pack(level: Level, geometry: &Geometry, weight: &[f32], bias: Option<&[f32]>) -> Self {
        let blocks = blocks(level, geometry.out_channels);
        let area = geometry.kernel[0] * geometry.kernel[1];
        let taps = geometry.taps();
        let lanes: usize = blocks.iter().map(|block| block.lanes).sum();
        let mut packed = vec![0.0; taps * lanes];
        for block in &blocks {
            let packed = &mut packed[block.first * taps..];
            for lane in 0..block.count {
                let filter = &weight[(block.first + lane) * taps..][..taps];
                for (channel, plane) in filter.chunks_exact(area).enumerate() {
                    for (place, &value) in plane.iter().enumerate() {
                        packed[(place * geometry.in_channels + channel) * block.lanes + lane] =
                            value;
                    }
                }
            }
        }
        let mut all = vec![0.0; lanes];
        if let Some(bias) = bias {
            assert_eq!(bias.len(), geometry.out_channels, "length of the bias");
            all[..bias.len()].copy_from_slice(bias);
        }
        Self {
            blocks,
            weight: packed,
            bias: all,
        }
    }
}

/// The inverse of [`Filters::pack`].
pub(super) fn unpack(geometry: &Geometry, blocks: &[Block], packed: &[f32]) -> Vec<f32> {
    let area = geometry.kernel[0] * geometry.kernel[1];
    let taps = geometry.taps();
    let mut weight = vec![0.0; geometry.weight_len()];
    for block in blocks {
        let packed = &packed[block.first * taps..];
        for lane in 0..block.count {
            let filter = &mut weight[(block.first + lane) * taps..][..taps];
            for (channel, plane) in filter.chunks_exact_mut(area).enumerate() {
                for (place, value) in plane.iter_mut().enumerate() {
                    *value = packed[(place * geometry.in_channels + channel) * block.lanes + lane];
                }
            }
        }
    }
    weight
}

/// Input and output channels exchanged, every filter turned by 180°.
pub(super) fn turn(geometry: &Geometry, weight: &[f32]) -> Vec<f32> {
    let area = geometry.kernel[0] * geometry.kernel[1];
    let mut turned = Vec::with_capacity(weight.len());
    for input in 0..geometry.in_channels {
        for output in 0..geometry.out_channels {
            let plane = &weight[(output * geometry.in_channels + input) * area..][..area];
            turned.extend(plane.iter().rev());
        }
    }
    turned
}

//! Convolution and batch normalisation for data with the channels last.

pub mod batch_norm;
pub mod kernel;
#[cfg(feature = "neural")]
mod layers;
mod levels;
#[cfg(feature = "neural")]
pub mod operator;
pub mod pooling;

#[cfg(feature = "neural")]
pub use layers::{BatchNorm, Conv1d, Conv2d, ConvBlock, conv_block};

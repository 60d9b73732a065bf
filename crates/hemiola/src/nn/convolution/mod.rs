//! Convolution and batch normalisation for data with the channels last.

pub mod batch_norm;
pub mod kernel;
#[cfg(feature = "neural")]
mod layers;
#[cfg(feature = "neural")]
pub mod operator;

#[cfg(feature = "neural")]
pub use layers::{BatchNorm, Conv1d, Conv2d};

//! Convolution and batch normalisation for data with the channels last.

pub mod batch_norm;
pub mod kernel;

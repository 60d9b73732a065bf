//! Blocks that networks share.

pub mod convolution;

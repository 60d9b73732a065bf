//! Blocks that networks share.

#[cfg(feature = "neural")]
pub mod attention;
pub mod convolution;
pub mod recurrent;

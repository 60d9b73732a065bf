//! Blocks that networks share.

#[cfg(feature = "neural")]
pub mod attention;
#[cfg(feature = "neural")]
pub mod chain;
pub mod convolution;
pub mod linear;
#[cfg(feature = "neural")]
pub mod loss;
#[cfg(feature = "neural")]
mod mode;
pub mod recurrent;
pub mod sparse;
pub mod transformer;

#[cfg(feature = "neural")]
pub use mode::evaluation_mode;

//! Transformer encoder layers, with operators of their own for processors.

pub mod kernel;
#[cfg(feature = "neural")]
mod layer;
#[cfg(feature = "neural")]
pub mod operator;

#[cfg(feature = "neural")]
pub use layer::{EncoderLayer, EncoderLayerConfig};
#[cfg(feature = "neural")]
pub use operator::AttentionMask;

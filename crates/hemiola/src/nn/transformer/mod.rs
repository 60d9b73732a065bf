//! Transformer encoder layers, with operators of their own for processors.

#[cfg(feature = "neural")]
mod decoder;
pub mod kernel;
#[cfg(feature = "neural")]
mod layer;
#[cfg(feature = "neural")]
pub mod operator;

#[cfg(feature = "neural")]
pub use decoder::Decoder;
#[cfg(feature = "neural")]
pub use layer::{EncoderLayer, EncoderLayerConfig};
#[cfg(feature = "neural")]
pub use operator::AttentionMask;

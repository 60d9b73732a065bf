//! Recurrent layers, with an operator of their own for processors.

pub mod kernel;

#[cfg(feature = "neural")]
pub mod gru;
#[cfg(feature = "neural")]
pub mod keys;
#[cfg(feature = "neural")]
pub mod layer;
#[cfg(feature = "neural")]
pub mod lstm;
#[cfg(feature = "neural")]
pub mod operator;

#[cfg(feature = "neural")]
pub use gru::{Gru, GruConfig};
#[cfg(feature = "neural")]
pub use lstm::{Lstm, LstmConfig, LstmState};

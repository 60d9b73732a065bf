//! Blocks that networks share.

#[cfg(feature = "neural")]
pub mod attention;

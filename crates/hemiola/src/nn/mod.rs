//! Blocks that networks share.

pub mod recurrent;

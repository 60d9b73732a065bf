//! Blocks that networks share.

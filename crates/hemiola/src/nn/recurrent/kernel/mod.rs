//! Recurrent layers on plain slices: one call is one layer, in one or two directions, forward or backward.
//!
//! A layer's work is split in three. What does not depend on the previous frame (the product of all inputs with the
//! input weights, and in the backward pass the gradients of weights and inputs) is one large matrix product over all
//! frames. What does is a step per frame: a small product with weights that were packed once per call, whose results
//! go through the gates while they are still in registers. Directions, and in large batches groups of sequences, have
//! threads of their own.
//!
//! [`simd`] holds the vectors and their run-time choice, [`product`] the matrix products, [`sequence`] shapes and the
//! order of frames, [`direction`] what all cells share, [`lstm`] and [`gru`] the cells.

pub mod direction;
pub mod gru;
pub mod lstm;
pub mod product;
pub mod sequence;
pub mod simd;

pub use sequence::{Order, Shape};
pub use simd::Level;

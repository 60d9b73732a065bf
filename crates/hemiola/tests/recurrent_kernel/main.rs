//! The kernels of recurrent layers against their equations written down in f64, and against the numerical gradients.

mod cell;
mod gru;
mod lstm;

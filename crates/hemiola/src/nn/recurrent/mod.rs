//! Recurrent layers, with an operator of their own for processors.

pub mod kernel;

//! Linear layers with their bias and a ReLU in one operator.
//!
//! Each thread takes some rows of the input from the product to the activation while they are in its cache. [`kernel`] is
//! plain slices; `operator` makes it a differentiable operator of burn.

pub mod kernel;
#[cfg(feature = "neural")]
pub mod operator;

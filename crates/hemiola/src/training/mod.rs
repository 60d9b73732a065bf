//! Recipes, losses, the training run and its resumption.

pub mod loader;
pub mod objective;
mod quiet;
pub mod recipe;
pub mod run;
pub mod scalars;
pub mod schedule;
pub mod symbolic;
pub mod transcription;

pub use recipe::Recipe;

use std::sync::Arc;

use burn::tensor::Device;

use crate::error::Result;

/// Trains what the recipe says; see [`run::train`].
pub fn train(
    recipe: &Recipe,
    device: &Device,
    resume: bool,
    dashboard: bool,
    report: Arc<dyn Fn(run::RunEvent<'_>) + Send + Sync>,
) -> Result<run::RunState> {
    recipe.inner().train(device, resume, dashboard, report)
}

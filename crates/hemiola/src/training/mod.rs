//! Recipes, losses, the training run and its resumption.

mod chroma;
mod classifier;
mod clips;
mod contrastive;
mod finetune;
mod harmony;
pub mod loader;
pub mod objective;
mod onsets;
mod preset;
mod quiet;
pub mod recipe;
mod recordings;
pub mod run;
pub mod scalars;
pub mod schedule;
pub mod symbolic;
pub mod transcription;
mod transfer;

pub use chroma::{ChromaData, ChromaRecipe};
pub use classifier::{ClassifierRecipe, LabelReport, Mixing, measure};
pub use clips::{ClipsData, LabelledData, Reference};
pub use contrastive::{ContrastiveLoss, ContrastiveRecipe};
pub use finetune::FineTuning;
pub use harmony::{HarmonyData, HarmonyRecipe, HarmonySet, HarmonySource};
pub use onsets::{OnsetData, OnsetLoss, OnsetRecipe};
pub use recipe::Recipe;
pub use transfer::Transfer;

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

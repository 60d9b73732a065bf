//! Recipes, losses, the training run and its resumption.

mod chords;
mod chroma;
mod classifier;
mod clips;
mod contrastive;
mod decoded;
mod finetune;
mod harmony;
pub mod loader;
mod measure_chroma;
mod measure_probe;
mod measure_similar;
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

pub use chords::{ChordData, ChordRecipe};
pub use chroma::{ChromaData, ChromaRecipe};
pub use classifier::{ClassifierRecipe, DevScore, LabelReport, Mixing, TagLoss, measure};
pub use clips::{LabelledData, LabelledFile, Reference};
pub use contrastive::{ContrastiveLoss, ContrastiveRecipe, MusicData, Root, Roots, SplitBy};
pub use finetune::FineTuning;
pub use harmony::{HarmonyData, HarmonyRecipe, HarmonySet, HarmonySource};
pub use measure_chroma::{ChromaScores, measure_chroma};
pub use measure_probe::{Draw, Probe, ProbeScores, measure_probe};
pub use measure_similar::{DescriptorScores, QueryScores, SimilarScores, measure_similar};
pub use onsets::{OnsetData, OnsetLoss, OnsetRecipe};
pub use recipe::Recipe;
pub use transfer::Transfer;

use std::io::Write;
use std::sync::{Arc, Once};

use burn::tensor::Device;

use crate::error::Result;
use crate::formats::write_atomically;

/// Trains what the recipe says; see [`run::train`]. The run's folder keeps the recipe as `recipe.toml` from its first
/// step on.
///
/// # Errors
/// When the recipe is impossible, its data cannot be read, or a result cannot be written.
pub fn train(
    recipe: &Recipe,
    device: &Device,
    resume: bool,
    dashboard: bool,
    report: Arc<dyn Fn(run::RunEvent<'_>) + Send + Sync>,
) -> Result<run::RunState> {
    let text = recipe.to_toml()?;
    let path = recipe.run().output.join("recipe.toml");
    let kept = Once::new();
    let report = move |event: run::RunEvent<'_>| {
        // A disk that cannot take the recipe stops the run at its next checkpoint, with its own message.
        kept.call_once(|| {
            drop(write_atomically(&path, |file| {
                file.write_all(text.as_bytes())
            }))
        });
        report(event);
    };
    recipe
        .inner()
        .train(device, resume, dashboard, Arc::new(report))
}

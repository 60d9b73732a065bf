//! The recipe that teaches a trained classifier other labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use burn::tensor::Device;

use super::Recipe;
use super::classifier::ClassifierRecipe;
use super::clips::LabelledData;
use super::recipe::RunConfig;
use super::transfer::Transfer;
use crate::checkpoint::{self, Architecture, Card, CheckpointFiles};
use crate::error::{Error, Result};
use crate::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use crate::models::music_cnn::{MusicCnn, MusicCnnConfig};
use crate::tasks::classify::{ClassifierSizes, Target};

/// What is fine-tuned on what.
#[derive(Debug, Clone, PartialEq)]
pub struct FineTuning {
    /// A checkpoint folder or the name of a built-in model.
    pub from: String,
    /// As [`LabelledData::root`] and [`LabelledData::table`].
    pub root: PathBuf,
    pub table: Option<PathBuf>,
    pub target: Target,
    pub output: PathBuf,
    /// Patterns of tensors that do not learn at first; all but the head's where `None`.
    pub freeze: Option<Vec<String>>,
    /// The evaluation after which they learn; 0 never.
    pub unfreeze_epoch: usize,
    /// Factors of the learning rate by pattern; where there are none, a tenth for all but the head.
    pub rates: BTreeMap<String, f64>,
}

/// The factor of the learning rate of what was learned before.
const TRUNK_RATE: f64 = 0.1;

impl FineTuning {
    /// # Errors
    /// When there is no such checkpoint, or it is of no classifier.
    pub fn recipe(&self) -> Result<Recipe> {
        let files = CheckpointFiles::open(&self.from)?;
        match files.config.architecture.as_str() {
            MusicCnn::NAME => {
                let recipe = self.recipe_of::<MusicCnnConfig>(&files)?;
                Ok(Recipe::MusicCnn(Box::new(recipe)))
            }
            HarmonicCnn::NAME => {
                let recipe = self.recipe_of::<HarmonicCnnConfig>(&files)?;
                Ok(Recipe::HarmonicCnn(Box::new(recipe)))
            }
            other => Err(Error::checkpoint(
                &files.origin,
                format!(
                    "a {other} cannot be taught labels; expected a {} or a {}",
                    MusicCnn::NAME,
                    HarmonicCnn::NAME
                ),
            )),
        }
    }

    fn recipe_of<C: ClassifierSizes>(
        &self,
        files: &CheckpointFiles,
    ) -> Result<ClassifierRecipe<C>> {
        let (model, sizes, task) = files.assemble::<C::Model>(&Device::flex())?;
        let names = checkpoint::tensor_paths(&model).into_iter();
        let trunk: BTreeSet<String> = names
            .filter(|(name, _)| !name.starts_with(C::HEAD))
            // A tensor that is in no layer has no dot in its name.
            .map(|(name, _)| match name.split_once('.') {
                Some((layer, _)) => format!("{layer}.*"),
                None => name,
            })
            .collect();
        let trunk: Vec<String> = trunk.into_iter().collect();
        let rates = match self.rates.is_empty() {
            true => trunk.iter().map(|p| (p.clone(), TRUNK_RATE)).collect(),
            false => self.rates.clone(),
        };
        Ok(ClassifierRecipe {
            run: RunConfig {
                output: self.output.clone(),
                steps: 600,
                steps_per_epoch: 40,
                batch_size: 16,
                warmup_steps: 20,
                patience: 6,
                ..RunConfig::default()
            },
            // The number of classes is that of the data.
            model: sizes.with_classes(0),
            features: task.features,
            data: LabelledData {
                target: self.target,
                table: self.table.clone(),
                clip_s: task.clip_s,
                dev_share: 0.2,
                balanced: true,
                ..LabelledData::of(self.root.clone())
            },
            mixing: Default::default(),
            loss: Default::default(),
            choose_by: None,
            augment: Default::default(),
            transfer: Transfer {
                from: Some(self.from.clone()),
                freeze: self.freeze.clone().unwrap_or(trunk),
                unfreeze_epoch: self.unfreeze_epoch,
                rates,
            },
            card: Card {
                title: "Fine-tuned classifier".into(),
                summary: format!("Starts from {}.", self.from),
                ..Card::default()
            },
        })
    }
}

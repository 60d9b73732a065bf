//! What the best weights of a run need besides: thresholds and attribute vectors.

use burn::tensor::Device;

use super::{Example, MusicVaeRecipe, RollBatch, VaeObjective, values};
use crate::checkpoint::{self, Precision};
use crate::error::Result;
use crate::models::music_vae::MusicVae;
use crate::tasks::phrases::{AttributeVector, calibrate, spread};
use crate::training::objective::{self, Objective};
use crate::training::scalars::ScalarMeans;

/// No more examples than this are looked at, spread evenly over those there are.
const MOST_TRAIN: usize = 8192;
const MOST_DEV: usize = 2048;

impl MusicVaeRecipe {
    /// Writes the run's best weights again with thresholds and attribute vectors.
    pub(super) fn calibrate_best(
        &self,
        device: &Device,
        sides: [&[Example]; 2],
        dev: &[RollBatch],
    ) -> Result<()> {
        let best = self.run.output.join("best");
        let (model, config, _) = checkpoint::load::<MusicVae>(&best, device)?;
        let some = |examples, most| -> Vec<Vec<f32>> {
            let some = spread(examples, most).into_iter();
            some.map(values).collect()
        };
        let [train, held_out] = [some(sides[0], MOST_TRAIN), some(sides[1], MOST_DEV)];
        let calibration = calibrate(&model, &self.task(), &train, &held_out)?;
        let objective = VaeObjective {
            free_bits: self.loss.free_bits,
        };
        let mut means = ScalarMeans::default();
        for batch in dev {
            means.add(&objective.evaluate(&model, batch, device));
        }
        let mut card = self.card.clone();
        card.figures = objective::figures(&means.take());
        // At the tuned thresholds instead of one half.
        card.figures.remove("f1");
        card.figures.extend(calibration.figures);
        let attributes = &calibration.config.attributes;
        if !attributes.is_empty() {
            let named = attributes.iter().map(|attribute| {
                let AttributeVector {
                    name,
                    direction,
                    scale,
                    ..
                } = attribute;
                format!("{name} ({direction}; +1 is {scale:.3})")
            });
            let named: Vec<String> = named.collect();
            card.summary += &format!("\n\nAttributes: {}.", named.join(", "));
            card.summary = card.summary.trim_start().to_owned();
        }
        let task = &calibration.config;
        checkpoint::save(&best, &model, &config, task, &card, Precision::Float16)
    }
}

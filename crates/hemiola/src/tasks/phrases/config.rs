use serde::{Deserialize, Serialize};

use super::{ATTRIBUTES, Attribute};

use crate::datasets::midi_folder::{FolderRolls, RollFrames};
use crate::error::{Error, Result};
use crate::models::music_vae::MusicVae;
use crate::music::{Keys, PhraseShape, RollOptions};

/// How a model's phrases are cut out of pieces and become notes again; part of its checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhraseSpaceConfig {
    /// How pieces become rolls. Where nothing is said, frames are sixteenths and the model's `input_dim` tells the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolls: Option<FolderRolls>,
    /// The phrases of a hierarchical model; one in frame mode takes every frame apart.
    pub phrase: PhraseShape,
    pub thresholds: PhraseThresholds,
    /// None before [calibration](super::calibrate).
    pub attributes: Vec<AttributeVector>,
}

impl Default for PhraseSpaceConfig {
    /// Two bars of four quarter notes in sixteenths, a quarter note to a segment.
    fn default() -> Self {
        Self {
            rolls: None,
            phrase: PhraseShape {
                segments: 8,
                frames: 4,
                hop: 32,
            },
            thresholds: PhraseThresholds::default(),
            attributes: Vec::new(),
        }
    }
}

/// From which probabilities on there is a note; tuned on dev phrases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhraseThresholds {
    /// A key sounds, 0–1.
    pub sounding: f32,
    /// A note begins, 0–1, whether or not its key is said to sound.
    pub onset: f32,
    /// Whether a note also begins where a key starts to sound without an onset; of a model without onsets all do.
    pub sounding_begins: bool,
}

impl Default for PhraseThresholds {
    fn default() -> Self {
        Self {
            sounding: 0.5,
            onset: 0.5,
            sounding_begins: true,
        }
    }
}

/// A direction of the latent space along which a trait of the music grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeVector {
    /// A name of [`ATTRIBUTES`](super::ATTRIBUTES).
    pub name: String,
    /// What there is more of along the vector.
    pub direction: String,
    /// What is added to a latent vector for `+1`; in ten-thousandths.
    pub vector: Vec<f64>,
    /// What `+1` is, in the attribute's own unit: a standard deviation of the training phrases.
    pub scale: f64,
}

impl PhraseSpaceConfig {
    /// The same with `rolls` filled in.
    ///
    /// # Errors
    /// When a value is impossible or does not fit the model.
    pub(super) fn for_model(mut self, model: &MusicVae) -> Result<(Self, FolderRolls)> {
        let fail = |message: String| Err(Error::config(format!("task.{message}")));
        let (input_dim, latent_dim) = (model.input_dim(), model.latent_dim());
        let rolls = match self.rolls.take() {
            Some(rolls) => rolls,
            None => sixteenths(input_dim)?,
        };
        let features = rolls.roll.features();
        if features != input_dim {
            return fail(format!(
                "rolls has {features} numbers a frame, but the model reads {input_dim} (model.input_dim)"
            ));
        }
        let PhraseShape {
            segments, frames, ..
        } = self.phrase;
        if segments == 0 || frames == 0 {
            return fail(format!(
                "phrase has {segments} segments of {frames} frames; expected at least one of each"
            ));
        }
        for (name, value) in [
            ("sounding", self.thresholds.sounding),
            ("onset", self.thresholds.onset),
        ] {
            if !(value > 0.0 && value < 1.0) {
                return fail(format!(
                    "thresholds.{name} is {value}; it must lie between 0 and 1"
                ));
            }
        }
        for attribute in &self.attributes {
            let AttributeVector { name, vector, .. } = attribute;
            if Attribute::named(name).is_none() {
                let known: Vec<&str> = ATTRIBUTES.iter().map(|known| known.name).collect();
                return fail(format!(
                    "attributes has {name}; expected one of {}",
                    known.join(", ")
                ));
            }
            if vector.len() != latent_dim || vector.iter().any(|value| !value.is_finite()) {
                return fail(format!(
                    "attributes: the vector of {name} has {} numbers; expected {latent_dim} (model.latent_dim), all finite",
                    vector.len()
                ));
            }
        }
        self.rolls = Some(rolls.clone());
        Ok((self, rolls))
    }
}

/// Rolls of four frames a quarter note with so many numbers a frame.
fn sixteenths(features: usize) -> Result<FolderRolls> {
    let all = [Keys::Piano, Keys::Midi].into_iter().flat_map(|keys| {
        [false, true].map(|onsets| RollOptions {
            keys,
            onsets,
            ..RollOptions::default()
        })
    });
    let mut fitting = all.filter(|roll| roll.features() == features);
    let roll = fitting.next().ok_or_else(|| {
        Error::config(format!(
            "the model reads {features} numbers a frame (model.input_dim); expected 88 or 128, or twice as many with \
             onsets, or task.rolls that says what they are"
        ))
    })?;
    Ok(FolderRolls {
        frames: RollFrames::PerQuarter(4),
        roll,
        sustain: false,
        drums: false,
    })
}

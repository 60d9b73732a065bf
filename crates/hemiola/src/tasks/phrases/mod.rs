//! Music from places between and beside pieces: a [`MusicVae`] that interpolates, varies and steers phrases.
//!
//! A piece is taken phrase after phrase from its first bar with notes on; every phrase is a vector of the model's latent
//! space, which is moved and decoded. Phrases without notes stay without.
//!
//! ```
//! use hemiola::midi::{Score, WriteOptions, encode_midi};
//! use hemiola::music::Note;
//! use hemiola::tasks::phrases::PhraseSpace;
//!
//! # fn main() -> hemiola::Result<()> {
//! # if hemiola::checkpoint::bundled("vae").is_none() { return Ok(()); }
//! let space = PhraseSpace::bundled()?;
//! let notes = [60, 64, 67].map(|pitch| Note { onset_s: 0.0, offset_s: 2.0, pitch, velocity: 80 });
//! let chord = Score::from_bytes(&encode_midi(&notes, &WriteOptions::default())?, "chord")?;
//! let varied = space.vary(&chord, 0.3, 1)?;
//! assert_eq!((varied.start_s, varied.end_s), (0.0, 4.0));
//! # Ok(())
//! # }
//! ```

mod attributes;
mod calibration;
mod config;
mod decoding;
mod effects;
mod latent;
mod measure;
mod path;
mod piece;

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::checkpoint;
use crate::datasets::midi_folder::{FolderRolls, RollFrames};
use crate::error::{Error, Result};
use crate::midi::Score;
use crate::models::music_vae::{self, Interpolation, MusicVae};

pub use attributes::{ATTRIBUTES, Attribute};
pub(crate) use calibration::spread;
pub use calibration::{Calibration, calibrate};
pub use config::{AttributeVector, PhraseSpaceConfig, PhraseThresholds};
pub use latent::LatentPhrase;
pub use measure::{KeyClarity, MOST_PAIRS, MeasureOptions, PhraseScores, WayScores, measure};
pub use path::PathScores;
pub use piece::{Passage, Piece};

/// Attributes are moved by no more than so many standard deviations.
pub const FURTHEST: f64 = 10.0;
/// Interpolations have no more steps than this.
pub const MOST_STEPS: usize = 1000;

/// A model with what it takes to read and write pieces.
#[derive(Debug, Clone)]
pub struct PhraseSpace {
    model: MusicVae,
    config: PhraseSpaceConfig,
    rolls: FolderRolls,
    device: Device,
}

impl PhraseSpace {
    /// # Errors
    /// When the configuration is impossible or does not fit the model.
    pub fn new(model: MusicVae, config: PhraseSpaceConfig) -> Result<Self> {
        let (config, rolls) = config.for_model(&model)?;
        let device = model.devices()[0].clone();
        Ok(Self {
            model,
            config,
            rolls,
            device,
        })
    }

    /// The built-in model, on the processor.
    ///
    /// # Errors
    /// When the library was built without its weights.
    pub fn bundled() -> Result<Self> {
        let (model, _, task) = checkpoint::load_built_in("vae")?;
        Self::new(model, task)
    }

    /// The model of a checkpoint folder.
    ///
    /// # Errors
    /// When the checkpoint cannot be read; see [`Self::new`].
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (model, _, task) = checkpoint::load(folder, device)?;
        Self::new(model, task).map_err(|error| Error::checkpoint(folder, error.to_string()))
    }

    pub fn model(&self) -> &MusicVae {
        &self.model
    }

    pub fn config(&self) -> &PhraseSpaceConfig {
        &self.config
    }

    /// Frames of a phrase.
    pub fn frames(&self) -> usize {
        let shape = self.config.phrase;
        match self.model.is_hierarchical() {
            true => shape.segments * shape.frames,
            false => 1,
        }
    }

    /// Frames of a quarter note, or of a second.
    pub fn frames_per_beat(&self) -> f64 {
        match self.rolls.frames {
            RollFrames::PerSecond(fps) => fps,
            RollFrames::PerQuarter(steps) => steps as f64,
        }
    }

    /// The phrases of a score.
    ///
    /// # Errors
    /// When there is no note that the model knows, or the roll is too large.
    pub fn read(&self, score: &Score) -> Result<Piece> {
        Piece::read(score, &self.rolls, self.frames())
    }

    /// Where the phrases of a score lie.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn encode(&self, score: &Score) -> Result<Vec<LatentPhrase>> {
        let piece = self.read(score)?;
        let mut latents = self.encode_phrases(&piece.phrases)?;
        for (index, latent) in latents.iter_mut().enumerate() {
            latent.start_s = piece.start_s(index, self.frames());
        }
        Ok(latents)
    }

    /// Music of latent vectors, one phrase after the other, with the beats of a piece and no longer than the piece.
    ///
    /// # Errors
    /// As [`Self::probabilities`].
    pub fn decode<Z: AsRef<[f32]>>(&self, latents: &[Z], piece: &Piece) -> Result<Passage> {
        let phrases = self.probabilities(latents)?;
        self.passage(&phrases, &piece.timing, piece.frames, piece.velocity)
    }

    /// A score as the model remembers it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn reconstruct(&self, score: &Score) -> Result<Passage> {
        self.moved(score, |_| {})
    }

    /// A score with every phrase moved by the same random draw: √(1 − amount²) z + amount ε, which keeps phrases as likely as
    /// they were. 0 is the reconstruction and 1 a new phrase, the same for all of the piece.
    ///
    /// # Errors
    /// As [`Self::read`], or when the amount is not from 0 to 1.
    pub fn vary(&self, score: &Score, amount: f64, seed: u64) -> Result<Passage> {
        if !(0.0..=1.0).contains(&amount) {
            return Err(Error::config(format!(
                "a variation by {amount}; expected an amount from 0 to 1"
            )));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let noise = music_vae::noise(&mut rng, self.model.latent_dim());
        let kept = (1.0 - amount * amount).sqrt();
        self.moved(score, |z| {
            for (value, noise) in z.iter_mut().zip(&noise) {
                *value = (kept * f64::from(*value) + amount * f64::from(*noise)) as f32;
            }
        })
    }

    /// A score with attributes moved, each by an amount in standard deviations of the training phrases.
    ///
    /// # Errors
    /// As [`Self::read`], or when the model has no such attribute or an amount is beyond [`FURTHEST`].
    pub fn attribute(&self, score: &Score, amounts: &[(&str, f64)]) -> Result<Passage> {
        let mut step = vec![0.0; self.model.latent_dim()];
        for &(name, amount) in amounts {
            if !(-FURTHEST..=FURTHEST).contains(&amount) {
                return Err(Error::config(format!(
                    "{name} by {amount}; expected from -{FURTHEST} to {FURTHEST}"
                )));
            }
            let vector = &self.attribute_vector(name)?.vector;
            for (value, part) in step.iter_mut().zip(vector) {
                *value += (amount * part) as f32;
            }
        }
        self.moved(score, |z| {
            for (value, part) in z.iter_mut().zip(&step) {
                *value += part;
            }
        })
    }

    /// `steps` pieces from one score to another, both ends included; all begin at 0 s with their first bar.
    ///
    /// Phrases go to phrases in their order. The length in beats goes evenly from that of the first score to that of the
    /// second, phrases that the shorter one has not going to or coming from its last, and tempi go in equal ratios. The first
    /// and the last step are the [reconstructions](Self::reconstruct).
    ///
    /// # Errors
    /// As [`Self::read`], or when the steps are not from 2 to [`MOST_STEPS`].
    pub fn interpolate(
        &self,
        from: &Score,
        to: &Score,
        steps: usize,
        interpolation: Interpolation,
    ) -> Result<Vec<Passage>> {
        if !(2..=MOST_STEPS).contains(&steps) {
            return Err(Error::config(format!(
                "interpolation in {steps} steps; expected from 2, the two ends, to {MOST_STEPS}"
            )));
        }
        let pieces = [self.read(from)?, self.read(to)?];
        let mut latents = Vec::with_capacity(2);
        for piece in &pieces {
            latents.push(self.encode_phrases(&piece.phrases)?);
        }
        let share = |step: usize| step as f64 / (steps - 1) as f64;
        let between = |step: usize, ends: [f64; 2]| ends[0] + share(step) * (ends[1] - ends[0]);
        let frames_of = |step: usize| {
            let ends = pieces.each_ref().map(|piece| piece.frames as f64);
            between(step, ends).round() as usize
        };
        let mut phrases = vec![Vec::new(); steps];
        let counts = pieces.each_ref().map(|piece| piece.phrases.len());
        for index in 0..counts[0].max(counts[1]) {
            let [a, b] = [0, 1].map(|end| index.min(pieces[end].phrases.len() - 1));
            let path = self.path(
                &latents[0][a].mean,
                &latents[1][b].mean,
                steps,
                interpolation,
            )?;
            let mut path = self.probabilities(&path)?;
            let silent = [(0, a), (1, b)].map(|(end, at)| is_silent(&pieces[end].phrases[at]));
            for (step, phrase) in path.iter_mut().enumerate() {
                let at_silence = [step == 0, step == steps - 1];
                if silent == [true, true] || (0..2).any(|end| silent[end] && at_silence[end]) {
                    phrase.fill(0.0);
                }
            }
            for (step, phrase) in path.into_iter().enumerate() {
                if index * self.frames() < frames_of(step) {
                    phrases[step].push(phrase);
                }
            }
        }
        let [from, to] = &pieces;
        let passages = phrases.iter().enumerate().map(|(step, phrases)| {
            let whole = phrases.len() * self.frames();
            let timing = (from.timing).towards(&to.timing, share(step), whole, &self.rolls)?;
            let velocity = between(step, [from.velocity, to.velocity]);
            self.passage(phrases, &timing, frames_of(step), velocity)
        });
        passages.collect()
    }

    /// A score whose latent vectors are changed on the way.
    fn moved(&self, score: &Score, change: impl Fn(&mut [f32])) -> Result<Passage> {
        let piece = self.read(score)?;
        let mut latents: Vec<Vec<f32>> = Vec::with_capacity(piece.phrases.len());
        for mut latent in self.encode_phrases(&piece.phrases)? {
            change(&mut latent.mean);
            latents.push(latent.mean);
        }
        let mut phrases = self.probabilities(&latents)?;
        for (made, given) in phrases.iter_mut().zip(&piece.phrases) {
            if is_silent(given) {
                made.fill(0.0);
            }
        }
        self.passage(&phrases, &piece.timing, piece.frames, piece.velocity)
    }

    /// Phrases as music of so many frames; what the last one has beyond them is left out.
    fn passage(
        &self,
        phrases: &[Vec<f32>],
        timing: &piece::Timing,
        frames: usize,
        velocity: f64,
    ) -> Result<Passage> {
        let mut rows = phrases.concat();
        rows.truncate(frames * self.model.input_dim());
        if rows.iter().any(|value| !value.is_finite()) {
            return Err(Error::config(
                "the model's output is no number; its weights are damaged",
            ));
        }
        let velocity = velocity.round().clamp(1.0, 127.0) as u8;
        let thresholds = &self.config.thresholds;
        let notes = thresholds.notes(&rows, &self.rolls.roll, velocity);
        Ok(timing.passage(&notes, phrases.len() * self.frames()))
    }

    /// The vector of an attribute.
    ///
    /// # Errors
    /// When the model has none of that name; the message tells which it has.
    pub fn attribute_vector(&self, name: &str) -> Result<&AttributeVector> {
        let known = &self.config.attributes;
        known.iter().find(|vector| vector.name == name).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|vector| vector.name.as_str()).collect();
            Error::config(match names.as_slice() {
                [] => format!(
                    "the model has no attribute {name}, nor any other; training writes them into its configuration"
                ),
                names => format!(
                    "the model has no attribute {name}; expected one of {}",
                    names.join(", ")
                ),
            })
        })
    }
}

fn is_silent(phrase: &[f32]) -> bool {
    phrase.iter().all(|value| *value == 0.0)
}

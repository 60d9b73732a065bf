//! Which chords a chroma is of: Viterbi decoding with a [`ChordHmm`].

mod emissions;
mod follow;
mod viterbi;

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

pub use emissions::{ChromaKind, Emissions, turned};
pub use follow::ChordFollower;
pub use viterbi::viterbi;

use crate::checkpoint::CheckpointFiles;
use crate::error::{Error, Result};
use crate::models::chord_hmm::{ChordHmm, ChordHmmConfig};
use crate::music::chord::{Chord, ChordLabel, Shorthand, Vocabulary};
use crate::music::{Chroma, N_PITCH_CLASSES, NoteName, Segment};

/// What a [`ChordHmm`] needs beside its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChordConfig {
    /// Harte's shorthands of the qualities, in the order of the model.
    pub qualities: Vec<String>,
    /// What the chroma's numbers are.
    #[serde(default)]
    pub chroma: ChromaKind,
    /// Seconds of chroma that one decision is about, rounded to whole frames.
    #[serde(default = "default_frame_s")]
    pub frame_s: f64,
    /// Seconds that a chord lasts on average.
    #[serde(default = "default_chord_s")]
    pub chord_s: f64,
    /// How much a frame counts beside a change of chord; below 1, for neighbouring frames say much the same.
    #[serde(default = "default_weight")]
    pub weight: f32,
}

fn default_frame_s() -> f64 {
    0.1
}

fn default_chord_s() -> f64 {
    2.0
}

fn default_weight() -> f32 {
    0.2
}

impl ChordConfig {
    /// The qualities, checked to be as many as the model has and every one a shorthand.
    ///
    /// # Errors
    /// When they are not, or a time or the weight is none above 0.
    pub fn shorthands(&self, sizes: &ChordHmmConfig) -> Result<Vec<Shorthand>> {
        let (found, expected) = (self.qualities.len(), sizes.n_qualities);
        if found != expected {
            return Err(Error::config(format!(
                "chord model: task.qualities has {found} names, but the model has {expected} qualities"
            )));
        }
        for (name, value) in [
            ("frame_s", self.frame_s),
            ("chord_s", self.chord_s),
            ("weight", f64::from(self.weight)),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "chord model: task.{name} is {value}; expected a number above 0"
                )));
            }
        }
        let shorthand = |name: &String| {
            let known = Shorthand::ALL.into_iter().find(|s| s.as_str() == name);
            known.ok_or_else(|| {
                let names = Shorthand::ALL.map(Shorthand::as_str).join(", ");
                Error::config(format!(
                    "chord model: no quality is called {name}; expected one of {names}"
                ))
            })
        };
        self.qualities.iter().map(shorthand).collect()
    }
}

/// A [`ChordHmm`] ready to read chroma.
#[derive(Debug, Clone)]
pub struct ChordReader {
    emissions: Emissions,
    qualities: Vec<Shorthand>,
    config: ChordConfig,
    n_features: usize,
}

impl ChordReader {
    /// # Errors
    /// As [`ChordConfig::shorthands`].
    pub fn new(model: &ChordHmm, config: ChordConfig) -> Result<Self> {
        let sizes = ChordHmmConfig {
            n_qualities: model.n_qualities(),
            n_features: model.n_features(),
        };
        Ok(Self {
            emissions: Emissions::new(model),
            qualities: config.shorthands(&sizes)?,
            n_features: sizes.n_features,
            config,
        })
    }

    /// The built-in model of that name, or the checkpoint in that folder.
    ///
    /// # Errors
    /// When there is no such model, or it is of another kind.
    pub fn open(name: &str) -> Result<Self> {
        let files = CheckpointFiles::open(name)?;
        let (model, _, task) = files.assemble::<ChordHmm>(&Device::flex())?;
        Self::new(&model, task)
            .map_err(|e| Error::checkpoint(Path::new(&files.origin), e.to_string()))
    }

    /// Numbers of a frame of chroma that it reads: 12, or 24 where bass and treble are apart.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Frames of chroma that one decision is about.
    fn pool(&self, fps: f64) -> usize {
        ((self.config.frame_s * fps).round() as usize).max(1)
    }

    /// The chords of a chroma; see [`Self::read_frames`].
    ///
    /// # Errors
    /// As [`Self::read_frames`].
    pub fn read(
        &self,
        chroma: &Chroma,
        vocabulary: Vocabulary,
    ) -> Result<Vec<Segment<ChordLabel>>> {
        self.read_frames(chroma.frames.as_flattened(), chroma.fps, vocabulary)
    }

    /// The chords of frames, row-major [time, features], frame i at i / fps: without a gap from 0 to the time of the
    /// frame after the last. Roots are written with the names of [`NoteName::transposed`] of C.
    ///
    /// With [`Vocabulary::MajMin`] sevenths are heard as well, and written as the triads that they contain.
    ///
    /// # Errors
    /// When the model reads frames of another width.
    pub fn read_frames(
        &self,
        frames: &[f32],
        fps: f64,
        vocabulary: Vocabulary,
    ) -> Result<Vec<Segment<ChordLabel>>> {
        if !frames.len().is_multiple_of(self.n_features) {
            return Err(Error::config(format!(
                "{} numbers of chroma are no frames of the {} that the model of chords reads",
                frames.len(),
                self.n_features
            )));
        }
        let n_frames = frames.len() / self.n_features;
        let pool = self.pool(fps);
        let features = self.config.chroma.features(frames, self.n_features, pool);
        let path = self.decode(&features, pool as f64 / fps);
        let mut chords: Vec<Segment<ChordLabel>> = Vec::new();
        for (index, state) in path.into_iter().enumerate() {
            let label = vocabulary.reduce(&self.label(state));
            let end_s = ((index + 1) * pool).min(n_frames) as f64 / fps;
            match chords.last_mut() {
                Some(last) if last.label == label => last.end_s = end_s,
                _ => chords.push(Segment {
                    start_s: (index * pool) as f64 / fps,
                    end_s,
                    label,
                }),
            }
        }
        Ok(chords)
    }

    /// The state of each row of features, `frame_s` apart.
    pub(crate) fn decode(&self, features: &[f32], frame_s: f64) -> Vec<usize> {
        let emissions = self.emissions.of(features, self.config.weight);
        let transitions = self.emissions.transitions(self.config.chord_s / frame_s);
        let states = self.emissions.n_states();
        let initial = vec![-(states as f32).ln(); states];
        viterbi(&emissions, &transitions, &initial).0
    }

    /// The chord of a state.
    pub(crate) fn label(&self, state: usize) -> ChordLabel {
        let (quality, root) = (state / N_PITCH_CLASSES, state % N_PITCH_CLASSES);
        match self.qualities.get(quality) {
            Some(&shorthand) => Chord::new(NoteName::C.transposed(root as i32), shorthand).into(),
            None => ChordLabel::NoChord,
        }
    }

    /// A follower of a live chroma of `fps` frames a second.
    ///
    /// # Errors
    /// When the model reads bass and treble apart, which a live chroma does not have.
    pub fn follow(&self, fps: f64, vocabulary: Vocabulary) -> Result<ChordFollower> {
        match self.n_features == N_PITCH_CLASSES {
            true => Ok(ChordFollower::new(self.clone(), fps, vocabulary)),
            false => Err(Error::config(format!(
                "this model of chords reads frames of {} numbers, bass and treble apart; a live chroma has {N_PITCH_CLASSES}",
                self.n_features
            ))),
        }
    }
}

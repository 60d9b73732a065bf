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
use crate::music::key::Key;
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
    /// Of triads.
    #[serde(default)]
    pub triads: Pace,
    /// Of chords with sevenths.
    #[serde(default)]
    pub sevenths: Pace,
}

/// How readily chords change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Seconds that a chord lasts on average.
    pub chord_s: f64,
    /// How much a frame counts beside a change of chord; below 1, for neighbouring frames say much the same.
    pub weight: f32,
    /// How much it counts in every frame how common the kind of chord is.
    #[serde(skip_serializing_if = "is_zero")]
    pub prior: f32,
}

fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            chord_s: 2.0,
            weight: 0.2,
            prior: 0.0,
        }
    }
}

fn default_frame_s() -> f64 {
    0.1
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
            ("triads.chord_s", self.triads.chord_s),
            ("triads.weight", f64::from(self.triads.weight)),
            ("sevenths.chord_s", self.sevenths.chord_s),
            ("sevenths.weight", f64::from(self.sevenths.weight)),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "chord model: task.{name} is {value}; expected a number above 0"
                )));
            }
        }
        for (name, prior) in [
            ("triads", self.triads.prior),
            ("sevenths", self.sevenths.prior),
        ] {
            if !(prior >= 0.0 && prior.is_finite()) {
                return Err(Error::config(format!(
                    "chord model: task.{name}.prior is {prior}; expected 0 or more"
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
    triads: Words,
    sevenths: Words,
    config: ChordConfig,
    n_features: usize,
}

/// What a vocabulary makes of a model.
#[derive(Debug, Clone)]
struct Words {
    emissions: Emissions,
    /// What the words are called.
    names: Vec<Shorthand>,
    pace: Pace,
}

impl Words {
    /// Every quality of the model by its word of a vocabulary, or by itself where that has none.
    fn of(model: &ChordHmm, qualities: &[Shorthand], vocabulary: Vocabulary, pace: Pace) -> Self {
        let mut names: Vec<Shorthand> = Vec::new();
        let word_of: Vec<usize> = qualities
            .iter()
            .map(|&quality| {
                let word = vocabulary.reduce(&Chord::new(NoteName::C, quality).into());
                let name = word.chord().and_then(|c| c.shorthand).unwrap_or(quality);
                names.iter().position(|n| *n == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                })
            })
            .collect();
        Self {
            emissions: Emissions::new(model, &word_of),
            names,
            pace,
        }
    }

    /// The chord of a state.
    fn label(&self, state: usize) -> ChordLabel {
        let (word, root) = (state / N_PITCH_CLASSES, state % N_PITCH_CLASSES);
        match self.names.get(word) {
            Some(&name) => Chord::new(NoteName::C.transposed(root as i32), name).into(),
            None => ChordLabel::NoChord,
        }
    }
}

impl ChordReader {
    /// # Errors
    /// As [`ChordConfig::shorthands`].
    pub fn new(model: &ChordHmm, config: ChordConfig) -> Result<Self> {
        let sizes = ChordHmmConfig {
            n_qualities: model.n_qualities(),
            n_features: model.n_features(),
        };
        let qualities = config.shorthands(&sizes)?;
        Ok(Self {
            triads: Words::of(model, &qualities, Vocabulary::MajMin, config.triads),
            sevenths: Words::of(model, &qualities, Vocabulary::Sevenths, config.sevenths),
            n_features: sizes.n_features,
            config,
        })
    }

    fn words(&self, vocabulary: Vocabulary) -> &Words {
        match vocabulary {
            Vocabulary::MajMin => &self.triads,
            Vocabulary::Sevenths => &self.sevenths,
        }
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
    /// With [`Vocabulary::MajMin`] a triad is heard in all the qualities of the model that contain it.
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
        let words = self.words(vocabulary);
        let emissions = words
            .emissions
            .of(&features, words.pace.weight, words.pace.prior);
        let chord_frames = words.pace.chord_s * fps / pool as f64;
        let transitions = words.emissions.transitions(chord_frames);
        let states = words.emissions.n_states();
        let initial = vec![-(states as f32).ln(); states];
        let (path, _) = viterbi(&emissions, &transitions, &initial);
        let mut chords: Vec<Segment<ChordLabel>> = Vec::new();
        for (index, state) in path.into_iter().enumerate() {
            let label = words.label(state);
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

/// Writes the roots of chords as their key does; as they are where there is none.
pub fn spell_by_key(chords: &mut [Segment<ChordLabel>], key: Option<Key>) {
    let Some(key) = key else { return };
    for chord in chords {
        chord.label = key.spell_label(&chord.label);
    }
}

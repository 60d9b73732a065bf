//! Deep models of music in Rust: a recording or a MIDI file goes in; notes come out.
//!
//! The modules stand on one another; each uses only those above it in this list.
//!
//! - [`music`]: plain types such as [`music::Note`]; [`error`]: the one error type
//! - [`midi`], [`formats`]: notation in and out; [`tokens`]: music as event sequences
//! - [`audio`]: decode, resample, write, render; [`features`]: spectra of audio; [`augment`]: variations of audio
//! - [`analysis`]: all that was heard in one recording
//! - [`datasets`]: music to learn from; [`evaluation`]: metrics equal to mir_eval
//! - [`plot`]: pictures of notes and matrices; [`report`]: an analysis as a page; [`index`]: libraries of recordings as vectors
//! - `nn`, `models`, `checkpoint`, `training`, `tasks` (feature `neural`): networks and what they are for

pub mod analysis;
pub mod audio;
pub mod augment;
pub mod datasets;
pub mod error;
pub mod evaluation;
pub mod features;
pub mod formats;
pub mod index;
pub mod midi;
pub mod music;
pub mod nn;
pub mod plot;
pub mod report;
pub mod tokens;

#[cfg(feature = "neural")]
pub mod checkpoint;
#[cfg(feature = "neural")]
pub mod models;
#[cfg(feature = "neural")]
pub mod tasks;
#[cfg(feature = "neural")]
pub mod training;

/// The framework under the models, in the version whose types they speak.
#[cfg(feature = "neural")]
pub use burn;
/// Where a model computes; `Device::flex()` is the processor.
#[cfg(feature = "neural")]
pub use burn::tensor::Device;
pub use error::{Error, Result};

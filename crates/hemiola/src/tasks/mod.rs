//! From a file to a result.

pub mod analyze;
pub mod beats;
pub mod chords;
pub mod chroma;
pub mod classify;
pub mod classify_events;
pub mod descriptors;
pub mod embed;
pub mod features;
pub mod harmony;
pub mod infill;
pub mod key;
pub mod note_decoding;
pub mod onsets;
pub mod peak_picking;
pub mod perform;
pub mod phrases;
pub mod sampling;
pub(crate) mod spectrograms;
pub mod tag;
pub mod transcribe;
pub(crate) mod windows;

//! Standard MIDI files in and out.

mod read;
mod score;
mod tempo;

pub use score::{Instrument, PedalEvent, Score, TempoChange, TimeSignature};

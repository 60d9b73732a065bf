//! Standard MIDI files in and out.

mod beats;
mod chunks;
mod clock;
mod edit;
mod read;
mod score;
mod tempo;
mod write;

pub use clock::TEMPI_BPM;
pub use edit::MidiFile;
pub use score::{Instrument, PedalEvent, Score, TempoChange, TimeSignature};
pub(crate) use score::{PEDAL_DOWN, note_fault, sort_notes};
pub use write::{WriteOptions, encode_midi, write_midi};

/// The latest time of an event: a day. Later ones come from damaged times, and keeping them would make everything downstream that long.
const LONGEST_S: f64 = 24.0 * 3600.0;

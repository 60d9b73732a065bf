//! Lists of notes and onsets in and out as text, CSV, TSV and JSON; events, pitch tracks and harmonic analyses in; arrays
//! out as NPY.

mod atomic;
mod notes;
mod npy;
mod onsets;
pub mod romantext;
mod series;
mod toml_text;

pub use atomic::{check_writable, write_atomically};
pub use notes::{
    NoteFormat, NoteList, begins_as_notes, encode_notes, read_notes, read_notes_from, write_notes,
};
pub use npy::{encode_npy, write_npy};
pub use onsets::{OnsetFormat, OnsetList, begins_as_onsets, read_onsets};
pub use series::{read_events, read_pitch_series};
pub(crate) use toml_text::parse_toml;
#[cfg(feature = "neural")]
pub(crate) use toml_text::toml_fault;

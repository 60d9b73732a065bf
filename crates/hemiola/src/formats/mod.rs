//! Note lists in and out as CSV, TSV and JSON.

mod atomic;
mod notes;

pub use atomic::write_atomically;
pub use notes::{NoteFormat, NoteList, encode_notes, read_notes, read_notes_from, write_notes};

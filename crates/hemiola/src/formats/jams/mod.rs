//! JAMS, annotations of a recording in JSON (Humphrey et al., "JAMS: A JSON Annotated Music Specification for Reproducible
//! MIR Research", ISMIR 2014), version 0.3.5.

mod chord;
mod not_a_number;
mod numeral;
mod read;
mod values;
mod write;

pub use read::{jams_from, read_jams};
pub(super) use write::chord_document;
pub use write::encode_jams;

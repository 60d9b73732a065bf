//! From a file to a result.

pub mod note_decoding;
pub mod transcribe;

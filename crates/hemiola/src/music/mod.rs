//! Plain musical types that every other module speaks.

mod note;

pub use note::{Note, midi_to_hz};

//! Plain musical types that every other module speaks.

mod note;
mod piano_roll;
mod quantized;

pub use note::{Note, midi_to_hz};
pub use piano_roll::{BINARY_VELOCITY, FrameGrid, Keys, PhraseShape, PianoRoll, RollOptions};
pub use quantized::{QuantizedNote, separated};

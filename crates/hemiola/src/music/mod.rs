//! Plain musical types that every other module speaks.

pub mod chord_graph;
mod note;
mod piano_roll;
mod quantized;

pub use note::{Note, midi_to_hz};
pub use piano_roll::{BINARY_VELOCITY, FrameGrid, Keys, PhraseShape, PianoRoll, RollOptions};
pub use quantized::{QuantizedNote, separated};
mod pitch_class_set;

pub use pitch_class_set::{N_PITCH_CLASSES, PitchClassSet};

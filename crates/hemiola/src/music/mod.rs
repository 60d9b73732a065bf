//! Plain musical types that every other module speaks.

pub mod chord_graph;
mod note;
mod pitch_class_set;

pub use note::{Note, midi_to_hz};
pub use pitch_class_set::{N_PITCH_CLASSES, PitchClassSet};

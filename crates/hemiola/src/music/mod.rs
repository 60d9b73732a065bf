//! Plain musical types that every other module speaks.

mod beat;
pub mod chord;
pub mod chord_graph;
mod chroma;
pub mod key;
mod note;
mod note_name;
mod onset;
mod piano_roll;
mod pitch_class_set;
mod quantized;
pub mod roman;
mod segment;
mod sounding;

pub use beat::{Beat, BeatTrack, Tempi};
pub use chroma::{Chroma, PITCH_CLASS_NAMES};
pub use note::{Note, end_s, midi_to_hz, pitch_name};
pub use note_name::{Letter, NoteName};
pub use onset::{Onset, SAME_ONSET_S, joined_onsets};
pub use piano_roll::{BINARY_VELOCITY, FrameGrid, Keys, PhraseShape, PianoRoll, RollOptions};
pub use pitch_class_set::{N_PITCH_CLASSES, PitchClassSet};
pub use quantized::{QuantizedNote, separated};
pub use segment::Segment;
pub use sounding::SoundingChord;

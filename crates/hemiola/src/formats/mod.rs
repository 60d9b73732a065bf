//! Annotations of recordings in and out: notes, onsets, beats, chords, keys, sections, tags and chroma ([`Annotations`]) in the
//! formats that other programs read and write ([`FileFormat`]); events, pitch tracks and harmonic analyses in; arrays as NPY.

mod annotations;
mod atomic;
mod audacity;
mod beats;
mod chords;
mod chroma;
mod chroma_frames;
mod decode;
mod encode;
mod file_format;
mod jams;
mod lab;
mod labels;
mod musicxml;
mod notes;
mod npy;
mod onsets;
pub mod romantext;
mod series;
mod sonic_visualiser;
mod toml_text;

pub use annotations::{Annotations, Kind, Tag};
pub use atomic::{check_writable, write_atomically};
pub use beats::{BeatFormat, BeatList, begins_as_beats, read_beats, read_tempi};
pub use chords::{ChordFormat, ChordList, Recording, begins_as_chords, read_chords};
pub use chroma::{ChromaFormat, ChromaTable};
pub use chroma_frames::{ChromaFrames, read_chroma};
pub use decode::{annotations_from, read_annotations};
pub use file_format::FileFormat;
pub use jams::{encode_jams, jams_from, read_jams};
pub use lab::{begins_as_key, begins_as_lab, encode_lab, read_chord_lab, read_key, read_lab};
pub use musicxml::{encode_music_xml, encode_mxl, music_xml_from};
pub use notes::{
    NoteFormat, NoteList, begins_as_notes, encode_notes, read_notes, read_notes_from, write_notes,
};
pub use npy::{encode_npy, write_npy};
pub use onsets::{OnsetFormat, OnsetList, begins_as_onsets, read_onsets};
pub use series::{read_events, read_pitch_series};
pub(crate) use toml_text::parse_toml;
#[cfg(feature = "neural")]
pub(crate) use toml_text::toml_fault;

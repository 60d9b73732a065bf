//! All that was heard in one recording, in plain types.

mod overview;

use serde::{Deserialize, Serialize};

use crate::music::chord::ChordLabel;
use crate::music::key::{Key, KeyLabel};
use crate::music::{BeatTrack, Chroma, Note, Onset, Segment};

pub use overview::{OverviewBuilder, OverviewConfig};

/// All that was heard in one recording; `None` is what was not listened for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Of the program.
    pub version: String,
    pub recording: Recording,
    /// Which model heard what, in the order of the fields below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Vec<Note>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onsets: Option<Vec<Onset>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beats: Option<BeatTrack>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruments: Option<LabelCurves>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chroma: Option<Chroma>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chords: Option<Vec<Segment<ChordLabel>>>,
    /// Of the whole recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyLabel>,
    /// One for each chord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harmony: Option<Vec<Function>>,
    /// Where the recording lies among others: the direction of its mean passage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Vec<f32>>,
}

/// What was listened to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The file's name, without folders.
    pub name: String,
    /// Of what could be decoded.
    pub duration_s: f64,
    /// Hz.
    pub sample_rate: u32,
    pub channels: usize,
    /// Of the file, hexadecimal; none of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What was wrong with it though it could be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A part of an analysis and the model that heard it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOf {
    /// The name of the field of [`Analysis`].
    pub part: String,
    pub model: String,
}

/// How sure a model is of each of its labels, over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelCurves {
    pub labels: Vec<String>,
    /// Of each label in the whole recording, 0–1.
    pub scores: Vec<f64>,
    /// In the order of time; they may overlap.
    pub windows: Vec<LabelWindow>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelWindow {
    pub start_s: f64,
    pub end_s: f64,
    /// Of each label, 0–1; all 0 in silence.
    pub scores: Vec<f32>,
}

/// What a chord is in its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    pub key: Key,
    /// A Roman numeral such as `V7`; none where nothing sounds.
    pub numeral: Option<String>,
}

/// A recording as a picture has it: too coarse to compute with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// Peaks of the waveform a second.
    pub peaks_per_second: f64,
    /// The lowest and the highest sample of each, −1 to 1.
    pub peaks: Vec<[f32; 2]>,
    /// Frames of the spectrogram a second.
    pub spectrogram_fps: f64,
    /// The centre of each band in Hz, from low to high.
    pub bands_hz: Vec<f32>,
    /// [time, bands]; 0 is 80 dB below the loudest and less, 255 the loudest.
    pub levels: Vec<u8>,
}

//! What is said of an analysis in a row.

use std::path::Path;

use anyhow::Result;
use hemiola::analysis::{Analysis, ModelOf};
use hemiola::index::hash_file;
use hemiola::music::key::KeyLabel;
use serde::{Deserialize, Serialize};

/// `summary.json`: written before the first file of an analysis and again, with [`Self::is_complete`], after the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Of the program.
    pub version: String,
    pub is_complete: bool,
    /// What of this folder is of the analysis, beside this file.
    pub files: Vec<String>,
    /// The recording's name, without folders.
    pub recording: String,
    /// Hexadecimal; none of a stream.
    pub sha256: Option<String>,
    pub parts: Vec<String>,
    pub models: Vec<ModelOf>,
    /// Why there is no analysis, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub duration_s: f64,
    pub sample_rate: u32,
    pub channels: usize,
    pub notes: Option<usize>,
    pub lowest_pitch: Option<u8>,
    pub highest_pitch: Option<u8>,
    pub onsets: Option<usize>,
    pub tempo_bpm: Option<f64>,
    pub beats_per_bar: Option<u8>,
    pub beats: Option<usize>,
    pub key: Option<String>,
    pub chords: Option<usize>,
    /// The likeliest label and its score.
    pub instrument: Option<String>,
    pub instrument_score: Option<f64>,
    pub embedding: Option<Vec<f32>>,
}

impl Summary {
    pub fn of(analysis: &Analysis, files: Vec<String>) -> Self {
        let pitches = || analysis.notes.iter().flatten().map(|note| note.pitch);
        let best = analysis.instruments.as_ref().and_then(|found| {
            let scored = found.labels.iter().zip(found.scores.iter().copied());
            scored
                .filter(|(_, score)| *score > 0.0)
                .max_by(|a, b| a.1.total_cmp(&b.1))
        });
        let heard = &analysis.recording;
        Self {
            version: analysis.version.clone(),
            is_complete: false,
            files,
            recording: heard.name.clone(),
            sha256: heard.sha256.clone(),
            parts: analysis.models.iter().map(|m| m.part.clone()).collect(),
            models: analysis.models.clone(),
            error: None,
            duration_s: heard.duration_s,
            sample_rate: heard.sample_rate,
            channels: heard.channels,
            notes: analysis.notes.as_ref().map(Vec::len),
            lowest_pitch: pitches().min(),
            highest_pitch: pitches().max(),
            onsets: analysis.onsets.as_ref().map(Vec::len),
            tempo_bpm: analysis.beats.as_ref().and_then(|beats| beats.tempo_bpm),
            beats_per_bar: analysis.beats.as_ref().map(|beats| beats.beats_per_bar),
            beats: analysis.beats.as_ref().map(|beats| beats.beats.len()),
            key: analysis.key.as_ref().map(|key| match key {
                KeyLabel::Unknown => "X".to_owned(),
                KeyLabel::Key(key) => key.to_string(),
            }),
            chords: analysis.chords.as_ref().map(Vec::len),
            instrument: best.map(|(label, _)| label.clone()),
            instrument_score: best.map(|(_, score)| score),
            embedding: analysis.embedding.clone(),
        }
    }

    /// Of a recording that could not be heard.
    pub fn of_failure(recording: &str, error: &anyhow::Error) -> Self {
        Self {
            error: Some(format!("{error:#}")),
            ..Self::of(
                &Analysis {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    recording: hemiola::analysis::Recording {
                        name: recording.to_owned(),
                        ..Default::default()
                    },
                    ..Analysis::default()
                },
                Vec::new(),
            )
        }
    }
}

/// Hexadecimal; none of what is no regular file and can be read only once.
pub fn sha256_of(path: &Path) -> Result<Option<String>> {
    let is_file = std::fs::metadata(path)
        .map_err(|error| hemiola::Error::io(path, error))?
        .is_file();
    if !is_file {
        return Ok(None);
    }
    let hash = hash_file(path)?;
    Ok(Some(
        hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    ))
}

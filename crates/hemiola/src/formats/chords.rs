//! Lists of chords in and out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::jams;
use super::lab::{begins_as_lab, encode_lab, in_order, read_chord_lab};
use crate::music::Segment;
use crate::music::chord::ChordLabel;
use crate::{Error, Result};

/// How a list of chords is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChordFormat {
    /// A start, an end and a label a line: `.lab`.
    Lab,
    /// `start_s,end_s,label`: `.csv`.
    Csv,
    /// [`ChordList`]: `.json`.
    Json,
    /// JAMS 0.3 (Humphrey et al., "JAMS: A JSON Annotated Music Specification for Reproducible MIR Research", ISMIR
    /// 2014), namespace `chord_harte`: `.jams`.
    Jams,
}

pub(super) const CSV_HEADER: [&str; 3] = ["start_s", "end_s", "label"];

/// Chords and where they come from; their form in JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChordList {
    /// Which model found them, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of the program that found them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What they are chords of.
    #[serde(default)]
    pub recording: Recording,
    /// In order and without overlap.
    pub chords: Vec<Segment<ChordLabel>>,
}

/// What is known of a recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recording {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Length in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// Names in catalogues, by catalogue.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub identifiers: BTreeMap<String, String>,
}

impl ChordList {
    /// The length of the recording in seconds; without it, the end of the last chord.
    pub fn duration_s(&self) -> f64 {
        let last = self.chords.last().map_or(0.0, |chord| chord.end_s);
        self.recording.duration_s.unwrap_or(last)
    }

    /// The bytes of a file; as text, times have six decimals. In JAMS, `X` is left out, which the namespace has not, and
    /// shorthands that it has not are spelled out in degrees.
    ///
    /// # Errors
    /// A time is no number.
    pub fn encode(&self, format: ChordFormat) -> Result<Vec<u8>> {
        let fault = |fault: &dyn std::fmt::Display| {
            Error::config(format!("the chords cannot be written: {fault}"))
        };
        for (index, chord) in self.chords.iter().enumerate() {
            let Segment { start_s, end_s, .. } = chord;
            if !(*start_s >= 0.0 && end_s >= start_s && end_s.is_finite()) {
                return Err(fault(&format!(
                    "chord {} is from {start_s} s to {end_s} s",
                    index + 1
                )));
            }
        }
        let mut bytes = match format {
            ChordFormat::Lab => return Ok(encode_lab(&self.chords).into_bytes()),
            ChordFormat::Csv => return encode_csv(&self.chords).map_err(|error| fault(&error)),
            ChordFormat::Json => serde_json::to_vec_pretty(self),
            ChordFormat::Jams => serde_json::to_vec_pretty(&jams::chord_document(self)),
        }
        .map_err(|error| fault(&error))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Whether a file begins as [`read_chords`] expects; what cannot be read does, so that reading it tells why.
pub fn begins_as_chords(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    let Ok(text) = std::fs::read_to_string(path) else {
        return true;
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    match ending(path).as_str() {
        "json" | "jams" => text.starts_with('{'),
        "csv" => text.lines().next().map(str::trim_end) == Some(&CSV_HEADER.join(",")),
        _ => begins_as_lab(path),
    }
}

/// Chords in order and without overlap, from a file in any [`ChordFormat`]; what does not end in `.csv`, `.json` or
/// `.jams` is read as [`read_chord_lab`] does.
///
/// # Errors
/// The file cannot be read, or holds something else; the message names the line.
pub fn read_chords(path: impl AsRef<Path>) -> Result<Vec<Segment<ChordLabel>>> {
    let path = path.as_ref();
    let bytes = || std::fs::read(path).map_err(|source| Error::io(path, source));
    match ending(path).as_str() {
        "json" => json_from(&bytes()?, path),
        "csv" => csv_from(&bytes()?, path),
        "jams" => {
            let found = jams::read_jams(path)?;
            let missing = || Error::input(path, "there are no chords in this JAMS file");
            found.chords.ok_or_else(missing)
        }
        _ => read_chord_lab(path),
    }
}

/// In small letters, without the dot.
fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default();
    ending.to_string_lossy().to_ascii_lowercase()
}

fn encode_csv(chords: &[Segment<ChordLabel>]) -> std::result::Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(CSV_HEADER)?;
    for Segment {
        start_s,
        end_s,
        label,
    } in chords
    {
        let (start, end) = (format!("{start_s:.6}"), format!("{end_s:.6}"));
        out.write_record([start, end, label.to_string()])?;
    }
    out.into_inner().map_err(|fault| fault.into_error().into())
}

/// A table in memory; `path` stands for the file in messages.
pub(super) fn csv_from(bytes: &[u8], path: &Path) -> Result<Vec<Segment<ChordLabel>>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header = reader
        .headers()
        .map_err(|e| Error::input(path, e.to_string()))?;
    if *header != CSV_HEADER[..] {
        let (expected, found) = (
            CSV_HEADER.join(","),
            header.iter().collect::<Vec<_>>().join(","),
        );
        let fault = format!("line 1: expected the header {expected:?}, found {found:?}");
        return Err(Error::input(path, fault));
    }
    let mut chords = Vec::new();
    for record in reader.deserialize() {
        let chord: Segment<ChordLabel> = record.map_err(|e| Error::input(path, e.to_string()))?;
        chords.push(chord);
    }
    in_order(chords).map_err(|fault| Error::input(path, format!("segment {fault}")))
}

/// A [`ChordList`] in memory; `path` stands for the file in messages.
pub(super) fn json_from(bytes: &[u8], path: &Path) -> Result<Vec<Segment<ChordLabel>>> {
    let list: ChordList = serde_json::from_slice(bytes).map_err(|fault| {
        let fault = format!("expected JSON with a list of chords, found {fault}");
        Error::input(path, fault)
    })?;
    in_order(list.chords).map_err(|fault| Error::input(path, format!("chord {fault}")))
}

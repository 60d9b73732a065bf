//! Annotations from files of any format.

use std::path::Path;

use super::labels::{Labelled, labelled};
use super::notes::{read_notes_from, table_format};
use super::{Annotations, FileFormat, Kind, NoteFormat, OnsetList};
use super::{
    audacity, beats, chords, chroma_frames, jams, lab, musicxml, onsets, series, sonic_visualiser,
};
use crate::analysis::Analysis;
use crate::midi::Score;
use crate::music::{
    Beat, BeatTrack, Chroma, N_PITCH_CLASSES, Onset, SAME_ONSET_S, Segment, joined_onsets,
};
use crate::{Error, Result};

/// What a file says, read by the ending of its name; see [`annotations_from`].
///
/// # Errors
/// The ending is unknown, the file cannot be read, or it is not what its name promises.
pub fn read_annotations(path: impl AsRef<Path>) -> Result<Annotations> {
    let path = path.as_ref();
    let format = FileFormat::of(path).ok_or_else(|| {
        let known = FileFormat::ALL.map(|format| format.extension()).join(", ");
        Error::input(path, format!("expected a name that ends in one of {known}"))
    })?;
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    annotations_from(&bytes, format, path, None)
}

/// What a file in memory says; `name` stands for it in messages.
///
/// CSV that is no table of this library is read as a layer of Sonic Visualiser, text with tabs as a label track of Audacity.
/// `what` says what labels are about where the format does not. Onsets are those of the notes where the file tells none.
///
/// # Errors
/// The bytes are not in the format; the message names the place.
pub fn annotations_from(
    bytes: &[u8],
    format: FileFormat,
    name: impl AsRef<Path>,
    what: Option<Kind>,
) -> Result<Annotations> {
    let name = name.as_ref();
    let mut found = match format {
        FileFormat::Midi => midi(bytes, name)?,
        FileFormat::Jams => jams::jams_from(bytes, name)?,
        FileFormat::MusicXml | FileFormat::Mxl => musicxml::music_xml_from(bytes, name)?,
        FileFormat::Json => json(bytes, name)?,
        FileFormat::Npy => {
            let fault = "arrays are written, not read; convert from csv or json instead";
            return Err(Error::input(name, fault));
        }
        _ => of_text(text(bytes, name)?, format, name, what)?,
    };
    if found.onsets.is_none() && what == Some(Kind::Onsets) {
        found.onsets = found.notes.as_ref().map(|notes| {
            let times_s: Vec<f64> = notes.iter().map(|note| note.onset_s).collect();
            let joined = joined_onsets(&times_s, SAME_ONSET_S).into_iter();
            joined.map(certain).collect()
        });
    }
    Ok(found)
}

fn text<'a>(bytes: &'a [u8], name: &Path) -> Result<&'a str> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::input(name, "expected text in UTF-8; found other bytes"))?;
    Ok(text.trim_start_matches('\u{feff}'))
}

fn of_text(text: &str, format: FileFormat, name: &Path, what: Option<Kind>) -> Result<Annotations> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    let first = first.unwrap_or_default();
    let notes = |format| -> Result<Annotations> {
        Ok(Annotations {
            notes: Some(read_notes_from(text.as_bytes(), format, name)?),
            ..Annotations::default()
        })
    };
    match format {
        FileFormat::Csv => csv(text, first, name, what),
        FileFormat::Tsv => notes(NoteFormat::Tsv),
        FileFormat::Lab => lab(text, name, what),
        FileFormat::Beats => Ok(Annotations {
            beats: Some(beats::beats_from(text, name)?),
            ..Annotations::default()
        }),
        FileFormat::SonicVisualiser => sonic_visualiser::layer_from(text, name, what),
        FileFormat::Audacity => audacity::label_track_from(text, name, what),
        _ if table_format(first) == Some(NoteFormat::Maps) => notes(NoteFormat::Maps),
        _ if audacity::begins_as_label_track(text) => audacity::label_track_from(text, name, what),
        _ if first.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            let label = lab::key_from(text, name)?;
            Ok(Annotations {
                keys: Some(vec![Segment {
                    start_s: 0.0,
                    end_s: 0.0,
                    label,
                }]),
                ..Annotations::default()
            })
        }
        _ => {
            let times_s = series::events_from(text, name)?;
            Ok(Annotations {
                onsets: Some(in_time(times_s.into_iter().map(certain).collect())),
                ..Annotations::default()
            })
        }
    }
}

fn csv(text: &str, first: &str, name: &Path, what: Option<Kind>) -> Result<Annotations> {
    let mut found = Annotations::default();
    if table_format(first) == Some(NoteFormat::Csv) {
        found.notes = Some(read_notes_from(text.as_bytes(), NoteFormat::Csv, name)?);
    } else if first == chords::CSV_HEADER.join(",") {
        found.chords = Some(chords::csv_from(text.as_bytes(), name)?);
    } else if first == onsets::CSV_HEADER {
        found.onsets = Some(in_time(onsets::csv_from(text, name)?));
    } else if first.starts_with("time_s,") {
        let frames = chroma_frames::chroma_from(text.as_bytes(), name)?;
        if frames.width != N_PITCH_CLASSES {
            let fault = format!(
                "expected chroma, a column for each of the {N_PITCH_CLASSES} pitch classes; found {} columns",
                frames.width
            );
            return Err(Error::input(name, fault));
        }
        let (frames, fps) = (frames.values.as_chunks().0.to_vec(), frames.fps);
        found.chroma = Some(Chroma { fps, frames });
    } else if sonic_visualiser::begins_as_layer(text) {
        return sonic_visualiser::layer_from(text, name, what);
    } else if first.parse::<f64>().is_ok() {
        let times_s = series::events_from(text, name)?;
        found.onsets = Some(in_time(times_s.into_iter().map(certain).collect()));
    } else {
        let shown: String = first.chars().take(80).collect();
        let fault = format!(
            "line 1: expected the heading of a table of notes, onsets, chords or chroma, or a layer of Sonic Visualiser; found {shown:?}"
        );
        return Err(Error::input(name, fault));
    }
    Ok(found)
}

fn lab(text: &str, name: &Path, what: Option<Kind>) -> Result<Annotations> {
    // With the columns of chords that cannot be read.
    if what == Some(Kind::Chords) {
        return Ok(Annotations {
            chords: Some(lab::chords_from(text, name)?),
            ..Annotations::default()
        });
    }
    let segments = lab::lab_from(text, name, |label| Ok(label.to_owned()))?;
    let source = Labelled {
        segments,
        are_points: false,
    };
    labelled(source, what).map_err(|fault| Error::input(name, fault))
}

fn midi(bytes: &[u8], name: &Path) -> Result<Annotations> {
    let score = Score::from_bytes(bytes, name)?;
    let mut warnings = score.warnings.clone();
    if score.instruments.iter().any(|part| part.is_drum) {
        warnings.push("the drums are left out".to_owned());
    }
    Ok(Annotations {
        notes: Some(score.notes()),
        beats: quarters(&score),
        warnings,
        ..Annotations::default()
    })
}

/// The quarter notes of a score, counted in the bars of its time signatures where these have whole quarter notes.
fn quarters(score: &Score) -> Option<BeatTrack> {
    let times_s = score.quarters_s().ok()?;
    let mut signatures = score.time_signatures.iter().peekable();
    let (mut per_bar, mut number) = (4u8, 0u8);
    let mut beats = Vec::with_capacity(times_s.len());
    for time_s in times_s {
        while let Some(next) = signatures.next_if(|next| next.time_s <= time_s + 1e-6) {
            let quarters = 4 * u32::from(next.numerator) / next.denominator.max(1);
            per_bar = u8::try_from(quarters).unwrap_or(4).max(1);
            number = 0;
        }
        number = number % per_bar + 1;
        beats.push(Beat { time_s, number });
    }
    Some(BeatTrack::of(beats))
}

fn json(bytes: &[u8], name: &Path) -> Result<Annotations> {
    let value: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|fault| Error::input(name, format!("expected JSON, found {fault}")))?;
    let has = |field: &str| value.get(field).is_some();
    let fault = |what: &str, fault: serde_json::Error| {
        Error::input(name, format!("expected {what} in JSON, found {fault}"))
    };
    let mut found = Annotations::default();
    if value.pointer("/recording/sample_rate").is_some() {
        let analysis: Analysis =
            serde_json::from_value(value).map_err(|e| fault("an analysis", e))?;
        return Ok((&analysis).into());
    } else if has("chords") {
        found.chords = Some(chords::json_from(bytes, name)?);
    } else if has("notes") {
        found.notes = Some(read_notes_from(bytes, NoteFormat::Json, name)?);
    } else if has("onsets") {
        let list: OnsetList = serde_json::from_value(value).map_err(|e| fault("onsets", e))?;
        found.onsets = Some(in_time(list.onsets));
    } else if has("frames") {
        let chroma = serde_json::from_value(value).map_err(|e| fault("chroma", e))?;
        found.chroma = Some(chroma);
    } else {
        let expected = "expected JSON with notes, onsets, chords, frames of chroma or an analysis";
        return Err(Error::input(name, expected));
    }
    Ok(found)
}

fn certain(time_s: f64) -> Onset {
    Onset {
        time_s,
        strength: 1.0,
    }
}

fn in_time(mut onsets: Vec<Onset>) -> Vec<Onset> {
    onsets.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    onsets
}

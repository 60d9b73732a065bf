//! Annotations in.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::not_a_number;
use super::values::{Observation, number, observations, text};
use crate::formats::lab::in_order;
use crate::formats::notes::UNKNOWN_VELOCITY;
use crate::formats::{Annotations, Recording, Tag};
use crate::midi::sort_notes;
use crate::music::chord::ChordLabel;
use crate::music::key::{Key, KeyLabel, Mode};
use crate::music::{Beat, BeatTrack, Note, Onset, Segment};
use crate::{Error, Result};

/// What of a list said nothing of bars gets.
const COMMON_BAR: u8 = 4;

/// Reads a JAMS file of anybody's, of version 0.1 to 0.3, in lists of observations or in lists of their fields.
///
/// Notes (`note_midi`, `note_hz`, rounded to semitones) are those of all annotations, such as one for each string of a guitar;
/// of onsets, beats (`beat`, `beat_position`), chords (`chord`, `chord_harte`), keys (`key_mode`), sections (`segment_*`) and
/// tags (`tag_*`), the first annotation of the kind counts. What is left out is told in the warnings.
///
/// # Errors
/// The file cannot be read, is no JAMS, or an observation is not what its namespace promises; the message names it.
pub fn read_jams(path: impl AsRef<Path>) -> Result<Annotations> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    jams_from(&bytes, path)
}

/// The same from memory; `name` stands for the file in messages.
///
/// # Errors
/// As [`read_jams`].
pub fn jams_from(bytes: &[u8], name: impl AsRef<Path>) -> Result<Annotations> {
    let name = name.as_ref();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let cleaned = not_a_number::as_null(bytes);
    let document: Value = serde_json::from_slice(cleaned.as_deref().unwrap_or(bytes))
        .map_err(|fault| Error::input(name, format!("expected JAMS, found {fault}")))?;
    let mut reader = Reader::default();
    if let Some(annotations) = document.get("annotations").and_then(Value::as_array) {
        for (index, annotation) in annotations.iter().enumerate() {
            let namespace = annotation.get("namespace").and_then(Value::as_str);
            let namespace = namespace.unwrap_or_default();
            reader.annotation(namespace, annotation).map_err(|fault| {
                let place = format!("annotations[{index}] ({namespace})");
                Error::input(name, format!("{place}: {fault}"))
            })?;
        }
    } else if document.get("file_metadata").is_some() {
        // Version 0.1 has a list for each kind.
        for kind in ["onset", "beat", "chord", "key", "segment", "tag"] {
            let list = document.get(kind).and_then(Value::as_array);
            for (index, annotation) in list.into_iter().flatten().enumerate() {
                reader
                    .annotation(kind, annotation)
                    .map_err(|fault| Error::input(name, format!("{kind}[{index}]: {fault}")))?;
            }
        }
    } else {
        let fault = "expected JAMS, an object with file_metadata and a list of annotations";
        return Err(Error::input(name, fault));
    }
    let mut found = reader.finish();
    found.recording = recording(document.get("file_metadata").unwrap_or(&Value::Null));
    Ok(found)
}

fn recording(metadata: &Value) -> Recording {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let identifiers = metadata.get("identifiers").and_then(Value::as_object);
    let identifier = |(catalogue, name): (&String, &Value)| {
        let name = name.as_str().filter(|name| !name.is_empty())?;
        Some((catalogue.clone(), name.to_owned()))
    };
    let duration_s = metadata.get("duration").and_then(Value::as_f64);
    Recording {
        title: text("title")
            .filter(|title| !title.is_empty())
            .map(str::to_owned),
        duration_s: duration_s.filter(|duration_s| *duration_s >= 0.0),
        identifiers: identifiers
            .into_iter()
            .flatten()
            .filter_map(identifier)
            .collect(),
    }
}

#[derive(Default)]
struct Reader {
    found: Annotations,
    note_annotations: usize,
    tempo_bpm: Option<f64>,
    /// How often each namespace was passed by because its kind was there.
    further: BTreeMap<String, usize>,
    unknown: BTreeMap<String, usize>,
}

type Read<T> = std::result::Result<T, String>;

impl Reader {
    fn annotation(&mut self, namespace: &str, annotation: &Value) -> Read<()> {
        let data = || observations(annotation.get("data").unwrap_or(&Value::Null));
        let found = &mut self.found;
        let is_further = match namespace {
            "onset" => found.onsets.is_some(),
            "beat" | "beat_position" => found.beats.is_some(),
            "chord" | "chord_harte" => found.chords.is_some(),
            "key" | "key_mode" => found.keys.is_some(),
            _ if is_section(namespace) => found.sections.is_some(),
            _ if is_tag(namespace) => found.tags.is_some(),
            _ => false,
        };
        if is_further {
            *self.further.entry(namespace.to_owned()).or_default() += 1;
            return Ok(());
        }
        match namespace {
            "note_midi" | "note_hz" => {
                let in_hz = namespace == "note_hz";
                let notes = notes(&data()?, annotation, in_hz)?;
                self.note_annotations += 1;
                found.notes.get_or_insert_default().extend(notes);
            }
            "onset" => found.onsets = Some(data()?.iter().map(onset).collect()),
            "beat" | "beat_position" => {
                let (track, warning) = beats(&data()?, annotation)?;
                found.beats = Some(track);
                found.warnings.extend(warning);
            }
            "tempo" => {
                let bpm = data()?.first().map(|each| number(each.value)).transpose()?;
                self.tempo_bpm = self.tempo_bpm.or(bpm.filter(|bpm| *bpm > 0.0));
            }
            "chord" | "chord_harte" => {
                let label = |value: &Value| match text(value)? {
                    "" => Ok(ChordLabel::NoChord),
                    label => label.parse().map_err(|fault: Error| fault.to_string()),
                };
                found.chords = Some(ordered(segments(&data()?, label)?)?);
            }
            "key" | "key_mode" => {
                found.keys = Some(ordered(segments(&data()?, |value| key(text(value)?))?)?);
            }
            _ if is_section(namespace) => {
                found.sections = Some(segments(&data()?, |value| text(value).map(str::to_owned))?);
            }
            _ if is_tag(namespace) => {
                let data = data()?;
                let tag = |each: &Observation| {
                    let label = match each.value {
                        Value::String(label) => label.clone(),
                        other => other.to_string(),
                    };
                    let confidence = each.confidence;
                    segment(each, Tag { label, confidence })
                };
                found.tags = Some(data.iter().map(tag).collect());
            }
            // What the others say, said again.
            "chord_roman" | "vector" => {}
            other => *self.unknown.entry(other.to_owned()).or_default() += 1,
        }
        Ok(())
    }

    fn finish(self) -> Annotations {
        let mut found = self.found;
        if let Some(notes) = &mut found.notes {
            sort_notes(notes);
        }
        if let Some(beats) = &mut found.beats {
            beats.tempo_bpm = self.tempo_bpm;
        }
        if let Some(onsets) = &mut found.onsets {
            onsets.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
        }
        if self.note_annotations > 1 {
            let count = self.note_annotations;
            let warning = format!("the notes of {count} annotations are taken together");
            found.warnings.push(warning);
        }
        for (namespace, count) in self.further {
            let warning = format!("{count} further {namespace} annotations are left out");
            found.warnings.push(warning);
        }
        if !self.unknown.is_empty() {
            let names: Vec<&str> = self.unknown.keys().map(String::as_str).take(10).collect();
            let warning = format!("left out, of other namespaces: {}", names.join(", "));
            found.warnings.push(warning);
        }
        found
    }
}

fn is_section(namespace: &str) -> bool {
    namespace == "segment" || namespace.starts_with("segment_")
}

fn is_tag(namespace: &str) -> bool {
    namespace == "tag" || namespace.starts_with("tag_")
}

fn segment<L>(each: &Observation, label: L) -> Segment<L> {
    Segment {
        start_s: each.time_s,
        end_s: each.end_s(),
        label,
    }
}

/// In the order of time.
fn segments<L>(data: &[Observation], label: impl Fn(&Value) -> Read<L>) -> Read<Vec<Segment<L>>> {
    let mut found = Vec::with_capacity(data.len());
    for (number, each) in (1..).zip(data) {
        let label = label(each.value).map_err(|fault| format!("observation {number}: {fault}"))?;
        found.push(segment(each, label));
    }
    found.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    Ok(found)
}

fn ordered<L>(segments: Vec<Segment<L>>) -> Read<Vec<Segment<L>>> {
    in_order(segments).map_err(|fault| format!("observation {fault}"))
}

fn onset(each: &Observation) -> Onset {
    let strength = each.confidence.filter(|sure| (0.0..=1.0).contains(sure));
    Onset {
        time_s: each.time_s,
        strength: strength.unwrap_or(1.0) as f32,
    }
}

fn notes(data: &[Observation], annotation: &Value, in_hz: bool) -> Read<Vec<Note>> {
    let velocities = annotation
        .pointer("/sandbox/velocity")
        .and_then(Value::as_array);
    let velocities = velocities.filter(|velocities| velocities.len() == data.len());
    let mut notes = Vec::with_capacity(data.len());
    for (index, each) in data.iter().enumerate() {
        let fault = |fault: String| format!("observation {}: {fault}", index + 1);
        let value = number(each.value).map_err(fault)?;
        let pitch = match in_hz {
            true => 69.0 + 12.0 * (value / 440.0).log2(),
            false => value,
        };
        let pitch = pitch.round();
        if !(0.0..=127.0).contains(&pitch) {
            let unit = if in_hz { "Hz" } else { "as a MIDI pitch" };
            return Err(fault(format!(
                "expected a pitch within those of MIDI, 0 to 127, found {value} {unit}"
            )));
        }
        let velocity = velocities
            .and_then(|velocities| velocities.get(index)?.as_u64())
            .filter(|velocity| (1..=127).contains(velocity));
        notes.push(Note {
            onset_s: each.time_s,
            offset_s: each.end_s(),
            pitch: pitch as u8,
            velocity: velocity.map_or(UNKNOWN_VELOCITY, |velocity| velocity as u8),
        });
    }
    Ok(notes)
}

/// The beats, and how they were understood where they say nothing of bars.
fn beats(data: &[Observation], annotation: &Value) -> Read<(BeatTrack, Option<String>)> {
    let position = |value: &Value| value.get("position").unwrap_or(value).as_f64();
    let mut order: Vec<&Observation> = data.iter().collect();
    order.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    let numbered = order.iter().any(|each| position(each.value).is_some());
    let mut beats: Vec<Beat> = Vec::with_capacity(order.len());
    for each in order {
        let before = beats.last().map_or(0, |beat| beat.number);
        let number = match position(each.value) {
            Some(position) => position.round().clamp(1.0, 255.0) as u8,
            None if numbered => before.saturating_add(1),
            None => before % COMMON_BAR + 1,
        };
        beats.push(Beat {
            time_s: each.time_s,
            number,
        });
    }
    let told = annotation
        .pointer("/sandbox/beats_per_bar")
        .and_then(Value::as_u64);
    let of_positions = data
        .iter()
        .find_map(|each| each.value.get("num_beats")?.as_u64());
    let per_bar = told
        .or(of_positions)
        .and_then(|count| u8::try_from(count).ok());
    let largest = beats.iter().map(|beat| beat.number).max().unwrap_or(0);
    let warning = (!numbered && !beats.is_empty()).then(|| {
        format!("the beats say nothing of bars; they are counted in {COMMON_BAR}s from the first")
    });
    let track = BeatTrack {
        tempo_bpm: None,
        beats_per_bar: per_bar.filter(|count| *count > 0).unwrap_or(largest),
        beats,
    };
    Ok((track, warning))
}

/// `N`, or a tonic and perhaps a mode; modes besides major and minor are [`Mode::Other`].
fn key(label: &str) -> Read<KeyLabel> {
    if label.is_empty() || label.starts_with('N') {
        return Ok(KeyLabel::Unknown);
    }
    let (tonic, mode) = label.split_once(':').unwrap_or((label, ""));
    let mode = match mode {
        "major" | "maj" | "ionian" => Mode::Major,
        "minor" | "min" | "aeolian" => Mode::Minor,
        _ => Mode::Other,
    };
    let tonic = tonic
        .trim()
        .parse()
        .map_err(|fault: Error| fault.to_string())?;
    Ok(KeyLabel::Key(Key { tonic, mode }))
}

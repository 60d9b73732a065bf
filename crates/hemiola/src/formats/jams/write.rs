//! Annotations out.

use serde_json::{Map, Value, json};

use super::chord::harte;
use super::numeral::roman;
use crate::analysis::Function;
use crate::formats::{Annotations, ChordList, Kind, Recording, Tag};
use crate::midi::note_fault;
use crate::music::key::{Key, KeyLabel, Mode};
use crate::music::{BeatTrack, Note, Onset, Segment};
use crate::{Error, Result};

/// The version of the schema.
const JAMS_VERSION: &str = "0.3.5";

/// The bytes of a JAMS file with an annotation of each kind that is told; `&analysis.into()` is that of an analysis.
///
/// | kind | namespace | beside its data, in its sandbox |
/// |---|---|---|
/// | notes | `note_midi` | `velocity` of each note |
/// | onsets | `onset`, the strength as confidence | |
/// | beats | `beat`, the place in the bar as value, and `tempo` | `beats_per_bar` |
/// | chords | `chord_harte`; `X` is left out | |
/// | numerals | `chord_roman`, as near as it has words | `keys` and `numerals` of each chord, whole |
/// | key | `key_mode` | |
/// | sections | `segment_open` | |
/// | tags | `tag_open` | |
/// | embedding | `vector` | |
///
/// Chroma is left out: at its frame rate it would be most of the file, and JAMS has no namespace of its own for it.
///
/// # Errors
/// A time is no number or negative, an end is before its start, or a note is out of its range.
pub fn encode_jams(annotations: &Annotations) -> Result<Vec<u8>> {
    let document = document(annotations)?;
    let mut bytes = serde_json::to_vec_pretty(&document)
        .map_err(|fault| Error::config(format!("the annotations cannot be written: {fault}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn document(found: &Annotations) -> Result<Value> {
    let duration = found.duration_s();
    if !(duration.is_finite() && duration >= 0.0) {
        return Err(Error::config(format!(
            "the annotations cannot be written: the recording is {duration} s long"
        )));
    }
    let whole = Whole {
        duration,
        found,
        annotations: Vec::new(),
    };
    whole.filled()
}

/// A document with one annotation, the chords.
pub(in crate::formats) fn chord_document(list: &ChordList) -> Value {
    let duration = list.duration_s();
    let made = made(list.model.as_deref(), list.version.as_deref());
    let data = chord_data(&list.chords);
    file(
        &list.recording,
        duration,
        vec![annotation("chord_harte", made, duration, data, Map::new())],
    )
}

struct Whole<'a> {
    duration: f64,
    found: &'a Annotations,
    annotations: Vec<Value>,
}

impl Whole<'_> {
    fn filled(mut self) -> Result<Value> {
        let found = self.found;
        if let Some(notes) = &found.notes {
            self.notes(notes)?;
        }
        if let Some(onsets) = &found.onsets {
            let data = onsets.iter().map(onset_value).collect::<Result<_>>()?;
            self.add("onset", Kind::Onsets, data, Map::new());
        }
        if let Some(beats) = &found.beats {
            self.beats(beats)?;
        }
        if let Some(tags) = &found.tags {
            let tag = |tag: &Tag| Some((json!(tag.label), json!(tag.confidence)));
            let data = segments(tags, Kind::Tags, tag)?;
            self.add("tag_open", Kind::Tags, data, Map::new());
        }
        if let Some(chords) = &found.chords {
            let value = |label: &_| Some((json!(harte(label)?), Value::Null));
            let data = segments(chords, Kind::Chords, value)?;
            self.add("chord_harte", Kind::Chords, data, Map::new());
        }
        if let Some(functions) = &found.functions {
            let tell = |function: &dyn Fn(&Function) -> Value| -> Value {
                functions.iter().map(|each| function(&each.label)).collect()
            };
            let mut sandbox = Map::new();
            sandbox.insert("keys".into(), tell(&|function| json!(function.key)));
            sandbox.insert("numerals".into(), tell(&|function| json!(function.numeral)));
            let value = |function: &Function| {
                let chord = roman(function.numeral.as_deref()?)?;
                Some((
                    json!({"tonic": tonic(&function.key), "chord": chord}),
                    Value::Null,
                ))
            };
            let data = segments(functions, Kind::Chords, value)?;
            self.add("chord_roman", Kind::Chords, data, sandbox);
        }
        if let Some(keys) = &found.keys {
            let value = |label: &KeyLabel| match label {
                KeyLabel::Unknown => None,
                KeyLabel::Key(key) => Some((json!(key_mode(key)), Value::Null)),
            };
            let data = segments(keys, Kind::Key, value)?;
            self.add("key_mode", Kind::Key, data, Map::new());
        }
        if let Some(sections) = &found.sections {
            let data = segments(sections, Kind::Sections, |label| {
                Some((json!(label), Value::Null))
            })?;
            self.add("segment_open", Kind::Sections, data, Map::new());
        }
        if let Some(embedding) = found.embedding.as_ref().filter(|vector| !vector.is_empty()) {
            let data = vec![observation(
                0.0,
                self.duration,
                json!(embedding),
                Value::Null,
            )];
            let made = made(None, found.version.as_deref());
            let vector = annotation("vector", made, self.duration, data, Map::new());
            self.annotations.push(vector);
        }
        Ok(file(&found.recording, self.duration, self.annotations))
    }

    fn add(&mut self, namespace: &str, kind: Kind, data: Vec<Value>, sandbox: Map<String, Value>) {
        let model = self.found.models.get(&kind).map(String::as_str);
        let made = made(model, self.found.version.as_deref());
        let annotation = annotation(namespace, made, self.duration, data, sandbox);
        self.annotations.push(annotation);
    }

    fn notes(&mut self, notes: &[Note]) -> Result<()> {
        let mut data = Vec::with_capacity(notes.len());
        for (index, note) in notes.iter().enumerate() {
            if let Some(fault) = note_fault(note) {
                let number = index + 1;
                let fault = format!("note {number} cannot be written: {fault}");
                return Err(Error::config(fault));
            }
            let (start_s, length_s) = (note.onset_s, note.duration_s());
            data.push(observation(
                start_s,
                length_s,
                json!(note.pitch),
                Value::Null,
            ));
        }
        let velocities: Value = notes.iter().map(|note| note.velocity).collect();
        let sandbox = Map::from_iter([("velocity".to_owned(), velocities)]);
        self.add("note_midi", Kind::Notes, data, sandbox);
        Ok(())
    }

    fn beats(&mut self, track: &BeatTrack) -> Result<()> {
        let mut data = Vec::with_capacity(track.beats.len());
        for (index, beat) in track.beats.iter().enumerate() {
            check(Kind::Beats, index, beat.time_s, beat.time_s)?;
            data.push(observation(
                beat.time_s,
                0.0,
                json!(beat.number),
                Value::Null,
            ));
        }
        let per_bar = ("beats_per_bar".to_owned(), json!(track.beats_per_bar));
        self.add("beat", Kind::Beats, data, Map::from_iter([per_bar]));
        if let Some(bpm) = track.tempo_bpm.filter(|bpm| bpm.is_finite() && *bpm >= 0.0) {
            let data = vec![observation(0.0, self.duration, json!(bpm), json!(1.0))];
            self.add("tempo", Kind::Beats, data, Map::new());
        }
        Ok(())
    }
}

fn onset_value(onset: &Onset) -> Result<Value> {
    check(Kind::Onsets, 0, onset.time_s, onset.time_s)?;
    let strength = f64::from(onset.strength);
    Ok(observation(onset.time_s, 0.0, Value::Null, json!(strength)))
}

/// Of each segment that has one, the value and the confidence.
fn segments<L>(
    segments: &[Segment<L>],
    kind: Kind,
    value: impl Fn(&L) -> Option<(Value, Value)>,
) -> Result<Vec<Value>> {
    let mut data = Vec::with_capacity(segments.len());
    for (index, segment) in segments.iter().enumerate() {
        check(kind, index, segment.start_s, segment.end_s)?;
        let (start_s, length_s) = (segment.start_s, segment.duration_s());
        data.extend(
            value(&segment.label).map(|(value, sure)| observation(start_s, length_s, value, sure)),
        );
    }
    Ok(data)
}

fn chord_data(chords: &[Segment<crate::music::chord::ChordLabel>]) -> Vec<Value> {
    let value = |chord: &Segment<_>| {
        let value = json!(harte(&chord.label)?);
        let (start_s, length_s) = (chord.start_s, chord.duration_s());
        Some(observation(start_s, length_s, value, Value::Null))
    };
    chords.iter().filter_map(value).collect()
}

/// In the namespace `key_mode`: `C:major`, of other modes the tonic alone.
fn key_mode(key: &Key) -> String {
    let tonic = tonic(key);
    match key.mode {
        Mode::Major | Mode::Minor => format!("{tonic}:{}", key.mode.as_str()),
        Mode::Other => tonic,
    }
}

/// With one accidental at most.
fn tonic(key: &Key) -> String {
    match key.tonic.accidentals() {
        -1..=1 => key.tonic.to_string(),
        _ => Key::usual(key.tonic.pitch_class(), key.mode)
            .tonic
            .to_string(),
    }
}

fn check(kind: Kind, index: usize, start_s: f64, end_s: f64) -> Result<()> {
    match start_s >= 0.0 && end_s >= start_s && end_s.is_finite() {
        true => Ok(()),
        false => Err(Error::config(format!(
            "{kind}: number {} cannot be written, from {start_s} s to {end_s} s; expected 0 s or more and an end not before the start",
            index + 1
        ))),
    }
}

fn observation(time: f64, duration: f64, value: Value, confidence: Value) -> Value {
    json!({"time": time, "duration": duration, "value": value, "confidence": confidence})
}

fn annotation(
    namespace: &str,
    made: Map<String, Value>,
    duration: f64,
    data: Vec<Value>,
    sandbox: Map<String, Value>,
) -> Value {
    json!({
        "namespace": namespace,
        "annotation_metadata": made,
        "time": 0.0,
        "duration": duration,
        "data": data,
        "sandbox": sandbox,
    })
}

/// Who made an annotation.
fn made(model: Option<&str>, version: Option<&str>) -> Map<String, Value> {
    let mut annotator = Map::new();
    let mut made = Map::new();
    if let Some(model) = model {
        annotator.insert("model".into(), json!(model));
        made.insert("data_source".into(), json!("program"));
    }
    if let Some(version) = version {
        made.insert("version".into(), json!(version));
    }
    made.insert("annotator".into(), Value::Object(annotator));
    made
}

fn file(recording: &Recording, duration: f64, annotations: Vec<Value>) -> Value {
    let mut metadata = json!({
        "duration": duration,
        "identifiers": recording.identifiers,
        "jams_version": JAMS_VERSION,
    });
    if let Some(title) = &recording.title {
        metadata["title"] = json!(title);
    }
    json!({"file_metadata": metadata, "annotations": annotations, "sandbox": {}})
}

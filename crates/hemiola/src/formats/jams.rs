//! Chords as JAMS has them.

use serde_json::{Map, Value, json};

use super::ChordList;
use crate::music::chord::{Chord, ChordLabel, Degree, Shorthand};

/// The version of the schema.
const JAMS_VERSION: &str = "0.3.5";

/// A document with one annotation in the namespace `chord_harte`.
pub(super) fn document(list: &ChordList) -> Value {
    let duration = list.duration_s();
    let data = list.chords.iter().filter_map(|segment| {
        let value = match &segment.label {
            ChordLabel::Unknown => return None,
            ChordLabel::NoChord => "N".to_owned(),
            ChordLabel::Chord(chord) => in_words_of_2005(chord).to_string(),
        };
        Some(json!({
            "time": segment.start_s,
            "duration": segment.duration_s(),
            "value": value,
            "confidence": null,
        }))
    });
    let mut file = json!({
        "duration": duration,
        "identifiers": list.recording.identifiers,
        "jams_version": JAMS_VERSION,
    });
    if let Some(title) = &list.recording.title {
        file["title"] = json!(title);
    }
    let mut annotator = Map::new();
    let mut made = Map::new();
    if let Some(model) = &list.model {
        annotator.insert("model".into(), json!(model));
        made.insert("data_source".into(), json!("program"));
    }
    if let Some(version) = &list.version {
        made.insert("version".into(), json!(version));
    }
    made.insert("annotator".into(), Value::Object(annotator));
    json!({
        "file_metadata": file,
        "annotations": [{
            "namespace": "chord_harte",
            "annotation_metadata": made,
            "time": 0.0,
            "duration": duration,
            "data": data.collect::<Vec<_>>(),
            "sandbox": {},
        }],
        "sandbox": {},
    })
}

/// The same chord with no other shorthand than the namespace has: those of Harte et al. 2005.
fn in_words_of_2005(chord: &Chord) -> Chord {
    use Shorthand as S;
    let (word, degrees): (Option<S>, &[Degree]) = match chord.quality() {
        Some(S::Aug7) => (Some(S::Aug), &S::Aug7.degrees()[3..]),
        Some(S::Dominant11) => (Some(S::Dominant9), &S::Dominant11.extensions()[1..]),
        Some(S::Maj11) => (Some(S::Maj9), &S::Maj11.extensions()[1..]),
        Some(S::Min11) => (Some(S::Min9), &S::Min11.extensions()[1..]),
        Some(S::Dominant13) => (Some(S::Dominant9), &S::Dominant13.extensions()[1..]),
        Some(S::Maj13) => (Some(S::Maj9), &S::Maj13.extensions()[1..]),
        Some(S::Min13) => (Some(S::Min9), &S::Min13.extensions()[1..]),
        Some(S::Sus2) => (None, S::Sus2.degrees()),
        Some(S::Root) => (None, S::Root.degrees()),
        Some(S::Power) => (None, S::Power.degrees()),
        word => (word, &[]),
    };
    let mut added = degrees.to_vec();
    let new = |degree: &&Degree| !degrees.contains(degree);
    added.extend(chord.added.iter().filter(new));
    Chord {
        shorthand: word,
        added,
        ..chord.clone()
    }
}

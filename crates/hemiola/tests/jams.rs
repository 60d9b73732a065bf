//! JAMS in and out.

use hemiola::analysis::{Analysis, Function, LabelCurves, ModelOf, Recording};
use hemiola::formats::{Annotations, Kind, encode_jams, jams_from};
use hemiola::music::{Beat, BeatTrack, Chroma, Note, Onset, Segment};
use serde_json::{Value, json};

fn note(onset_s: f64, offset_s: f64, pitch: u8, velocity: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    }
}

/// Of every kind something.
fn analysis() -> Analysis {
    let chord = |start_s, label: &str| Segment {
        start_s,
        end_s: start_s + 2.0,
        label: label.parse().unwrap(),
    };
    let function = |numeral: Option<&str>| Function {
        key: "C major".parse().unwrap(),
        numeral: numeral.map(str::to_owned),
    };
    Analysis {
        version: "1.2.3".into(),
        recording: Recording {
            name: "song.mp3".into(),
            duration_s: 8.0,
            sha256: Some("ab12".into()),
            ..Recording::default()
        },
        models: vec![ModelOf {
            part: "notes".into(),
            model: "piano".into(),
        }],
        notes: Some(vec![note(0.5, 1.0, 60, 80), note(0.5, 1.25, 64, 1)]),
        onsets: Some(vec![Onset {
            time_s: 0.5,
            strength: 0.75,
        }]),
        beats: Some(BeatTrack {
            tempo_bpm: Some(120.0),
            beats_per_bar: 3,
            beats: [(0.5, 3), (1.0, 1), (1.5, 2)]
                .map(|(time_s, number)| Beat { time_s, number })
                .to_vec(),
        }),
        instruments: Some(LabelCurves {
            labels: vec!["piano".into(), "violin".into()],
            scores: vec![0.9, 0.05],
            windows: Vec::new(),
        }),
        chroma: Some(Chroma::new(17.0)),
        chords: Some(vec![
            chord(0.0, "C:maj13"),
            chord(2.0, "X"),
            chord(4.0, "B:hdim7/b3"),
            chord(6.0, "N"),
        ]),
        key: Some("C:maj".parse().unwrap()),
        harmony: Some(vec![
            function(Some("IM7")),
            function(Some("Ger65")),
            function(Some("viiø65/V")),
            function(None),
        ]),
        embedding: Some(vec![0.5, -0.25]),
    }
}

fn document(analysis: &Analysis) -> Value {
    serde_json::from_slice(&encode_jams(&analysis.into()).unwrap()).unwrap()
}

#[test]
fn an_analysis_comes_back() {
    let analysis = analysis();
    let bytes = encode_jams(&(&analysis).into()).unwrap();
    let found = jams_from(&bytes, "memory").unwrap();
    assert_eq!(found.notes, analysis.notes);
    assert_eq!(found.onsets, analysis.onsets);
    assert_eq!(found.beats, analysis.beats);
    assert_eq!(found.keys.unwrap()[0].label, analysis.key.unwrap());
    let chords = found.chords.unwrap();
    assert_eq!(chords.len(), 3, "X is left out");
    for (found, written) in chords.iter().zip([0, 2, 3]) {
        let written = &analysis.chords.as_ref().unwrap()[written];
        assert_eq!(found.label.encode(true), written.label.encode(true));
        assert_eq!(found.start_s, written.start_s);
    }
    let tags = found.tags.unwrap();
    assert_eq!(
        (tags[1].label.label.as_str(), tags[1].end_s),
        ("violin", 8.0)
    );
    assert_eq!(tags[1].label.confidence, Some(0.05));
    assert_eq!(found.recording.title.as_deref(), Some("song.mp3"));
    assert_eq!(found.recording.duration_s, Some(8.0));
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
}

/// What the namespaces of JAMS 0.3.5 ask for.
#[test]
fn each_kind_is_in_its_namespace() {
    let document = document(&analysis());
    let annotations = document["annotations"].as_array().unwrap();
    let of = |namespace: &str| {
        let mut all = annotations.iter();
        all.find(|each| each["namespace"] == namespace).unwrap()
    };
    assert_eq!(annotations.len(), 9, "no chroma");
    assert_eq!(
        of("note_midi")["annotation_metadata"]["annotator"]["model"],
        "piano"
    );
    assert_eq!(of("note_midi")["data"][1]["value"], 64);
    assert_eq!(of("beat")["data"][0]["value"], 3);
    assert_eq!(of("tempo")["data"][0]["confidence"], 1.0);
    assert_eq!(of("key_mode")["data"][0]["value"], "C:major");
    assert_eq!(of("tag_open")["data"][0]["value"], "piano");
    assert_eq!(of("vector")["data"][0]["value"], json!([0.5, -0.25]));
    let roman = of("chord_roman");
    assert_eq!(roman["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        roman["data"][1]["value"],
        json!({"tonic": "C", "chord": "viih65/V"})
    );
    assert_eq!(
        roman["sandbox"]["numerals"],
        json!(["IM7", "Ger65", "viiø65/V", null])
    );
    let empty = self::document(&Analysis::default());
    assert_eq!(empty["annotations"], json!([]));
    assert_eq!(empty["file_metadata"]["duration"], 0.0);
}

#[test]
fn what_others_write_is_read() {
    let lists = json!({
        "file_metadata": {"duration": 4, "title": "", "identifiers": {"isrc": "X1"}},
        "annotations": [
            {"namespace": "note_midi", "data": [{"time": 1, "duration": 1, "value": 59.6, "confidence": null}]},
            {"namespace": "note_hz", "data": [{"time": 0, "duration": 1, "value": 441.0, "confidence": null}]},
            {"namespace": "beat_position", "data": [
                {"time": 1, "duration": 0, "confidence": 1, "value": {"position": 2, "measure": 1, "num_beats": 3, "beat_units": 4}}]},
            {"namespace": "beat", "data": []},
            {"namespace": "chord", "data": {"time": [0, 2], "duration": [2, 2], "value": ["C:sus2", "N"], "confidence": [1, 1]}},
            {"namespace": "segment_salami_function", "data": [{"time": 0, "duration": 4, "value": "Verse", "confidence": null}]},
            {"namespace": "key_mode", "data": [{"time": 0, "duration": 4, "value": "Bb:dorian", "confidence": null}]},
            {"namespace": "tag_gtzan", "data": [{"time": 0, "duration": 4, "value": "blues", "confidence": 1}]},
            {"namespace": "lyrics", "data": []}
        ]
    });
    let text = lists
        .to_string()
        .replace("\"confidence\":null", "\"confidence\":NaN");
    let found = jams_from(text.as_bytes(), "memory").unwrap();
    assert_eq!(
        found.notes.clone().unwrap(),
        [note(0.0, 1.0, 69, 64), note(1.0, 2.0, 60, 64)]
    );
    let beats = found.beats.clone().unwrap();
    assert_eq!((beats.beats[0].number, beats.beats_per_bar), (2, 3));
    assert_eq!(
        found.chords.clone().unwrap()[0].label,
        "C:sus2".parse().unwrap()
    );
    assert_eq!(found.keys.clone().unwrap()[0].label.to_string(), "Bb other");
    assert_eq!(found.sections.clone().unwrap()[0].label, "Verse");
    assert_eq!(found.recording.identifiers["isrc"], "X1");
    let told = found.warnings.join("; ");
    for words in ["2 annotations", "1 further beat", "lyrics"] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(found.kinds().len(), 6);
    assert!(!found.kinds().contains(&Kind::Chroma));

    // Version 0.1.
    let old = json!({
        "file_metadata": {"duration": {"value": 3}},
        "beat": [{"data": [{"time": {"value": 0.5, "confidence": 1}, "label": {"value": 1}}]}],
        "chord": [{"data": [{"start": {"value": 0}, "end": {"value": 1.5}, "label": {"value": "A:min"}}]}],
        "key": [], "segment": []
    });
    let found = jams_from(old.to_string().as_bytes(), "memory").unwrap();
    assert_eq!(found.beats.unwrap().beats[0].number, 1);
    assert_eq!(found.chords.unwrap()[0].end_s, 1.5);
}

#[test]
fn faults_are_told_with_their_place() {
    let with = |namespace: &str, data: Value| {
        json!({"annotations": [{"namespace": namespace, "data": data}]}).to_string()
    };
    let one = |time: Value, value: Value| json!([{"time": time, "duration": 1, "value": value}]);
    for (text, words) in [
        (String::new(), &["x.jams", "expected JAMS"][..]),
        ("\u{0}\u{1}".into(), &["expected JAMS"]),
        ("[]".into(), &["file_metadata"]),
        (with("onset", json!(3)), &["annotations[0] (onset)", "3"]),
        (
            with("onset", one(json!(-1), json!(1))),
            &["observation 1", "-1"],
        ),
        (
            with("onset", one(json!("soon"), json!(1))),
            &["observation 1", "soon"],
        ),
        (
            with("note_midi", one(json!(0), json!(128))),
            &["note_midi", "128"],
        ),
        (
            with("note_hz", one(json!(0), json!(0))),
            &["note_hz", "0 Hz"],
        ),
        (
            with("chord", one(json!(0), json!("H:maj"))),
            &["observation 1", "H:maj"],
        ),
        (
            with("key_mode", one(json!(0), json!("so"))),
            &["observation 1", "so"],
        ),
        (with("onset", json!({"value": []})), &["times"]),
    ] {
        let message = jams_from(text.as_bytes(), "x.jams")
            .unwrap_err()
            .to_string();
        for word in words {
            assert!(message.contains(word), "{word} is not in: {message}");
        }
    }
    let endless = Annotations {
        notes: Some(vec![note(f64::NAN, 1.0, 60, 64)]),
        ..Annotations::default()
    };
    assert!(
        encode_jams(&endless)
            .unwrap_err()
            .to_string()
            .contains("note 1")
    );
}

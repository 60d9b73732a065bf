use std::fs;

use hemiola::formats::{
    ChordFormat, ChordList, Recording, encode_lab, read_chord_lab, read_chords, read_key, read_lab,
};
use hemiola::music::Segment;
use hemiola::music::chord::ChordLabel;

use crate::support;

fn segment(start_s: f64, end_s: f64, label: &str) -> Segment<ChordLabel> {
    Segment {
        start_s,
        end_s,
        label: label.parse().unwrap(),
    }
}

fn list() -> ChordList {
    ChordList {
        model: Some("chords".into()),
        version: Some("1.2.3".into()),
        recording: Recording {
            title: Some("A song".into()),
            duration_s: Some(9.0),
            identifiers: [("billboard".to_owned(), "0003".to_owned())].into(),
        },
        chords: vec![
            segment(0.0, 0.5, "N"),
            segment(0.5, 2.25, "Ab:13(#9,*5)/b7"),
            segment(2.25, 4.0, "X"),
            segment(4.0, 5.125, "F#:sus2"),
            segment(5.125, 8.0, "C:min"),
        ],
    }
}

#[test]
fn intervals_are_read_however_they_are_separated() {
    let at = tempfile::tempdir().unwrap();
    let path = at.path().join("a.lab");
    let expected = [segment(0.0, 1.5, "N"), segment(1.5, 2.0, "C:maj(9,11)/3")];
    for text in [
        "0.0\t1.5\tN\n1.5\t2.0\tC:maj(9,11)/3\n",
        "0 1.5 N\n1.5 2 C:maj(9,11)/3",
        "  0.0   1.5\t N  \r\n\r\n1.5\t\t2.0 C:maj(9,11)/3\t\r\n\r\n",
        "\u{feff}# by hand\n0e0 1.5 N\n#\n1.5 2.0 C:maj(9,11)/3\n",
        // Times added up in floating point.
        "0.0 1.5000001 N\n1.5 2.0 C:maj(9,11)/3\n",
    ] {
        fs::write(&path, text).unwrap();
        let found = read_chord_lab(&path).unwrap();
        assert_eq!(found.len(), 2, "{text:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.label, expected.label, "{text:?}");
            assert!((found.start_s - expected.start_s).abs() < 1e-6, "{text:?}");
            assert!((found.end_s - expected.end_s).abs() < 1e-6, "{text:?}");
        }
        assert!(found[0].end_s <= found[1].start_s, "{text:?}");
    }
    fs::write(&path, "0 7.3\tVerse  (Guitar Solo) \n7.3 9 №\n").unwrap();
    let sections = read_lab(&path).unwrap();
    assert_eq!(sections[0].label, "Verse  (Guitar Solo)");
    assert_eq!(sections[1].label, "№");
    fs::write(&path, "").unwrap();
    assert_eq!(read_lab(&path).unwrap(), []);
    fs::write(&path, encode_lab(&expected)).unwrap();
    assert_eq!(read_chord_lab(&path).unwrap(), expected);
}

#[test]
fn a_fault_is_told_with_its_place() {
    let at = tempfile::tempdir().unwrap();
    let path = at.path().join("bad.lab");
    for (text, words) in [
        ("0 1 N\n1 2\n", &["line 2", "three columns", "found 2"][..]),
        ("0\n", &["line 1", "three columns", "found 1"]),
        (
            "0 1 N\none 2 C\n",
            &["line 2, column 1:", "start in seconds", "\"one\""],
        ),
        (
            "0\t1,5\tN\n",
            &["line 1, column 3:", "end in seconds", "\"1,5\""],
        ),
        ("-1 1 N\n", &["line 1, column 1:", "0 or more", "\"-1\""]),
        ("0 NaN N\n", &["line 1, column 3:", "\"NaN\""]),
        (
            "0 1 N\n\n1 0.5 C\n",
            &["line 3, column 3:", "not before the start of 1 s", "0.5 s"],
        ),
        ("0 2 N\n1.5 3 C\n", &["line 2:", "from 2 s on", "1.5 s"]),
        (
            "5 6 N\n1 2 C\n",
            &["line 2:", "from 6 s on", "start of 1 s"],
        ),
        (
            "0 1 N\n1.0\t2.0\tC:major\n",
            &["line 2, column 11:", "shorthand", "\"major\""],
        ),
        (
            "0 1 Höhe\n",
            &["line 1, column 5:", "root from A to G", "\"H\""],
        ),
    ] {
        fs::write(&path, text).unwrap();
        let message = read_chord_lab(&path).unwrap_err().to_string();
        assert!(message.contains("bad.lab"), "{message}");
        for word in words {
            assert!(
                message.contains(word),
                "{text:?}: {word} is not in: {message}"
            );
        }
    }
    fs::write(&path, b"0 1 \xff\n").unwrap();
    let message = read_lab(&path).unwrap_err().to_string();
    assert!(message.contains("UTF-8"), "{message}");
    let message = read_lab(at.path().join("none.lab"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("none.lab"), "{message}");
}

#[test]
fn keys_are_files_of_one_line() {
    let at = tempfile::tempdir().unwrap();
    let path = at.path().join("key.txt");
    for (text, expected) in [
        ("# A comment\nC\tmajor\n\n", "C major"),
        ("Ab minor\r\n", "Ab minor"),
        ("\u{feff}C#:min", "C# minor"),
        ("X\n", "X"),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(read_key(&path).unwrap().to_string(), expected);
    }
    for (text, words) in [
        ("", ["one key", "nothing"]),
        ("C major\nD major\n", ["line 2", "another line"]),
        ("\nH major\n", ["line 2", "tonic"]),
    ] {
        fs::write(&path, text).unwrap();
        let message = read_key(&path).unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{message}");
        }
    }
}

#[test]
fn lists_are_read_again() {
    let at = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("a.lab", ChordFormat::Lab),
        ("a.csv", ChordFormat::Csv),
        ("a.json", ChordFormat::Json),
    ] {
        let path = at.path().join(name);
        fs::write(&path, list().encode(format).unwrap()).unwrap();
        assert_eq!(read_chords(&path).unwrap(), list().chords, "{name}");
    }
    let json: ChordList =
        serde_json::from_slice(&list().encode(ChordFormat::Json).unwrap()).unwrap();
    assert_eq!(json, list());
    let csv = String::from_utf8(list().encode(ChordFormat::Csv).unwrap()).unwrap();
    assert!(
        csv.starts_with("start_s,end_s,label\n0.000000,0.500000,N\n"),
        "{csv}"
    );
    assert!(
        csv.contains("0.500000,2.250000,\"Ab:13(#9,*5)/b7\"\n"),
        "{csv}"
    );
    for (name, text, words) in [
        ("a.csv", "start,end\n", ["line 1", "start_s,end_s,label"]),
        (
            "b.csv",
            "start_s,end_s,label\n0,1,H\n",
            ["line: 2", "root from A to G"],
        ),
        (
            "c.csv",
            "start_s,end_s,label\n0,2,N\n1,3,C\n",
            ["segment 2", "from 2 s on"],
        ),
        ("a.json", "{\"chords\": 3}", ["list of chords", "3"]),
        (
            "b.json",
            r#"{"chords": [{"start_s": 2, "end_s": 1, "label": "N"}]}"#,
            ["chord 1", "2 s and 1 s"],
        ),
        (
            "c.json",
            r#"{"chords": [{"start_s": 0, "end_s": 1, "label": "C:foo"}]}"#,
            ["column 3", "\\\"foo\\\""],
        ),
    ] {
        let path = at.path().join(name);
        fs::write(&path, text).unwrap();
        let message = read_chords(&path).unwrap_err().to_string();
        for word in words {
            assert!(
                message.contains(&word.replace('\\', "")),
                "{name}: {word} is not in: {message}"
            );
        }
    }
    let mut endless = list();
    endless.chords[4].end_s = f64::INFINITY;
    let message = endless.encode(ChordFormat::Lab).unwrap_err().to_string();
    assert!(message.contains("chord 5"), "{message}");
}

/// The schema of JAMS 0.3: what must be there, and what the namespace allows.
#[test]
fn jams_is_what_its_schema_asks_for() {
    let mut with_all = list();
    let all = [
        "1", "5", "sus2", "aug7", "11", "maj11", "min11", "13", "maj13", "min13", "hdim7",
    ];
    for (index, word) in all.into_iter().enumerate() {
        let start_s = 8.0 + index as f64;
        with_all
            .chords
            .push(segment(start_s, start_s + 1.0, &format!("B:{word}/3")));
    }
    let text = with_all.encode(ChordFormat::Jams).unwrap();
    let jams: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let file = &jams["file_metadata"];
    assert_eq!(file["duration"], 9.0);
    assert_eq!(file["title"], "A song");
    assert_eq!(file["identifiers"]["billboard"], "0003");
    assert_eq!(file["jams_version"], "0.3.5");
    assert!(jams["sandbox"].is_object());
    let [annotation] = jams["annotations"].as_array().unwrap().as_slice() else {
        panic!("{jams}");
    };
    assert_eq!(annotation["namespace"], "chord_harte");
    assert_eq!(annotation["annotation_metadata"]["version"], "1.2.3");
    assert_eq!(
        annotation["annotation_metadata"]["annotator"]["model"],
        "chords"
    );
    assert_eq!(
        (&annotation["time"], &annotation["duration"]),
        (&0.0.into(), &9.0.into())
    );
    assert!(annotation["sandbox"].is_object());

    let data = annotation["data"].as_array().unwrap();
    let known: Vec<_> = (with_all.chords.iter())
        .filter(|chord| chord.label != ChordLabel::Unknown)
        .collect();
    assert_eq!(data.len(), known.len());
    let shorthands = [
        "maj", "min", "dim", "aug", "maj7", "min7", "7", "dim7", "hdim7", "minmaj7", "maj6",
        "min6", "9", "maj9", "min9", "sus4", "",
    ];
    for (observation, chord) in data.iter().zip(known) {
        let keys: Vec<_> = observation.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["confidence", "duration", "time", "value"]);
        assert_eq!(observation["time"], chord.start_s);
        assert_eq!(observation["duration"], chord.duration_s());
        let value = observation["value"].as_str().unwrap();
        if let Some((_, quality)) = value.split_once(':') {
            let word = quality.split(['(', '/']).next().unwrap();
            assert!(shorthands.contains(&word), "{value}");
        }
        let written: ChordLabel = value.parse().unwrap();
        assert_eq!(written.encode(true), chord.label.encode(true), "{value}");
    }
    assert_eq!(data[1]["value"], "Ab:9(11,13,#9,*5)/b7");
}

#[test]
fn the_files_of_corpora_are_read() {
    for (folder, name, least) in [
        ("data/harmony/billboard", "full.lab", 700),
        ("data/symbolic/pop909", "chord_midi.txt", 800),
    ] {
        let Some(folder) = support::shared(folder) else {
            return;
        };
        let mut read = 0;
        let mut faults = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path().join(name);
            if path.exists() {
                match read_chords(&path) {
                    Ok(_) => read += 1,
                    Err(fault) => faults.push(fault.to_string()),
                }
            }
        }
        assert!(read >= least, "{read} {name}: {faults:#?}");
        // One file of Billboard counts backwards from its 73rd line on.
        for fault in faults {
            assert!(
                fault.contains("0974") && fault.contains("line 73, column"),
                "{fault}"
            );
        }
    }
}

//! `hemiola evaluate` gives what mir_eval gives, and tells what it cannot score.

mod support;

use std::fs;
use std::path::Path;

use hemiola::formats::write_notes;
use hemiola::midi::{PedalEvent, WriteOptions, write_midi};
use hemiola::music::Note;
use serde_json::Value;
use support::{folder, hemiola, melody, shared};

/// Compares every case of one of mir_eval's own tests.
fn equals_mir_eval(task: &str) {
    files_equal_mir_eval(task, "txt");
}

fn files_equal_mir_eval(task: &str, ending: &str) {
    let Some(cases) = shared("conformance/mir_eval") else {
        return;
    };
    for number in 0..10 {
        let file = |kind: &str, ending: &str| format!("{task}/{kind}{number:02}.{ending}");
        let ran = hemiola(
            &cases,
            &[
                "evaluate",
                task,
                &file("ref", ending),
                &file("est", ending),
                "--json",
            ],
        )
        .succeeded()
        .json();
        let expected: Value =
            serde_json::from_str(&fs::read_to_string(cases.join(file("output", "json"))).unwrap())
                .unwrap();
        let found = &ran["files"][format!("ref{number:02}")];
        let names = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(names(found), names(&expected));
        for name in names(&expected) {
            let (a, b) = (
                found[&name].as_f64().unwrap(),
                expected[&name].as_f64().unwrap(),
            );
            assert!(
                (a - b).abs() < 1e-9,
                "{task} {number}, {name}: {a}, mir_eval {b}"
            );
        }
        assert_eq!(*found, ran["mean"]);
    }
}

#[test]
fn onsets_equal_mir_eval() {
    equals_mir_eval("onset");
}

#[test]
fn beats_equal_mir_eval() {
    equals_mir_eval("beat");
}

#[test]
fn tempi_are_scored_one_by_one_and_in_the_mean() {
    let at = folder();
    for (name, text) in [
        ("r/a.lab", "60\t120\t0.25\n"),
        ("r/b.lab", "70\t140\t0.5\n"),
    ] {
        fs::create_dir_all(at.path().join("r")).unwrap();
        fs::write(at.path().join(name), text).unwrap();
    }
    fs::create_dir(at.path().join("e")).unwrap();
    fs::write(at.path().join("e/a.lab"), "120 180 0.5\n").unwrap();
    // As `hemiola beats` writes it.
    let json = r#"{"tempo_bpm": 70.5, "beats_per_bar": 4, "beats": []}"#;
    fs::write(at.path().join("e/b.json"), json).unwrap();
    let ran = hemiola(at.path(), &["evaluate", "tempo", "r", "e", "--json"]).succeeded();
    let scores = ran.json();
    assert_eq!(scores["files"]["a"]["P-score"], 0.75);
    assert_eq!(scores["files"]["a"]["One-correct"], true);
    assert_eq!(scores["files"]["b"]["P-score"], 0.5);
    assert_eq!(scores["mean"]["One-correct"], 1.0);
    assert_eq!(scores["mean"]["Both-correct"], 0.0);
    let ran = hemiola(at.path(), &["evaluate", "tempo", "r", "e"]).succeeded();
    assert!(ran.text().contains("0.6250"), "{}", ran.text());
}

#[test]
fn beats_may_have_numbers_or_not() {
    let at = folder();
    fs::write(
        at.path().join("r.beats"),
        "5.0\t1\n5.5\t2\n6.0\t3\n6.5\t4\n",
    )
    .unwrap();
    fs::write(at.path().join("e.txt"), "5.01\n5.5\n6.0\n6.9\n").unwrap();
    let ran = hemiola(
        at.path(),
        &["evaluate", "beat", "r.beats", "e.txt", "--json"],
    )
    .succeeded();
    assert_eq!(ran.json()["files"]["r"]["F-measure"], 0.75);
    // First beats alone: one of two is met.
    let downbeats = |estimate| {
        [
            "evaluate",
            "beat",
            "--downbeats",
            "r.beats",
            estimate,
            "--json",
        ]
    };
    hemiola(at.path(), &downbeats("e.txt")).failed(1, &["e.txt", "where bars begin"]);
    fs::write(
        at.path().join("e.beats"),
        "4.5\t0\n5.01\t1\n5.5\t2\n6.0\t1\n",
    )
    .unwrap();
    let ran = hemiola(at.path(), &downbeats("e.beats")).succeeded();
    let f_measure = ran.json()["files"]["r"]["F-measure"].as_f64().unwrap();
    assert!((f_measure - 2.0 / 3.0).abs() < 1e-9, "{f_measure}");
    fs::write(at.path().join("e.txt"), "5.01\nsoon\n").unwrap();
    hemiola(at.path(), &["evaluate", "beat", "r.beats", "e.txt"]).failed(1, &["e.txt", "line 2"]);
}

#[test]
fn multipitch_equals_mir_eval() {
    equals_mir_eval("multipitch");
}

#[test]
fn chords_keys_and_sections_equal_mir_eval() {
    files_equal_mir_eval("chord", "lab");
    files_equal_mir_eval("key", "txt");
    files_equal_mir_eval("segment", "lab");
}

fn note(onset_s: f64, offset_s: f64, pitch: u8, velocity: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    }
}

#[test]
fn notes_equal_mir_eval() {
    // mir_eval 0.8 of the same lists: its documentation's definitions, worked out by hand. The second estimate is right
    // in its onset only (a fifth of one second is 0.2 s), the third does not exist in the reference.
    let at = folder();
    let reference = [note(0.0, 1.0, 60, 60), note(1.0, 2.0, 64, 100)];
    let estimate = [
        note(0.03, 1.1, 60, 60),
        note(1.0, 2.5, 64, 100),
        note(1.0, 2.0, 76, 90),
    ];
    write_notes(at.path().join("r.csv"), &reference, None).unwrap();
    for name in ["e.mid", "e.csv", "e.tsv", "e.json"] {
        write_notes(at.path().join(name), &estimate, None).unwrap();
        let ran = hemiola(
            at.path(),
            &["evaluate", "transcription", "r.csv", name, "--json"],
        );
        let scores = ran.succeeded().json()["files"]["r"].clone();
        for (metric, expected) in [
            ("Precision_no_offset", 2.0 / 3.0),
            ("Recall_no_offset", 1.0),
            ("F-measure_no_offset", 0.8),
            ("Precision", 1.0 / 3.0),
            ("Recall", 0.5),
            ("F-measure", 0.4),
            ("Onset_Recall", 1.0),
            ("Offset_Recall", 1.0),
            // (0.97 / 1.1 + 1 / 1.5) / 2
            ("Average_Overlap_Ratio_no_offset", 0.774_242_424_242),
        ] {
            let found = scores[metric].as_f64().unwrap();
            assert!((found - expected).abs() < 2e-3, "{name}, {metric}: {found}");
        }
        assert_eq!(scores["velocity"]["Recall"], 0.5, "{name}");
        // 97 frames of a second and 100 of a second agree; of 107 + 150 + 100 and of 200.
        let found = scores["frames"]["Recall"].as_f64().unwrap();
        assert!((found - 1.97 / 2.0).abs() < 2e-2, "{name}: {found}");
        let found = scores["frames"]["Precision"].as_f64().unwrap();
        assert!((found - 1.97 / 3.57).abs() < 2e-2, "{name}: {found}");
    }
    // MAPS tells no velocities.
    write_notes(at.path().join("e.txt"), &estimate, None).unwrap();
    let ran = hemiola(
        at.path(),
        &["evaluate", "transcription", "r.csv", "e.txt", "--json"],
    );
    assert_eq!(ran.succeeded().json()["files"]["r"].get("velocity"), None);
}

#[test]
fn the_pedal_ends_notes_unless_the_key_does() {
    let at = folder();
    let pedal = [
        PedalEvent {
            time_s: 0.2,
            value: 127,
        },
        PedalEvent {
            time_s: 3.0,
            value: 0,
        },
    ];
    let options = WriteOptions {
        pedal: &pedal,
        ..WriteOptions::default()
    };
    write_midi(at.path().join("r.mid"), &[note(0.5, 1.0, 60, 80)], &options).unwrap();
    let f1 = |estimate: Note, note_end: &str| {
        write_notes(at.path().join("e.csv"), &[estimate], None).unwrap();
        let arguments = [
            "evaluate",
            "transcription",
            "r.mid",
            "e.csv",
            "--json",
            "--note-end",
            note_end,
        ];
        hemiola(at.path(), &arguments).succeeded().json()["files"]["r"]["F-measure"].clone()
    };
    assert_eq!(f1(note(0.5, 3.0, 60, 80), "sounding"), 1.0);
    assert_eq!(f1(note(0.5, 1.0, 60, 80), "sounding"), 0.0);
    assert_eq!(f1(note(0.5, 1.0, 60, 80), "key-release"), 1.0);
}

#[test]
fn folders_are_paired_by_stem() {
    let at = folder();
    let path = |name: &str| at.path().join(name);
    fs::create_dir_all(path("ref/sub")).unwrap();
    fs::create_dir_all(path("est/sub")).unwrap();
    let keys = [note(0.0, 1.0, 60, 64)];
    let pedal = [note(0.0, 2.0, 60, 64)];
    write_notes(path("ref/a.tsv"), &keys, None).unwrap();
    write_notes(path("ref/a.pedal.tsv"), &pedal, None).unwrap();
    // What else lies in folders of references.
    fs::write(path("ref/a.flac"), "audio").unwrap();
    fs::write(path("ref/README.txt"), "References by hand.\n").unwrap();
    fs::write(path("ref/index.csv"), "file,seconds\na,30\n").unwrap();
    write_notes(path("ref/sub/b.mid"), &keys, None).unwrap();
    write_notes(path("ref/c.tsv"), &keys, None).unwrap();
    write_notes(path("est/a.mid"), &pedal, None).unwrap();
    write_notes(path("est/sub/b.csv"), &keys, None).unwrap();
    write_notes(path("est/d.mid"), &keys, None).unwrap();
    let run = |note_end: &str| {
        let arguments = [
            "evaluate",
            "transcription",
            "ref",
            "est",
            "--json",
            "--note-end",
            note_end,
        ];
        let ran = hemiola(at.path(), &arguments).failed(1, &["ref/c.tsv", "no estimate"]);
        assert!(ran.stderr.contains("warning: est/d.mid"), "{}", ran.stderr);
        let scores = ran.json();
        assert_eq!(scores["files"].as_object().unwrap().len(), 2);
        assert_eq!(scores["files"]["sub/b"]["F-measure"], 1.0);
        (
            scores["files"]["a"]["F-measure"].clone(),
            scores["mean"]["F-measure"].clone(),
        )
    };
    assert_eq!(run("sounding"), (1.0.into(), 1.0.into()));
    assert_eq!(run("key-release"), (0.0.into(), 0.5.into()));
}

#[test]
fn a_reference_compared_with_itself_is_perfect_in_the_table_too() {
    let Some(maps) = shared("data/audio/maps_dev") else {
        return;
    };
    let maps = maps.to_str().unwrap();
    let ran = hemiola(Path::new("."), &["evaluate", "transcription", maps, maps]).succeeded();
    let lines: Vec<&str> = ran.text().lines().collect();
    // Two lines of headings, 24 files, the mean.
    assert_eq!(lines.len(), 2 + 24 + 1);
    assert!(lines[0].contains("with offsets and velocities"));
    let mean: Vec<&str> = lines[26].split_whitespace().collect();
    assert_eq!(mean[0], "mean");
    assert_eq!(mean[1..], ["1.0000"; 13]);
}

#[test]
fn what_cannot_be_scored_is_told() {
    let at = folder();
    let path = |name: &str| at.path().join(name);
    write_notes(path("a.csv"), &melody(1), None).unwrap();
    fs::write(
        path("bad.csv"),
        "onset_s,offset_s,pitch,velocity\n0.1,0.2,sixty,64\n",
    )
    .unwrap();
    fs::write(path("onsets.txt"), "0.5\n1.0\n").unwrap();
    fs::write(path("words.txt"), "0.5\nsoon\n").unwrap();
    fs::write(path("back.txt"), "0.5\t440\n0.4\t440\n").unwrap();
    fs::create_dir(path("folder")).unwrap();
    fs::create_dir(path("other")).unwrap();
    write_notes(path("other/a.csv"), &melody(1), None).unwrap();
    let run = |arguments: &[&str]| hemiola(at.path(), &[&["evaluate"], arguments].concat());
    run(&["transcription", "a.csv", "none.csv"]).failed(1, &["none.csv", "No such file"]);
    run(&["transcription", "none.csv", "a.csv"]).failed(1, &["none.csv", "No such file"]);
    run(&["transcription", "a.csv", "bad.csv"]).failed(1, &["bad.csv", "line 2", "sixty"]);
    run(&["transcription", "a.csv", "a.wav"]).failed(1, &["a.wav"]);
    run(&["transcription", "a.csv", "other"]).failed(2, &["a.csv", "other", "folder"]);
    run(&["transcription", "other", "a.csv"]).failed(2, &["a.csv", "other", "folder"]);
    run(&["transcription", "folder", "other"]).failed(1, &["folder", "nothing"]);
    run(&["onset", "onsets.txt", "words.txt"]).failed(1, &["words.txt", "line 2", "soon"]);
    run(&["multipitch", "onsets.txt", "back.txt"]).failed(1, &["back.txt", "line 2"]);
    assert_eq!(run(&["transcription", "a.csv"]).code, 2);
    assert_eq!(run(&["rhythm", "a.csv", "a.csv"]).code, 2);
    assert_eq!(
        run(&["onset", "a.csv", "a.csv", "--note-end", "sounding"]).code,
        2
    );
}

#[test]
fn the_onsets_of_notes_are_a_reference() {
    let at = folder();
    for name in ["ref/below", "est/below"] {
        fs::create_dir_all(at.path().join(name)).unwrap();
    }
    // A chord whose notes begin within 30 ms is one onset, at their mean; the pedal's table is of the same recording.
    let notes = [
        note(0.50, 1.0, 60, 60),
        note(0.51, 1.0, 64, 60),
        note(0.52, 1.0, 67, 60),
        note(1.00, 2.0, 60, 60),
        note(1.50, 2.0, 62, 60),
    ];
    for name in ["a.tsv", "a.pedal.tsv", "below/b.mid", "c.txt"] {
        write_notes(at.path().join("ref").join(name), &notes, None).unwrap();
    }
    // 0.555 lies 45 ms from the chord's mean and 55 ms from its first note; 1.2 is wrong.
    let csv = "time_s,strength\n0.555,0.9\n1.0,0.8\n1.2,0.7\n";
    fs::write(at.path().join("est/a.csv"), csv).unwrap();
    fs::write(at.path().join("est/below/b.txt"), "0.555\n1.0\n1.2\n").unwrap();
    let json = r#"{"onsets": [{"time_s": 0.555, "strength": 1}, {"time_s": 1, "strength": 1}, {"time_s": 1.2, "strength": 1}]}"#;
    fs::write(at.path().join("est/c.json"), json).unwrap();
    let ran = hemiola(at.path(), &["evaluate", "onset", "ref", "est", "--json"]).succeeded();
    let files = ran.json()["files"].clone();
    assert_eq!(files.as_object().unwrap().len(), 3);
    for name in ["a", "below/b", "c"] {
        for metric in ["Precision", "Recall", "F-measure"] {
            let found = files[name][metric].as_f64().unwrap();
            assert!(
                (found - 2.0 / 3.0).abs() < 1e-9,
                "{name}, {metric}: {found}"
            );
        }
    }
}

#[test]
fn folders_of_chords_are_paired_by_stem() {
    let at = folder();
    let write = |name: &str, text: &str| {
        let path = at.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("ref/a.lab", "0 3 C:7\n3 4 A:min\n");
    write("ref/below/b.lab", "0\t2\tN\r\n2\t4\tG:maj/3\r\n");
    write("ref/README.txt", "Chords by ear.\n");
    write("ref/c.lab", "0 1 C\n");
    write("est/a.csv", "start_s,end_s,label\n0,4,C:maj\n");
    write("est/index.csv", "file,title\na,x\n");
    write(
        "est/below/b.json",
        r#"{"chords": [{"start_s": 2, "end_s": 9, "label": "G:maj/3"}]}"#,
    );
    let ran = hemiola(at.path(), &["evaluate", "chord", "ref", "est", "--json"])
        .failed(1, &["ref/c.lab", "no estimate"]);
    let scores = ran.json();
    assert_eq!(scores["files"].as_object().unwrap().len(), 2);
    assert_eq!(scores["files"]["a"]["majmin"], 0.75);
    assert_eq!(scores["files"]["a"]["sevenths"], 0.0);
    assert_eq!(scores["files"]["a"]["underseg"], 0.75);
    // Where the estimate says nothing, it says that nothing sounds.
    assert_eq!(scores["files"]["below/b"]["majmin_inv"], 1.0);
    assert_eq!(scores["mean"]["majmin"], 0.875);
    let table = hemiola(at.path(), &["evaluate", "chord", "ref/a.lab", "est/a.csv"]).succeeded();
    let lines: Vec<&str> = table.text().lines().collect();
    assert!(lines[0].contains("with the bass"), "{}", table.text());
    let numbers: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!(
        numbers,
        [
            "a", "0.7500", "0.7500", "0.7500", "0.0000", "0.7500", "0.7500", "0.0000", "0.7500",
            "1.0000", "0.7500"
        ]
    );
}

#[test]
fn labels_that_cannot_be_scored_are_told() {
    let at = folder();
    let write = |name: &str, text: &str| fs::write(at.path().join(name), text).unwrap();
    write("a.lab", "0 1 C:maj\n1 2 N\n");
    write("bad.lab", "0 1 C:maj\n1 2 C:major\n");
    write("over.lab", "0 2 Verse\n1 3 Chorus\n");
    write("none.lab", "");
    write("key.txt", "C major\n");
    write("mode.txt", "C dorian\n");
    let run = |arguments: &[&str]| hemiola(at.path(), &[&["evaluate"], arguments].concat());
    run(&["chord", "a.lab", "bad.lab"])
        .failed(1, &["bad.lab", "line 2, column 7", "shorthand", "major"]);
    run(&["segment", "a.lab", "over.lab"]).failed(1, &["over.lab", "line 2", "from 2 s on"]);
    run(&["key", "key.txt", "mode.txt"]).failed(1, &["mode.txt", "line 1", "dorian"]);
    run(&["key", "key.txt", "missing.txt"]).failed(1, &["missing.txt", "No such file"]);
    let ran = run(&["chord", "a.lab", "none.lab", "--json"]).succeeded();
    assert!(ran.stderr.contains("warning: none.lab"), "{}", ran.stderr);
    assert_eq!(ran.json()["mean"]["root"], 0.5);
    let ran = run(&["segment", "none.lab", "a.lab", "--json"]).succeeded();
    assert_eq!(ran.json()["mean"]["V-measure"], 0.0);
    assert_eq!(run(&["chord", "a.lab"]).code, 2);
}

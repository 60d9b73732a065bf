//! `hemiola plot`, run as a user runs it.

mod support;

use std::fs;

use hemiola::analysis::{Analysis, Recording};
use hemiola::music::{Note, Segment};
use support::{folder, hemiola, write_melody};

fn analysis() -> Analysis {
    Analysis {
        recording: Recording {
            name: "a & b.wav".into(),
            duration_s: 6.0,
            ..Recording::default()
        },
        notes: Some(vec![Note {
            onset_s: 1.0,
            offset_s: 2.0,
            pitch: 60,
            velocity: 80,
        }]),
        chords: Some(vec![Segment {
            start_s: 0.0,
            end_s: 6.0,
            label: "C:maj".parse().unwrap(),
        }]),
        ..Analysis::default()
    }
}

#[test]
fn an_analysis_is_drawn_with_and_without_its_recording() {
    let at = folder();
    fs::create_dir(at.path().join("out")).unwrap();
    let json = serde_json::to_vec(&analysis()).unwrap();
    fs::write(at.path().join("out/analysis.json"), json).unwrap();
    write_melody(&at.path().join("melody.wav"), 1);
    let text = |name: &str| fs::read_to_string(at.path().join(name)).unwrap();

    hemiola(at.path(), &["plot", "out", "-o", "all.svg"]).succeeded();
    let all = text("all.svg");
    assert!(all.contains("a &amp; b.wav") && all.contains(">notes<") && all.contains(">chords<"));
    assert!(!all.contains(">waveform<"));
    let file = "out/analysis.json";
    let chosen = [
        "--lanes",
        "notes,waveform",
        "--audio",
        "melody.wav",
        "--end",
        "3",
    ];
    hemiola(
        at.path(),
        &[&["plot", file, "-o", "new/some.svg"][..], &chosen].concat(),
    )
    .succeeded();
    let some = text("new/some.svg");
    assert!(some.contains(">waveform<") && some.contains(">notes<") && !some.contains(">chords<"));
    hemiola(at.path(), &["plot", "out", "-o", "all.png"]).succeeded();
    assert!(
        fs::read(at.path().join("all.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let at = folder();
    let json = serde_json::to_vec(&analysis()).unwrap();
    fs::write(at.path().join("a.json"), json).unwrap();
    fs::write(at.path().join("other.json"), "{\"notes\": 5}").unwrap();
    let plot = |arguments: &[&str]| hemiola(at.path(), &[&["plot"], arguments].concat());
    plot(&["a.json", "-o", "a.txt"]).failed(2, &["a.txt", ".svg or .png"]);
    plot(&["none.json", "-o", "a.svg"]).failed(1, &["none.json"]);
    plot(&["other.json", "-o", "a.svg"]).failed(1, &["other.json", "hemiola analyze"]);
    plot(&["a.json", "-o", "a.svg", "--lanes", "beats"])
        .failed(1, &["a.json", "beats", "notes and chords"]);
    plot(&["a.json", "-o", "a.svg", "--lanes", "waveform"]).failed(1, &["waveform", "--audio"]);
    plot(&["a.json", "-o", "a.svg", "--start", "7"]).failed(1, &["7 s", "ends at 6.000 s"]);
    assert!(!at.path().join("a.svg").exists());
}

//! The smallest recipes of the models that read notation learn a made set by heart.

mod support;

use std::fs;
use std::path::Path;

use hemiola::midi::{WriteOptions, write_midi};
use hemiola::music::Note;
use support::{folder, hemiola};

/// A recipe of the project.
fn recipe(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/smoke");
    format!("{path}/{name}.toml")
}

/// Tunes of eighth notes at 120 beats a minute over two bars, each with chords of its own.
fn write_tunes(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for tune in 0..4u8 {
        let melody = (0..16u8).map(|index| Note {
            onset_s: 0.25 * f64::from(index),
            offset_s: 0.25 * f64::from(index) + 0.22,
            pitch: 60 + (index * index + tune * (5 + 2 * index)) % 24,
            velocity: 50 + 8 * (index % 5),
        });
        let chords = (0..4u8).flat_map(|bar| {
            [0u8, 4, 7].map(|third| Note {
                onset_s: f64::from(bar),
                offset_s: f64::from(bar) + 0.9,
                pitch: 40 + (tune * 3 + bar * 5) % 12 + third,
                velocity: 70,
            })
        });
        let notes: Vec<Note> = melody.chain(chords).collect();
        let path = folder.join(format!("{tune}.mid"));
        write_midi(path, &notes, &WriteOptions::default()).unwrap();
    }
}

/// Cadences in several modes: roots and pitch classes by degrees of the scale.
fn write_progressions(path: &Path) {
    const IONIAN: [u8; 7] = [0, 2, 4, 5, 7, 9, 11];
    let mut lines = String::new();
    for mode in 0..7usize {
        let degrees = [0, 3, 4, (mode + 2) % 7, 0, (mode * 3 + 1) % 7, 4, 0];
        let chords: Vec<serde_json::Value> = degrees
            .iter()
            .map(|&degree| {
                let tone = |step: usize| IONIAN[(mode + degree + step) % 7];
                serde_json::json!({
                    "root": tone(0),
                    "pitch_classes": [tone(0), tone(2), tone(4)],
                    "degree": degree,
                })
            })
            .collect();
        let line = serde_json::json!({ "chords": chords, "mode": mode });
        lines.push_str(&format!("{line}\n"));
    }
    fs::write(path, lines).unwrap();
}

/// The first and the last mean of the training loss by name.
fn losses(output: &Path, name: &str) -> (f64, f64) {
    let log = fs::read_to_string(output.join("metrics.jsonl")).unwrap();
    let of = |line: &str| -> f64 {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["train"][name].as_f64().unwrap()
    };
    (
        of(log.lines().next().unwrap()),
        of(log.lines().last().unwrap()),
    )
}

/// Trains by a recipe on made data and checks that its losses fall below the stated sum.
fn learns(name: &str, settings: &[&str], parts: &[&str], below: f64) {
    let at = folder();
    write_tunes(&at.path().join("midi"));
    write_progressions(&at.path().join("progressions.jsonl"));
    let recipe = recipe(name);
    let mut arguments = vec!["train", &recipe, "--set", "run.output=out"];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    hemiola(at.path(), &arguments).succeeded();
    let output = at.path().join("out");
    let (first, last) = parts
        .iter()
        .map(|part| losses(&output, part))
        .fold((0.0, 0.0), |sum, loss| (sum.0 + loss.0, sum.1 + loss.1));
    println!("{name}: {first:.3} in the first epoch, {last:.3} in the last");
    assert!(last < below, "{name}: {last}, expected below {below}");
    assert!(first > 2.0 * below, "{name} had nothing to learn: {first}");
    let best = output.join("best");
    let shown = hemiola(
        at.path(),
        &["models", "show", best.to_str().unwrap(), "--json"],
    );
    assert_eq!(shown.succeeded().json()["architecture"], name);
}

#[test]
fn music_transformer() {
    learns("music-transformer", &[], &["event"], 0.3);
}

#[test]
fn music_bert() {
    learns("music-bert", &[], &["events"], 1.0);
}

#[test]
fn music_vae() {
    learns("music-vae", &[], &["reconstruction"], 20.0);
}

#[test]
fn chord_progression_gnn() {
    learns("chord-progression-gnn", &[], &["mode", "degree"], 0.2);
}

#[test]
fn what_cannot_be_learnt_from_is_said() {
    let at = folder();
    fs::create_dir(at.path().join("empty")).unwrap();
    fs::write(at.path().join("bad.jsonl"), "{\"chords\": []}\n").unwrap();
    for (name, setting, words) in [
        (
            "music-transformer",
            "data.sources=[{ folder = \"empty\" }]",
            &["empty", "MIDI"][..],
        ),
        (
            "music-bert",
            "data.sources=[{ folder = \"nowhere\" }]",
            &["nowhere"],
        ),
        ("music-vae", "data.folders=[\"empty\"]", &["empty", "MIDI"]),
        (
            "chord-progression-gnn",
            "data.train=bad.jsonl",
            &["bad.jsonl", "line 1", "without chords"],
        ),
    ] {
        let recipe = recipe(name);
        let arguments = [
            "train",
            &recipe,
            "--set",
            "run.output=out",
            "--set",
            setting,
        ];
        hemiola(at.path(), &arguments).failed(1, words);
    }
    let recipe = recipe("music-transformer");
    hemiola(at.path(), &["train", &recipe, "--set", "data.window=65"])
        .failed(2, &["data.window is 65", "64"]);
}

//! The models that read notation.

use std::fs;
use std::path::Path;

use crate::lesson::{learns, recipe, train};
use crate::support::{folder, hemiola};
use hemiola::midi::{WriteOptions, write_midi};
use hemiola::music::Note;

/// Tunes of eighth notes at 120 beats a minute over two bars, each with chords of its own, so many semitones higher.
fn write_tunes(folder: &Path, higher: u8) {
    fs::create_dir_all(folder).unwrap();
    for tune in 0..4u8 {
        let melody = (0..16u8).map(|index| Note {
            onset_s: 0.25 * f64::from(index),
            offset_s: 0.25 * f64::from(index) + 0.22,
            pitch: higher + 60 + (index * index + tune * (5 + 2 * index)) % 24,
            velocity: 50 + 8 * (index % 5),
        });
        let chords = (0..4u8).flat_map(|bar| {
            [0u8, 4, 7].map(|third| Note {
                onset_s: f64::from(bar),
                offset_s: f64::from(bar) + 0.9,
                pitch: higher + 40 + (tune * 3 + bar * 5) % 12 + third,
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

/// A folder with music in `midi` and `progressions.jsonl`.
fn with_music() -> tempfile::TempDir {
    let at = folder();
    write_tunes(&at.path().join("midi"), 0);
    write_progressions(&at.path().join("progressions.jsonl"));
    at
}

/// Nats of a choice by chance among so many.
fn chance(choices: f64) -> f64 {
    choices.ln()
}

#[test]
fn music_transformer() {
    let at = with_music();
    let attributes = chance(128.0) + chance(32.0) + chance(8.0);
    let guess = chance(394.0) + 0.1 * attributes;
    learns(at.path(), "music-transformer", guess, &[]);
    let best = at.path().join("run/best");
    let shown = hemiola(
        at.path(),
        &["models", "show", best.to_str().unwrap(), "--json"],
    );
    assert_eq!(
        shown.succeeded().json()["architecture"],
        "music-transformer"
    );
}

#[test]
fn music_bert() {
    let at = with_music();
    let guess = chance(388.0) + 0.2 * chance(2.0);
    learns(at.path(), "music-bert", guess, &[]);
}

#[test]
fn music_bert_with_classes() {
    let at = folder();
    write_tunes(&at.path().join("low"), 0);
    write_tunes(&at.path().join("high"), 24);
    let last = learns(at.path(), "music-bert-classifier", chance(2.0), &[]);
    assert_eq!(last["dev"]["accuracy"], 1.0);

    let bert = [
        "data.sources=[{ folder = \"low\" }, { folder = \"high\" }]",
        "run.output=bert",
        "run.steps=20",
        "model.max_seq_len=64",
    ];
    train(at.path(), "music-bert", &bert).succeeded();
    let from = |folder: &str| format!("pretrained={folder}");
    let settings = [&from("bert/best"), "run.output=tuned", "run.steps=40"];
    train(at.path(), "music-bert-classifier", &settings).succeeded();
    let config = fs::read_to_string(at.path().join("tuned/best/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    // The sizes are those of the pre-trained model.
    assert_eq!(config["model"]["bert"]["max_seq_len"], 64);
    assert_eq!(config["task"]["classes"][1], "high");
    let settings = [&from("nowhere"), "run.output=lost"];
    let ran = train(at.path(), "music-bert-classifier", &settings);
    assert!(ran.code == 1 && ran.stderr.contains("nowhere"), "{ran:?}");
}

#[test]
fn music_bert_from_a_performer() {
    let at = with_music();
    let settings = ["run.output=performer", "run.steps=20"];
    train(at.path(), "music-transformer", &settings).succeeded();
    let settings = [
        "pretrained=performer/best",
        "run.output=bert",
        "run.steps=20",
        "data.window=32",
    ];
    train(at.path(), "music-bert", &settings).succeeded();
    let sizes = |folder: &str| -> serde_json::Value {
        let config = fs::read_to_string(at.path().join(folder).join("best/config.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&config).unwrap()["model"].take()
    };
    let [performer, bert] = ["performer", "bert"].map(sizes);
    for size in ["d_model", "n_heads", "n_layers", "max_seq_len"] {
        assert_eq!(performer[size], bert[size], "{size}");
    }
    let settings = [
        "pretrained=performer/best",
        "run.output=wide",
        "data.window=4096",
    ];
    let ran = train(at.path(), "music-bert", &settings);
    assert!(ran.stderr.contains("data.window is 4096"), "{ran:?}");
}

#[test]
fn music_vae() {
    let at = with_music();
    let cells = 8.0 * 4.0 * 88.0;
    let last = learns(at.path(), "music-vae", cells * chance(2.0), &[]);
    assert!(last["dev"]["f1"].as_f64().unwrap() > 0.95, "{last}");
    let best = |file: &str| fs::read_to_string(at.path().join("run/best").join(file)).unwrap();
    let card = best("README.md");
    let (_, note_f1) = card.split_once("| note_f1 | ").unwrap();
    assert!(note_f1[..4].parse::<f64>().unwrap() > 0.9, "{card}");
    let config: serde_json::Value = serde_json::from_str(&best("config.json")).unwrap();
    assert_eq!(config["task"]["phrase"]["segments"], 8);
    // Which attributes four tunes learnt by heart answer to is chance.
    let Some(attribute) = config["task"]["attributes"][0]["name"].as_str() else {
        return;
    };
    let option = format!("--{attribute}");
    let space = ["--model", "run/best", "-o", "out.mid"];
    let arguments = [&["attribute", "midi/1.mid", &option, "+1"], &space[..]].concat();
    hemiola(at.path(), &arguments).succeeded();
}

#[test]
fn music_vae_of_single_frames() {
    let at = with_music();
    let settings = ["model.hierarchical=false", "run.steps=2000"];
    let last = learns(at.path(), "music-vae", 88.0 * chance(2.0) * 4.0, &settings);
    assert!(last["dev"]["f1"].as_f64().unwrap() > 0.95, "{last}");
}

#[test]
fn chord_progression_gnn() {
    let at = with_music();
    let last = learns(at.path(), "chord-progression-gnn", 2.0 * chance(7.0), &[]);
    assert!(
        last["dev"]["degree_accuracy"].as_f64().unwrap() > 0.95,
        "{last}"
    );
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
        (
            "music-vae",
            "data.sources=[{ folder = \"empty\" }]",
            &["empty", "MIDI"],
        ),
        (
            "chord-progression-gnn",
            "data.train=bad.jsonl",
            &["bad.jsonl", "line 1", "without chords"],
        ),
    ] {
        let recipe = recipe(name);
        let arguments = [
            "train",
            recipe.to_str().unwrap(),
            "--set",
            "run.output=out",
            "--set",
            setting,
        ];
        hemiola(at.path(), &arguments).failed(1, words);
    }
    let recipe = recipe("music-transformer");
    let recipe = recipe.to_str().unwrap();
    hemiola(at.path(), &["train", recipe, "--set", "data.window=65"])
        .failed(2, &["data.window is 65", "64"]);
}

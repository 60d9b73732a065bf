//! `hemiola evaluate similar` and `hemiola evaluate probe`: what vectors of recordings are good for.

mod support;

use std::fs;

use hemiola::audio::{WavFormat, write_wav};
use hemiola::music::Note;
use support::encoder::save_encoder;
use support::{folder, hemiola, tones};

const RATE: u32 = 16_000;

#[test]
fn vectors_are_evaluated_beside_what_needs_no_training() {
    let at = folder();
    save_encoder(&at.path().join("model"), 1);
    fs::create_dir(at.path().join("music")).unwrap();
    for seed in 1..5u8 {
        let name = format!("music/{seed}.wav");
        let hz = 220.0 * f64::from(seed);
        let samples: Vec<f32> = (0..usize::from(seed) * 1000 + 8 * RATE as usize)
            .map(|i| (std::f64::consts::TAU * hz * i as f64 / f64::from(RATE)).sin() as f32 * 0.3)
            .collect();
        write_wav(at.path().join(name), &samples, 1, RATE, WavFormat::Int16).unwrap();
    }
    let arguments = [
        "evaluate",
        "similar",
        "music",
        "--model",
        "model",
        "--seconds",
        "3",
        "--json",
    ];
    let scores = hemiola(at.path(), &arguments).succeeded().json();
    assert_eq!(
        (scores["recordings"].as_u64(), scores["seconds"].as_f64()),
        (Some(4), Some(3.0))
    );
    let descriptors = scores["descriptors"].as_array().unwrap();
    let names: Vec<&str> = descriptors
        .iter()
        .map(|d| d["descriptor"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["model", "untrained", "MFCC, mean and covariance"]);
    // Four different tones are told by their cepstrum, two semitones higher or not.
    let found = &descriptors[2]["queries"];
    assert_eq!(
        (
            found[0]["recall_at_1"].as_f64(),
            found[0]["recall_at_10"].as_f64()
        ),
        (Some(1.0), Some(1.0))
    );
    assert_eq!(found.as_array().unwrap().len(), 4);
    let short = [&arguments[..4], &["model", "--seconds", "1"]].concat();
    hemiola(at.path(), &short).failed(2, &["--seconds 1", "3 or more"]);
    let none = ["evaluate", "similar", "nowhere", "--model", "model"];
    hemiola(at.path(), &none).failed(1, &["no such folder"]);
}

#[test]
fn a_probe_learns_from_a_few_clips() {
    let at = folder();
    save_encoder(&at.path().join("model"), 11);
    for (label, pitch) in [("low", 40), ("high", 84)] {
        let class = at.path().join("clips").join(label);
        fs::create_dir_all(&class).unwrap();
        for clip in 0..4 {
            let note = Note {
                onset_s: 0.1,
                offset_s: 1.4,
                pitch: pitch + clip,
                velocity: 80,
            };
            let samples = tones(&[note], 1.5, RATE);
            let path = class.join(format!("{clip}.wav"));
            write_wav(path, &samples, 1, RATE, WavFormat::Float32).unwrap();
        }
    }
    let run = |more: &[&str]| {
        let first = ["evaluate", "probe", "clips", "--model", "model", "--json"];
        hemiola(at.path(), &[&first, more].concat())
    };
    let few = ["--shots", "2", "--draws", "3"];
    let ran = run(&[&few[..], &["--write-tables", "tables"]].concat()).succeeded();
    let scores = ran.json();
    let scores = scores.as_array().unwrap();
    let names: Vec<&str> = scores
        .iter()
        .map(|score| score["descriptor"].as_str().unwrap())
        .collect();
    let expected = [
        "model",
        "untrained",
        "MFCC, mean and covariance",
        "instruments",
    ];
    assert_eq!(names, expected);
    assert!(scores.iter().all(|score| score["shots"] == 2));
    // Four octaves apart: nobody takes one for the other.
    assert_eq!(scores[2]["accuracy"], 1.0);
    let tables = fs::read_dir(at.path().join("tables")).unwrap();
    assert_eq!(tables.count(), 3);
    let table = fs::read_to_string(at.path().join("tables/shots-2-0.csv")).unwrap();
    assert_eq!(table.matches(",train").count(), 4, "{table}");

    run(&["--shots", "0"]).failed(2, &["--shots"]);
    // None would be left to be told.
    run(&["--shots", "4"]).failed(1, &["4"]);
}

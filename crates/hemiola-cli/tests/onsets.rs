//! `hemiola onsets`, run as a user runs it.

mod support;

use std::fs;
use std::path::Path;

use hemiola::audio::{WavFormat, write_wav};
use hemiola::checkpoint::{self, Card, Precision};
use hemiola::features::MelConfig;
use hemiola::formats::read_onsets;
use hemiola::models::music_cnn::{MusicCnnConfig, Output};
use hemiola::tasks::classify::ClassifierConfig;
use hemiola::tasks::peak_picking::PeakPickingConfig;
use support::{Ran, drawn, folder, hemiola, hemiola_in, save_model, tiny_sizes, write_melody};
use tempfile::TempDir;

fn sizes() -> MusicCnnConfig {
    MusicCnnConfig {
        n_classes: 1,
        n_mels: 16,
        channels: [3, 4, 6],
        attention_hidden: 3,
        output: Output::Frame,
        ..MusicCnnConfig::default()
    }
}

/// A front end, and peak picking that finds something in what random weights are sure of.
fn task() -> ClassifierConfig<MelConfig> {
    ClassifierConfig {
        labels: vec!["onset".into()],
        features: MelConfig {
            sample_rate: 16_000,
            n_fft: 512,
            hop_length: 160,
            n_mels: 16,
            fmax: 8000.0,
            ..MelConfig::default()
        },
        onsets: Some(PeakPickingConfig {
            threshold: 0.01,
            pre_avg_s: 0.1,
            post_avg_s: 0.05,
            ..PeakPickingConfig::default()
        }),
        ..ClassifierConfig::default()
    }
}

fn save(folder: &Path, sizes: &MusicCnnConfig, task: &ClassifierConfig<MelConfig>) {
    let model = drawn(5, |device| sizes.init(device));
    let card = Card::default();
    checkpoint::save(folder, &model, sizes, task, &card, Precision::Float32).unwrap();
}

fn with_model() -> TempDir {
    let at = folder();
    save(&at.path().join("model"), &sizes(), &task());
    at
}

fn onsets(folder: &Path, arguments: &[&str]) -> Ran {
    hemiola(
        folder,
        &[&["onsets", "--model", "model"], arguments].concat(),
    )
}

/// The times of a list of one a line, checked to be possible ones of a recording of that length.
#[track_caller]
fn times_of(text: &[u8], length_s: f64) -> Vec<f64> {
    let text = std::str::from_utf8(text).unwrap();
    let times: Vec<f64> = text
        .lines()
        .map(|line| {
            assert_eq!(line.split_once('.').unwrap().1.len(), 4, "{line}");
            line.parse().unwrap()
        })
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert!(
        times.iter().all(|&t| (0.0..length_s + 0.02).contains(&t)),
        "{times:?}"
    );
    times
}

#[test]
fn every_format_tells_the_same_onsets() {
    let at = with_model();
    write_melody(&at.path().join("a.wav"), 1);
    let ran = onsets(
        at.path(),
        &["a.wav", "-o", "out", "--format", "txt,csv,json"],
    );
    assert_eq!(ran.succeeded().stdout, b"");
    let expected = times_of(&fs::read(at.path().join("out/a.txt")).unwrap(), 2.0);
    assert!(expected.len() > 3, "{expected:?}");
    let csv = fs::read_to_string(at.path().join("out/a.csv")).unwrap();
    assert!(csv.starts_with("time_s,strength\n"), "{csv}");
    let json = fs::read_to_string(at.path().join("out/a.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["model"], "model");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    let strength = json["onsets"][0]["strength"].as_f64().unwrap();
    assert!(strength > 0.0 && strength < 1.0);
    for name in ["out/a.csv", "out/a.json"] {
        let found = read_onsets(at.path().join(name)).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-4,
                "{name}: {found} {expected}"
            );
        }
    }
    // Text where nothing is asked for, and what the model thinks at the threshold that is asked for.
    onsets(at.path(), &["a.wav", "-o", "other"]).succeeded();
    assert_eq!(
        times_of(&fs::read(at.path().join("other/a.txt")).unwrap(), 2.0),
        expected
    );
    let fewer = onsets(at.path(), &["a.wav", "--threshold", "0.9"]).succeeded();
    assert!(times_of(&fewer.stdout, 2.0).len() < expected.len());
}

#[test]
fn standard_input_and_output_give_what_files_give() {
    let at = with_model();
    write_melody(&at.path().join("a.wav"), 2);
    onsets(at.path(), &["a.wav", "-o", "a.txt"]).succeeded();
    let expected = fs::read(at.path().join("a.txt")).unwrap();
    assert!(times_of(&expected, 2.0).len() > 3);
    let sound = fs::read(at.path().join("a.wav")).unwrap();
    for rest in [&["-"][..], &["-", "-o", "-"], &["-", "--format", "txt"]] {
        let arguments = [&["onsets", "--model", "model"], rest].concat();
        let ran = hemiola_in(at.path(), &arguments, &sound).succeeded();
        assert_eq!(ran.stdout, expected, "{arguments:?}");
    }
    // The extension is the format.
    onsets(at.path(), &["a.wav", "-o", "b.CSV"]).succeeded();
    assert_eq!(
        read_onsets(at.path().join("b.CSV")).unwrap(),
        read_onsets(at.path().join("a.txt")).unwrap()
    );
}

#[test]
fn short_silent_and_empty_recordings_are_heard() {
    let at = with_model();
    let wav = |name: &str, samples: &[f32], rate| {
        write_wav(at.path().join(name), samples, 1, rate, WavFormat::Int16).unwrap();
    };
    wav("silence.wav", &[0.0; 32_000], 16_000);
    wav("blip.wav", &[0.5, -0.5, 0.25, 0.0, 0.1], 8000);
    wav("nothing.wav", &[], 16_000);
    for (name, length_s, most) in [("silence", 2.0, 2), ("blip", 0.001, 1), ("nothing", 0.0, 0)] {
        let ran = onsets(at.path(), &[&format!("{name}.wav")]).succeeded();
        assert!(
            times_of(&ran.stdout, length_s).len() <= most,
            "{name}: {}",
            ran.text()
        );
        assert_eq!(
            ran.stderr.contains("warning: nothing.wav"),
            name == "nothing"
        );
    }
}

#[test]
fn impossible_thresholds_are_wrong_use() {
    let at = with_model();
    write_melody(&at.path().join("a.wav"), 1);
    onsets(at.path(), &["a.wav", "--threshold", "1.5"]).failed(2, &["--threshold", "1.5"]);
    let ran = onsets(at.path(), &["a.wav", "--threshold", "high"]);
    assert_eq!(ran.code, 2);
}

#[test]
fn models_that_tell_no_onsets_are_refused() {
    let at = folder();
    write_melody(&at.path().join("a.wav"), 1);
    let refused = |words: &[&str]| onsets(at.path(), &["a.wav"]).failed(1, words);
    let model = at.path().join("model");
    let clips = MusicCnnConfig {
        output: Output::Clip,
        ..sizes()
    };
    save(&model, &clips, &task());
    refused(&["model", "\"frame\"", "music-cnn-onsets"]);
    save(
        &model,
        &sizes(),
        &ClassifierConfig {
            onsets: None,
            ..task()
        },
    );
    refused(&["model", "task.onsets"]);
    save_model(&model, &tiny_sizes());
    refused(&["model", "music-cnn", "music-transcription-rnn"]);
}

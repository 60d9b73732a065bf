//! `hemiola features`, run as a user runs it.

mod support;

use std::fs;
use std::path::Path;

use hemiola::audio::{WavFormat, write_wav};
use hemiola::checkpoint::{self, Card, Precision};
use hemiola::features::{ConstantQConfig, MelConfig};
use hemiola::models::harmonic_cnn::HarmonicCnnConfig;
use hemiola::models::music_cnn::{MusicCnnConfig, Pooling};
use hemiola::tasks::classify::ClassifierConfig;
use support::{Ran, drawn, folder, hemiola, hemiola_in, save_model, tiny_sizes, write_melody};
use tempfile::TempDir;

fn save_music_cnn(folder: &Path) {
    let sizes = MusicCnnConfig {
        n_classes: 3,
        channels: [4, 6, 8],
        attention_hidden: 5,
        pooling: Pooling::Attention,
        ..MusicCnnConfig::default()
    };
    let model = drawn(3, |device| sizes.init(device));
    let task = ClassifierConfig::<MelConfig>::default();
    let card = Card::default();
    checkpoint::save(folder, &model, &sizes, &task, &card, Precision::Float32).unwrap();
}

fn save_harmonic_cnn(folder: &Path) {
    let sizes = HarmonicCnnConfig {
        channels: 2,
        combined: 3,
        ..HarmonicCnnConfig::default()
    };
    let model = drawn(5, |device| sizes.init(device));
    let task = ClassifierConfig::<ConstantQConfig>::default();
    let card = Card::default();
    checkpoint::save(folder, &model, &sizes, &task, &card, Precision::Float32).unwrap();
}

/// `model`, a MusicCNN, and `a.wav`, two seconds.
fn with_model() -> TempDir {
    let at = folder();
    save_music_cnn(&at.path().join("model"));
    write_melody(&at.path().join("a.wav"), 1);
    at
}

fn features(folder: &Path, arguments: &[&str]) -> Ran {
    let verb = ["features", "--model", "model"];
    hemiola(folder, &[&verb, arguments].concat())
}

#[test]
fn a_picture_is_named_after_the_recording_or_as_asked() {
    let at = with_model();
    let ran = features(at.path(), &["a.wav", "--plot"]).succeeded();
    assert_eq!(
        (ran.stdout.len(), ran.stderr.as_str()),
        (0, "a.features.svg\n")
    );
    let svg = fs::read_to_string(at.path().join("a.features.svg")).unwrap();
    for text in [
        "a.wav, 0 to 2 s, as model hears it",
        "conv1",
        "attention",
        "3 × 3",
        "200",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    for arguments in [
        &["a.wav", "--plot", "-o", "new/b.png"][..],
        &["a.wav", "--plot", "new/b.png"],
        &["a.wav", "-o", "new/b.png"],
    ] {
        features(at.path(), arguments).succeeded();
        let png = fs::read(at.path().join("new/b.png")).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{arguments:?}");
        fs::remove_dir_all(at.path().join("new")).unwrap();
    }
    let shown = |arguments: &[&str]| {
        features(at.path(), arguments).succeeded();
        let svg = fs::read_to_string(at.path().join("c.svg")).unwrap();
        (svg.matches(">channel ").count(), svg)
    };
    // Four layers of so many channels, and as many filters.
    let (count, svg) = shown(&[
        "a.wav",
        "--channels",
        "2",
        "-o",
        "c.svg",
        "--start",
        "0.5",
        "--seconds",
        "1",
    ]);
    assert_eq!(count, 5 * 2);
    assert!(svg.contains("a.wav, 0.5 to 1.5 s"));
    let sound = fs::read(at.path().join("a.wav")).unwrap();
    let arguments = ["features", "-", "--model", "model", "-o", "c.svg"];
    hemiola_in(at.path(), &arguments, &sound).succeeded();
    let svg = fs::read_to_string(at.path().join("c.svg")).unwrap();
    assert!(svg.contains("standard input, 0 to 2 s"));
}

#[test]
fn numbers_are_files_of_numpy() {
    let at = with_model();
    features(
        at.path(),
        &["a.wav", "-o", "out", "--seconds", "1", "--plot", "p.svg"],
    )
    .succeeded();
    assert!(at.path().join("p.svg").is_file());
    let mut names: Vec<_> = fs::read_dir(at.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "attention",
        "conv1",
        "conv3",
        "harmonic",
        "spectrogram",
        "temporal",
    ];
    assert_eq!(names, expected.map(|name| format!("{name}.npy")));
    // A second: 1 + 22050 / 512 = 44 frames.
    for (name, shape, values) in [
        ("spectrogram", "(1, 128, 44)", 128 * 44),
        ("conv1", "(4, 64, 22)", 4 * 64 * 22),
        ("conv3", "(8, 32, 11)", 8 * 32 * 11),
        ("attention", "(11,)", 11),
    ] {
        let bytes = fs::read(at.path().join(format!("out/{name}.npy"))).unwrap();
        assert_eq!(bytes.len(), 128 + 4 * values, "{name}");
        let header = String::from_utf8_lossy(&bytes[10..128]);
        assert!(header.contains(shape), "{header}");
    }
}

#[test]
fn harmonic_cnn_shows_its_harmonics() {
    let at = with_model();
    save_harmonic_cnn(&at.path().join("harmonic"));
    hemiola(
        at.path(),
        &["features", "a.wav", "--model", "harmonic", "-o", "h.svg"],
    )
    .succeeded();
    let svg = fs::read_to_string(at.path().join("h.svg")).unwrap();
    // Beside what it reads and beside its filter.
    assert_eq!(svg.matches(">harmonic 6<").count(), 2);
    assert!(svg.contains("combine") && svg.contains("stroke-dasharray"));
}

#[test]
fn recordings_that_have_nothing_to_show_are_told() {
    let at = with_model();
    let path = |name: &str| at.path().join(name);
    fs::write(path("text.mp3"), "no audio, only words\n".repeat(50)).unwrap();
    fs::write(path("empty.wav"), "").unwrap();
    write_wav(path("short.wav"), &[0.1; 1000], 1, 22_050, WavFormat::Int16).unwrap();
    write_wav(
        path("silent.wav"),
        &[0.0; 22_050],
        1,
        22_050,
        WavFormat::Int16,
    )
    .unwrap();
    for (arguments, words) in [
        (&["text.mp3", "--plot"][..], &["text.mp3"][..]),
        (&["empty.wav", "--plot"], &["empty.wav", "0 bytes"]),
        (&["nowhere.wav", "--plot"], &["nowhere.wav", "No such file"]),
        (
            &["short.wav", "--plot"],
            &["short.wav", "4 frames", "found 2"],
        ),
        (
            &["a.wav", "--plot", "--start", "2.5"],
            &["a.wav", "2.5 s", "ends at 2.00 s"],
        ),
    ] {
        features(at.path(), arguments).failed(1, words);
    }
    let ran = features(at.path(), &["silent.wav", "-o", "silent.png"]).succeeded();
    assert!(
        ran.stderr.contains("warning: silent.wav: silent"),
        "{}",
        ran.stderr
    );
    assert!(!path("text.features.svg").exists());
}

#[test]
fn wrong_use_is_told_before_the_work() {
    let at = with_model();
    save_model(&at.path().join("piano-model"), &tiny_sizes());
    fs::create_dir(at.path().join("folder.png")).unwrap();
    fs::write(at.path().join("taken"), "mine").unwrap();
    for (arguments, words) in [
        (&["a.wav"][..], &["--plot", "-o"][..]),
        (&["a.wav", "--plot", "a.svg", "-o", "b.svg"], &["two names"]),
        (&["a.wav", "--plot", "a.pdf"], &["a.pdf", ".svg", ".png"]),
        (&["a.wav", "-o", "-"], &["standard output"]),
        (&["a.wav", "-o", "folder.png"], &["folder.png", "folder"]),
        (&["a.wav", "-o", "taken"], &["taken", "folder"]),
        (&["a.wav", "--plot", "--start", "-1"], &["--start -1"]),
        (&["a.wav", "--plot", "--start", "NaN"], &["--start"]),
        (
            &["a.wav", "--plot", "--seconds", "0"],
            &["--seconds 0", "120"],
        ),
        (
            &["a.wav", "--plot", "--seconds", "121"],
            &["--seconds 121", "120"],
        ),
    ] {
        features(at.path(), arguments).failed(2, words);
    }
    features(at.path(), &["a.wav", "-o", "taken/a.svg"]).failed(1, &["taken"]);
    assert_eq!(
        features(at.path(), &["a.wav", "--plot", "--channels", "0"]).code,
        2
    );
    let with = |model| {
        hemiola(
            at.path(),
            &["features", "a.wav", "--plot", "--model", model],
        )
    };
    with("piano-model").failed(1, &["music-cnn", "harmonic-cnn", "music-transcription-rnn"]);
    with("nobody").failed(2, &["nobody", "built-in", "folder"]);
    assert_eq!(fs::read(at.path().join("taken")).unwrap(), b"mine");
}

//! The recipes in `recipes/smoke` of the models that hear: each learns a little music by heart.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use crate::lesson::{learns, train};
use crate::support::{folder, hemiola, tones};
use hemiola::audio::{WavFormat, write_wav};
use hemiola::formats::write_notes;
use hemiola::music::Note;
use serde_json::Value;

pub const RATE: u32 = 22_050;

/// One second of a sound whose phase, in periods, is known.
pub fn sound(hz: f64, wave: impl Fn(f64) -> f64) -> Vec<f32> {
    let phase = |i| hz * f64::from(i) / f64::from(RATE);
    (0..RATE).map(|i| 0.3 * wave(phase(i)) as f32).collect()
}

pub fn sine(phase: f64) -> f64 {
    (TAU * phase).sin()
}

/// The first ten harmonics, those of a sawtooth.
pub fn sawtooth(phase: f64) -> f64 {
    (1..=10)
        .map(|k| sine(f64::from(k) * phase) / f64::from(k))
        .sum()
}

/// The odd ones of them, those of a square.
fn square(phase: f64) -> f64 {
    (1..=9)
        .step_by(2)
        .map(|k| sine(f64::from(k) * phase) / f64::from(k))
        .sum()
}

/// A click at the beginning of every twentieth period.
fn clicks(phase: f64) -> f64 {
    let at = phase.rem_euclid(20.0);
    if at < 1.0 { sine(at) } else { 0.0 }
}

/// Noise that is the same every time.
pub fn noise(seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..RATE).map(|_| 0.3 * next()).collect()
}

pub fn write(path: PathBuf, samples: &[f32]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_wav(path, samples, 1, RATE, WavFormat::Int16).unwrap();
}

pub fn task(at: &Path) -> Value {
    let text = fs::read_to_string(at.join("run/best/config.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["task"].clone()
}

#[test]
fn music_cnn_learns_tones_noise_and_clicks() {
    let at = folder();
    let clips = at.path().join("clips");
    for i in 0..4u8 {
        let hz = 200.0 * f64::from(i + 1);
        write(clips.join(format!("tones/{i}.wav")), &sound(hz, sine));
        write(
            clips.join(format!("clicks/{i}.wav")),
            &sound(4.0 * hz, clicks),
        );
        write(
            clips.join(format!("noise/{i}.wav")),
            &noise(u64::from(i) + 1),
        );
    }
    let last = learns(at.path(), "music-cnn", 3f64.ln(), &["data.root=clips"]);
    let dev = &last["dev"];
    assert_eq!(
        (dev["accuracy"].as_f64(), dev["macro_f1"].as_f64()),
        (Some(1.0), Some(1.0))
    );
    let task = task(at.path());
    assert_eq!(
        task["labels"],
        serde_json::json!(["clicks", "noise", "tones"])
    );
    assert_eq!(task["clip_s"], 0.5);
    assert_eq!(task["features"]["n_mels"], 32);
    assert_eq!(task["features"]["sample_rate"], RATE);
}

#[test]
fn harmonic_cnn_learns_timbres() {
    let at = folder();
    for i in 0..4u8 {
        let hz = 150.0 * f64::from(i + 2) / 2.0;
        let clips = at.path().join("clips");
        write(clips.join(format!("pure/{i}.wav")), &sound(hz, sine));
        write(
            clips.join(format!("sawtooth/{i}.wav")),
            &sound(hz, sawtooth),
        );
        write(clips.join(format!("square/{i}.wav")), &sound(hz, square));
    }
    learns(at.path(), "harmonic-cnn", 3f64.ln(), &["data.root=clips"]);
    let task = task(at.path());
    assert_eq!(
        task["labels"],
        serde_json::json!(["pure", "sawtooth", "square"])
    );
    assert_eq!(task["features"]["bins_per_octave"], 12);
    // Of the reference preset, for the recipe does not name it.
    assert_eq!(task["features"]["log"]["kind"], "ln");
}

#[test]
fn real_time_music_rnn_learns_chords() {
    let at = folder();
    let pairs = at.path().join("pairs");
    fs::create_dir_all(&pairs).unwrap();
    for i in 0..5u8 {
        let notes: Vec<Note> = (0..4u8)
            .flat_map(|chord| {
                let root = 48 + (5 * i + 7 * chord) % 12;
                [root, root + 4, root + 7].map(|pitch| Note {
                    onset_s: 0.1 + 0.5 * f64::from(chord),
                    offset_s: 0.5 + 0.5 * f64::from(chord),
                    pitch,
                    velocity: 80,
                })
            })
            .collect();
        write(pairs.join(format!("{i}.wav")), &tones(&notes, 2.2, RATE));
        write_notes(pairs.join(format!("{i}.mid")), &notes, None).unwrap();
    }
    let settings = ["data.renditions=pairs", "data.dev=pairs"];
    let last = learns(at.path(), "real-time-music-rnn", 2f64.ln(), &settings);
    // A quarter of all pitch classes and frames sound: what a guess scores.
    assert!(
        last["dev"]["average_precision"].as_f64().unwrap() > 0.4,
        "{last}"
    );
    assert_eq!(task(at.path())["features"]["n_mels"], 64);
}

#[test]
fn music_cnn_learns_when_notes_begin() {
    let at = folder();
    for i in 0..8u8 {
        let side = if i < 6 { "train" } else { "dev/below" };
        let notes: Vec<Note> = (0..9u8)
            .map(|k| {
                let late = f64::from((k * 7 + i * 3) % 5);
                let onset_s = 0.13 + 0.4 * f64::from(k) + 0.037 * late;
                Note {
                    onset_s,
                    offset_s: onset_s + 0.3,
                    pitch: 50 + (k * 5 + i * 11) % 30,
                    velocity: 80,
                }
            })
            .collect();
        let beside = |ending: &str| at.path().join(side).join(format!("{i}.{ending}"));
        write(beside("wav"), &tones(&notes, 4.0, RATE));
        match i % 2 {
            0 => write_notes(beside("mid"), &notes, None).unwrap(),
            _ => {
                let lines = notes.iter().map(|note| format!("{:.4}\n", note.onset_s));
                fs::write(beside("txt"), lines.collect::<String>()).unwrap();
            }
        }
    }
    let settings = ["data.train=train", "data.dev=dev"];
    let last = learns(at.path(), "music-cnn-onsets", 2f64.ln(), &settings);
    let dev = &last["dev"];
    assert!(dev["f1"].as_f64().unwrap() > 0.9, "{dev}");
    let task = task(at.path());
    assert_eq!(task["labels"], serde_json::json!(["onset"]));
    assert_eq!(task["features"]["hop_length"], 160);
    // The threshold that the dev set found best, not the recipe's.
    let threshold = task["onsets"]["threshold"].as_f64().unwrap();
    assert!((threshold / 0.05).round() * 0.05 - threshold < 1e-6);
    assert!((0.1..=0.8).contains(&threshold));
    // What was trained tells onsets.
    let arguments = ["onsets", "dev/below/7.wav", "--model", "run/best"];
    let found = hemiola(at.path(), &arguments).succeeded();
    fs::write(at.path().join("found.txt"), &found.stdout).unwrap();
    let arguments = [
        "evaluate",
        "onset",
        "dev/below/7.txt",
        "found.txt",
        "--json",
    ];
    let scores = hemiola(at.path(), &arguments).succeeded().json();
    assert!(
        scores["mean"]["F-measure"].as_f64().unwrap() > 0.85,
        "{scores}"
    );
}

#[test]
fn contrastive_encoder_learns_which_recording_a_crop_is_of() {
    let at = folder();
    for i in 0..3u8 {
        let hz = 110.0 * f64::from(i + 1) * f64::from(i + 1);
        let recordings = at.path().join("recordings");
        write(recordings.join(format!("{i}/sine.wav")), &sound(hz, sine));
        write(
            recordings.join(format!("{i}/clicks.wav")),
            &sound(3.3 * hz, clicks),
        );
        write(
            recordings.join(format!("{i}.wav")),
            &sound(1.4 * hz, sawtooth),
        );
    }
    let last = learns(
        at.path(),
        "contrastive-encoder",
        7f64.ln(),
        &["data.root=recordings"],
    );
    assert_eq!(last["dev"]["recall_at_1"], 1.0);
    assert_eq!(task(at.path())["clip_s"], 0.5);
}

#[test]
fn what_is_wrong_with_the_clips_is_told() {
    let at = folder();
    let run = |settings: &[&str]| train(at.path(), "music-cnn", settings);
    run(&["data.root=none"]).failed(1, &["none", "no such folder", "data.root"]);
    write(at.path().join("clips/a/0.wav"), &sound(300.0, sine));
    run(&["data.root=clips"]).failed(1, &["clips", "at least two", "only a"]);
    write(at.path().join("clips/b/0.wav"), &sound(600.0, sine));
    run(&["data.root=clips"]).failed(1, &["two groups", "data.dev"]);
    write(at.path().join("clips/b/1.wav"), &sound(900.0, sine));
    fs::write(at.path().join("clips/b/broken.mp3"), "no sound").unwrap();
    run(&["data.root=clips", "model.n_classes=5"]).failed(1, &["n_classes is 5", "a, b"]);
    // One file that cannot be read does not end a training.
    let ran = run(&["data.root=clips", "run.steps=2"]).succeeded();
    let notes: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|l| l.starts_with("note: "))
        .collect();
    let [unread, lone] = notes.as_slice() else {
        panic!("two notes, found {}", ran.stderr);
    };
    assert!(
        unread.contains("1 of 4") && unread.contains("broken.mp3"),
        "{unread}"
    );
    assert!(lone.contains("not measured: a"), "{lone}");
    run(&["data.root=clips", "run.steps=2"]).failed(1, &["--resume"]);
}

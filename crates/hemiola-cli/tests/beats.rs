//! `hemiola beats`, run as a user runs it.

mod support;

use std::fs;
use std::path::Path;

use hemiola::audio::{WavFormat, write_wav};
use hemiola::formats::{read_beats, write_notes};
use hemiola::music::{BeatTrack, Note};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::{folder, hemiola, sound_of};

/// A struck chord every 0.6 s from 0.4 s on, with a lower one at the first of four: 100 beats a minute.
fn pulse() -> Vec<Note> {
    let mut notes = Vec::new();
    for beat in 0..20_u8 {
        let onset_s = 0.4 + 0.6 * f64::from(beat);
        let bass = if beat % 4 == 0 { 40 } else { 60 };
        notes.extend([bass, 64, 67].map(|pitch| Note {
            onset_s,
            offset_s: onset_s + 0.5,
            pitch,
            velocity: 80,
        }));
    }
    notes
}

/// The same as bursts of noise, louder at the first of four.
fn write_pulse(path: &Path) {
    let samples = bursts(|beat| if beat % 4 == 0 { 0.5 } else { 0.25 });
    write_wav(path, &samples, 1, RATE, WavFormat::Int16).unwrap();
}

const RATE: u32 = 22_050;

/// A burst of noise on each of 20 beats of [`pulse`], of some level.
fn bursts(level: fn(u8) -> f32) -> Vec<f32> {
    let rate = f64::from(RATE);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut samples = vec![0.0f32; (12.5 * rate) as usize];
    for beat in 0..20_u8 {
        let first = ((0.4 + 0.6 * f64::from(beat)) * rate) as usize;
        for index in 0..2205 {
            let decay = (-40.0 * index as f64 / rate).exp() as f32;
            samples[first + index] = level(beat) * decay * rng.random_range(-1.0..1.0);
        }
    }
    samples
}

#[track_caller]
fn assert_pulse(found: &BeatTrack) {
    assert!((found.tempo_bpm.unwrap() - 100.0).abs() < 1.0, "{found:?}");
    assert_eq!(found.beats.len(), 20, "{found:?}");
    for (index, beat) in found.beats.iter().enumerate() {
        let expected_s = 0.4 + 0.6 * index as f64;
        assert!(
            (beat.time_s - expected_s).abs() < 0.03,
            "{beat:?} {expected_s}"
        );
    }
}

#[test]
fn every_format_tells_the_same_beats() {
    let at = folder();
    write_pulse(&at.path().join("a.wav"));
    let arguments = ["beats", "a.wav", "-o", "out", "--format", "beats,csv,json"];
    assert_eq!(hemiola(at.path(), &arguments).succeeded().stdout, b"");
    let text = fs::read_to_string(at.path().join("out/a.beats")).unwrap();
    for line in text.lines() {
        let (time_s, number) = line.split_once('\t').unwrap();
        assert_eq!(time_s.split_once('.').unwrap().1.len(), 4, "{line}");
        assert!((1..=4).contains(&number.parse().unwrap()), "{line}");
    }
    for name in ["a.beats", "a.csv", "a.json"] {
        assert_pulse(&read_beats(at.path().join("out").join(name)).unwrap());
    }
    let json = fs::read_to_string(at.path().join("out/a.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["model"], "onsets");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert!((json["tempo_bpm"].as_f64().unwrap() - 100.0).abs() < 1.0);
}

#[test]
fn midi_files_have_beats() {
    let at = folder();
    write_notes(at.path().join("a.mid"), &pulse(), None).unwrap();
    hemiola(at.path(), &["beats", "a.mid", "-o", "a.beats"]).succeeded();
    assert_pulse(&read_beats(at.path().join("a.beats")).unwrap());
    let ran = hemiola(at.path(), &["beats", "a.mid", "--format", "json"]).succeeded();
    assert_eq!(ran.json().get("model"), None);
}

#[test]
fn bars_have_as_many_beats_as_they_may() {
    let at = folder();
    write_notes(at.path().join("a.mid"), &pulse(), None).unwrap();
    let ran = hemiola(at.path(), &["beats", "a.mid", "--beats-per-bar", "3"]).succeeded();
    assert!(
        ran.text().lines().all(|line| !line.ends_with("\t4")),
        "{}",
        ran.text()
    );
}

#[test]
fn bars_begin_where_chords_change() {
    let at = folder();
    // Chords of four beats from the third beat on, all beats alike.
    let chords = [[48, 64, 67, 72], [53, 65, 69, 72], [55, 62, 67, 71]];
    let notes: Vec<Note> = (0..20_usize)
        .flat_map(|beat| {
            let onset_s = 0.4 + 0.6 * beat as f64;
            chords[(beat + 2) / 4 % 3].map(|pitch| Note {
                onset_s,
                offset_s: onset_s + 0.6,
                pitch,
                velocity: 80,
            })
        })
        .collect();
    let mut samples = bursts(|_| 0.25);
    for (sample, tone) in samples.iter_mut().zip(sound_of(&notes, RATE)) {
        *sample += tone;
    }
    let path = at.path().join("a.wav");
    write_wav(&path, &samples, 1, RATE, WavFormat::Int16).unwrap();
    let numbers = |arguments: &[&str]| -> Vec<u8> {
        let ran = hemiola(at.path(), &[&["beats", "a.wav"], arguments].concat()).succeeded();
        let lines = ran
            .text()
            .lines()
            .map(|line| line.split_once('\t').unwrap());
        lines.map(|(_, number)| number.parse().unwrap()).collect()
    };
    let expected: Vec<u8> = (0..20).map(|beat| (beat + 2) % 4 + 1).collect();
    assert_eq!(numbers(&[]), expected);
    // Onsets alone do not tell.
    assert_ne!(numbers(&["--no-chords"]), expected);
}

#[test]
fn silence_has_no_beat() {
    let at = folder();
    let path = at.path().join("a.wav");
    write_wav(path, &[0.0; 32_000], 1, 16_000, WavFormat::Int16).unwrap();
    let ran = hemiola(at.path(), &["beats", "a.wav"]).succeeded();
    assert_eq!(ran.text(), "");
    let ran = hemiola(at.path(), &["beats", "a.wav", "--format", "json"]).succeeded();
    assert_eq!(ran.json()["tempo_bpm"], serde_json::Value::Null);
}

#[test]
fn impossible_tempi_are_wrong_use() {
    let at = folder();
    write_pulse(&at.path().join("a.wav"));
    let run = |arguments: &[&str]| hemiola(at.path(), &[&["beats", "a.wav"], arguments].concat());
    run(&["--min-bpm", "300"]).failed(2, &["min_bpm", "300"]);
    run(&["--beats-per-bar", "1"]).failed(2, &["beats_per_bar", "[1]"]);
    assert_eq!(run(&["--max-bpm", "fast"]).code, 2);
}

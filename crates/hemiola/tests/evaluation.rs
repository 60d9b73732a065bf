//! Scores equal mir_eval's on its own test cases.

mod support;

use std::path::Path;

use hemiola::evaluation::multipitch::Frame;
use hemiola::evaluation::transcription::{PitchedInterval, Tolerances};
use hemiola::evaluation::transcription_velocity::StruckInterval;
use hemiola::evaluation::{
    beat, frames, multipitch, onset, tempo, transcription, transcription_velocity,
};
use hemiola::formats::read_tempi;
use hemiola::music::Note;
use serde::Serialize;
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn rows(path: &Path) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let numbers = |line: &str| {
        line.split_whitespace()
            .map(|x| x.parse().unwrap())
            .collect()
    };
    lines.map(numbers).collect()
}

fn assert_scores(ours: impl Serialize, theirs: &Value, case: &str) {
    let ours = serde_json::to_value(ours).unwrap();
    let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>(),
        "{case}"
    );
    for (name, value) in theirs {
        let (a, b) = (ours[name].as_f64().unwrap(), value.as_f64().unwrap());
        assert!(
            (a - b).abs() <= TOLERANCE,
            "{case}, {name}: ours {a}, mir_eval's {b}"
        );
    }
}

/// Compares every case of a task; `digits` is how its files are numbered.
fn equals_mir_eval<S: Serialize>(
    task: &str,
    digits: usize,
    evaluate: impl Fn(&[Vec<f64>], &[Vec<f64>]) -> S,
) {
    let Some(folder) = support::shared("conformance/mir_eval") else {
        return;
    };
    for number in 0..10 {
        let file = |kind: &str, ending: &str| {
            folder.join(format!("{task}/{kind}{number:0digits$}.{ending}"))
        };
        let json = std::fs::read_to_string(file("output", "json")).unwrap();
        let scores = evaluate(&rows(&file("ref", "txt")), &rows(&file("est", "txt")));
        assert_scores(
            scores,
            &serde_json::from_str(&json).unwrap(),
            &format!("{task} {number}"),
        );
    }
}

fn interval(row: &[f64]) -> PitchedInterval {
    PitchedInterval {
        onset_s: row[0],
        offset_s: row[1],
        frequency_hz: row[2],
    }
}

#[test]
fn transcription_equals_mir_eval() {
    equals_mir_eval("transcription", 2, |reference, estimate| {
        let notes = |rows: &[Vec<f64>]| rows.iter().map(|row| interval(row)).collect::<Vec<_>>();
        transcription::evaluate_intervals(
            &notes(reference),
            &notes(estimate),
            &Tolerances::default(),
        )
    });
}

#[test]
fn transcription_with_velocity_equals_mir_eval() {
    equals_mir_eval("transcription_velocity", 1, |reference, estimate| {
        let note = |row: &Vec<f64>| StruckInterval {
            interval: interval(row),
            velocity: row[3],
        };
        let notes = |rows: &[Vec<f64>]| rows.iter().map(note).collect::<Vec<_>>();
        transcription_velocity::evaluate_intervals(
            &notes(reference),
            &notes(estimate),
            &Tolerances::default(),
        )
    });
}

#[test]
fn multipitch_equals_mir_eval() {
    equals_mir_eval("multipitch", 2, |reference, estimate| {
        let frame = |row: &Vec<f64>| Frame {
            time_s: row[0],
            frequencies_hz: row[1..].to_vec(),
        };
        let frames = |rows: &[Vec<f64>]| rows.iter().map(frame).collect::<Vec<_>>();
        multipitch::evaluate(&frames(reference), &frames(estimate))
    });
}

#[test]
fn onsets_equal_mir_eval() {
    equals_mir_eval("onset", 2, |reference, estimate| {
        let times = |rows: &[Vec<f64>]| rows.iter().map(|row| row[0]).collect::<Vec<_>>();
        onset::evaluate(&times(reference), &times(estimate))
    });
}

#[test]
fn beats_equal_mir_eval() {
    equals_mir_eval("beat", 2, |reference, estimate| {
        let times = |rows: &[Vec<f64>]| rows.iter().map(|row| row[0]).collect::<Vec<_>>();
        beat::evaluate(&times(reference), &times(estimate))
    });
}

#[test]
fn tempi_equal_mir_eval() {
    let Some(folder) = support::shared("conformance/mir_eval/tempo") else {
        return;
    };
    for number in 0..4 {
        let read = |kind: &str| read_tempi(folder.join(format!("{kind}{number:02}.lab"))).unwrap();
        let scores = tempo::evaluate(&read("ref"), read("est").bpm);
        let json = std::fs::read_to_string(folder.join(format!("output{number:02}.json")));
        let theirs: tempo::Scores = serde_json::from_str(&json.unwrap()).unwrap();
        assert_eq!(scores, theirs, "{number}");
    }
    for number in 0..3 {
        read_tempi(folder.join(format!("bad{number:02}.lab"))).unwrap_err();
    }
}

fn note(onset_s: f64, offset_s: f64, pitch: u8, velocity: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    }
}

fn assert_all(scores: impl Serialize, expected: f64) {
    let scores = serde_json::to_value(scores).unwrap();
    for (name, value) in scores.as_object().unwrap() {
        if !name.contains("Error") {
            assert_eq!(value.as_f64(), Some(expected), "{name}");
        }
    }
}

#[test]
fn nothing_scores_zero() {
    let some = [note(0.0, 1.0, 60, 64)];
    for (reference, estimate) in [(&some[..], &[][..]), (&[], &some), (&[], &[])] {
        assert_all(transcription::evaluate(reference, estimate), 0.0);
        assert_all(transcription_velocity::evaluate(reference, estimate), 0.0);
        assert_all(frames::evaluate(reference, estimate, 100.0), 0.0);
    }
    assert_all(onset::evaluate(&[], &[1.0]), 0.0);
    assert_all(onset::evaluate(&[1.0], &[]), 0.0);
    assert_all(multipitch::evaluate(&[], &[]), 0.0);
}

#[test]
fn exactly_50_ms_is_within_50_ms() {
    let scores = transcription::evaluate(&[note(0.1, 1.0, 60, 64)], &[note(0.15, 1.0, 60, 64)]);
    assert_eq!(scores.f_measure, 1.0);
    let scores = transcription::evaluate(&[note(0.1, 1.0, 60, 64)], &[note(0.1502, 1.0, 60, 64)]);
    assert_eq!(scores.f_measure, 0.0);
}

#[test]
fn velocities_may_have_another_scale() {
    let reference = [10, 40, 70, 100].map(|v| note(f64::from(v), f64::from(v) + 1.0, 60, v));
    let halved = reference.map(|n| Note {
        velocity: 20 + n.velocity / 2,
        ..n
    });
    assert_all(transcription_velocity::evaluate(&reference, &halved), 1.0);
    let constant = reference.map(|n| Note { velocity: 64, ..n });
    // All are compared with the mean of the reference, from which none of them is within a tenth of the range.
    assert_eq!(
        transcription_velocity::evaluate(&reference, &constant).precision,
        0.0
    );
}

#[test]
fn frames_count_a_pitch_once() {
    let reference = [
        note(0.0, 1.0, 60, 64),
        note(0.5, 1.5, 60, 64),
        note(0.0, 0.5, 72, 64),
    ];
    let estimate = [note(0.0, 1.5, 60, 64), note(0.0, 0.5, 71, 64)];
    let scores = frames::evaluate(&reference, &estimate, 100.0);
    assert_eq!((scores.precision, scores.recall), (0.75, 0.75));
}

#[test]
fn nonsense_does_not_panic() {
    let odd = [
        note(f64::NAN, f64::NAN, 60, 0),
        note(f64::INFINITY, f64::NEG_INFINITY, 255, 255),
        note(1.0, 1.0, 60, 64),
        note(2.0, 1.0, 60, 64),
        note(-1e300, 1e300, 0, 1),
    ];
    transcription::evaluate(&odd, &odd);
    transcription_velocity::evaluate(&odd, &odd);
    frames::evaluate(&odd, &odd, 31.25);
    onset::evaluate(&[f64::NAN, 1.0], &[f64::INFINITY, 1.0]);
}

//! A score played by somebody: loudness, timing, touch and pedal for music that was written down without them.

use std::f64::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::performance::{Performance, one_keyboard};
use crate::midi::PedalEvent;
use crate::music::Note;

/// Notes this close in the score are one chord, in seconds.
const CHORD_S: f64 = 0.01;

/// Plays a score: a slow wave of loudness with a random mean, the top voice brought out, uneven and sometimes broken
/// chords, a rubato of at most a tenth of the tempo, detached to overlapping touch.
pub fn play(score: &Performance, rng: &mut ChaCha8Rng) -> Performance {
    let mean = rng.random_range(28.0..96.0);
    let swell = rng.random_range(3.0..18.0);
    let swell_period_s = rng.random_range(4.0..14.0);
    let top_louder = rng.random_range(0.0..16.0);
    let uneven_s = rng.random_range(0.0..0.018);
    let rubato_period_s = rng.random_range(3.0..12.0);
    let rubato_s = rubato_period_s / TAU * rng.random_range(0.0..0.1);
    let broken_share = if rng.random_bool(0.3) {
        rng.random_range(0.1..0.9)
    } else {
        0.05
    };
    let touch = rng.random_range(0.45..1.05);
    let phase = rng.random_range(0.0..TAU);
    let warp =
        |time: f64| time + rubato_s * ((TAU * time / rubato_period_s + phase).sin() - phase.sin());

    let mut notes = Vec::with_capacity(score.notes.len());
    for chord in score.notes.chunk_by(|a, b| b.onset_s - a.onset_s < CHORD_S) {
        let step_s = if chord.len() > 1 && rng.random_bool(broken_share) {
            rng.random_range(0.015..0.07)
        } else {
            0.0
        };
        let top = chord.iter().map(|note| note.pitch).max();
        for (index, note) in chord.iter().enumerate() {
            let wave = swell * (TAU * note.onset_s / swell_period_s + phase).sin();
            let louder = if Some(note.pitch) == top {
                top_louder
            } else {
                0.0
            };
            let velocity: f64 = mean + wave + louder + rng.random_range(-8.0..8.0);
            let onset_s =
                (warp(note.onset_s) + step_s * index as f64 + rng.random_range(0.0..=uneven_s))
                    .max(0.0);
            let length_s = note.duration_s() * touch * rng.random_range(0.9..1.1);
            notes.push(Note {
                onset_s,
                offset_s: onset_s + length_s.max(0.04),
                velocity: velocity.round().clamp(8.0, 126.0) as u8,
                ..*note
            });
        }
    }
    Performance {
        notes: one_keyboard(notes),
        pedal: score.pedal.clone(),
    }
}

/// A sustain pedal as pianists use it: lifted where a chord begins and pressed again just after, every one to four
/// seconds, with stretches left dry.
pub fn legato_pedal(notes: &[Note], rng: &mut ChaCha8Rng) -> Vec<PedalEvent> {
    let mut pedal = Vec::new();
    let mut next_change_s = 0.0;
    for note in notes {
        if note.onset_s < next_change_s {
            continue;
        }
        pedal.push(PedalEvent {
            time_s: note.onset_s,
            value: 0,
        });
        next_change_s = note.onset_s + rng.random_range(1.0..4.0);
        if rng.random_bool(0.8) {
            pedal.push(PedalEvent {
                time_s: note.onset_s + rng.random_range(0.05..0.25),
                value: rng.random_range(80..=127),
            });
        }
    }
    pedal
}

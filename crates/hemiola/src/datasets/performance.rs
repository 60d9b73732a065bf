//! Notes and pedal as one pianist plays them.

use crate::midi::{Instrument, PedalEvent, Score};
use crate::music::{Note, end_s};

/// Strokes of one key closer than this cannot be told apart and count as one, in seconds.
const SAME_STROKE_S: f64 = 0.03;

/// What is played on one piano.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Performance {
    /// Sorted by onset, then pitch; ends are those of the keys.
    pub notes: Vec<Note>,
    /// In order of time.
    pub pedal: Vec<PedalEvent>,
}

impl Performance {
    /// All pitched instruments of a score on one keyboard, under the pedal of the part that uses it most.
    pub fn from_score(score: &Score) -> Self {
        let pedal = score
            .instruments
            .iter()
            .filter(|instrument| !instrument.is_drum)
            .map(|instrument| &instrument.pedal)
            .max_by_key(|pedal| pedal.len());
        Self {
            notes: one_keyboard(score.notes()),
            pedal: pedal.cloned().unwrap_or_default(),
        }
    }

    /// The end of the last note in seconds; 0 without notes.
    pub fn end_s(&self) -> f64 {
        end_s(&self.notes)
    }

    /// For every note, in order, the time at which a damper ends it: its own end, or later where the pedal holds it.
    pub fn sounding_ends(&self) -> Vec<f64> {
        let score = Score {
            instruments: vec![Instrument {
                notes: self.notes.clone(),
                pedal: self.pedal.clone(),
                ..Instrument::default()
            }],
            ..Score::default()
        };
        score
            .notes_with_pedal()
            .iter()
            .map(|note| note.offset_s)
            .collect()
    }

    /// The notes that begin from `start_s` on and before `start_s + length_s`, cut at the end, with times from
    /// `start_s`, and the pedal as it stands there.
    pub fn excerpt(&self, start_s: f64, length_s: f64) -> Self {
        let notes = self
            .notes
            .iter()
            .filter(|note| note.onset_s >= start_s && note.onset_s < start_s + length_s)
            .map(|note| Note {
                onset_s: note.onset_s - start_s,
                offset_s: (note.offset_s - start_s).min(length_s),
                ..*note
            })
            .collect();
        let before = self
            .pedal
            .partition_point(|change| change.time_s <= start_s);
        let held = self.pedal[..before].last().map(|change| PedalEvent {
            time_s: 0.0,
            value: change.value,
        });
        let later = self.pedal[before..]
            .iter()
            .filter(|change| change.time_s < start_s + length_s)
            .map(|change| PedalEvent {
                time_s: change.time_s - start_s,
                value: change.value,
            });
        Self {
            notes,
            pedal: held.into_iter().chain(later).collect(),
        }
    }

    /// All times multiplied by `factor`.
    pub fn stretched(mut self, factor: f64) -> Self {
        for note in &mut self.notes {
            note.onset_s *= factor;
            note.offset_s *= factor;
        }
        for change in &mut self.pedal {
            change.time_s *= factor;
        }
        self
    }

    /// What is impossible about it, if anything.
    pub fn problem(&self) -> Option<String> {
        if self.notes.is_empty() {
            return Some("there is no note in it".into());
        }
        self.notes.iter().find_map(|note| {
            let fits = note.onset_s >= 0.0
                && note.offset_s > note.onset_s
                && note.offset_s.is_finite()
                && note.pitch < 128
                && (1..128).contains(&note.velocity);
            (!fits).then(|| format!("impossible note {note:?}"))
        })
    }
}

/// Notes as one keyboard can play them: a key struck again is released first, and two strokes at once are one.
pub fn one_keyboard(mut notes: Vec<Note>) -> Vec<Note> {
    notes.retain(|note| note.offset_s > note.onset_s);
    notes.sort_by(|a, b| {
        a.onset_s
            .total_cmp(&b.onset_s)
            .then(a.pitch.cmp(&b.pitch))
            .then(a.offset_s.total_cmp(&b.offset_s))
    });
    let mut kept: Vec<Note> = Vec::with_capacity(notes.len());
    let mut last: [Option<usize>; 256] = [None; 256];
    for note in notes {
        let previous = &mut last[usize::from(note.pitch)];
        if let Some(earlier) = previous.and_then(|index| kept.get_mut(index)) {
            if note.onset_s - earlier.onset_s < SAME_STROKE_S {
                earlier.offset_s = earlier.offset_s.max(note.offset_s);
                earlier.velocity = earlier.velocity.max(note.velocity);
                continue;
            }
            earlier.offset_s = earlier.offset_s.min(note.onset_s);
        }
        *previous = Some(kept.len());
        kept.push(note);
    }
    kept
}

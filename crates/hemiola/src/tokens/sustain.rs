//! How long notes sound under the sustain pedal, exactly as the published token sequences were made.

use crate::midi::{Instrument, PEDAL_DOWN, Score};
use crate::music::{Note, end_s};

/// The notes of all instruments, without percussion unless `drums`, in order of instruments.
///
/// With `sustain`, a note released while the pedal of its instrument is down sounds until the pedal rises or its pitch
/// begins again, and under a pedal that never rises until the score's last event; while the pedal is down, a pitch
/// that begins again ends the note before it even if its key is held, and leaves nothing of one that began at the same time.
/// At one time the pedal moves first and notes begin before others end. This is `apply_sustain_control_changes` of note-seq 0.0.5.
///
/// [`Score::notes_with_pedal`] differs where notes overlap at one pitch.
pub fn sounding_notes(score: &Score, sustain: bool, drums: bool) -> Vec<Note> {
    let heard = score.instruments.iter().filter(|i| drums || !i.is_drum);
    if !sustain {
        return heard.flat_map(|i| i.notes.iter().copied()).collect();
    }
    let last_note_s = end_s(heard.clone().flat_map(|i| &i.notes));
    let pedals = score.instruments.iter().flat_map(|i| &i.pedal);
    let last_event_s = pedals.fold(last_note_s, |last, pedal| last.max(pedal.time_s));
    heard
        .flat_map(|instrument| sustained(instrument, last_event_s))
        .collect()
}

/// In the order in which they happen at one time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    PedalDown,
    PedalUp,
    Begin(usize),
    Release(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Key {
    Down,
    /// Released, but sounding because of the pedal.
    Held,
    Done,
    /// Left without length by another note of its pitch.
    Void,
}

fn sustained(instrument: &Instrument, last_event_s: f64) -> Vec<Note> {
    let mut moves: Vec<(f64, Move)> = Vec::new();
    for (index, note) in instrument.notes.iter().enumerate() {
        moves.push((note.onset_s, Move::Begin(index)));
        moves.push((note.offset_s, Move::Release(index)));
    }
    moves.extend(instrument.pedal.iter().map(|pedal| {
        let what = if pedal.value >= PEDAL_DOWN {
            Move::PedalDown
        } else {
            Move::PedalUp
        };
        (pedal.time_s, what)
    }));
    moves.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));

    let mut notes = instrument.notes.clone();
    let mut keys = vec![Key::Done; notes.len()];
    // Begun since the pitch was last cleared by the pedal; some are done.
    let mut begun: Vec<Vec<usize>> = vec![Vec::new(); 256];
    let mut held: Vec<usize> = Vec::new();
    let mut pedal_down = false;
    for (time_s, what) in moves {
        match what {
            Move::PedalDown => pedal_down = true,
            Move::PedalUp => {
                pedal_down = false;
                for index in held.drain(..) {
                    if keys[index] == Key::Held {
                        notes[index].offset_s = time_s;
                        keys[index] = Key::Done;
                    }
                }
            }
            Move::Begin(index) => {
                let same_pitch = &mut begun[usize::from(notes[index].pitch)];
                if pedal_down {
                    for earlier in same_pitch.drain(..) {
                        if matches!(keys[earlier], Key::Down | Key::Held) {
                            let note = &mut notes[earlier];
                            note.offset_s = time_s;
                            keys[earlier] = if note.onset_s == time_s {
                                Key::Void
                            } else {
                                Key::Done
                            };
                        }
                    }
                }
                same_pitch.push(index);
                keys[index] = Key::Down;
            }
            Move::Release(index) if keys[index] == Key::Down => {
                if pedal_down {
                    keys[index] = Key::Held;
                    held.push(index);
                } else {
                    keys[index] = Key::Done;
                }
            }
            Move::Release(_) => {}
        }
    }
    notes
        .into_iter()
        .zip(keys)
        .filter(|&(_, key)| key != Key::Void)
        .map(|(note, key)| match key {
            Key::Held => Note {
                offset_s: last_event_s,
                ..note
            },
            _ => note,
        })
        .collect()
}

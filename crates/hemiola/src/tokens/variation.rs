//! The same music in another key or tempo.

use super::Overlaps;
use super::codec::{decode, encode};
use super::event::{Event, STEPS_PER_SECOND};
use super::quantize::LAST_STEP;
use crate::music::{Note, separated};
use crate::{Error, Result};

/// Notes higher by `semitones`; `None` if one of them would leave 0–127.
pub fn transposed_notes(notes: &[Note], semitones: i8) -> Option<Vec<Note>> {
    let transposed = |note: &Note| {
        Some(Note {
            pitch: transposed_pitch(note.pitch, semitones)?,
            ..*note
        })
    };
    notes.iter().map(transposed).collect()
}

/// Event ids of music higher by `semitones`; `None` if a pitch would leave 0–127. Special tokens stay.
pub fn transposed_events(ids: &[u16], semitones: i8) -> Option<Vec<u16>> {
    let transposed = |&id: &u16| match Event::from_id(id) {
        Some(Event::NoteOn(pitch)) => Some(Event::NoteOn(transposed_pitch(pitch, semitones)?).id()),
        Some(Event::NoteOff(pitch)) => {
            Some(Event::NoteOff(transposed_pitch(pitch, semitones)?).id())
        }
        _ => Some(id),
    };
    ids.iter().map(transposed).collect()
}

fn transposed_pitch(pitch: u8, semitones: i8) -> Option<u8> {
    pitch
        .checked_add_signed(semitones)
        .filter(|&pitch| pitch < 128)
}

/// Notes faster by `factor`: 1.1 is a tenth faster.
///
/// # Errors
/// `factor` is no positive number.
pub fn notes_at_tempo(notes: &[Note], factor: f64) -> Result<Vec<Note>> {
    check_tempo(factor)?;
    let faster = |note: &Note| Note {
        onset_s: note.onset_s / factor,
        offset_s: note.offset_s / factor,
        ..*note
    };
    Ok(notes.iter().map(faster).collect())
}

/// Event ids of music faster by `factor`, at the nearest steps; what becomes of notes that sound together at one pitch
/// is for `overlaps` to say.
///
/// The music is decoded and encoded again, so special tokens and the silence at the end go. Where the notes are at
/// hand, [`notes_at_tempo`] before [`quantize`](super::quantize) rounds once instead of twice.
///
/// # Errors
/// `factor` is no positive number, or so small that the music would last longer than a day.
pub fn events_at_tempo(ids: &[u16], factor: f64, overlaps: Overlaps) -> Result<Vec<u16>> {
    check_tempo(factor)?;
    let mut notes = decode(ids).notes;
    for note in &mut notes {
        let [start, end] =
            [note.start, note.end].map(|step| (f64::from(step) / factor).round() as u32);
        if end > LAST_STEP {
            return Err(Error::config(format!(
                "at {factor} times its tempo the music would last {} hours; expected a day at most",
                end / STEPS_PER_SECOND / 3600
            )));
        }
        note.start = start;
        note.end = end.max(start + 1);
    }
    if overlaps == Overlaps::Separate {
        notes = separated(notes);
    }
    Ok(encode(&notes))
}

fn check_tempo(factor: f64) -> Result<()> {
    if factor.is_finite() && factor > 0.0 {
        return Ok(());
    }
    Err(Error::config(format!(
        "a tempo of {factor} times the original; expected a number above 0"
    )))
}

//! Notes to event ids and back.

use std::collections::VecDeque;

use super::event::{EOS, Event, LONGEST_SHIFT, STEPS_PER_SECOND, velocity_bin, velocity_of_bin};
use crate::music::{Note, QuantizedNote};

/// The bin of notes before the first velocity event: that of 100, as in note-seq.
const FIRST_VELOCITY_BIN: u8 = 25;

/// The event ids of notes.
///
/// Events stand in order of their steps; at one step in the order of the notes they belong to, so that ends come
/// before starts. A velocity event stands before a note-on whose bin differs from the last. Notes that do not come
/// in order of their starts are sorted, those that start together stay in their order.
///
/// A note that does not end after its start is taken to last a step, a pitch above 127 for 127.
pub fn encode(notes: &[QuantizedNote]) -> Vec<u16> {
    let mut sorted: Vec<&QuantizedNote> = notes.iter().collect();
    sorted.sort_by_key(|note| note.start);
    let mut moves = Vec::with_capacity(2 * sorted.len());
    for (index, note) in sorted.iter().enumerate() {
        moves.push((note.start, index, false));
        moves.push((note.end.max(note.start.saturating_add(1)), index, true));
    }
    moves.sort_unstable();

    let mut ids = Vec::with_capacity(2 * moves.len());
    let mut now = 0;
    let mut current_bin = None;
    for (step, index, ends) in moves {
        let note = sorted[index];
        push_shifts(&mut ids, step - now);
        now = step;
        if ends {
            ids.push(Event::NoteOff(note.pitch).id());
            continue;
        }
        let bin = velocity_bin(note.velocity);
        if current_bin != Some(bin) {
            ids.push(Event::Velocity(bin).id());
            current_bin = Some(bin);
        }
        ids.push(Event::NoteOn(note.pitch).id());
    }
    ids
}

/// The velocity event that holds behind a sequence, if there is one: what is decoded apart from the events before it
/// begins with it.
pub fn last_velocity(ids: &[u16]) -> Option<u16> {
    let is_velocity = |id: &&u16| matches!(Event::from_id(**id), Some(Event::Velocity(_)));
    ids.iter().rev().find(is_velocity).copied()
}

/// As many longest shifts as fit, then the rest.
fn push_shifts(ids: &mut Vec<u16>, mut steps: u32) {
    while steps > 0 {
        let shift = steps.min(u32::from(LONGEST_SHIFT)) as u8;
        ids.push(Event::TimeShift(shift).id());
        steps -= u32::from(shift);
    }
}

/// What event ids say, in steps of 10 ms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    /// In order of their note-ons; velocities in the middle of their bins.
    pub notes: Vec<QuantizedNote>,
    /// For each note the index of its note-on among the ids.
    pub positions: Vec<usize>,
    /// How many steps the events last, the silence after the last note included.
    pub steps: u32,
    pub repairs: Repairs,
}

/// What in a sequence was not as it should be; all 0 for ids that [`encode`] made of [separated](crate::music::separated) notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Note-offs of pitches that did not sound; passed over.
    pub lone_offs: usize,
    /// Note-ons of pitches that sounded already; both notes go on, and the next note-off ends the earlier.
    pub repeated_ons: usize,
    /// Notes that no note-off ended; they last until the end of the sequence.
    pub unended: usize,
    /// Notes that end at the step they begin; left out.
    pub without_length: usize,
}

impl Decoded {
    /// The notes in seconds.
    pub fn to_notes(&self) -> Vec<Note> {
        let in_seconds = |note: &QuantizedNote| note.to_note(f64::from(STEPS_PER_SECOND));
        self.notes.iter().map(in_seconds).collect()
    }
}

/// The notes of a sequence of ids, whatever it is: see [`Repairs`] for what is mended and how.
///
/// [`EOS`](super::EOS) ends the sequence; other special tokens and ids beyond the vocabulary are passed over.
/// Notes before the first velocity event are as loud as MIDI velocity 100.
pub fn decode(ids: &[u16]) -> Decoded {
    let mut decoded = Decoded::default();
    // By pitch: indices of the notes that sound, the earliest first.
    let mut sounding: Vec<VecDeque<usize>> = vec![VecDeque::new(); 128];
    let mut velocity = velocity_of_bin(FIRST_VELOCITY_BIN);
    for (position, &id) in ids.iter().enumerate().take_while(|&(_, &id)| id != EOS) {
        match Event::from_id(id) {
            None => {}
            Some(Event::TimeShift(steps)) => {
                decoded.steps = decoded.steps.saturating_add(steps.into());
            }
            Some(Event::Velocity(bin)) => velocity = velocity_of_bin(bin),
            Some(Event::NoteOn(pitch)) => {
                let of_pitch = &mut sounding[usize::from(pitch)];
                decoded.repairs.repeated_ons += usize::from(!of_pitch.is_empty());
                of_pitch.push_back(decoded.notes.len());
                decoded.positions.push(position);
                decoded.notes.push(QuantizedNote {
                    start: decoded.steps,
                    end: u32::MAX,
                    pitch,
                    velocity,
                });
            }
            Some(Event::NoteOff(pitch)) => match sounding[usize::from(pitch)].pop_front() {
                Some(index) => decoded.notes[index].end = decoded.steps,
                None => decoded.repairs.lone_offs += 1,
            },
        }
    }
    for index in sounding.into_iter().flatten() {
        decoded.notes[index].end = decoded.steps;
        decoded.repairs.unended += 1;
    }
    let has_length: Vec<bool> = decoded.notes.iter().map(|n| n.end > n.start).collect();
    decoded.repairs.without_length = has_length.iter().filter(|has| !**has).count();
    let mut keep = has_length.iter();
    decoded.notes.retain(|_| keep.next() == Some(&true));
    let mut keep = has_length.iter();
    decoded.positions.retain(|_| keep.next() == Some(&true));
    decoded
}

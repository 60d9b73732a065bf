use super::Note;

/// A note on a grid of steps, such as the 10 ms of event tokens or the frames of a piano roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuantizedNote {
    /// First step.
    pub start: u32,
    /// The step it ends at; after `start`.
    pub end: u32,
    /// MIDI pitch, 0–127.
    pub pitch: u8,
    /// MIDI velocity, 1–127.
    pub velocity: u8,
}

impl QuantizedNote {
    /// The note in seconds, on a grid of equal steps.
    pub fn to_note(self, steps_per_second: f64) -> Note {
        Note {
            onset_s: f64::from(self.start) / steps_per_second,
            offset_s: f64::from(self.end) / steps_per_second,
            pitch: self.pitch,
            velocity: self.velocity,
        }
    }
}

/// Notes of which no two sound together at one pitch: a note ends where its pitch begins again, and of those that begin
/// at one step remains one, as long and as loud as the longest and the loudest.
///
/// Notes come in order of their starts; the order of those that start together is kept.
pub fn separated(mut notes: Vec<QuantizedNote>) -> Vec<QuantizedNote> {
    notes.sort_by_key(|note| note.start);
    let mut kept: Vec<QuantizedNote> = Vec::with_capacity(notes.len());
    let mut last_of_pitch = [None; 256];
    for note in notes {
        let last: &mut Option<usize> = &mut last_of_pitch[usize::from(note.pitch)];
        if let Some(earlier) = last.and_then(|index| kept.get_mut(index)) {
            if earlier.start == note.start {
                earlier.end = earlier.end.max(note.end);
                earlier.velocity = earlier.velocity.max(note.velocity);
                continue;
            }
            earlier.end = earlier.end.min(note.start);
        }
        *last = Some(kept.len());
        kept.push(note);
    }
    kept
}

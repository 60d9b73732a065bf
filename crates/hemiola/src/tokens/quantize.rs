//! From seconds to steps of 10 ms.

use super::event::STEPS_PER_SECOND;
use crate::midi::note_fault;
use crate::music::{Note, QuantizedNote};
use crate::{Error, Result};

/// The last step that a note may end at: a day, as in MIDI files.
pub(super) const LAST_STEP: u32 = 24 * 3600 * STEPS_PER_SECOND;

/// Notes at the nearest steps, halves up, and at least a step long, sorted by onset in seconds, then pitch.
///
/// # Errors
/// A note has an impossible time, pitch or velocity, or ends after a day.
pub fn quantize(notes: &[Note]) -> Result<Vec<QuantizedNote>> {
    let mut order: Vec<&Note> = notes.iter().collect();
    order.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(a.pitch.cmp(&b.pitch)));
    let quantized = |note: &Note| {
        if let Some(fault) = note_fault(note) {
            return Err(Error::config(format!(
                "the note {note:?} has no place among events: {fault}"
            )));
        }
        let [start, end] = [note.onset_s, note.offset_s].map(nearest_step);
        let end = end.max(start.saturating_add(1));
        if end > LAST_STEP {
            return Err(Error::config(format!(
                "the note {note:?} has no place among events: expected an end within a day"
            )));
        }
        Ok(QuantizedNote {
            start,
            end,
            pitch: note.pitch,
            velocity: note.velocity,
        })
    };
    order.into_iter().map(quantized).collect()
}

fn nearest_step(time_s: f64) -> u32 {
    (time_s * f64::from(STEPS_PER_SECOND) + 0.5) as u32
}

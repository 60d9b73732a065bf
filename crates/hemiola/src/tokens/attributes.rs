//! What the next note is, as targets of the multi-task heads.

use super::codec::decode;
use super::event::STEPS_PER_SECOND;

/// Logarithmic bins of durations from 10 ms to 10 s.
pub const DURATION_BINS: usize = 32;
/// Bins of sixteen velocities.
pub const DYNAMICS_BINS: usize = 8;

const SHORTEST_S: f64 = 0.01;
const LONGEST_S: f64 = 10.0;

/// Attributes of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NextNote {
    /// MIDI pitch, 0–127.
    pub pitch: u8,
    /// 0–31: see [`duration_bin`].
    pub duration_bin: u8,
    /// 0–7: see [`dynamics_bin`].
    pub dynamics_bin: u8,
}

/// The bin of a duration: ⌊32 · log₁₀₀₀(d / 10 ms)⌋, held within 0–31.
pub fn duration_bin(duration_s: f64) -> u8 {
    let octave = (duration_s / SHORTEST_S).log10() / (LONGEST_S / SHORTEST_S).log10();
    (octave * DURATION_BINS as f64).clamp(0.0, (DURATION_BINS - 1) as f64) as u8
}

/// The geometric mean of a bin's limits, in seconds.
pub fn duration_of_bin_s(bin: u8) -> f64 {
    let middle = (f64::from(bin) + 0.5) / DURATION_BINS as f64;
    SHORTEST_S * (LONGEST_S / SHORTEST_S).powf(middle)
}

/// The bin of a velocity: sixteen velocities each, 0–7.
pub fn dynamics_bin(velocity: u8) -> u8 {
    velocity.min(127) / 16
}

/// For each id the note whose note-on stands there or is the next after it; `None` behind the last note.
///
/// A model that has read ids 0 to i and predicts id i + 1 is to predict the attributes at i + 1 as well.
/// Notes are those that [`decode`](super::decode) finds, so in an excerpt that cuts notes off their lengths are wrong: cut the targets
/// of the whole piece as the ids are cut. The velocity is known as far as its event bin tells.
pub fn next_notes(ids: &[u16]) -> Vec<Option<NextNote>> {
    let decoded = decode(ids);
    let mut targets = Vec::with_capacity(ids.len());
    for (note, &position) in decoded.notes.iter().zip(&decoded.positions) {
        let seconds = f64::from(note.end - note.start) / f64::from(STEPS_PER_SECOND);
        let attributes = NextNote {
            pitch: note.pitch,
            duration_bin: duration_bin(seconds),
            dynamics_bin: dynamics_bin(note.velocity),
        };
        targets.resize(position + 1, Some(attributes));
    }
    targets.resize(ids.len(), None);
    targets
}

//! From probabilities to notes, and back to what sounds.

use super::PhraseThresholds;
use crate::music::{BINARY_VELOCITY, QuantizedNote, RollOptions};

/// What reads the notes of a roll that was made of notes.
pub(super) const CERTAIN: PhraseThresholds = PhraseThresholds {
    sounding: 0.5 / 127.0,
    onset: 0.5,
    sounding_begins: true,
};

impl PhraseThresholds {
    /// The notes of rows `[frames, features]` of probabilities, their times in frames, sorted by start, then pitch.
    ///
    /// An onset begins a note of a frame at least, which then lasts as long as its key sounds and no other begins on it.
    /// What sounds in the first frame begins there. A note has `velocity`, or the value of its first frame where the
    /// roll has velocities.
    pub fn notes(&self, rows: &[f32], roll: &RollOptions, velocity: u8) -> Vec<QuantizedNote> {
        let (keys, features) = (roll.keys.count(), roll.features());
        let frames = rows.len() / features;
        let mut notes = Vec::new();
        for key in 0..keys {
            let mut open: Option<QuantizedNote> = None;
            for frame in 0..frames {
                let at = frame * features + key;
                let sounds = rows[at] >= self.sounding;
                let onset = roll.onsets && rows[at + keys] >= self.onset;
                let may_begin = open.is_none() && sounds;
                let begins =
                    onset || may_begin && (self.sounding_begins || !roll.onsets || frame == 0);
                if begins || !sounds {
                    notes.extend(open.take());
                }
                if begins {
                    open = Some(QuantizedNote {
                        start: frame as u32,
                        end: frame as u32,
                        pitch: roll.keys.lowest() + key as u8,
                        velocity: match roll.velocity {
                            true => (rows[at] * 127.0).round().clamp(1.0, 127.0) as u8,
                            false => velocity,
                        },
                    });
                }
                if let Some(note) = &mut open {
                    note.end = frame as u32 + 1;
                }
            }
            notes.extend(open);
        }
        notes.sort_by_key(|note| (note.start, note.pitch));
        notes
    }

    /// [`Self::notes`] that are compared but not heard.
    pub(super) fn plain_notes(&self, rows: &[f32], roll: &RollOptions) -> Vec<QuantizedNote> {
        self.notes(rows, roll, BINARY_VELOCITY)
    }
}

/// How many things were found, how many there are, and how many of them were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hits {
    pub found: usize,
    pub there: usize,
    pub both: usize,
}

impl Hits {
    /// The harmonic mean of precision and recall; 0 where nothing was found.
    pub fn f1(self) -> f64 {
        2.0 * self.both as f64 / (self.found + self.there).max(1) as f64
    }

    /// Cells of a roll and of another that are set.
    pub fn of_cells(found: &[bool], there: &[bool]) -> Self {
        let count = |cells: &[bool]| cells.iter().filter(|cell| **cell).count();
        let both = found.iter().zip(there);
        Self {
            found: count(found),
            there: count(there),
            both: both.filter(|(a, b)| **a && **b).count(),
        }
    }

    /// Notes of the same frame and pitch.
    pub fn of_notes(found: &[QuantizedNote], there: &[QuantizedNote]) -> Self {
        let begins = |note: &QuantizedNote| (note.start, note.pitch);
        let known: std::collections::HashSet<(u32, u8)> = there.iter().map(begins).collect();
        Self {
            found: found.len(),
            there: there.len(),
            both: found.iter().filter(|n| known.contains(&begins(n))).count(),
        }
    }
}

impl std::ops::AddAssign for Hits {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.there += other.there;
        self.both += other.both;
    }
}

/// What sounds in each frame, `[frames, 128]`.
pub(super) fn sounding_cells(notes: &[QuantizedNote], frames: usize) -> Vec<bool> {
    let mut cells = vec![false; frames * 128];
    for note in notes {
        for frame in note.start..note.end {
            cells[frame as usize * 128 + usize::from(note.pitch)] = true;
        }
    }
    cells
}

/// 1 − F1 of what sounds in two phrases: 0 for the same cells and 1 for none in common (Dice 1945).
pub(super) fn distance(a: &[bool], b: &[bool]) -> f64 {
    let hits = Hits::of_cells(a, b);
    match hits.found + hits.there {
        0 => 0.0,
        _ => 1.0 - hits.f1(),
    }
}

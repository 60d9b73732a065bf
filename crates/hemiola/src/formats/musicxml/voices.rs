//! Notes as the chords of voices.

use super::DIVISIONS;
use super::bars::Grid;
use crate::music::Note;

/// Middle C, the lowest note of the upper staff.
const SPLIT_PITCH: u8 = 60;

/// Notes that begin and end together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chord {
    /// In divisions from the beginning of the score.
    pub(super) start: u32,
    pub(super) end: u32,
    /// Rising.
    pub(super) pitches: Vec<u8>,
    /// The loudest.
    pub(super) velocity: u8,
}

/// Chords that do not overlap, in the order of time.
pub(super) type Voice = Vec<Chord>;

/// The voices of the upper and of the lower staff: notes on the grid, of those of one pitch that fall on one position the
/// longest; a note ends where its pitch begins again. A chord is in the first voice that has room for it.
pub(super) fn staves(notes: &[Note], grid: &Grid) -> [Vec<Voice>; 2] {
    let mut placed: Vec<(u8, u32, u32, u8)> = (notes.iter())
        .map(|note| {
            let start = grid.position(note.onset_s);
            let end = grid
                .position(note.offset_s)
                .max(start + grid.shortest(start));
            (note.pitch, start, end, note.velocity)
        })
        .collect();
    placed.sort_unstable();
    placed.dedup_by(|later, earlier| {
        let same = (later.0, later.1) == (earlier.0, earlier.1);
        if same {
            earlier.2 = earlier.2.max(later.2);
            earlier.3 = earlier.3.max(later.3);
        }
        same
    });
    let starts: Vec<(u8, u32)> = placed.iter().map(|note| (note.0, note.1)).collect();
    for (note, next) in placed.iter_mut().zip(starts.iter().skip(1)) {
        if next.0 == note.0 {
            note.2 = note.2.min(next.1);
        }
    }
    let (upper, lower) = placed.into_iter().partition(|note| note.0 >= SPLIT_PITCH);
    [voices(upper), voices(lower)]
}

fn voices(mut notes: Vec<(u8, u32, u32, u8)>) -> Vec<Voice> {
    notes.sort_unstable_by_key(|&(pitch, start, end, _)| (start, std::cmp::Reverse(end), pitch));
    let mut chords: Vec<Chord> = Vec::new();
    for (pitch, start, end, velocity) in notes {
        match chords.last_mut() {
            Some(chord) if (chord.start, chord.end) == (start, end) => {
                chord.pitches.push(pitch);
                chord.velocity = chord.velocity.max(velocity);
            }
            _ => chords.push(Chord {
                start,
                end,
                pitches: vec![pitch],
                velocity,
            }),
        }
    }
    let mut voices: Vec<Voice> = vec![Vec::new()];
    for chord in chords {
        let is_free = |voice: &&mut Voice| voice.last().is_none_or(|last| last.end <= chord.start);
        match voices.iter_mut().find(is_free) {
            Some(voice) => voice.push(chord),
            None => voices.push(vec![chord]),
        }
    }
    voices
}

/// Lengths within a beat that have a name, in divisions.
const NAMED: [u32; 8] = [18, 16, 12, 9, 8, 6, 4, 3];

/// What a stretch is written with: values that have a name, tied to one another, which begin and end on beats where they
/// can; beginnings and lengths in divisions.
pub(super) fn values(start: u32, end: u32) -> Vec<(u32, u32)> {
    let mut values = Vec::new();
    let mut at = start;
    while at < end {
        let left = end - at;
        let in_beat = at % DIVISIONS;
        let length = match (in_beat, left) {
            // Off the beat by an eighth, as syncopes are.
            (12, DIVISIONS) => DIVISIONS,
            (0, 36) => 36,
            (0, DIVISIONS..) => DIVISIONS * (left / DIVISIONS).min(4),
            _ => {
                let within = left.min(DIVISIONS - in_beat);
                let fits = |named: &u32| {
                    let rest = within.checked_sub(*named);
                    rest.is_some_and(|rest| rest == 0 || NAMED.contains(&rest))
                };
                NAMED.into_iter().find(fits).unwrap_or(within)
            }
        };
        values.push((at, length));
        at += length;
    }
    values
}

/// The name of a value, how many dots it has, and whether it is of a triplet.
pub(super) fn value_name(length: u32) -> (&'static str, usize, bool) {
    match length {
        3 => ("32nd", 0, false),
        4 => ("16th", 0, true),
        6 => ("16th", 0, false),
        8 => ("eighth", 0, true),
        9 => ("16th", 1, false),
        12 => ("eighth", 0, false),
        16 => ("quarter", 0, true),
        18 => ("eighth", 1, false),
        36 => ("quarter", 1, false),
        48 => ("half", 0, false),
        72 => ("half", 1, false),
        96 => ("whole", 0, false),
        _ => ("quarter", 0, false),
    }
}

#[cfg(test)]
mod tests {
    use super::{value_name, values};

    #[test]
    fn stretches_are_values_that_have_names() {
        assert_eq!(values(0, 24), [(0, 24)]);
        assert_eq!(values(12, 36), [(12, 24)]);
        assert_eq!(values(18, 60), [(18, 6), (24, 36)]);
        assert_eq!(values(8, 48), [(8, 16), (24, 24)]);
        assert_eq!(values(0, 120), [(0, 96), (96, 24)]);
        assert_eq!(values(3, 24), [(3, 18), (21, 3)]);
        let named = [3, 4, 6, 8, 9, 12, 16, 18, 24, 36, 48, 72, 96];
        for parts in [3, 4, 6, 8] {
            for (from, to) in (0..parts).flat_map(|a| (0..parts).map(move |b| (a, b))) {
                let (start, end) = (from * 24 / parts, 96 + to * 24 / parts);
                let values = values(start, end);
                let lengths = || values.iter().map(|(_, length)| *length);
                assert!(
                    lengths().all(|length| named.contains(&length)),
                    "{values:?}"
                );
                assert_eq!(lengths().sum::<u32>(), end - start);
            }
        }
        assert_eq!(value_name(8), ("eighth", 0, true));
    }
}

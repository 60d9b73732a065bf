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

/// What a stretch is written with: values that have a name, tied to one another, which begin and end on beats where they
/// can; lengths in divisions.
pub(super) fn values(start: u32, end: u32) -> Vec<(u32, u32)> {
    let mut values = Vec::new();
    let mut at = start;
    while at < end {
        let left = end - at;
        let in_beat = at % DIVISIONS;
        let length = match (in_beat, left) {
            // Off the beat by an eighth, as syncopes are.
            (6, 12) => 12,
            (0, 18) => 18,
            (0, left) if left >= DIVISIONS => match left / DIVISIONS {
                beats @ 1..=3 => beats * DIVISIONS,
                _ => 4 * DIVISIONS,
            },
            (0, left) => left,
            (_, left) => left.min(DIVISIONS - in_beat),
        };
        values.push((at, length));
        at += length;
    }
    values
}

/// The name of a value, how many dots it has, and whether it is of a triplet.
pub(super) fn value_name(length: u32) -> (&'static str, usize, bool) {
    match length {
        3 => ("16th", 0, false),
        4 => ("eighth", 0, true),
        6 => ("eighth", 0, false),
        8 => ("quarter", 0, true),
        9 => ("eighth", 1, false),
        18 => ("quarter", 1, false),
        24 => ("half", 0, false),
        36 => ("half", 1, false),
        48 => ("whole", 0, false),
        _ => ("quarter", 0, false),
    }
}

#[cfg(test)]
mod tests {
    use super::{value_name, values};

    #[test]
    fn stretches_are_values_that_have_names() {
        assert_eq!(values(0, 12), [(0, 12)]);
        assert_eq!(values(6, 18), [(6, 12)]);
        assert_eq!(values(9, 30), [(9, 3), (12, 18)]);
        assert_eq!(values(4, 24), [(4, 8), (12, 12)]);
        assert_eq!(values(0, 60), [(0, 48), (48, 12)]);
        let named = [3, 4, 6, 8, 9, 12, 18, 24, 36, 48];
        let points = [0, 3, 4, 6, 8, 9];
        for (start, end) in points
            .iter()
            .flat_map(|a| points.iter().map(move |b| (*a, 48 + b)))
        {
            let values = values(start, end);
            assert!(
                values.iter().all(|(_, length)| named.contains(length)),
                "{values:?}"
            );
            assert_eq!(
                values.iter().map(|(_, length)| length).sum::<u32>(),
                end - start
            );
        }
        assert_eq!(value_name(8), ("quarter", 0, true));
    }
}

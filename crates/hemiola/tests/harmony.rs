//! Roman-numeral analyses and songs with tonics: what is read is what the files say.

mod support;

use hemiola::datasets::Split;
use hemiola::datasets::billboard::Billboard;
use hemiola::datasets::when_in_rome::{Selection, WhenInRome};
use hemiola::music::roman::RomanNumeral;
use support::shared;

#[test]
fn when_in_rome_is_understood_but_for_slips_of_the_pen() {
    let Some(folder) = shared("data/harmony/when_in_rome") else {
        return;
    };
    let set = WhenInRome::open(&folder).unwrap();
    let index = std::fs::read_to_string(folder.join("index.csv")).unwrap();
    let mut index = csv::Reader::from_reader(index.as_bytes());
    let counted = index.records().map(|row| row.unwrap()[1].parse().unwrap());
    let counted: Vec<usize> = counted.collect();
    assert_eq!(counted.len(), set.items().len());
    let (mut lines, mut words, mut numerals) = (0, 0, 0);
    for (item, counted) in set.items().iter().zip(counted) {
        let analysis = set.read(item).unwrap();
        let understood = analysis.measure_lines;
        let unknown = analysis.unknown_lines();
        assert!(
            understood <= counted && counted <= understood + unknown,
            "{}: {understood} of {counted} measure lines, {unknown} unknown lines",
            item.file
        );
        lines += unknown;
        words += analysis.problems.len() - unknown;
        for chord in &analysis.chords {
            let again: RomanNumeral = chord.numeral.to_string().parse().unwrap();
            assert_eq!(again, chord.numeral);
            let sound = chord.numeral.sound(chord.key);
            assert!(
                sound.pitch_classes.contains(sound.bass),
                "{}",
                chord.numeral
            );
        }
        numerals += analysis.chords.len();
    }
    assert!(lines <= 13, "{lines} unknown lines");
    assert!(words <= 11, "{words} unknown words among {numerals}");
}

/// Raised leading notes, triads and applied chords make dominants lead a fifth down more often than anywhere else.
#[test]
fn roots_fall_by_fifths_more_than_by_any_other_interval() {
    let Some(folder) = shared("data/harmony/when_in_rome") else {
        return;
    };
    let set = WhenInRome::open(&folder).unwrap();
    let dev = set.progressions(&Selection {
        split: Some(Split::Dev),
        ..Selection::default()
    });
    let mut intervals = [0; 12];
    for piece in &dev.progressions {
        for pair in piece.chords.windows(2) {
            intervals[usize::from((pair[1].root + 12 - pair[0].root) % 12)] += 1;
        }
    }
    let most = (1..12).max_by_key(|&interval| intervals[interval]);
    assert_eq!(most, Some(5), "{intervals:?}");
}

#[test]
fn billboard_songs_stay_on_their_sides() {
    let Some(folder) = shared("data/harmony/billboard") else {
        return;
    };
    let set = Billboard::open(&folder).unwrap();
    let (train, dev) = (
        set.progressions(Some(Split::Train)),
        set.progressions(Some(Split::Dev)),
    );
    assert_eq!(
        (train.progressions.len(), dev.progressions.len()),
        (606, 128)
    );
    assert!(train.left_out.is_empty() && dev.left_out.is_empty());
    assert!(train.skipped.is_empty() && dev.skipped.is_empty());
}

use hemiola::music::NoteName;
use hemiola::music::chord::{Chord, ChordLabel, Degree, Shorthand};
use proptest::prelude::*;

use crate::support;

fn label(text: &str) -> ChordLabel {
    text.parse().unwrap_or_else(|fault| panic!("{fault}"))
}

fn tones(text: &str) -> Vec<u8> {
    label(text).tones().iter().collect()
}

#[test]
fn chords_sound_as_theory_has_them() {
    for (text, expected) in [
        ("N", &[][..]),
        ("X", &[]),
        ("C", &[0, 4, 7]),
        ("C:maj", &[0, 4, 7]),
        ("A:min", &[0, 4, 9]),
        ("B:dim", &[2, 5, 11]),
        ("C:aug", &[0, 4, 8]),
        ("F:maj7", &[0, 4, 5, 9]),
        ("D:min7", &[0, 2, 5, 9]),
        ("G:7", &[2, 5, 7, 11]),
        ("B:dim7", &[2, 5, 8, 11]),
        ("B:hdim7", &[2, 5, 9, 11]),
        ("C:minmaj7", &[0, 3, 7, 11]),
        ("C:maj6", &[0, 4, 7, 9]),
        ("C:min6", &[0, 3, 7, 9]),
        ("C:9", &[0, 2, 4, 7, 10]),
        ("C:maj9", &[0, 2, 4, 7, 11]),
        ("C:min9", &[0, 2, 3, 7, 10]),
        ("C:11", &[0, 2, 4, 5, 7, 10]),
        ("C:maj11", &[0, 2, 4, 5, 7, 11]),
        ("C:min11", &[0, 2, 3, 5, 7, 10]),
        ("C:13", &[0, 2, 4, 5, 7, 9, 10]),
        ("C:maj13", &[0, 2, 4, 5, 7, 9, 11]),
        ("C:min13", &[0, 2, 3, 5, 7, 9, 10]),
        ("C:sus2", &[0, 2, 7]),
        ("C:sus4", &[0, 5, 7]),
        ("C:1", &[0]),
        ("C:5", &[0, 7]),
        ("C:aug7", &[0, 4, 8, 10]),
        // Harte's own examples: a diminished triad, an omission, inversions, and a bass from outside.
        ("C:(b3,b5)", &[0, 3, 6]),
        ("D:(b3,5)", &[2, 5, 9]),
        ("C:maj(9,*5)", &[0, 2, 4]),
        ("A:min7(*b3)/5", &[4, 7, 9]),
        ("A/3", &[1, 4, 9]),
        ("F#:min/b7", &[1, 4, 6, 9]),
        ("C:maj/2", &[0, 2, 4, 7]),
        // Names of the same pitch classes.
        ("Cb", &[3, 6, 11]),
        ("B", &[3, 6, 11]),
        ("A##", &[3, 6, 11]),
        ("Dbbb", &[3, 6, 11]),
    ] {
        assert_eq!(tones(text), expected, "{text}");
    }
}

#[test]
fn parts_are_told_apart() {
    let parsed = label("Eb:min7(*5,11,b13)/b3");
    let chord = parsed.chord().unwrap();
    assert_eq!(chord.root, "Eb".parse().unwrap());
    assert_eq!(chord.shorthand, Some(Shorthand::Min7));
    assert_eq!(
        chord.added,
        [Degree::new(11, 0), Degree::new(13, -1)].map(Option::unwrap)
    );
    assert_eq!(chord.omitted, [Degree::new(5, 0).unwrap()]);
    assert_eq!(chord.bass, Degree::new(3, -1).unwrap());
    assert_eq!(chord.bass_name().to_string(), "Gb");
    for (text, bass) in [
        ("D:7/3", "F#"),
        ("Ab/3", "C"),
        ("C/b7", "Bb"),
        ("B/5", "F#"),
        ("Gb/4", "Cb"),
        ("C/9", "D"),
    ] {
        assert_eq!(
            label(text).chord().unwrap().bass_name().to_string(),
            bass,
            "{text}"
        );
    }
}

#[test]
fn labels_have_one_form() {
    for (text, form) in [
        ("C", "C:maj"),
        ("C/5", "C:maj/5"),
        ("C/1", "C:maj"),
        ("C:maj(9,9)", "C:maj(9)"),
        ("G:min7(2,*b3,4)", "G:min7(2,4,*b3)"),
        ("D:(b3,5)", "D:(b3,5)"),
        ("Bbb:hdim7/bb7", "Bbb:hdim7/bb7"),
        ("N", "N"),
        ("X", "X"),
    ] {
        assert_eq!(label(text).to_string(), form, "{text}");
    }
}

#[test]
fn what_is_no_label_is_told_with_its_column() {
    for (text, column, words) in [
        ("", 1, &["root", "found the end"][..]),
        ("H:maj", 1, &["root from A to G", "\"H\""]),
        ("c:maj", 1, &["root", "\"c\""]),
        ("N:maj", 2, &["nothing after N or X", "\":\""]),
        ("NC", 2, &["nothing after", "\"C\""]),
        ("C#b", 3, &["sharps or flats, not both", "\"b\""]),
        ("Cm", 2, &["\":\"", "\"m\""]),
        ("C♯", 2, &["a sharp", "\"♯\""]),
        ("C:", 3, &["shorthand", "the end"]),
        ("C:major", 3, &["shorthand such as maj", "\"major\""]),
        ("C:MAJ", 3, &["shorthand", "\"MAJ\""]),
        ("C:maj(", 7, &["degree", "the end"]),
        ("C:maj()", 7, &["degree from 1 to 13", "\")\""]),
        ("C:maj(14)", 7, &["degree from 1 to 13", "\"14\""]),
        ("C:maj(09)", 7, &["degree from 1 to 13", "\"09\""]),
        ("C:maj(b)", 8, &["degree", "\")\""]),
        ("C:maj(9", 8, &["\",\" or \")\"", "the end"]),
        ("C:maj(9;11)", 8, &["\",\" or \")\"", "\";\""]),
        ("C:maj(9)x", 9, &["\"/\" or the end", "\"x\""]),
        ("C(9)", 2, &["\":\"", "\"(\""]),
        ("C/", 3, &["bass", "the end"]),
        ("C:maj/E", 7, &["bass", "\"E\""]),
        ("C:maj/b", 8, &["bass", "the end"]),
        ("C:maj/5 ", 8, &["the end of the label", "\" \""]),
        (" C", 1, &["root", "\" \""]),
    ] {
        let message = text.parse::<ChordLabel>().unwrap_err().to_string();
        assert!(
            message.contains(&format!("column {column}:")),
            "{text:?}: {message}"
        );
        for word in words {
            assert!(
                message.contains(word),
                "{text:?}: {word} is not in: {message}"
            );
        }
    }
    let flats = format!("C{}", "b".repeat(100_000));
    assert!(flats.parse::<ChordLabel>().is_err());
}

#[test]
fn transposition_keeps_the_chord() {
    for (text, semitones, expected) in [
        ("C:maj", 1, "Db:maj"),
        ("C:maj", 6, "F#:maj"),
        ("C#:min7/b7", 1, "D:min7/b7"),
        ("A:min", -2, "G:min"),
        ("Cb:maj", 12, "Cb:maj"),
        ("E:7(b9)", 5, "A:7(b9)"),
        ("N", 3, "N"),
        ("X", 3, "X"),
    ] {
        assert_eq!(
            label(text).transposed(semitones).to_string(),
            expected,
            "{text}"
        );
    }
}

/// `mir_eval.chord.encode` of version 0.8.2, without and with the reduction of extended chords.
#[test]
fn encodings_equal_mir_eval() {
    for (text, root, plain, reduced, bass) in [
        ("N", -1, "000000000000", "000000000000", -1),
        ("C:(b3,5)", 0, "100100010000", "100100010000", 0),
        ("C:maj(*3)", 0, "100000010000", "100000010000", 0),
        ("C:maj(9)", 0, "100010010000", "101010010000", 0),
        ("C:(*3)", 0, "100000000000", "100000000000", 0),
        ("C:min/bb7", 0, "100100010100", "100100010100", 9),
        ("C:maj/b1", 0, "100010010001", "100010010001", 11),
        ("C:maj(b1)", 0, "100010010001", "100010010001", 0),
        ("C:5/5", 0, "100000010000", "100000010000", 7),
        ("C:1/1", 0, "100000000000", "100000000000", 0),
        ("C:maj(*5,5)", 0, "100010010000", "100010010000", 0),
        ("C:maj(b13)", 0, "100010010000", "100010011000", 0),
        ("C:hdim7/3", 0, "100110100010", "100110100010", 4),
        ("C:maj(*1)", 0, "100010010000", "100010010000", 0),
        ("C:maj(#9,b9)", 0, "100010010000", "110110010000", 0),
        ("Cb", 11, "100010010000", "100010010000", 0),
        ("B#", 0, "100010010000", "100010010000", 0),
        ("G:13", 7, "100010010010", "101011010110", 0),
    ] {
        let bits = |reduce| -> String {
            let semitones = label(text).encode(reduce).semitones;
            semitones.iter().map(|bit| bit.to_string()).collect()
        };
        assert_eq!(
            (bits(false), bits(true)),
            (plain.into(), reduced.into()),
            "{text}"
        );
        let encoding = label(text).encode(false);
        assert_eq!((encoding.root, encoding.bass), (root, bass), "{text}");
    }
    let unknown = label("X").encode(true);
    assert_eq!(
        (unknown.root, unknown.semitones, unknown.bass),
        (-1, [-1; 12], -1)
    );
}

fn any_degree() -> impl Strategy<Value = Degree> {
    (1_u8..=13, -3_i8..=3)
        .prop_map(|(number, accidentals)| Degree::new(number, accidentals).unwrap())
}

fn any_chord() -> impl Strategy<Value = Chord> {
    let degrees = || proptest::collection::hash_set(any_degree(), 0..4);
    let word = proptest::option::of(proptest::sample::select(Shorthand::ALL.to_vec()));
    (-20_i16..20, word, degrees(), degrees(), any_degree()).prop_map(
        |(fifths, shorthand, added, omitted, bass)| Chord {
            root: NoteName::from_fifths(fifths),
            shorthand: match added.is_empty() && omitted.is_empty() {
                true => Some(shorthand.unwrap_or(Shorthand::Maj)),
                false => shorthand,
            },
            added: added.into_iter().collect(),
            omitted: omitted.into_iter().collect(),
            bass,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(chord in any_chord()) {
        let label = ChordLabel::Chord(chord);
        prop_assert_eq!(&label.to_string().parse::<ChordLabel>().unwrap(), &label);
        let json = serde_json::to_string(&label).unwrap();
        prop_assert_eq!(serde_json::from_str::<ChordLabel>(&json).unwrap(), label);
    }

    #[test]
    fn transposed_tones_are_the_tones_of_the_transposed(chord in any_chord(), semitones in -30_i32..30) {
        let moved = chord.transposed(semitones);
        prop_assert_eq!(moved.tones(), chord.tones().transposed(semitones));
        prop_assert_eq!(moved.relative_tones(), chord.relative_tones());
        prop_assert!(moved.root.accidentals().abs() <= 1 || semitones % 12 == 0);
    }

    #[test]
    fn the_bass_is_the_named_tone(chord in any_chord()) {
        let up = (chord.root.pitch_class() + chord.bass.pitch_class()) % 12;
        prop_assert_eq!(chord.bass_name().pitch_class(), up);
        prop_assert!(chord.tones().contains(up));
    }

    #[test]
    fn nonsense_does_not_panic(text in "[A-GNX:/()*,b#0-9majind ♯]{0,24}") {
        if let Ok(label) = text.parse::<ChordLabel>() {
            prop_assert_eq!(label.to_string().parse::<ChordLabel>().unwrap(), label);
        }
    }
}

/// The labels of the third column of all files that lie at `folder/*/name`.
fn labels_of(folder: &str, name: &str) -> Option<Vec<String>> {
    let folder = support::shared(folder)?;
    let mut labels = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let Ok(text) = std::fs::read_to_string(entry.unwrap().path().join(name)) else {
            continue;
        };
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        labels.extend(lines.map(|line| line.split('\t').nth(2).unwrap().trim().to_owned()));
    }
    Some(labels)
}

#[test]
fn the_labels_of_corpora_are_read() {
    for (folder, name, least) in [
        ("data/harmony/billboard", "full.lab", 90_000),
        ("data/harmony/billboard", "majmin7inv.lab", 90_000),
        ("data/symbolic/pop909", "chord_midi.txt", 100_000),
        ("data/symbolic/pop909", "chord_audio.txt", 80_000),
    ] {
        let Some(labels) = labels_of(folder, name) else {
            return;
        };
        assert!(labels.len() >= least, "{folder}, {name}: {}", labels.len());
        for text in &labels {
            let parsed = label(text);
            assert_eq!(label(&parsed.to_string()), parsed, "{text}");
        }
    }
}

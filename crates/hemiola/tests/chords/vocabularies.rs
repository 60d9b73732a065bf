use hemiola::music::chord::{ChordLabel, Vocabulary};

use crate::support;

/// Where mir_eval 0.8.2 compares a reference, and with which triad or seventh chord it agrees.
#[test]
fn reductions_are_those_that_mir_eval_compares() {
    for (text, majmin, sevenths) in [
        ("N", "N", "N"),
        ("X", "X", "X"),
        ("C", "C:maj", "C:maj"),
        ("Bb:min", "Bb:min", "Bb:min"),
        ("F#:7", "F#:maj", "F#:7"),
        ("F#:9", "F#:maj", "F#:7"),
        ("Ab:maj13", "Ab:maj", "Ab:maj7"),
        ("A:min11/b3", "A:min", "A:min7"),
        ("C:maj6", "C:maj", "X"),
        ("C:minmaj7", "C:min", "X"),
        ("C:maj(9)", "C:maj", "C:maj"),
        ("C:maj(b7)", "C:maj", "C:7"),
        ("C:maj/3", "C:maj", "C:maj"),
        ("C:maj/b7", "C:maj", "C:7"),
        // The bass sounds with the chord.
        ("C:maj/2", "X", "X"),
        ("C:sus4", "X", "X"),
        ("C:sus4(b7)", "X", "X"),
        ("C:dim7", "X", "X"),
        ("C:hdim7", "X", "X"),
        ("C:aug", "X", "X"),
        ("C:5", "X", "X"),
        ("C:1", "X", "X"),
        ("C:maj(*3)", "X", "X"),
        ("C:(3,5)", "C:maj", "C:maj"),
        ("C:(b3,5,b7)", "C:min", "C:min7"),
    ] {
        let label: ChordLabel = text.parse().unwrap();
        let reduced =
            [Vocabulary::MajMin, Vocabulary::Sevenths].map(|v| v.reduce(&label).to_string());
        assert_eq!(reduced, [majmin, sevenths], "{text}");
    }
}

#[test]
fn major_and_minor_are_those_of_billboard_in_root_position() {
    let Some(folder) = support::shared("data/harmony/billboard") else {
        return;
    };
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap().path();
        let labels = |name: &str| -> Option<Vec<ChordLabel>> {
            let text = std::fs::read_to_string(entry.join(name)).ok()?;
            let labels = text.lines().filter_map(|line| line.split('\t').nth(2));
            Some(labels.map(|label| label.trim().parse().unwrap()).collect())
        };
        let (Some(full), Some(expected)) = (labels("full.lab"), labels("majmin.lab")) else {
            continue;
        };
        assert_eq!(full.len(), expected.len(), "{}", entry.display());
        for (label, expected) in full.iter().zip(expected) {
            let reduced = Vocabulary::MajMin.reduce(&label.in_root_position());
            assert_eq!(reduced, expected, "{label} in {}", entry.display());
            compared += 1;
        }
    }
    assert!(compared > 100_000, "{compared}");
}

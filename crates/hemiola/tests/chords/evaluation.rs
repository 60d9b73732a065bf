use std::path::Path;

use hemiola::evaluation::{chord, key, segment};
use hemiola::formats::{read_chord_lab, read_key, read_lab};
use hemiola::music::Segment;
use hemiola::music::chord::ChordLabel;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::support;

/// Relative, as the cases have been rounded.
const TOLERANCE: f64 = 1e-6;

fn equals_mir_eval<S: Serialize>(
    task: &str,
    ending: &str,
    evaluate: impl Fn(&Path, &Path) -> hemiola::Result<S>,
) {
    let Some(folder) = support::shared("conformance/mir_eval") else {
        return;
    };
    for number in 0..10 {
        let file =
            |kind: &str, ending: &str| folder.join(format!("{task}/{kind}{number:02}.{ending}"));
        let json = std::fs::read_to_string(file("output", "json")).unwrap();
        let theirs: Value = serde_json::from_str(&json).unwrap();
        let scores = evaluate(&file("ref", ending), &file("est", ending)).unwrap();
        let ours = serde_json::to_value(scores).unwrap();
        let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
        assert_eq!(
            ours.keys().collect::<Vec<_>>(),
            theirs.keys().collect::<Vec<_>>()
        );
        for (name, value) in theirs {
            let (a, b) = (ours[name].as_f64().unwrap(), value.as_f64().unwrap());
            assert!(
                (a - b).abs() <= TOLERANCE * b.abs().max(1e-6),
                "{task} {number}, {name}: ours {a}, mir_eval's {b}"
            );
        }
    }
}

#[test]
fn chords_equal_mir_eval() {
    equals_mir_eval("chord", "lab", |reference, estimate| {
        Ok(chord::evaluate(
            &read_chord_lab(reference)?,
            &read_chord_lab(estimate)?,
        ))
    });
}

#[test]
fn keys_equal_mir_eval() {
    equals_mir_eval("key", "txt", |reference, estimate| {
        Ok(key::evaluate(read_key(reference)?, read_key(estimate)?))
    });
}

#[test]
fn sections_equal_mir_eval() {
    equals_mir_eval("segment", "lab", |reference, estimate| {
        Ok(segment::evaluate(
            &read_lab(reference)?,
            &read_lab(estimate)?,
        ))
    });
}

fn chords(text: &[(f64, f64, &str)]) -> Vec<Segment<ChordLabel>> {
    let segment = |&(start_s, end_s, label): &(f64, f64, &str)| Segment {
        start_s,
        end_s,
        label: label.parse().unwrap(),
    };
    text.iter().map(segment).collect()
}

/// What mir_eval 0.8.2 gives for a second of one chord against another; -1 where it passes over the reference.
#[test]
fn comparisons_of_odd_chords_equal_mir_eval() {
    let names = [
        "thirds",
        "thirds_inv",
        "triads",
        "triads_inv",
        "tetrads",
        "tetrads_inv",
        "root",
        "mirex",
        "majmin",
        "majmin_inv",
        "sevenths",
        "sevenths_inv",
    ];
    for (reference, estimate, expected) in [
        ("N", "X", [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]),
        ("X", "N", [-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1]),
        ("C", "X", [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        ("C:maj", "C:maj/2", [1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0]),
        ("C:maj/2", "C:maj", [1, 0, 0, 0, 0, 0, 1, 1, -1, -1, -1, -1]),
        ("C:maj/b7", "C:7", [1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0]),
        ("C:5", "C:5", [1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]),
        ("C:7", "C:maj", [1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0]),
        ("C:maj", "C:7", [1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0]),
        ("A:min7", "C:maj6", [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        ("C:maj6", "C:maj", [1, 1, 1, 1, 0, 0, 1, 1, 1, 1, -1, -1]),
        ("D:min/b3", "D:min", [1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0]),
        ("N", "N", [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("C:sus4", "F:sus2", [0, 0, 0, 0, 0, 0, 0, 1, -1, -1, -1, -1]),
        (
            "C#:hdim7",
            "Db:(b3,b5,b7)",
            [1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1],
        ),
        ("C:9", "C:7", [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("N", "C", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (
            "C:maj(*1)/5",
            "C",
            [1, 0, 0, 0, 0, 0, 1, -1, -1, -1, -1, -1],
        ),
    ] {
        // A second on which both agree, and one on which they do not, tell what is passed over from what is wrong.
        let scores = |beside: &str| {
            let reference = chords(&[(0.0, 1.0, reference), (1.0, 2.0, beside)]);
            let estimate = chords(&[(0.0, 1.0, estimate), (1.0, 2.0, "N")]);
            serde_json::to_value(chord::evaluate(&reference, &estimate)).unwrap()
        };
        let (right, wrong) = (scores("N"), scores("C"));
        for (name, expected) in names.iter().zip(expected) {
            let expected = match expected {
                1 => (1.0, 0.5),
                0 => (0.5, 0.0),
                _ => (1.0, 0.0),
            };
            let found = (right[name].as_f64().unwrap(), wrong[name].as_f64().unwrap());
            assert_eq!(found, expected, "{reference}, {estimate}: {name}");
        }
    }
}

#[test]
fn keys_are_weighted_by_their_relation() {
    let score = |reference: &str, estimate: &str| {
        key::evaluate(reference.parse().unwrap(), estimate.parse().unwrap()).weighted
    };
    for (reference, estimate, expected) in [
        ("C# major", "Db major", 1.0),
        ("C major", "G major", 0.5),
        ("G major", "C major", 0.0),
        ("A minor", "E minor", 0.5),
        ("C major", "A minor", 0.3),
        ("A minor", "C major", 0.3),
        ("C major", "A other", 0.3),
        ("C other", "A minor", 0.0),
        ("C major", "C minor", 0.2),
        ("C other", "C minor", 0.2),
        ("C major", "G minor", 0.0),
        ("X", "X", 1.0),
        ("X", "C major", 0.0),
        ("C major", "X", 0.0),
    ] {
        assert_eq!(
            score(reference, estimate),
            expected,
            "{reference}, {estimate}"
        );
    }
}

#[test]
fn nothing_is_not_scored_and_nonsense_does_not_panic() {
    let some = chords(&[(0.0, 1.0, "C"), (1.0, 2.0, "N")]);
    assert_eq!(chord::evaluate(&[], &some), chord::Scores::default());
    // An estimate of nothing says that nothing sounds.
    assert_eq!(chord::evaluate(&some, &[]).root, 0.5);
    let sections = |segments: &[Segment<ChordLabel>]| -> Vec<Segment<String>> {
        let section = |s: &Segment<ChordLabel>| Segment {
            start_s: s.start_s,
            end_s: s.end_s,
            label: s.label.to_string(),
        };
        segments.iter().map(section).collect()
    };
    assert_eq!(
        segment::evaluate(&[], &sections(&some)),
        segment::Scores::default()
    );
    let odd = chords(&[
        (5.0, 6.0, "C"),
        (f64::NAN, 1.0, "C"),
        (3.0, 1.0, "D"),
        (0.0, f64::INFINITY, "E"),
        (0.0, 0.0, "F"),
        (-1e300, 0.05, "G"),
    ]);
    for reference in [&odd[..], &odd[3..], &odd[5..], &some] {
        for estimate in [&odd[..], &odd[1..], &odd[3..], &some] {
            chord::evaluate(reference, estimate);
            if reference.iter().all(|s| s.end_s.is_finite()) {
                segment::evaluate(&sections(reference), &sections(estimate));
            }
        }
    }
}

fn any_chords() -> impl Strategy<Value = Vec<Segment<ChordLabel>>> {
    let words = [
        "C",
        "A:min",
        "G:7",
        "F:maj7/3",
        "D:sus4",
        "N",
        "X",
        "E:min7(9)",
    ];
    let one = (1_u16..400, proptest::sample::select(words.to_vec()));
    proptest::collection::vec(one, 1..20).prop_map(|parts| {
        let mut end_s = 0.0;
        let segment = |(length, label): (u16, &str)| {
            let start_s = end_s;
            end_s += f64::from(length) / 64.0;
            Segment {
                start_s,
                end_s,
                label: label.parse().unwrap(),
            }
        };
        parts.into_iter().map(segment).collect()
    })
}

proptest! {
    #[test]
    fn a_reference_agrees_with_itself(reference in any_chords()) {
        let scores = serde_json::to_value(chord::evaluate(&reference, &reference)).unwrap();
        for (name, score) in scores.as_object().unwrap() {
            let score = score.as_f64().unwrap();
            // Zero where nothing can be compared.
            prop_assert!(score == 1.0 || score == 0.0, "{}: {}", name, score);
        }
        prop_assert_eq!(scores["seg"].as_f64(), Some(1.0));
    }

    #[test]
    fn scores_are_shares(reference in any_chords(), estimate in any_chords()) {
        let scores = chord::evaluate(&reference, &estimate);
        prop_assert!(scores.thirds_inv <= scores.thirds + 1e-9);
        prop_assert!(scores.tetrads <= scores.triads + 1e-9);
        prop_assert!(scores.triads <= scores.thirds + 1e-9);
        prop_assert!(scores.thirds <= scores.root + 1e-9);
        for (name, score) in serde_json::to_value(scores).unwrap().as_object().unwrap() {
            let score = score.as_f64().unwrap();
            prop_assert!((-1e-9..=1.0 + 1e-9).contains(&score), "{}: {}", name, score);
        }
    }

    #[test]
    fn names_of_sections_do_not_matter(
        lengths in proptest::collection::vec((8_u16..300, 0_usize..4), 2..12),
    ) {
        let mut end_s = 0.0;
        let (mut reference, mut estimate) = (Vec::new(), Vec::new());
        for (length, name) in lengths {
            let start_s = end_s;
            end_s += f64::from(length) / 8.0;
            let section = |label: &str| Segment { start_s, end_s, label: label.to_owned() };
            reference.push(section(["a", "b", "c", "d"][name]));
            estimate.push(section(["Verse", "CHORUS", "Bridge", "intro"][name]));
        }
        let scores = segment::evaluate(&reference, &estimate);
        for score in [
            scores.f_measure_narrow,
            scores.pairwise_f_measure,
            scores.rand,
            scores.adjusted_rand,
            scores.adjusted_mutual_information,
            scores.normalized_mutual_information,
        ] {
            prop_assert!((score - 1.0).abs() < 1e-9, "{:?}", scores);
        }
        prop_assert_eq!(scores.reference_deviation_s, Some(0.0));
    }
}

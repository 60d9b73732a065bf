//! MIDI files are read as pretty_midi reads them, and survive damage.

mod support;

use hemiola::midi::Score;
use serde_json::Value;

const TOLERANCE_S: f64 = 1e-6;

fn close(ours: f64, theirs: &Value) -> bool {
    (ours - theirs.as_f64().unwrap()).abs() <= TOLERANCE_S
}

fn rows<const N: usize>(list: &Value) -> Vec<[f64; N]> {
    let numbers = |row: &Value| std::array::from_fn(|i| row[i].as_f64().unwrap());
    list.as_array().unwrap().iter().map(numbers).collect()
}

fn assert_rows<const N: usize>(mut ours: Vec<[f64; N]>, theirs: &Value, what: &str) {
    let order = |a: &[f64; N], b: &[f64; N]| a.partial_cmp(b).unwrap();
    let mut theirs = rows::<N>(theirs);
    ours.sort_by(order);
    theirs.sort_by(order);
    assert_eq!(ours.len(), theirs.len(), "{what}: number");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let near = ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| (a - b).abs() <= TOLERANCE_S);
        assert!(near, "{what}: ours {ours:?}, pretty_midi's {theirs:?}");
    }
}

#[test]
fn scores_equal_pretty_midi() {
    let Some(folder) = support::shared("conformance/midi") else {
        return;
    };
    let shared = folder.join("../..");
    let mut read = 0;
    for number in 0..20 {
        let json = std::fs::read_to_string(folder.join(format!("{number:02}.json"))).unwrap();
        let expected: Value = serde_json::from_str(&json).unwrap();
        let file = expected["file"].as_str().unwrap();
        let score = Score::read(shared.join(file)).unwrap();
        assert_eq!(
            u64::from(score.resolution),
            expected["resolution"],
            "{file}"
        );
        assert!(
            close(score.end_time_s, &expected["end_time_s"]),
            "{file}: end {}",
            score.end_time_s
        );
        let tempi = score
            .tempo_changes
            .iter()
            .map(|t| [t.time_s, t.bpm])
            .collect();
        assert_rows::<2>(tempi, &expected["tempo_changes"], file);
        let signatures = score.time_signatures.iter();
        let signatures = signatures
            .map(|t| [t.time_s, t.numerator.into(), t.denominator.into()])
            .collect();
        assert_rows::<3>(signatures, &expected["time_signatures"], file);
        let instruments = expected["instruments"].as_array().unwrap();
        assert_eq!(score.instruments.len(), instruments.len(), "{file}");
        for (ours, theirs) in score.instruments.iter().zip(instruments) {
            assert_eq!(u64::from(ours.program), theirs["program"], "{file}");
            assert_eq!(ours.is_drum, theirs["is_drum"], "{file}");
            // pretty_midi takes every name for Latin-1.
            let name = theirs["name"].as_str().unwrap();
            let bytes: Vec<u8> = name.chars().map(|c| c as u8).collect();
            assert_eq!(ours.name.as_bytes(), bytes, "{file}");
            let notes = ours.notes.iter();
            let notes = notes
                .map(|n| [n.onset_s, n.offset_s, n.pitch.into(), n.velocity.into()])
                .collect();
            assert_rows::<4>(notes, &theirs["notes"], file);
            let pedal = ours
                .pedal
                .iter()
                .map(|p| [p.time_s, p.value.into()])
                .collect();
            assert_rows::<2>(pedal, &theirs["control_changes_64"], file);
        }
        read += 1;
    }
    assert_eq!(read, 20);
}

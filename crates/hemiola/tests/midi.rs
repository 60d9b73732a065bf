//! MIDI files are read as pretty_midi reads them, and survive damage.

mod support;

use hemiola::Error;
use hemiola::midi::{PedalEvent, Score, WriteOptions, encode_midi, write_midi};
use hemiola::music::Note;
use proptest::prelude::*;
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

/// A MIDI file of chunks as they stand in the standard.
fn file(format: u16, division: u16, tracks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"MThd\0\0\0\x06".to_vec();
    for field in [format, tracks.len() as u16, division] {
        bytes.extend(field.to_be_bytes());
    }
    for track in tracks {
        bytes.extend(b"MTrk");
        bytes.extend((track.len() as u32).to_be_bytes());
        bytes.extend(*track);
    }
    bytes
}

fn read(bytes: &[u8]) -> Score {
    Score::from_bytes(bytes, "test.mid").unwrap()
}

fn message(bytes: &[u8]) -> String {
    let error = Score::from_bytes(bytes, "test.mid").unwrap_err();
    assert!(matches!(error, Error::Input { .. }));
    error.to_string()
}

fn note(onset_s: f64, offset_s: f64, pitch: u8, velocity: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    }
}

const END: [u8; 4] = [0, 0xff, 0x2f, 0];

fn track(events: &[u8]) -> Vec<u8> {
    [events, &END].concat()
}

#[test]
fn running_status_lasts_through_meta_events() {
    // Note on; 100 ticks later a text; a note on of velocity 0 without its status byte.
    let events = track(&[0, 0x90, 60, 80, 100, 0xff, 1, 1, b'x', 0, 60, 0]);
    let score = read(&file(0, 100, &[&events]));
    assert_eq!(score.notes(), [note(0.0, 0.5, 60, 80)]);
    assert_eq!(score.warnings, [""; 0]);
}

#[test]
fn tempo_changes_move_what_follows() {
    // 1 s a quarter note from the start, 0.25 s after one quarter note; the note lasts from 0 to the end of the second.
    let tempi = track(&[
        0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40, 100, 0xff, 0x51, 3, 0x03, 0xd0, 0x90,
    ]);
    let notes = track(&[0, 0x90, 60, 80, 0x81, 0x48, 0x80, 60, 0]);
    let score = read(&file(1, 100, &[&tempi, &notes]));
    assert_eq!(score.notes(), [note(0.0, 1.25, 60, 80)]);
    let tempi: Vec<_> = score
        .tempo_changes
        .iter()
        .map(|t| (t.time_s, t.bpm.round()))
        .collect();
    assert_eq!(tempi, [(0.0, 60.0), (1.0, 240.0)]);
}

#[test]
fn smpte_timing_ignores_tempi() {
    // 25 frames of 40 ticks: a tick is 1 ms.
    let events = track(&[
        0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40, 100, 0x90, 60, 80, 50, 0x80, 60, 0,
    ]);
    let score = read(&file(0, 0xe728, &[&events]));
    let [found] = score.notes()[..] else {
        panic!("{score:?}")
    };
    assert!((found.onset_s - 0.1).abs() < 1e-9 && (found.offset_s - 0.15).abs() < 1e-9);
    assert!(message(&file(0, 0x8028, &[&events])).contains("128 frames a second"));
}

#[test]
fn independent_tracks_follow_one_another() {
    // The first track sets 1 s a quarter note; the second begins again at 120 BPM.
    let first = track(&[
        0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40, 0, 0x90, 60, 80, 100, 0x80, 60, 0,
    ]);
    let second = track(&[0, 0x90, 62, 80, 100, 0x80, 62, 0]);
    let score = read(&file(2, 100, &[&first, &second]));
    assert_eq!(
        score.notes(),
        [note(0.0, 1.0, 60, 80), note(1.0, 1.5, 62, 80)]
    );
    assert!(score.warnings[0].contains("one after the other"));
}

#[test]
fn a_note_off_ends_all_but_what_begins_with_it() {
    // Two notes of one pitch; where the second ends a third begins, before the note-off.
    let events = track(&[
        0, 0x90, 60, 80, 50, 0x90, 60, 70, 50, 0x90, 60, 60, 0, 0x80, 60, 0, 100, 0x80, 60, 0,
    ]);
    let expected = [
        note(0.0, 0.5, 60, 80),
        note(0.25, 0.5, 60, 70),
        note(0.5, 1.0, 60, 60),
    ];
    assert_eq!(read(&file(0, 100, &[&events])).notes(), expected);
}

#[test]
fn notes_without_length_are_dropped_and_endless_ones_ended() {
    let events = [
        0, 0x90, 60, 80, 0, 0x80, 60, 0, 0, 0x90, 62, 80, 100, 0xff, 0x2f, 0,
    ];
    let score = read(&file(0, 100, &[&events]));
    assert_eq!(score.notes(), [note(0.0, 0.5, 62, 80)]);
    assert!(
        score.warnings[0].contains("never ended"),
        "{:?}",
        score.warnings
    );
}

#[test]
fn damage_costs_no_more_than_it_must() {
    let sound = track(&[0, 0x90, 60, 80, 100, 0x80, 60, 0]);
    let cut = [0, 0x90, 64, 80, 50, 0x80, 64, 0, 10, 0x90, 65];
    let score = read(&file(1, 100, &[&sound, &cut]));
    assert_eq!(
        score.notes(),
        [note(0.0, 0.5, 60, 80), note(0.0, 0.25, 64, 80)]
    );
    assert!(
        score.warnings[0].contains("byte 8 of 11"),
        "{:?}",
        score.warnings
    );

    // The first track claims to be longer than the file, and so to hold the second.
    let mut bytes = file(1, 100, &[&sound, &sound]);
    bytes[14 + 4..14 + 8].copy_from_slice(&1000_u32.to_be_bytes());
    assert_eq!(read(&bytes).notes().len(), 2);

    // A tempo of nothing.
    let tempo = track(&[0, 0xff, 0x51, 3, 0, 0, 0, 0, 0x90, 60, 80, 100, 0x80, 60, 0]);
    let score = read(&file(0, 100, &[&tempo]));
    assert_eq!(score.notes(), [note(0.0, 0.5, 60, 80)]);
    assert!(score.warnings[0].contains("tempo of 0"));

    // An event four years later.
    let late = track(&[
        0, 0x90, 60, 80, 100, 0x80, 60, 0, 0xff, 0xff, 0xff, 0x7f, 0x90, 61, 80,
    ]);
    let score = read(&file(0, 1, &[&late]));
    assert_eq!(score.notes(), [note(0.0, 50.0, 60, 80)]);
    assert!(score.end_time_s < 86_400.0);
}

#[test]
fn what_is_no_midi_file_is_refused() {
    assert!(message(b"").contains("no bytes at all"));
    assert!(
        message(&[7; 1_000_000])
            .contains("begins with MThd; found 1000000 bytes that begin with 07 07")
    );
    assert!(message(b"MThd\0\0\0\x06\0").contains("cut off"));
    assert!(message(&file(1, 100, &[])).contains("no track"));
    assert!(message(&file(1, 100, &[&[0xff, 0xff]])).contains("no event is readable"));
    assert!(message(&file(1, 0, &[&END])).contains("0 ticks per beat"));
    let missing = Score::read("no/such/file.mid").unwrap_err();
    assert!(
        matches!(missing, Error::Io { .. }) && missing.to_string().contains("no/such/file.mid")
    );
}

#[test]
fn the_pedal_holds_notes_until_it_is_released_or_they_are_struck_again() {
    let pedal = |time_s, value| PedalEvent { time_s, value };
    let pedal = [pedal(0.5, 64), pedal(2.0, 63), pedal(3.0, 127)];
    let notes = [
        note(0.0, 0.25, 60, 80),
        note(0.0, 1.0, 62, 80),
        note(0.0, 1.0, 64, 80),
        note(1.5, 1.75, 64, 80),
        note(3.5, 4.0, 65, 80),
        note(3.5, 5.0, 66, 80),
    ];
    let options = WriteOptions {
        pedal: &pedal,
        ..WriteOptions::default()
    };
    let score = read(&encode_midi(&notes, &options).unwrap());
    assert_eq!(score.instruments[0].pedal, pedal);
    assert_eq!(score.notes(), notes);
    let ends: Vec<f64> = score
        .notes_with_pedal()
        .iter()
        .map(|n| n.offset_s)
        .collect();
    assert_eq!(ends, [0.25, 2.0, 1.5, 2.0, 5.0, 5.0]);
}

#[test]
fn files_say_who_made_them_and_are_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.mid");
    let options = WriteOptions {
        program: 40,
        tempo_bpm: 90.0,
        name: "Violin".into(),
        text: Some("made by a model".into()),
        ..WriteOptions::default()
    };
    let notes = [note(0.0, 1.0, 60, 80), note(0.0, 1.0, 55, 70)];
    write_midi(&path, &notes, &options).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let reversed = [notes[1], notes[0]];
    assert_eq!(bytes, encode_midi(&reversed, &options).unwrap());
    assert!(bytes.windows(15).any(|window| window == b"made by a model"));
    let score = Score::read(&path).unwrap();
    assert_eq!(
        (
            score.instruments[0].program,
            score.instruments[0].name.as_str()
        ),
        (40, "Violin")
    );
    assert!((score.tempo_changes[0].bpm - 90.0).abs() < 1e-3);
}

#[test]
fn impossible_notes_are_refused() {
    let refused = |note| {
        encode_midi(&[note], &WriteOptions::default())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(note(f64::NAN, 1.0, 60, 80)).contains("onset is NaN"));
    assert!(refused(note(1.0, 0.5, 60, 80)).contains("no less than its onset"));
    assert!(refused(note(0.0, 1.0, 128, 80)).contains("pitch is 128"));
    assert!(refused(note(0.0, 1.0, 60, 0)).contains("velocity is 0"));
    assert!(refused(note(0.0, 1e6, 60, 80)).contains("within a day"));
    let slow = WriteOptions {
        tempo_bpm: 0.0,
        ..WriteOptions::default()
    };
    assert!(
        encode_midi(&[], &slow)
            .unwrap_err()
            .to_string()
            .contains("4 to 1000")
    );
}

prop_compose! {
    fn any_note()(onset_s in 0.0..100.0_f64, length_s in 0.0..5.0_f64, pitch in 50_u8..60, velocity in 1_u8..=127) -> Note {
        note(onset_s, onset_s + length_s, pitch, velocity)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn written_notes_are_read_again(notes in prop::collection::vec(any_note(), 0..60), tempo_bpm in 4.0..1000.0_f64) {
        let options = WriteOptions { tempo_bpm, ..WriteOptions::default() };
        let score = read(&encode_midi(&notes, &options).unwrap());
        prop_assert_eq!(&score.warnings, &[""; 0]);
        let found = score.notes();
        // Every note is there, unless another of its pitch begins at the same tick; it ends where it should, or where its pitch begins again.
        for wanted in &notes {
            let same_pitch = notes.iter().filter(|n| n.pitch == wanted.pitch);
            let near = same_pitch.clone().filter(|n| (n.onset_s - wanted.onset_s).abs() < 2e-3);
            if near.count() > 1 {
                continue;
            }
            let again_s = same_pitch
                .filter(|n| n.onset_s > wanted.onset_s)
                .map(|n| n.onset_s)
                .fold(f64::INFINITY, f64::min);
            let end_s = wanted.offset_s.min(again_s);
            // Both ends are half a tick off at most, and what is shorter than a tick lasts one.
            let end_within_s = if end_s - wanted.onset_s > 1e-3 { 0.51e-3 } else { 1.51e-3 };
            prop_assert!(found.iter().any(|n| {
                n.pitch == wanted.pitch
                    && n.velocity == wanted.velocity
                    && (n.onset_s - wanted.onset_s).abs() < 0.51e-3
                    && (n.offset_s - end_s).abs() < end_within_s
            }), "{wanted:?} is not among {found:?}");
        }
        for pair in found.windows(2) {
            prop_assert!(pair[0].pitch != pair[1].pitch || pair[0].offset_s <= pair[1].onset_s);
        }
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Score::from_bytes(&bytes, "random");
        let _ = Score::from_bytes(&file(1, 96, &[&bytes]), "random track");
    }

    #[test]
    fn damaged_files_do_not_panic(
        notes in prop::collection::vec(any_note(), 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..10),
        end in any::<prop::sample::Index>(),
    ) {
        let pedal = [PedalEvent { time_s: 1.0, value: 100 }];
        let options = WriteOptions { pedal: &pedal, text: Some("text".into()), ..WriteOptions::default() };
        let mut bytes = encode_midi(&notes, &options).unwrap();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(score) = Score::from_bytes(&bytes, "damaged") {
            for note in score.notes_with_pedal() {
                prop_assert!(note.offset_s > note.onset_s && note.pitch < 128 && (1..128).contains(&note.velocity));
            }
        }
        bytes.truncate(end.index(bytes.len()));
        let _ = Score::from_bytes(&bytes, "cut");
    }
}

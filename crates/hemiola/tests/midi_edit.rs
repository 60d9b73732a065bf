//! Notes go in and out of MIDI files, and all else stays.

mod support;

use hemiola::midi::{MidiFile, PedalEvent, Score, TempoChange, WriteOptions, encode_midi};
use hemiola::music::Note;
use hemiola::tokens::sounding_notes;

fn note(onset_s: f64, offset_s: f64, pitch: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity: 70,
    }
}

/// A file of type 1 at 120 BPM and 480 ticks a quarter note, whose tracks hold these bytes.
fn file(tracks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"MThd\x00\x00\x00\x06\x00\x01\x00".to_vec();
    bytes.push(tracks.len() as u8);
    bytes.extend(480u16.to_be_bytes());
    for track in tracks {
        bytes.extend(b"MTrk");
        bytes.extend((track.len() as u32).to_be_bytes());
        bytes.extend(*track);
    }
    bytes
}

fn edited(file: &MidiFile) -> Score {
    Score::from_bytes(&file.to_bytes().unwrap(), "edited").unwrap()
}

#[test]
fn a_file_that_nobody_changes_says_the_same() {
    let Some(folder) = support::shared("data/symbolic/pop909/003") else {
        return;
    };
    let path = folder.join("003.mid");
    let bytes = std::fs::read(&path).unwrap();
    let file = MidiFile::parse(&bytes, &path).unwrap();
    assert_eq!(edited(&file), Score::read(&path).unwrap());
    assert_eq!(file.score(), Score::read(&path).unwrap());
}

#[test]
fn a_gap_takes_what_begins_in_it_and_nothing_else() {
    let notes = [
        note(0.0, 3.0, 60),
        note(1.0, 1.5, 62),
        note(1.5, 2.5, 64),
        note(2.0, 2.5, 65),
    ];
    let options = WriteOptions {
        program: 19,
        tempo_bpm: 97.0,
        name: "organ".into(),
        ..WriteOptions::default()
    };
    let bytes = encode_midi(&notes, &options).unwrap();
    let mut file = MidiFile::parse(&bytes, "memory").unwrap();
    file.remove_notes(1.0..2.0);
    file.add_track(
        "new",
        "by hand",
        &[note(1.25, 1.75, 60), note(1.75, 2.0, 60)],
    )
    .unwrap();
    let score = edited(&file);
    assert_eq!(
        score.tempo_changes,
        Score::from_bytes(&bytes, "").unwrap().tempo_changes
    );
    let [old, new] = score.instruments.as_slice() else {
        panic!("{score:?}");
    };
    let mut instruments = [old, new];
    instruments
        .sort_by_key(|instrument| instrument.notes[0].pitch != 60 || instrument.name == "new");
    let [old, new] = instruments;
    assert_eq!((old.name.as_str(), old.program), ("organ", 19));
    assert_eq!((new.name.as_str(), new.program), ("new", 19));
    let near = |found: &[Note], expected: &[Note]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.pitch, expected.pitch);
            assert!((found.onset_s - expected.onset_s).abs() < 1e-3);
            assert!((found.offset_s - expected.offset_s).abs() < 1e-3);
        }
    };
    near(&old.notes, &[notes[0], notes[3]]);
    near(&new.notes, &[note(1.25, 1.75, 60), note(1.75, 2.0, 60)]);
}

#[test]
fn percussion_stays_in_gaps_and_goes_with_the_rest() {
    // Channel 10 strikes 36 every half second, channel 1 plays 60 and never ends it.
    let drums: &[u8] = &[
        0, 0x99, 36, 90, 0x81, 0x70, 0x89, 36, 0, 0x83, 0x60, 0x99, 36, 90, 10, 0x89, 36, 0, 0,
        0xff, 0x2f, 0,
    ];
    let piano: &[u8] = &[0x83, 0x60, 0x90, 60, 80, 0x83, 0x60, 0xff, 0x2f, 0];
    let bytes = file(&[drums, piano]);
    let mut gap = MidiFile::parse(&bytes, "memory").unwrap();
    assert!(gap.score().warnings[0].contains("never ended"));
    assert!(edited(&gap).warnings.is_empty(), "the note is ended");
    gap.remove_notes(0.0..10.0);
    let score = edited(&gap);
    assert!(score.notes().is_empty());
    assert_eq!(score.instruments[0].notes.len(), 2);
    let mut cut = MidiFile::parse(&bytes, "memory").unwrap();
    cut.truncate(0.4);
    assert_eq!(edited(&cut).instruments[0].notes.len(), 1);
    assert!(edited(&cut).end_time_s < 0.4);
}

#[test]
fn pieces_that_do_not_belong_together_and_junk_are_refused() {
    let piece: &[u8] = &[0, 0x90, 60, 80, 0x60, 0x80, 60, 0, 0, 0xff, 0x2f, 0];
    let mut bytes = file(&[piece, piece]);
    bytes[9] = 2;
    // One piece alone is a file like others.
    let mut alone = file(&[piece]);
    alone[9] = 2;
    let alone = MidiFile::parse(&alone, "x.mid").unwrap();
    assert_eq!(edited(&alone).notes().len(), 1);
    // A byte that is no event, with a note behind it.
    let torn = file(&[&[&piece[..8], &[0, 0xf1], piece].concat()]);
    for (bytes, word) in [
        (bytes.as_slice(), "type 2"),
        (b"", "no bytes"),
        (&[7; 1 << 20], "MThd"),
        (&file(&[]), "no event"),
        (&torn, "byte 8 of 22"),
    ] {
        let error = MidiFile::parse(bytes, "x.mid").err().unwrap().to_string();
        assert!(error.contains(word) && error.contains("x.mid"), "{error}");
    }
    let bytes = encode_midi(&[note(0.0, 1.0, 60)], &WriteOptions::default()).unwrap();
    let mut file = MidiFile::parse(&bytes, "x.mid").unwrap();
    assert!(
        file.add_track("new", "by hand", &[note(2.0, 1.0, 60)])
            .is_err()
    );
}

#[test]
fn what_is_added_behind_a_cut_has_the_tempo_of_the_cut() {
    let changes = [(2.0, 90.0), (6.0, 30.0)].map(|(time_s, bpm)| TempoChange { time_s, bpm });
    let options = WriteOptions {
        tempo_changes: &changes,
        ..WriteOptions::default()
    };
    let notes: Vec<Note> = (0..10u8)
        .map(|n| note(f64::from(n), f64::from(n) + 0.5, 60 + n))
        .collect();
    let bytes = encode_midi(&notes, &options).unwrap();
    let mut file = MidiFile::parse(&bytes, "memory").unwrap();
    file.truncate(5.2);
    let new = note(9.0, 12.0, 40);
    file.add_track("new", "by hand", &[new]).unwrap();
    let score = edited(&file);
    assert_eq!(score.tempo_changes.len(), 2);
    let found = score.notes();
    let last = found.last().unwrap();
    assert_eq!((found.len(), last.pitch), (7, 40));
    assert!((last.onset_s - 9.0).abs() < 1e-3 && (last.offset_s - 12.0).abs() < 1e-3);
    assert_eq!(file.score().notes(), found);
}

#[test]
fn pedals_do_not_ring_on_into_what_is_added() {
    let pedal = [(0.1, 127), (3.0, 0)].map(|(time_s, value)| PedalEvent { time_s, value });
    for pedal in [&pedal[..], &pedal[..1]] {
        let options = WriteOptions {
            pedal,
            ..WriteOptions::default()
        };
        let bytes = encode_midi(&[note(0.0, 1.0, 60), note(2.5, 3.0, 62)], &options).unwrap();
        let mut file = MidiFile::parse(&bytes, "memory").unwrap();
        let (new_s, held_s) = match pedal.len() {
            2 => {
                file.truncate(2.0);
                (1.0, 1.0)
            }
            _ => {
                file.release_pedals();
                (3.0, 3.0)
            }
        };
        let new = note(new_s, new_s + 4.0, 70);
        file.add_track("new", "by hand", &[new]).unwrap();
        let sounding = sounding_notes(&edited(&file), true, false);
        let of = |pitch| sounding.iter().find(|note| note.pitch == pitch).unwrap();
        assert!((of(60).offset_s - held_s).abs() < 2e-3, "{sounding:?}");
        assert!((of(70).offset_s - new.offset_s).abs() < 2e-3);
    }
}

#[test]
fn what_is_no_track_stays() {
    let track: &[u8] = &[0, 0x90, 60, 80, 0x83, 0x60, 0x80, 60, 0, 0, 0xff, 0x2f, 0];
    // The first track is empty, so that the tempo of the second does not count.
    let slow = [&[0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40], track].concat();
    let mut bytes = file(&[&[], &slow]);
    let chunk = b"XFIH\x00\x00\x00\x03abc";
    bytes.extend(chunk);
    let parsed = MidiFile::parse(&bytes, "memory").unwrap();
    assert!(parsed.to_bytes().unwrap().ends_with(chunk));
    let read = Score::from_bytes(&bytes, "memory").unwrap();
    assert_eq!(edited(&parsed).notes(), read.notes());
    assert_eq!(parsed.score().notes(), read.notes());
}

#[test]
fn a_file_without_a_free_channel_keeps_its_programs() {
    let mut track = Vec::new();
    for channel in (0..16u8).filter(|channel| *channel != 9) {
        track.extend([0, 0xc0 | channel, 10 + channel]);
        track.extend([0, 0x90 | channel, 40 + channel, 70]);
    }
    for channel in (0..16u8).filter(|channel| *channel != 9) {
        track.extend([
            if channel == 0 { 0x60 } else { 0 },
            0x80 | channel,
            40 + channel,
            0,
        ]);
    }
    track.extend([0, 0xff, 0x2f, 0]);
    let bytes = file(&[&track]);
    let mut file = MidiFile::parse(&bytes, "memory").unwrap();
    let given = file.score();
    file.add_track("new", "by hand", &[note(1.0, 2.0, 80), note(1.0, 1.5, 81)])
        .unwrap();
    let score = edited(&file);
    assert_eq!(score.instruments[..15], given.instruments[..]);
    assert_eq!(score.instruments[15].notes.len(), 2);
}

#[test]
fn cuts_leave_nothing_behind_them() {
    // Two notes of a pitch that overlap end with the first note-off; the second, at 2 s, ends nothing.
    let track: &[u8] = &[
        0, 0x90, 60, 80, 0x60, 0x90, 60, 80, 0x60, 0x80, 60, 0, 0x8d, 0x40, 0x80, 60, 0, 0x60,
        0xb0, 1, 5, 0, 0xff, 0x2f, 0,
    ];
    let bytes = file(&[track]);
    let mut file = MidiFile::parse(&bytes, "memory").unwrap();
    file.truncate(1.0);
    let score = edited(&file);
    assert_eq!(score.notes().len(), 2);
    assert!(score.end_time_s < 0.3, "{}", score.end_time_s);
}

#[test]
fn odd_events_of_plain_length_stay() {
    // A key signature of one byte, and a message of the wire, before and after a note.
    let note: &[u8] = &[0, 0x90, 60, 80, 0x60, 0x80, 60, 0];
    let key: &[u8] = &[0, 0xff, 0x59, 1, 3];
    let track = [key, &[0, 0xf8], note, key, &[0, 0xff, 0x2f, 0]].concat();
    let bytes = file(&[&track]);
    let parsed = MidiFile::parse(&bytes, "memory").unwrap();
    assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    let expected = file(&[&[key, note, key, &[0, 0xff, 0x2f, 0]].concat()]);
    assert_eq!(parsed.to_bytes().unwrap()[14..], expected[14..]);
    assert_eq!(
        Score::from_bytes(&bytes, "memory").unwrap().notes().len(),
        1
    );
}

//! Note lists as text: what is written is read again, and what is wrong is named.

mod support;

use std::io::{self, Write};
use std::path::Path;

use hemiola::formats::{
    NoteFormat, encode_notes, read_notes, read_notes_from, write_atomically, write_notes,
};
use hemiola::music::Note;
use proptest::prelude::*;

fn note(onset_s: f64, offset_s: f64, pitch: u8, velocity: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    }
}

fn read(text: &str, format: NoteFormat) -> Vec<Note> {
    read_notes_from(text.as_bytes(), format, "notes").unwrap()
}

fn fault(text: &str, format: NoteFormat) -> String {
    read_notes_from(text.as_bytes(), format, "notes")
        .unwrap_err()
        .to_string()
}

#[test]
fn tables_have_the_columns_they_promise() {
    let notes = [note(0.5, 1.25, 60, 80)];
    let text = |format| String::from_utf8(encode_notes(&notes, format, None).unwrap()).unwrap();
    assert_eq!(
        text(NoteFormat::Csv),
        "onset_s,offset_s,pitch,velocity\n0.5,1.25,60,80\n"
    );
    assert_eq!(
        text(NoteFormat::Tsv),
        "onset\toffset\tnote\tvelocity\n0.5\t1.25\t60\t80\n"
    );
    assert_eq!(
        text(NoteFormat::Maps),
        "OnsetTime\tOffsetTime\tMidiPitch\n0.5\t1.25\t60\n"
    );
}

#[test]
fn tables_of_others_are_read() {
    // A byte order mark, Windows line ends, blanks, pitches as pandas writes them, an empty last line.
    let text =
        "\u{feff}onset_s,offset_s,pitch,velocity\r\n1.0, 2.5 ,62.0,70\r\n0.5,1.25,60,80\r\n\r\n";
    assert_eq!(
        read(text, NoteFormat::Csv),
        [note(0.5, 1.25, 60, 80), note(1.0, 2.5, 62, 70)]
    );
    let text = "OnsetTime\tOffsetTime\tMidiPitch\r\n0.5\t1.25\t60\r\n";
    assert_eq!(read(text, NoteFormat::Maps), [note(0.5, 1.25, 60, 64)]);
}

#[test]
fn faults_are_named_with_line_and_column() {
    let csv = |rows: &str| {
        fault(
            &format!("onset_s,offset_s,pitch,velocity\n{rows}"),
            NoteFormat::Csv,
        )
    };
    assert_eq!(
        csv("0,1,60,80\n0,one,60,80\n"),
        "notes: line 3, column 2 (offset_s): expected a number, found \"one\""
    );
    assert_eq!(
        csv("0,1,60.5,80\n"),
        "notes: line 2, column 3 (pitch): expected a whole number from 0 to 127, found \"60.5\""
    );
    assert!(csv("0,1,60,200\n").contains("line 2, column 4 (velocity)"));
    assert!(csv("0,1,60,0\n").contains("line 2: its velocity is 0"));
    assert!(csv("2,1,60,80\n").contains("line 2: its offset is 1 s"));
    assert!(csv("0,inf,60,80\n").contains("line 2, column 2"));
    assert_eq!(
        csv("0,1,60\n"),
        "notes: line 2: expected 4 columns, found 3"
    );
    assert!(
        fault("start,end\n", NoteFormat::Csv)
            .contains("\"onset_s,offset_s,pitch,velocity\", found \"start end\"")
    );
    assert!(fault("", NoteFormat::Tsv).contains("found nothing"));
    assert!(fault("{\"notes\": [}", NoteFormat::Json).contains("line 1 column 12"));
    let json = r#"{"notes": [{"onset_s": 0, "offset_s": 1, "pitch": 128, "velocity": 80}]}"#;
    assert!(fault(json, NoteFormat::Json).contains("notes[0]: its pitch is 128"));
    let binary = read_notes_from(b"onset_s,\xff\xfe", NoteFormat::Csv, "notes").unwrap_err();
    assert!(binary.to_string().contains("line"), "{binary}");
}

#[test]
fn endings_choose_the_format() {
    assert_eq!(NoteFormat::of("a/b.MID").unwrap(), NoteFormat::Midi);
    assert!(
        read_notes("notes.doc")
            .unwrap_err()
            .to_string()
            .contains(".mid, .midi, .csv")
    );
    assert!(
        read_notes("none/such.csv")
            .unwrap_err()
            .to_string()
            .starts_with("none/such.csv: ")
    );
}

#[test]
fn json_names_the_model() {
    let bytes = encode_notes(&[note(0.5, 1.25, 60, 80)], NoteFormat::Json, Some("piano")).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let expected = serde_json::json!({
        "model": "piano",
        "notes": [{"onset_s": 0.5, "offset_s": 1.25, "pitch": 60, "velocity": 80}],
    });
    assert_eq!(value, expected);
}

#[test]
fn annotations_of_the_maps_recordings_are_read() {
    let Some(folder) = support::shared("data/audio/maps_dev") else {
        return;
    };
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "tsv") {
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            assert_eq!(
                read_notes(&path).unwrap().len(),
                lines - 1,
                "{}",
                path.display()
            );
            read += 1;
        }
    }
    assert!(read > 0);
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let path = folder.path().join("file");
    let failing = |out: &mut io::BufWriter<std::fs::File>| {
        out.write_all(&[7; 100_000])?;
        Err::<(), _>(io::Error::other("no more"))
    };
    let error = write_atomically(&path, failing).unwrap_err();
    assert!(error.to_string().contains("file: no more"));
    assert_eq!(files(), 0);

    write_atomically(&path, |out| out.write_all(b"first")).unwrap();
    write_atomically(&path, failing).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"first");
    // Before it is done, others see the old file.
    let during = write_atomically(&path, |out| {
        out.write_all(b"second")?;
        out.flush()?;
        std::fs::read(&path)
    });
    assert_eq!(during.unwrap(), b"first");
    assert_eq!(std::fs::read(&path).unwrap(), b"second");
    assert_eq!(files(), 1);

    let nowhere = write_atomically(folder.path().join("no/file"), |out| out.write_all(b""));
    assert!(nowhere.unwrap_err().to_string().contains("no/file"));
    assert!(write_atomically(folder.path(), |out| out.write_all(b"")).is_err());
}

#[cfg(unix)]
#[test]
fn links_devices_and_permissions_stay() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    write_atomically("/dev/null", |out| out.write_all(b"nothing")).unwrap();
    let null = std::fs::metadata("/dev/null").unwrap();
    assert!(null.file_type().is_char_device());

    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    std::fs::write(&target, "old").unwrap();
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&target, &link).unwrap();
    write_atomically(&link, |out| out.write_all(b"new")).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read(&target).unwrap(), b"new");
    assert_eq!(
        std::fs::metadata(&target).unwrap().permissions().mode() & 0o777,
        0o640
    );
}

#[test]
fn impossible_notes_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.csv");
    let error = write_notes(&path, &[note(f64::NAN, 1.0, 60, 80)], None).unwrap_err();
    assert!(error.to_string().contains("note 1 cannot be written"));
    assert!(!Path::new(&path).exists());
}

prop_compose! {
    fn any_note()(onset_s in 0.0..1e4_f64, length_s in 0.0..50.0_f64, pitch in 0_u8..128, velocity in 1_u8..128) -> Note {
        note(onset_s, onset_s + length_s, pitch, velocity)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_is_read_as_it_was_written(mut notes in prop::collection::vec(any_note(), 0..40)) {
        notes.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s));
        for format in [NoteFormat::Csv, NoteFormat::Tsv] {
            let bytes = encode_notes(&notes, format, Some("model")).unwrap();
            prop_assert_eq!(&read_notes_from(&bytes, format, "notes").unwrap(), &notes);
        }
        // serde_json reads numbers to the last digit but one.
        let bytes = encode_notes(&notes, NoteFormat::Json, Some("model")).unwrap();
        let read = read_notes_from(&bytes, NoteFormat::Json, "notes").unwrap();
        prop_assert_eq!(read.len(), notes.len());
        for (a, b) in read.iter().zip(&notes) {
            prop_assert_eq!((a.pitch, a.velocity), (b.pitch, b.velocity));
            prop_assert!((a.onset_s - b.onset_s).abs() < 1e-9 && (a.offset_s - b.offset_s).abs() < 1e-9);
        }
        let bytes = encode_notes(&notes, NoteFormat::Maps, None).unwrap();
        let unknown: Vec<_> = notes.iter().map(|n| Note { velocity: 64, ..*n }).collect();
        prop_assert_eq!(read_notes_from(&bytes, NoteFormat::Maps, "notes").unwrap(), unknown);
    }

    #[test]
    fn random_text_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in [NoteFormat::Csv, NoteFormat::Tsv, NoteFormat::Maps, NoteFormat::Json] {
            let _ = read_notes_from(&bytes, format, "notes");
            let with_header = [&b"onset_s,offset_s,pitch,velocity\n"[..], &bytes].concat();
            let _ = read_notes_from(&with_header, format, "notes");
        }
    }
}

//! Annotations from and to files of any format.

use std::path::Path;

use hemiola::formats::{Annotations, FileFormat, Kind, annotations_from};
use hemiola::music::{Beat, BeatTrack, Chroma, Note, Onset, Segment};

fn segment<L: std::str::FromStr>(start_s: f64, end_s: f64, label: &str) -> Segment<L> {
    Segment {
        start_s,
        end_s,
        label: label.parse().ok().unwrap(),
    }
}

fn everything() -> Annotations {
    let note = |onset_s, offset_s, pitch, velocity| Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    };
    let beat = |time_s, number| Beat { time_s, number };
    let mut chroma = Chroma::new(8.0);
    chroma.frames = vec![[0.25; 12], [0.5; 12]];
    Annotations {
        notes: Some(vec![note(0.5, 1.0, 60, 80), note(0.5, 1.5, 64, 33)]),
        onsets: Some(
            [0.5, 1.25]
                .map(|time_s| Onset {
                    time_s,
                    strength: 1.0,
                })
                .to_vec(),
        ),
        beats: Some(BeatTrack {
            tempo_bpm: Some(120.0),
            beats_per_bar: 3,
            beats: vec![beat(0.5, 3), beat(1.0, 1), beat(1.5, 2)],
        }),
        chords: Some(vec![
            segment(0.0, 1.0, "C:maj"),
            segment(1.0, 2.5, "A:min7/b3"),
        ]),
        keys: Some(vec![segment(0.0, 2.5, "C# minor")]),
        sections: Some(vec![
            segment(0.0, 1.0, "verse, first"),
            segment(1.0, 2.5, "A \"B\""),
        ]),
        chroma: Some(chroma),
        ..Annotations::default()
    }
}

/// What is written in every format that can be read is read again as the same kind.
#[test]
fn formats_keep_what_they_have_places_for() {
    let written = everything();
    let mut pairs = 0;
    for format in FileFormat::ALL {
        for &kind in format
            .writes()
            .iter()
            .filter(|kind| format.reads().contains(kind))
        {
            if !written.kinds().contains(&kind)
                || matches!(format, FileFormat::MusicXml | FileFormat::Mxl)
            {
                continue;
            }
            let bytes = written.encode(format, Some(kind)).unwrap();
            // Tables and lists say what they are of.
            let asked = match format {
                FileFormat::Lab | FileFormat::Audacity | FileFormat::SonicVisualiser => Some(kind),
                _ => None,
            };
            let read = annotations_from(&bytes, format, "memory", asked)
                .unwrap_or_else(|fault| panic!("{format} {kind}: {fault}"));
            pairs += 1;
            let place = format!("{format} {kind}: {read:?}");
            match kind {
                Kind::Notes => {
                    let notes = read.notes.clone().unwrap();
                    assert_eq!(notes.len(), 2, "{place}");
                    assert_eq!((notes[1].pitch, notes[1].offset_s), (64, 1.5), "{place}");
                    let kept = format.loses(kind).is_none();
                    assert_eq!(notes[1].velocity, if kept { 33 } else { 64 }, "{place}");
                }
                Kind::Onsets => {
                    let times = read.onsets.clone().unwrap();
                    assert_eq!(
                        times.iter().map(|onset| onset.time_s).collect::<Vec<_>>(),
                        [0.5, 1.25],
                        "{place}"
                    );
                }
                Kind::Beats => assert_eq!(read.beats, written.beats, "{place}"),
                Kind::Chords => assert_eq!(read.chords, written.chords, "{place}"),
                Kind::Key => {
                    assert_eq!(
                        read.keys.clone().unwrap()[0].label,
                        written.keys.as_ref().unwrap()[0].label,
                        "{place}"
                    );
                }
                Kind::Sections => assert_eq!(read.sections, written.sections, "{place}"),
                Kind::Chroma => assert_eq!(read.chroma, written.chroma, "{place}"),
                Kind::Tags => {}
            }
        }
    }
    assert!(pairs >= 27, "{pairs}");
}

fn read(text: &str, name: &str) -> Annotations {
    let format = FileFormat::of(name).unwrap();
    annotations_from(text.as_bytes(), format, name, None).unwrap()
}

#[test]
fn layers_of_sonic_visualiser_are_known_by_their_columns() {
    let instants = read("0.500000000,1\n1.0,2\n1.5,1\n", "a.csv");
    assert_eq!(instants.beats.unwrap().beats[1].number, 2);
    assert_eq!(instants.onsets.unwrap().len(), 3);
    let named = read("TIME,LABEL\n0.5,New Point\n", "a.csv");
    assert_eq!((named.beats, named.onsets.unwrap()[0].time_s), (None, 0.5));
    let regions = read(
        "TIME,VALUE,DURATION,LABEL\n0,3,1.5,\"verse, first\"\n1.5,4,1,\n",
        "a.csv",
    );
    let sections = regions.sections.unwrap();
    assert_eq!(
        (sections[0].label.as_str(), sections[0].end_s),
        ("verse, first", 1.5)
    );
    assert_eq!(sections[1].label, "4");
    let chords = read("0,1.5,C:maj\n1.5,1,N\n", "a.csv");
    assert_eq!(chords.chords.unwrap()[1].end_s, 2.5);
    let hz = read("0,440,1,0.5,\n1,220,1,1,A3\n", "a.csv");
    let pitches: Vec<(u8, u8)> = hz
        .notes
        .iter()
        .flatten()
        .map(|note| (note.pitch, note.velocity))
        .collect();
    assert_eq!(pitches, [(69, 64), (57, 127)]);
    assert_eq!(
        read("0,60,1,100,\n", "a.csv").notes.unwrap()[0].velocity,
        100
    );
    assert!(read("0,60.4,1,1,\n", "a.csv").warnings[0].contains("MIDI pitches"));
}

#[test]
fn label_tracks_of_audacity_are_known_by_their_tabs() {
    let points = read(
        "2.15\t2.15\tpoint label\n\\\t6928.456055\t6928.456055\n",
        "a.txt",
    );
    assert_eq!(points.onsets.unwrap()[0].time_s, 2.15);
    let regions = read(
        "0\t1.5\tverse\n\\\t-1.000000\t6334.588867\n1\t2\t\n",
        "a.txt",
    );
    let sections = regions.sections.unwrap();
    assert_eq!(
        (sections[0].label.as_str(), sections[1].label.as_str()),
        ("verse", "")
    );
    let letters = read("0\t1\tA\n1\t2\tB\n2\t3\tA\n", "a.txt");
    assert_eq!(letters.kinds(), [Kind::Sections]);
    assert_eq!(
        read("0\t1\tC:maj\n1\t2\tN\n", "a.txt").kinds(),
        [Kind::Chords]
    );
    let old = annotations_from(b"5.5\tSpeech\n", FileFormat::Audacity, "a", None).unwrap();
    assert_eq!(old.onsets.unwrap()[0].time_s, 5.5);
    // What is no label track.
    assert_eq!(read("0.5\n0.25\n", "a.txt").onsets.unwrap()[0].time_s, 0.25);
    assert_eq!(
        read("C#\tminor\n", "a.txt").keys.unwrap()[0]
            .label
            .to_string(),
        "C# minor"
    );
}

#[test]
fn nothing_that_is_hostile_is_read_or_panics() {
    let inputs: [&[u8]; 12] = [
        b"",
        b"\xff\xfe\x00\x01\x80",
        b"\x00\x01\x02",
        b"NaN,1\n",
        b"-1,2,3\n",
        b"0,1,2,3,4,5,6,7\n",
        b"0,1,2\n0,1,2,3,4\n",
        b"inf\tinf\tx\n",
        b"1\t0\tx\n",
        b"{\"notes\": 3}",
        b"MThd\x00\x00\x00\x06\x00\x01\xff\xff\x00\x60",
        b"TIME,VALUE\n1e999,2\n",
    ];
    for format in FileFormat::ALL {
        for input in inputs {
            for what in [
                None,
                Some(Kind::Chords),
                Some(Kind::Beats),
                Some(Kind::Notes),
            ] {
                if let Err(fault) = annotations_from(input, format, Path::new("hostile"), what) {
                    assert!(fault.to_string().contains("hostile"), "{format}: {fault}");
                }
            }
        }
    }
    for (text, name, words) in [
        ("0,1\nsoon,1\n", "a.csv", ["line 2", "soon"]),
        ("TIME,LABEL\n0.5,a\n1,b,c\n", "a.csv", ["line 3", "columns"]),
        ("start\tend\n1\t0.5\tx\n", "a.lab", ["line 1", "start"]),
        ("0\t1\ta\n2\t1\tb\n", "a.txt", ["line 2", "1"]),
        ("0.5 1\n1.0\n", "a.beats", ["line 2", "1.0"]),
        ("0.5 1.5\n", "a.beats", ["line 1", "1.5"]),
        ("what is this\n", "a.csv", ["line 1", "what is this"]),
        ("{}", "a.json", ["notes", "analysis"]),
        ("[1", "a.json", ["JSON", "EOF"]),
        ("", "a.npy", ["written", "not read"]),
    ] {
        let format = FileFormat::of(name).unwrap();
        let message = annotations_from(text.as_bytes(), format, name, None)
            .unwrap_err()
            .to_string();
        for word in words.iter().chain(&[name]) {
            assert!(message.contains(word), "{word} is not in: {message}");
        }
    }
}

#[test]
fn what_cannot_be_written_is_told_with_what_can() {
    let notes = Annotations {
        notes: everything().notes,
        ..Annotations::default()
    };
    let message = notes.encode(FileFormat::Npy, None).unwrap_err().to_string();
    for word in ["notes", "npy", "chroma", "mid, csv"] {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
    let message = notes
        .encode(FileFormat::Lab, Some(Kind::Chords))
        .unwrap_err()
        .to_string();
    assert!(message.contains("no chords"), "{message}");
    assert_eq!(
        everything().kind_for(FileFormat::Lab, None).unwrap(),
        Kind::Chords
    );
}

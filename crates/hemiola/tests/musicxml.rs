//! MusicXML in and out.

use hemiola::formats::{Annotations, encode_music_xml, encode_mxl, music_xml_from};
use hemiola::music::{Beat, BeatTrack, Note, Segment};

fn note(onset_s: f64, offset_s: f64, pitch: u8) -> Note {
    Note {
        onset_s,
        offset_s,
        pitch,
        velocity: 72,
    }
}

/// Beats half a second apart from `first_s` on, the first with the number `first`.
fn beats(first_s: f64, first: u8, per_bar: u8, count: usize) -> BeatTrack {
    let beat = |index: usize| Beat {
        time_s: first_s + 0.5 * index as f64,
        number: (usize::from(first - 1) + index) as u8 % per_bar + 1,
    };
    BeatTrack {
        tempo_bpm: Some(120.0),
        beats_per_bar: per_bar,
        beats: (0..count).map(beat).collect(),
    }
}

fn segment<L: std::str::FromStr>(start_s: f64, end_s: f64, label: &str) -> Segment<L> {
    Segment {
        start_s,
        end_s,
        label: label.parse().ok().unwrap(),
    }
}

fn text(annotations: &Annotations) -> String {
    String::from_utf8(encode_music_xml(annotations).unwrap()).unwrap()
}

fn read(text: &str) -> Annotations {
    music_xml_from(text.as_bytes(), "x.musicxml").unwrap()
}

/// In 3/4 with a pick-up: chords on both staves, a tie over a bar, an overlap, a triplet, a syncope.
fn piece() -> Annotations {
    let third = 0.5 / 3.0;
    let mut notes = vec![
        note(0.0, 0.5, 67),
        note(0.5, 1.0, 60),
        note(0.5, 1.0, 64),
        note(0.5, 2.0, 48),
        note(1.0, 2.5, 66),
        note(1.25, 1.75, 72),
        note(2.0, 3.5, 43),
        note(2.5, 2.5 + third, 70),
        note(2.5 + third, 2.5 + 2.0 * third, 73),
        note(2.5 + 2.0 * third, 3.0, 61),
        note(3.0, 3.125, 108),
        note(3.0, 3.5, 21),
    ];
    notes.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(a.pitch.cmp(&b.pitch)));
    Annotations {
        notes: Some(notes),
        beats: Some(beats(0.0, 3, 3, 7)),
        keys: Some(vec![segment(0.0, 3.5, "Eb major")]),
        chords: Some(vec![
            segment(0.0, 0.5, "N"),
            segment(0.5, 2.0, "C:min7/b3"),
            segment(2.0, 2.5, "Ab:9(*5,#11)"),
            segment(2.5, 3.0, "G:sus4(b7)"),
            segment(3.0, 3.5, "D:hdim7"),
        ]),
        ..Annotations::default()
    }
}

#[test]
fn what_is_written_is_read_again() {
    let piece = piece();
    for bytes in [
        encode_music_xml(&piece).unwrap(),
        encode_mxl(&piece).unwrap(),
    ] {
        let found = music_xml_from(&bytes, "memory").unwrap();
        let (written, read) = (piece.notes.as_ref().unwrap(), found.notes.unwrap());
        assert_eq!(read.len(), written.len());
        for (read, written) in read.iter().zip(written) {
            assert_eq!(
                (read.pitch, read.velocity),
                (written.pitch, written.velocity)
            );
            assert!(
                (read.onset_s - written.onset_s).abs() < 1e-6,
                "{read:?} {written:?}"
            );
            assert!(
                (read.offset_s - written.offset_s).abs() < 1e-6,
                "{read:?} {written:?}"
            );
        }
        let numbers: Vec<u8> = found
            .beats
            .unwrap()
            .beats
            .iter()
            .map(|beat| beat.number)
            .collect();
        assert_eq!(numbers, [3, 1, 2, 3, 1, 2, 3]);
        assert_eq!(found.keys.unwrap()[0].label.to_string(), "Eb major");
        let (chords, written) = (found.chords.unwrap(), piece.chords.clone().unwrap());
        assert_eq!(chords.len(), written.len());
        for (read, written) in chords.iter().zip(&written) {
            assert_eq!(
                read.label.tones(),
                written.label.tones(),
                "{} {}",
                read.label,
                written.label
            );
            assert!((read.start_s - written.start_s).abs() < 1e-6);
        }
        assert_eq!(chords[1].label, written[1].label);
    }
}

#[test]
fn a_score_has_signature_spelling_and_ties() {
    let text = text(&piece());
    assert!(text.contains("<fifths>-3</fifths>"));
    assert!(text.contains("<measure number=\"0\" implicit=\"yes\">"));
    assert!(text.contains("<beats>3</beats>"));
    assert_eq!(text.matches("<measure ").count(), 3);
    assert_eq!(
        text.matches("<time>").count(),
        1,
        "the pick-up has the time of the first bar"
    );
    // In Eb major 64 is Fb, 66 Gb, 73 and 61 are Db; the Bb of 70 stands in the signature, the A of 21 does not.
    assert_eq!(text.matches("<accidental>natural</accidental>").count(), 1);
    assert_eq!(text.matches("<accidental>flat</accidental>").count(), 4);
    // From the second beat of the first full bar over the bar line, on both staves.
    assert_eq!(
        text.matches("<tie type=\"start\"/>").count(),
        text.matches("<tie type=\"stop\"/>").count()
    );
    assert_eq!(text.matches("<actual-notes>").count(), 3);
    assert!(text.contains("<kind text=\"N.C.\">none</kind>"));
    assert!(text.contains("<root-step>A</root-step>"));
}

#[test]
fn music_without_beats_is_at_120_in_four() {
    let found = read(&text(&Annotations {
        notes: Some(vec![note(0.01, 0.49, 60), note(2.02, 2.99, 62)]),
        ..Annotations::default()
    }));
    let notes = found.notes.unwrap();
    assert_eq!((notes[0].onset_s, notes[0].offset_s), (0.0, 0.5));
    assert_eq!((notes[1].onset_s, notes[1].offset_s), (2.0, 3.0));
    assert_eq!(found.beats.unwrap().beats.len(), 8);
    let empty = read(&text(&Annotations {
        notes: Some(Vec::new()),
        ..Annotations::default()
    }));
    assert_eq!(empty.notes.unwrap(), []);
}

#[test]
fn bars_follow_beats_that_slow_down() {
    let mut track = beats(1.0, 1, 4, 8);
    for (index, beat) in track.beats.iter_mut().enumerate() {
        beat.time_s = 1.0 + 0.5 * index as f64 + 0.02 * (index * index) as f64;
    }
    let at = |index: usize| track.beats[index].time_s;
    let notes: Vec<Note> = (0..7)
        .map(|index| note(at(index), at(index + 1), 60 + index as u8))
        .collect();
    let found = read(&text(&Annotations {
        notes: Some(notes.clone()),
        beats: Some(track.clone()),
        ..Annotations::default()
    }));
    let read = found.notes.unwrap();
    assert_eq!(read.len(), 7);
    // A bar as a whole lasts as long as it was played, from the first beat on.
    assert!((read[4].onset_s - (at(4) - 1.0)).abs() < 1e-3, "{read:?}");
}

/// Two parts, the second a clarinet in B flat, in 6/8 with tempo, backup, repeats, a grace note and a drum.
const OTHERS: &str = r#"<?xml version="1.0"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="3.1"><work><work-title>A &amp; B</work-title></work>
<part id="P1">
<measure number="1"><attributes><divisions>4</divisions><key><fifths>1</fifths><mode>minor</mode></key><time><beats>6</beats><beat-type>8</beat-type></time></attributes>
<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>40</per-minute></metronome></direction-type></direction>
<harmony><root><root-step>E</root-step></root><kind>minor-seventh</kind><bass><bass-step>G</bass-step></bass></harmony>
<note><grace/><pitch><step>A</step><octave>4</octave></pitch></note>
<note><pitch><step>E</step><octave>4</octave></pitch><duration>6</duration><tie type="start"/></note>
<note><chord/><pitch><step>G</step><octave>4</octave></pitch><duration>6</duration></note>
<note><rest/><duration>6</duration></note>
<backup><duration>6</duration></backup>
<note><pitch><step>E</step><octave>4</octave></pitch><duration>6</duration><tie type="stop"/></note>
</measure>
<measure number="2"><sound tempo="120"/>
<note><unpitched/><duration>12</duration></note><barline><repeat direction="backward"/></barline></measure>
</part>
<part id="P2">
<measure number="1"><attributes><divisions>1</divisions><transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>
<forward><duration>2</duration></forward>
<note dynamics="50"><pitch><step>C</step><alter>1</alter><octave>5</octave></pitch><duration>1</duration></note></measure>
<measure number="2"><note><pitch><step>C</step><octave>5</octave></pitch><duration>3</duration></note></measure>
</part></score-partwise>"#;

#[test]
fn scores_of_others_are_read() {
    let found = read(OTHERS);
    // 60 quarter notes a minute in the first bar, 120 in the second.
    let notes: Vec<(f64, f64, u8)> = (found.notes.iter().flatten())
        .map(|note| (note.onset_s, note.offset_s, note.pitch))
        .collect();
    assert_eq!(
        notes,
        [
            (0.0, 3.0, 64),
            (0.0, 1.5, 67),
            (2.0, 3.0, 71),
            (3.0, 4.5, 70)
        ]
    );
    assert_eq!(found.notes.unwrap()[2].velocity, 45);
    assert_eq!(found.recording.title.as_deref(), Some("A & B"));
    assert_eq!(found.recording.duration_s, Some(4.5));
    assert_eq!(found.keys.unwrap()[0].label.to_string(), "E minor");
    assert_eq!(found.chords.unwrap()[0].label.to_string(), "E:min7/b3");
    let numbers: Vec<u8> = found
        .beats
        .unwrap()
        .beats
        .iter()
        .map(|beat| beat.number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 1, 2, 3]);
    let told = found.warnings.join("; ");
    for words in ["1 repeat", "1 grace", "1 notes of percussion"] {
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn faults_are_told() {
    let bar = |inside: &str| {
        format!(
            "<score-partwise><part><measure number=\"7\">{inside}</measure></part></score-partwise>"
        )
    };
    let pitch = |octave: &str| {
        bar(&format!(
            "<note><pitch><step>C</step><octave>{octave}</octave></pitch><duration>1</duration></note>"
        ))
    };
    for (bytes, words) in [
        (Vec::new(), &["x.mxl", "expected MusicXML"][..]),
        (vec![0xff, 0x00, 0x80], &["UTF-8"]),
        (b"PK\x03\x04nothing".to_vec(), &["ZIP"]),
        (
            b"<score-timewise/>".to_vec(),
            &["score-partwise", "score-timewise"],
        ),
        (b"<html><p></html>".to_vec(), &["expected MusicXML"]),
        (pitch("99").into_bytes(), &["part 1, bar 7", "MIDI"]),
        (pitch("x").into_bytes(), &["bar 7", "octave"]),
        (bar("<forward/>").into_bytes(), &["bar 7", "duration"]),
        (
            bar("<forward><duration>1e300</duration></forward>").into_bytes(),
            &["bar 7", "1000"],
        ),
        (
            bar("<forward><duration>-1</duration></forward>").into_bytes(),
            &["bar 7", "-1"],
        ),
        (
            bar("<attributes><divisions>0</divisions></attributes>").into_bytes(),
            &["divisions"],
        ),
    ] {
        let message = music_xml_from(&bytes, "x.mxl").unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{word} is not in: {message}");
        }
    }
    let far = Annotations {
        notes: Some(vec![note(0.0, 1e9, 60)]),
        ..Annotations::default()
    };
    assert!(
        encode_music_xml(&far)
            .unwrap_err()
            .to_string()
            .contains("200000")
    );
    let backwards = Annotations {
        notes: Some(vec![note(0.0, 1.0, 60)]),
        beats: Some(BeatTrack {
            beats: vec![
                Beat {
                    time_s: 1.0,
                    number: 1,
                },
                Beat {
                    time_s: 0.5,
                    number: 2,
                },
            ],
            ..BeatTrack::default()
        }),
        ..Annotations::default()
    };
    assert!(
        encode_music_xml(&backwards)
            .unwrap_err()
            .to_string()
            .contains("order")
    );
    assert!(encode_music_xml(&Annotations::default()).is_err());
}

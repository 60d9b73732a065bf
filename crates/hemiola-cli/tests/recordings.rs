//! What every verb of recordings does alike, with its built-in models.

mod support;

use std::fs;

use hemiola::audio::{WavFormat, write_wav};
use hemiola::formats::write_notes;
use hemiola::music::Note;
use support::{Ran, folder, hemiola, hemiola_in, sound_of, write_melody};
use tempfile::TempDir;

/// A verb, what a folder of its results holds where nothing else is asked for, and another of its formats.
struct Verb {
    name: &'static str,
    format: &'static str,
    other: &'static str,
}

const VERBS: [Verb; 7] = [
    Verb {
        name: "transcribe",
        format: "mid",
        other: "csv",
    },
    Verb {
        name: "tag",
        format: "json",
        other: "csv",
    },
    Verb {
        name: "onsets",
        format: "txt",
        other: "csv",
    },
    Verb {
        name: "beats",
        format: "beats",
        other: "csv",
    },
    Verb {
        name: "chroma",
        format: "csv",
        other: "json",
    },
    Verb {
        name: "chords",
        format: "lab",
        other: "json",
    },
    Verb {
        name: "key",
        format: "txt",
        other: "json",
    },
];

impl Verb {
    fn run(&self, at: &TempDir, arguments: &[&str]) -> Ran {
        hemiola(at.path(), &[&[self.name], arguments].concat())
    }
}

#[test]
fn bad_recordings_are_refused_in_one_line() {
    let at = folder();
    fs::write(at.path().join("empty.wav"), b"").unwrap();
    let words = "These are words, not music.\n".repeat(40);
    fs::write(at.path().join("text.mp3"), words).unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(at.path().join("nan.wav"), spec).unwrap();
    for index in 0..16_000 {
        let sample = if index == 4000 { f32::NAN } else { 0.0 };
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    fs::create_dir(at.path().join("nothing")).unwrap();
    fs::write(at.path().join("nothing/notes.txt"), "no audio").unwrap();
    for verb in &VERBS {
        let out = format!("out.{}", verb.format);
        for (name, words) in [
            ("missing.wav", &["missing.wav", "No such file"][..]),
            ("empty.wav", &["empty.wav", "0 bytes"]),
            ("text.mp3", &["text.mp3", "not audio"]),
            ("nan.wav", &["nan.wav", "0.25", "NaN"]),
        ] {
            let ran = verb.run(&at, &[name, "-o", &out]).failed(1, words);
            assert_eq!(ran.stdout, b"");
            assert!(!at.path().join(&out).exists(), "{}", verb.name);
        }
        verb.run(&at, &["nothing", "-o", "out"])
            .failed(1, &["nothing", "no audio files"]);
        hemiola_in(at.path(), &[verb.name, "-", "-o", "-"], b"")
            .failed(1, &["standard input", "0 bytes"]);
    }
}

#[test]
fn a_recording_without_a_sample_gives_an_empty_result_and_a_warning() {
    let at = folder();
    let path = at.path().join("zero.wav");
    write_wav(path, &[], 1, 16_000, WavFormat::Int16).unwrap();
    for verb in &VERBS {
        let ran = verb.run(&at, &["zero.wav", "-o", "out"]).succeeded();
        assert!(ran.stderr.contains("warning: zero.wav"), "{}", ran.stderr);
        let result = format!("out/zero.{}", verb.format);
        assert!(at.path().join(&result).is_file(), "{result}");
    }
}

#[test]
fn standard_input_and_output_give_what_files_give() {
    let at = folder();
    write_melody(&at.path().join("a.wav"), 2);
    let sound = fs::read(at.path().join("a.wav")).unwrap();
    for verb in &VERBS {
        let out = format!("a.{}", verb.other);
        verb.run(&at, &["a.wav", "-o", &out]).succeeded();
        let expected = fs::read(at.path().join(&out)).unwrap();
        let piped = [verb.name, "-", "-o", "-", "--format", verb.other];
        let ran = hemiola_in(at.path(), &piped, &sound).succeeded();
        assert_eq!(ran.stdout, expected, "{}", verb.name);
    }
}

#[test]
fn a_bad_file_does_not_stop_a_folder() {
    let at = folder();
    fs::create_dir_all(at.path().join("in/below")).unwrap();
    write_melody(&at.path().join("in/a.wav"), 1);
    fs::write(at.path().join("in/b.wav"), "no audio at all").unwrap();
    write_melody(&at.path().join("in/below/c.wav"), 2);
    for verb in &VERBS {
        for jobs in ["1", "3"] {
            let out = format!("{}{jobs}", verb.name);
            verb.run(&at, &["in", "-o", &out, "-j", jobs])
                .failed(1, &["in/b.wav"]);
            for (name, there) in [("a", true), ("b", false), ("below/c", true)] {
                let result = format!("{out}/{name}.{}", verb.format);
                assert_eq!(at.path().join(&result).exists(), there, "{result}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn links_in_folders_are_followed() {
    let at = folder();
    fs::create_dir_all(at.path().join("in")).unwrap();
    write_melody(&at.path().join("elsewhere.wav"), 1);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(at.path().join(to), at.path().join("in").join(name)).unwrap();
    };
    link("elsewhere.wav", "a.wav");
    link("nothing.txt", "b.txt");
    let onsets = &VERBS[2];
    onsets.run(&at, &["in", "-o", "out"]).succeeded();
    assert!(at.path().join("out/a.txt").exists());
    link("nothing.wav", "b.wav");
    onsets
        .run(&at, &["in", "-o", "out"])
        .failed(1, &["in/b.wav"]);
    // A folder within itself.
    fs::remove_file(at.path().join("in/b.wav")).unwrap();
    link("in", "again");
    onsets.run(&at, &["in", "-o", "out"]).succeeded();
}

#[test]
fn skip_existing_looks_at_every_format() {
    let at = folder();
    write_melody(&at.path().join("a.wav"), 1);
    for verb in &VERBS {
        let result = at.path().join(format!("{}/a.{}", verb.name, verb.format));
        fs::create_dir(at.path().join(verb.name)).unwrap();
        fs::write(&result, "mine").unwrap();
        let run = |formats: &str| {
            let arguments = [
                "a.wav",
                "-o",
                verb.name,
                "--skip-existing",
                "--format",
                formats,
            ];
            verb.run(&at, &arguments).succeeded();
        };
        run(verb.format);
        assert_eq!(fs::read(&result).unwrap(), b"mine");
        // One of two is missing, so both are made.
        run(&format!("{},{}", verb.format, verb.other));
        assert_ne!(fs::read(&result).unwrap(), b"mine");
        fs::write(&result, "mine").unwrap();
        run(&format!("{},{}", verb.other, verb.format));
        assert_eq!(fs::read(&result).unwrap(), b"mine");
    }
}

#[test]
fn results_that_cannot_be_written_are_told() {
    let at = folder();
    write_melody(&at.path().join("a.wav"), 1);
    write_melody(&at.path().join("b.wav"), 2);
    fs::write(at.path().join("taken"), "a file").unwrap();
    for verb in &VERBS {
        verb.run(&at, &["a.wav", "b.wav", "-o", "taken"])
            .failed(1, &["taken", "folder"]);
        let inside = format!("taken/a.{}", verb.format);
        verb.run(&at, &["a.wav", "-o", &inside])
            .failed(1, &["taken"]);
        assert_eq!(fs::read(at.path().join("taken")).unwrap(), b"a file");
    }
}

#[test]
fn wrong_use_has_its_own_exit_code() {
    let at = folder();
    write_melody(&at.path().join("a.wav"), 1);
    write_melody(&at.path().join("b.wav"), 2);
    fs::create_dir(at.path().join("in")).unwrap();
    write_melody(&at.path().join("in/a.wav"), 1);
    for verb in &VERBS {
        let two = format!("{},{}", verb.format, verb.other);
        let out = format!("x.{}", verb.format);
        for (arguments, words) in [
            (&["a.wav", "b.wav"][..], &["-o"][..]),
            (&["in"], &["-o"]),
            (&["a.wav", "b.wav", "-o", "-"], &["standard output", "-o"]),
            (&["a.wav", "--format", &two], &["2 formats", "-o"]),
            (
                &["a.wav", "-o", &out, "--format", verb.other],
                &[verb.other, &out],
            ),
            (&["a.wav", "in", "-o", "out"], &["a.wav", "in/a.wav"]),
            (
                &["a.wav", "--model", "nobody"],
                &["nobody", "built-in", "folder"],
            ),
        ] {
            verb.run(&at, arguments).failed(2, words);
        }
        for arguments in [
            &["a.wav", "--format", "wav"][..],
            &["a.wav", "--jobs", "0"],
            &[],
        ] {
            assert_eq!(verb.run(&at, arguments).code, 2, "{arguments:?}");
        }
    }
}

#[test]
fn chords_and_keys_of_plain_music_are_told() {
    let at = folder();
    // I IV V I of C major as sines with overtones, two seconds each; and the same as MIDI.
    let chords = [
        [60, 64, 67, 72],
        [60, 65, 69, 72],
        [59, 62, 67, 71],
        [60, 64, 67, 72],
    ];
    let notes: Vec<Note> = chords
        .iter()
        .enumerate()
        .flat_map(|(index, pitches)| {
            pitches.iter().map(move |&pitch| Note {
                onset_s: 2.0 * index as f64,
                offset_s: 2.0 * (index + 1) as f64,
                pitch,
                velocity: 80,
            })
        })
        .collect();
    let (samples, rate) = (sound_of(&notes, 22_050), 22_050);
    write_wav(at.path().join("a.wav"), &samples, 1, rate, WavFormat::Int16).unwrap();
    write_notes(at.path().join("b.mid"), &notes, None).unwrap();
    for name in ["a.wav", "b.mid"] {
        let ran = hemiola(at.path(), &["key", name]).succeeded();
        assert_eq!(ran.text(), "C\tmajor\n", "{name}");
    }
    let ran = hemiola(at.path(), &["chords", "a.wav", "--vocabulary", "majmin"]).succeeded();
    let mut found: Vec<&str> = ran
        .text()
        .lines()
        .filter_map(|line| line.split('\t').nth(2))
        .collect();
    found.dedup();
    assert_eq!(found, ["C:maj", "F:maj", "G:maj", "C:maj"]);
}

#[test]
fn what_has_no_pitch_has_no_chord_and_no_key() {
    let at = folder();
    write_wav(
        at.path().join("silence.wav"),
        &[0.0; 64_000],
        1,
        16_000,
        WavFormat::Int16,
    )
    .unwrap();
    let ran = hemiola(at.path(), &["chords", "silence.wav"]).succeeded();
    assert_eq!(ran.text().split_whitespace().nth(2), Some("N"));
    assert_eq!(ran.text().lines().count(), 1);
    let ran = hemiola(at.path(), &["key", "silence.wav"]).succeeded();
    assert_eq!(ran.text(), "X\n");
}

//! `hemiola augment`, run as a user runs it.

mod support;

use std::fs;
use std::path::Path;

use hemiola::audio::{AudioStream, WavFormat, read_mono, write_wav};
use hemiola::augment::stretch::{Stretch, stretch};
use support::{folder, hemiola, hemiola_in, melody, tones};

const RATE: u32 = 22_050;

/// Two seconds, in two channels.
fn write_input(folder: &Path) -> Vec<f32> {
    let mono = tones(&melody(1), 2.0, RATE);
    let stereo: Vec<f32> = mono.iter().flat_map(|s| [*s, *s]).collect();
    let path = folder.join("in.wav");
    write_wav(&path, &stereo, 2, RATE, WavFormat::Int24).unwrap();
    read(&path)
}

fn read(path: &Path) -> Vec<f32> {
    let stream = AudioStream::open_at_source_rate(path).unwrap();
    assert_eq!(
        (stream.sample_rate(), stream.source_channels()),
        (RATE, 1 + usize::from(path.ends_with("in.wav")))
    );
    read_mono(path, RATE).unwrap()
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64
}

fn db(a: &[f32], b: &[f32]) -> f64 {
    10.0 * (power(a) / power(b)).log10()
}

fn difference(a: &[f32], b: &[f32]) -> Vec<f32> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[test]
fn pitch_and_stretch_are_those_of_the_library() {
    let at = folder();
    let input = write_input(at.path());
    let change = Stretch {
        factor: 1.1,
        semitones: -2.0,
    };
    let ran = hemiola(
        at.path(),
        &["augment", "in.wav", "--pitch", "-2", "--stretch", "1.1"],
    )
    .succeeded();
    assert_eq!(ran.stdout, b"");
    let found = read(&at.path().join("in-augmented.wav"));
    let expected = stretch(&input, RATE, change).unwrap();
    let apart = difference(&found, &expected)
        .iter()
        .fold(0.0f32, |most, d| most.max(d.abs()));
    assert!(apart < 1e-6, "{apart}");
}

#[test]
fn standard_input_and_output_give_what_files_give() {
    let at = folder();
    write_input(at.path());
    hemiola(
        at.path(),
        &["augment", "in.wav", "--pitch", "+1", "-o", "out.wav"],
    )
    .succeeded();
    let expected = fs::read(at.path().join("out.wav")).unwrap();
    let input = fs::read(at.path().join("in.wav")).unwrap();
    for arguments in [
        &["augment", "-", "--pitch", "+1"][..],
        &["augment", "-", "--pitch", "+1", "-o", "-"],
    ] {
        let ran = hemiola_in(at.path(), arguments, &input).succeeded();
        assert!(ran.stdout == expected, "{arguments:?}");
    }
}

#[test]
fn levels_are_those_asked_for() {
    let at = folder();
    let input = write_input(at.path());
    let apply = |options: &[&str]| {
        let arguments = [&["augment", "in.wav", "-o", "out.wav"], options].concat();
        hemiola(at.path(), &arguments).succeeded();
        read(&at.path().join("out.wav"))
    };
    assert!((db(&apply(&["--gain", "-6"]), &input) + 6.0).abs() < 0.01);
    for kind in ["white", "pink", "brown", "hum", "clicks"] {
        let noisy = apply(&["--snr", "10", "--noise", kind, "--gain", "-12"]);
        let clean = apply(&["--gain", "-12"]);
        let found = db(&clean, &difference(&noisy, &clean));
        assert!((found - 10.0).abs() < 0.05, "{kind}: {found} dB");
    }
    // The other is at another rate and shorter.
    let other = tones(&melody(2), 0.7, 16_000);
    write_wav(
        at.path().join("other.wav"),
        &other,
        1,
        16_000,
        WavFormat::Int16,
    )
    .unwrap();
    let mixed = apply(&["--mix", "other.wav", "--mix-db", "6", "--gain", "-12"]);
    let clean = apply(&["--gain", "-12"]);
    let added = difference(&mixed, &clean);
    let found = db(&clean, &added);
    assert!((found - 6.0).abs() < 0.05, "{found} dB");
    let period = (0.7 * f64::from(RATE)).round() as usize;
    let again = difference(&added[..period / 2], &added[period..period + period / 2]);
    assert!(db(&again, &added) < -60.0);
}

#[test]
fn rooms_and_equalisers_keep_length_and_peak_and_follow_the_seed() {
    let at = folder();
    let input = write_input(at.path());
    let peak = |samples: &[f32]| samples.iter().fold(0.0f32, |most, s| most.max(s.abs()));
    let apply = |seed: &str| {
        let options = ["--reverb", "0.8", "--eq", "12", "--seed", seed];
        let arguments = [&["augment", "in.wav", "-o", "out.wav"][..], &options].concat();
        hemiola(at.path(), &arguments).succeeded();
        read(&at.path().join("out.wav"))
    };
    let one = apply("1");
    assert_eq!(one.len(), input.len());
    assert!((peak(&one) - peak(&input)).abs() < 1e-4);
    assert!(db(&difference(&one, &input), &input) > -30.0);
    assert_eq!(one, apply("1"));
    assert_ne!(one, apply("2"));
}

#[test]
fn wrong_use_and_bad_files_are_told_in_one_line() {
    let at = folder();
    write_input(at.path());
    for (options, words) in [
        (&[][..], &["nothing to do", "--pitch"][..]),
        (&["--stretch", "5"], &["time stretch is 5", "0.25 to 4"]),
        (&["--pitch", "-30"], &["pitch shift is -30"]),
        (&["--pitch", "-12", "--stretch", "0.3"], &["at least 0.500"]),
        (&["--snr", "loud"], &["--snr", "a number from"]),
        (&["--noise", "pink"], &["required"]),
        (&["--reverb", "0"], &["0.05 to 20"]),
        (&["--pitch", "1", "-o", "out.mp3"], &["only WAV"]),
        (&["--pitch", "1", "-o", "."], &["is a folder"]),
        (&["--mix", "-"], &["--mix needs a file"]),
    ] {
        let arguments = [&["augment", "in.wav"], options].concat();
        hemiola(at.path(), &arguments).failed(2, words);
    }
    fs::write(at.path().join("text.wav"), "no sound at all, only words").unwrap();
    for (arguments, words) in [
        (&["missing.wav", "--pitch", "1"][..], "missing.wav"),
        (&["text.wav", "--pitch", "1"], "text.wav"),
        (&["in.wav", "--mix", "text.wav"], "text.wav"),
    ] {
        hemiola(at.path(), &[&["augment"], arguments].concat()).failed(1, &[words]);
    }
    let left: Vec<_> = fs::read_dir(at.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn odd_recordings_are_changed() {
    let at = folder();
    for (name, samples) in [("zero", &[][..]), ("one", &[0.5]), ("silent", &[0.0; 3000])] {
        let path = at.path().join(format!("{name}.wav"));
        write_wav(path, samples, 1, RATE, WavFormat::Int16).unwrap();
        let input = format!("{name}.wav");
        let all = [
            "--pitch",
            "3",
            "--stretch",
            "1.5",
            "--snr",
            "10",
            "--reverb",
            "1",
            "--eq",
            "6",
            "--gain",
            "3",
        ];
        let ran = hemiola(at.path(), &[&["augment", &input][..], &all].concat()).succeeded();
        assert_eq!(
            ran.stderr.contains("no sound"),
            name == "zero",
            "{}",
            ran.stderr
        );
        let found = read(&at.path().join(format!("{name}-augmented.wav")));
        assert_eq!(found.len(), (samples.len() as f64 * 1.5).round() as usize);
        assert!(name == "one" || found.iter().all(|s| *s == 0.0));
    }
    let loud = hemiola(at.path(), &["augment", "one.wav", "--gain", "20"]).succeeded();
    assert!(loud.stderr.contains("samples: 1"), "{}", loud.stderr);
}

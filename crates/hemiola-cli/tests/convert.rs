//! `hemiola convert`, run as a user runs it.

mod support;

use std::fs;

use hemiola::formats::read_annotations;
use support::{folder, hemiola, hemiola_in};

const NOTES: &str = "onset_s,offset_s,pitch,velocity\n0.5,1,60,80\n1,1.5,64,30\n";
const CHORDS: &str = "0.0\t2.0\tC:maj\n2.0\t4.0\tG:7\n";

#[test]
fn the_extension_is_the_format() {
    let at = folder();
    fs::write(at.path().join("a.csv"), NOTES).unwrap();
    fs::write(at.path().join("a.beats"), "0.5\t1\n1.0\t2\n1.5\t1\n").unwrap();
    for name in [
        "a.mid",
        "a.json",
        "a.tsv",
        "a.jams",
        "b/a.musicxml",
        "a.mxl",
    ] {
        let beats: &[&str] = match ["a.jams", "b/a.musicxml", "a.mxl"].contains(&name) {
            true => &["--beats", "a.beats"],
            false => &[],
        };
        hemiola(
            at.path(),
            &[&["convert", "a.csv", "-o", name], beats].concat(),
        )
        .succeeded();
        let read = read_annotations(at.path().join(name))
            .unwrap()
            .notes
            .unwrap();
        assert_eq!(read.len(), 2, "{name}");
        assert!((read[1].duration_s() - 0.5).abs() < 2e-3, "{name}");
        assert_eq!((read[1].pitch, read[1].velocity), (64, 30), "{name}");
    }
    // Onsets of the notes.
    let ran = hemiola(
        at.path(),
        &["convert", "a.mid", "--what", "onsets", "--to", "txt"],
    )
    .succeeded();
    assert_eq!(ran.text(), "0.5000\n1.0000\n");
}

#[test]
fn what_is_lost_is_told_once() {
    let at = folder();
    for name in ["a.csv", "b.csv"] {
        fs::write(at.path().join(name), NOTES).unwrap();
    }
    let ran = hemiola(
        at.path(),
        &["convert", "a.csv", "b.csv", "--to", "lab", "-o", "out"],
    )
    .succeeded();
    assert_eq!(
        ran.stderr.matches("velocities").count(),
        1,
        "{}",
        ran.stderr
    );
    let text = fs::read_to_string(at.path().join("out/b.lab")).unwrap();
    assert!(text.starts_with("0.500000\t1.000000\t60\n"), "{text}");
    let ran = hemiola(at.path(), &["convert", "a.csv", "-o", "a.musicxml"]).succeeded();
    assert!(ran.stderr.contains("--beats"), "{}", ran.stderr);
}

#[test]
fn streams_and_folders_are_converted() {
    let at = folder();
    let arguments = [
        "convert",
        "-",
        "--from",
        "lab",
        "--to",
        "sonic-visualiser",
        "-o",
        "-",
    ];
    let ran = hemiola_in(at.path(), &arguments, CHORDS.as_bytes()).succeeded();
    assert!(
        ran.text().contains("2.000000000,2,2.000000000,G:7"),
        "{}",
        ran.text()
    );

    fs::create_dir_all(at.path().join("in/deep")).unwrap();
    fs::write(at.path().join("in/a.lab"), CHORDS).unwrap();
    fs::write(at.path().join("in/deep/b.lab"), "so").unwrap();
    fs::write(at.path().join("in/README"), "").unwrap();
    hemiola(at.path(), &["convert", "in", "--to", "jams", "-o", "out"])
        .failed(1, &["b.lab", "line 1"]);
    let read = read_annotations(at.path().join("out/a.jams")).unwrap();
    assert_eq!(read.chords.unwrap()[1].label.to_string(), "G:7");
    assert!(!at.path().join("out/deep/b.jams").exists());
}

#[test]
fn one_of_several_kinds_is_chosen() {
    let at = folder();
    fs::write(at.path().join("notes.csv"), NOTES).unwrap();
    let analysis = serde_json::json!({
        "version": "1.0.0",
        "recording": {"name": "a.wav", "duration_s": 4.0, "sample_rate": 44100, "channels": 2},
        "notes": [{"onset_s": 0.5, "offset_s": 1.0, "pitch": 60, "velocity": 80}],
        "chords": [{"start_s": 0.0, "end_s": 4.0, "label": "C:maj"}],
        "key": "C major"
    });
    fs::write(at.path().join("analysis.json"), analysis.to_string()).unwrap();
    let convert = |arguments: &[&str]| {
        hemiola(
            at.path(),
            &[&["convert", "analysis.json"], arguments].concat(),
        )
    };
    assert!(
        convert(&["--to", "lab"])
            .succeeded()
            .text()
            .contains("C:maj")
    );
    let ran = convert(&["--to", "lab", "--what", "key"]).succeeded();
    assert_eq!(ran.text(), "0.000000\t4.000000\tC major\n");
    let ran = convert(&["--to", "csv"]).succeeded();
    assert!(ran.text().starts_with("onset_s"), "{}", ran.text());
    assert!(ran.stderr.contains("--what"), "{}", ran.stderr);
    convert(&["-o", "all.jams"]).succeeded();
    assert_eq!(
        read_annotations(at.path().join("all.jams"))
            .unwrap()
            .kinds()
            .len(),
        3
    );
    convert(&["--to", "beats"]).failed(1, &["analysis.json", "notes, chords, key", "beats"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let at = folder();
    fs::write(at.path().join("a.csv"), NOTES).unwrap();
    for (arguments, code, words) in [
        (&["a.csv"][..], 2, &["--to"][..]),
        (&["a.csv", "a.csv"], 2, &["-o"]),
        (&["a.csv", "-o", "out"], 2, &["folder", "--to"]),
        (&["-", "--to", "csv"], 2, &["--from"]),
        (&["a.csv", "-o", "a.csv"], 2, &["itself"]),
        (&["a.csv", "-o", "a.mid", "--to", "lab"], 2, &["--to lab"]),
        (
            &["a.csv", "--from", "mid", "-o", "a.npy"],
            2,
            &["mid cannot become npy", "musicxml"],
        ),
        (
            &["a.csv", "-o", "b.mid", "--beats", "a.csv"],
            2,
            &["--beats"],
        ),
        (&["a.csv", "-o", "a.npy"], 1, &["notes", "chroma"]),
        (
            &["a.csv", "-o", "a.mid", "--what", "chords"],
            1,
            &["no chords"],
        ),
        (&["none.csv", "-o", "a.mid"], 1, &["none.csv"]),
        (&["a.wav", "-o", "a.mid"], 2, &["a.wav", "--from"]),
    ] {
        hemiola(at.path(), &[&["convert"], arguments].concat()).failed(code, words);
    }
    let help = hemiola(at.path(), &["convert", "--help"]).succeeded();
    assert!(help.text().contains("sonic-visualiser"), "{}", help.text());
}

//! `hemiola chroma`, run as a user runs it.

mod support;

use std::fs;

use hemiola::audio::{WavFormat, read_mono, write_wav};
use hemiola::formats::ChromaTable;
use hemiola::tasks::chroma::ChromaExtractor;
use support::chroma::{save_chroma_model, with_chroma_model};
use support::{Ran, folder, hemiola, hemiola_in, save_model, tiny_sizes, write_melody};

fn chroma(folder: &std::path::Path, arguments: &[&str]) -> Ran {
    hemiola(
        folder,
        &[&["chroma", "--model", "model"], arguments].concat(),
    )
}

/// Times and values of a table of text.
fn rows(csv: &[u8]) -> Vec<(f64, Vec<f32>)> {
    let csv = std::str::from_utf8(csv).unwrap();
    let (header, rows) = csv.split_once('\n').unwrap();
    assert_eq!(header, "time_s,C,C#,D,D#,E,F,F#,G,G#,A,A#,B");
    rows.lines()
        .map(|line| {
            let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
            (cells[0], cells[1..].iter().map(|&v| v as f32).collect())
        })
        .collect()
}

#[test]
fn every_format_tells_the_same_chroma() {
    let at = with_chroma_model();
    write_melody(&at.path().join("a.wav"), 1);
    let ran = chroma(
        at.path(),
        &["a.wav", "-o", "out", "--format", "csv,npy,json,svg,png"],
    );
    assert_eq!(ran.succeeded().stdout, b"");
    let read = |name: &str| fs::read(at.path().join("out").join(name)).unwrap();

    // What the library hears.
    let extractor =
        ChromaExtractor::open(&at.path().join("model"), &hemiola::Device::flex()).unwrap();
    let mut expected = Vec::new();
    let mut stream = extractor.stream();
    let samples = read_mono(at.path().join("a.wav"), extractor.sample_rate()).unwrap();
    stream.push(&samples, &mut expected);
    stream.finish(&mut expected);
    assert_eq!(expected.len(), 1 + 32_000 / 160);

    let csv = rows(&read("a.csv"));
    assert_eq!(csv.len(), expected.len());
    for (index, ((time_s, row), expected)) in csv.iter().zip(&expected).enumerate() {
        assert!((time_s - index as f64 * 0.01).abs() < 1e-4);
        assert_eq!(row.len(), 12);
        assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4));
    }
    let npy = read("a.npy");
    assert!(String::from_utf8_lossy(&npy[..128]).contains("'shape': (201, 12)"));
    let values = npy[128..]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&b| f32::from_le_bytes(b));
    assert!(
        values
            .zip(expected.as_flattened())
            .all(|(a, b)| (a - b).abs() < 1e-5)
    );
    assert_eq!(npy.len(), 128 + 4 * 12 * 201);
    let json: ChromaTable = serde_json::from_slice(&read("a.json")).unwrap();
    assert_eq!(json.model.as_deref(), Some("model"));
    assert_eq!(json.version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!((json.chroma.fps, json.chroma.frames.len()), (100.0, 201));
    assert_eq!(json.pitch_classes[10], "A#");
    let svg = String::from_utf8(read("a.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains(">G#</text>"));
    assert!(read("a.png").starts_with(b"\x89PNG"));
}

#[test]
fn standard_input_and_output_give_what_files_give() {
    let at = with_chroma_model();
    write_melody(&at.path().join("a.wav"), 2);
    chroma(at.path(), &["a.wav", "-o", "a.csv"]).succeeded();
    let expected = fs::read(at.path().join("a.csv")).unwrap();
    assert_eq!(rows(&expected).len(), 201);
    assert_eq!(chroma(at.path(), &["a.wav"]).succeeded().stdout, expected);
    let sound = fs::read(at.path().join("a.wav")).unwrap();
    let arguments = ["chroma", "--model", "model", "-", "-o", "-"];
    let ran = hemiola_in(at.path(), &arguments, &sound).succeeded();
    assert_eq!(ran.stdout, expected);
    let npy = chroma(at.path(), &["a.wav", "--format", "npy"]).succeeded();
    assert!(npy.stdout.starts_with(b"\x93NUMPY"));
}

#[test]
fn short_silent_and_empty_recordings_are_heard() {
    let at = with_chroma_model();
    let wav = |name: &str, samples: &[f32]| {
        write_wav(at.path().join(name), samples, 1, 16_000, WavFormat::Int16).unwrap();
    };
    wav("silence.wav", &[0.0; 16_000]);
    wav("blip.wav", &[0.5]);
    wav("nothing.wav", &[]);
    for (name, frames) in [("silence.wav", 101), ("blip.wav", 1), ("nothing.wav", 0)] {
        let ran = chroma(at.path(), &[name]).succeeded();
        assert_eq!(rows(&ran.stdout).len(), frames, "{name}");
        assert_eq!(ran.stderr.contains("no sound"), frames == 0, "{name}");
    }
    chroma(at.path(), &["blip.wav", "-o", "blip.svg"]).succeeded();
    chroma(at.path(), &["nothing.wav", "-o", "nothing.svg"]).failed(1, &["no sound"]);
    assert!(!at.path().join("nothing.svg").exists());
}

#[test]
fn a_bad_file_does_not_stop_the_others() {
    let at = with_chroma_model();
    fs::create_dir(at.path().join("in")).unwrap();
    write_melody(&at.path().join("in/a.wav"), 1);
    fs::write(at.path().join("in/b.wav"), "no sound at all").unwrap();
    write_melody(&at.path().join("in/c.wav"), 2);
    chroma(at.path(), &["in", "-o", "out", "-j", "2"]).failed(1, &["in/b.wav"]);
    for (name, there) in [("a.csv", true), ("b.csv", false), ("c.csv", true)] {
        assert_eq!(at.path().join("out").join(name).exists(), there, "{name}");
    }
}

#[test]
fn models_of_other_things_and_wrong_use_are_refused() {
    let at = folder();
    write_melody(&at.path().join("a.wav"), 1);
    save_model(&at.path().join("model"), &tiny_sizes());
    chroma(at.path(), &["a.wav"]).failed(1, &["real-time-music-rnn", "music-transcription-rnn"]);
    save_chroma_model(&at.path().join("model"));
    hemiola(at.path(), &["chroma", "a.wav", "--model", "nobody"])
        .failed(2, &["nobody", "built-in", "folder"]);
    chroma(at.path(), &["a.wav", "--format", "csv,npy"]).failed(2, &["2 formats", "-o"]);
    assert_eq!(chroma(at.path(), &["a.wav", "--format", "txt"]).code, 2);
}

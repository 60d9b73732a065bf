//! `hemiola transcribe`, run as a user runs it.

mod support;

use std::fs;
use std::path::Path;

use hemiola::audio::{WavFormat, write_wav};
use hemiola::checkpoint::{CheckpointFiles, Precision};
use hemiola::formats::{NoteFormat, read_notes, read_notes_from};
use hemiola::music::Note;
use support::{
    Ran, folder, hemiola, hemiola_in, melody, save_model, shared, tiny_sizes, tones, with_model,
    write_melody,
};

const HEADER: &str = "onset_s,offset_s,pitch,velocity";

fn transcribe(folder: &Path, arguments: &[&str]) -> Ran {
    hemiola(
        folder,
        &[&["transcribe", "--model", "model"], arguments].concat(),
    )
}

/// The notes of a CSV, checked to be possible ones of a recording of that length.
#[track_caller]
fn notes_of(csv: &[u8], length_s: f64) -> Vec<Note> {
    assert!(csv.starts_with(format!("{HEADER}\n").as_bytes()));
    let notes = read_notes_from(csv, NoteFormat::Csv, "stdout").unwrap();
    for note in &notes {
        assert!(
            note.onset_s >= 0.0 && note.offset_s > note.onset_s,
            "{note:?}"
        );
        assert!(note.offset_s < length_s + 0.1, "{note:?} of {length_s} s");
        assert!((21..=108).contains(&note.pitch), "{note:?}");
    }
    notes
}

#[test]
fn every_format_tells_the_same_notes() {
    let at = with_model();
    write_melody(&at.path().join("a.wav"), 1);
    let ran = transcribe(
        at.path(),
        &["a.wav", "-o", "out", "--format", "mid,csv,json"],
    );
    assert_eq!(ran.succeeded().stdout, b"");
    let csv = fs::read(at.path().join("out/a.csv")).unwrap();
    let expected = notes_of(&csv, 2.0);
    assert!(!expected.is_empty());
    let json = fs::read_to_string(at.path().join("out/a.json")).unwrap();
    assert!(json.contains("hemiola") && json.contains(env!("CARGO_PKG_VERSION")));
    for (name, tolerance_s) in [("out/a.json", 1e-9), ("out/a.mid", 2e-3)] {
        let found = read_notes(at.path().join(name)).unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        // Notes that begin almost at once may change places in ticks.
        for note in &expected {
            let same = |other: &&Note| {
                (other.pitch, other.velocity) == (note.pitch, note.velocity)
                    && (other.onset_s - note.onset_s).abs() < tolerance_s
                    && (other.offset_s - note.offset_s).abs() < tolerance_s
            };
            assert!(
                found.iter().any(|other| same(&other)),
                "{name} has no {note:?}"
            );
        }
    }
}

#[test]
fn standard_input_and_output_give_what_files_give() {
    let at = with_model();
    write_melody(&at.path().join("a.wav"), 2);
    transcribe(at.path(), &["a.wav", "-o", "a.csv"]).succeeded();
    let expected = fs::read(at.path().join("a.csv")).unwrap();
    notes_of(&expected, 2.0);
    let sound = fs::read(at.path().join("a.wav")).unwrap();
    for arguments in [
        &["transcribe", "--model", "model", "-"][..],
        &["transcribe", "--model", "model", "-", "-o", "-"],
        &[
            "transcribe",
            "--model",
            "model",
            "-",
            "-o",
            "-",
            "--format",
            "csv",
        ],
    ] {
        let ran = hemiola_in(at.path(), arguments, &sound).succeeded();
        assert_eq!(ran.stdout, expected, "{arguments:?}");
    }
    let midi = transcribe(at.path(), &["a.wav", "-o", "-", "--format", "mid"]).succeeded();
    assert!(midi.stdout.starts_with(b"MThd"));
    // The extension is the format.
    transcribe(at.path(), &["a.wav", "-o", "b.mid"]).succeeded();
    assert_eq!(fs::read(at.path().join("b.mid")).unwrap(), midi.stdout);
}

#[test]
fn odd_recordings_are_transcribed() {
    let at = with_model();
    let wav = |name: &str, samples: &[f32], channels, sample_rate| {
        write_wav(
            at.path().join(name),
            samples,
            channels,
            sample_rate,
            WavFormat::Int16,
        )
        .unwrap();
    };
    wav("8k.wav", &tones(&melody(3), 2.0, 8000), 1, 8000);
    let high: Vec<f32> = tones(&melody(3), 2.0, 192_000)
        .into_iter()
        .flat_map(|sample| [sample; 6])
        .collect();
    wav("192k.wav", &high, 6, 192_000);
    wav("silence.wav", &[0.0; 16_000], 1, 16_000);
    wav("one.wav", &[0.5], 1, 16_000);
    for (name, length_s) in [("8k", 2.0), ("192k", 2.0), ("silence", 1.0), ("one", 0.1)] {
        let ran = transcribe(at.path(), &[&format!("{name}.wav")]).succeeded();
        notes_of(&ran.stdout, length_s);
    }
    // An activation that never moves has no peak, whatever the weights are.
    let ran = transcribe(at.path(), &["one.wav"]).succeeded();
    assert!(notes_of(&ran.stdout, 0.1).len() <= 88);
}

#[test]
fn a_truncated_recording_is_read_as_far_as_it_goes() {
    let Some(whole) = shared("data/audio/maps_dev/MAPS_MUS-alb_esp2_AkPnStgb.flac") else {
        return;
    };
    let at = with_model();
    let bytes = fs::read(whole).unwrap();
    fs::write(at.path().join("half.flac"), &bytes[..bytes.len() / 8]).unwrap();
    let ran = transcribe(at.path(), &["half.flac"]).succeeded();
    notes_of(&ran.stdout, 30.0);
    assert!(ran.stderr.contains("warning: half.flac"), "{}", ran.stderr);
    assert!(ran.stderr.contains("truncated"), "{}", ran.stderr);
    // Of its first bytes there is nothing to be heard.
    fs::write(at.path().join("head.flac"), &bytes[..60]).unwrap();
    transcribe(at.path(), &["head.flac"]).failed(1, &["head.flac", "truncated"]);
}

#[test]
fn impossible_thresholds_are_wrong_use() {
    let at = with_model();
    write_melody(&at.path().join("a.wav"), 1);
    for (arguments, words) in [
        (
            &["a.wav", "--onset-threshold", "1.5"][..],
            &["onset_threshold", "1.5"][..],
        ),
        (
            &["a.wav", "--frame-threshold", "0"],
            &["frame_threshold", "0"],
        ),
    ] {
        transcribe(at.path(), arguments).failed(2, words);
    }
    let ran = transcribe(at.path(), &["a.wav", "--onset-threshold", "high"]);
    assert_eq!(ran.code, 2);
}

#[test]
fn damaged_checkpoints_are_refused_by_the_name_of_the_tensor() {
    let at = with_model();
    write_melody(&at.path().join("a.wav"), 1);
    let good = fs::read(at.path().join("model/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&good).unwrap();
    let all: Vec<(String, safetensors::tensor::TensorView)> = file.tensors();
    let write = |tensors: Vec<(String, safetensors::tensor::TensorView)>| {
        let bytes = safetensors::serialize(tensors, None).unwrap();
        fs::write(at.path().join("model/model.safetensors"), bytes).unwrap();
    };
    let name = "onset_detector.weight";
    write(all.iter().filter(|(n, _)| n != name).cloned().collect());
    transcribe(at.path(), &["a.wav"]).failed(1, &["model", name, "missing"]);

    let mut more = all.clone();
    let (_, view) = all.iter().find(|(n, _)| n == name).unwrap();
    more.push(("onset_detector.slope".into(), view.clone()));
    write(more);
    transcribe(at.path(), &["a.wav"]).failed(1, &["onset_detector.slope", "does not belong"]);

    let misshapen = all.iter().map(|(n, view)| {
        let shape = view.shape().iter().rev().copied().collect();
        let view = match n == name {
            true => safetensors::tensor::TensorView::new(view.dtype(), shape, view.data()).unwrap(),
            false => view.clone(),
        };
        (n.clone(), view)
    });
    write(misshapen.collect());
    transcribe(at.path(), &["a.wav"]).failed(1, &[name, "[88, 16]", "[16, 88]"]);

    fs::write(
        at.path().join("model/model.safetensors"),
        &good[..good.len() / 2],
    )
    .unwrap();
    transcribe(at.path(), &["a.wav"]).failed(1, &["model", "safetensors"]);
    fs::write(at.path().join("model/config.json"), "{}").unwrap();
    transcribe(at.path(), &["a.wav"]).failed(1, &["config.json"]);
    fs::remove_file(at.path().join("model/config.json")).unwrap();
    transcribe(at.path(), &["a.wav"]).failed(1, &["config.json", "No such file"]);
}

#[test]
fn models_that_cannot_tell_single_keys_are_refused() {
    let at = folder();
    let sizes = hemiola::models::transcription_rnn::MusicTranscriptionRnnConfig {
        onset_outputs: 1,
        ..tiny_sizes()
    };
    save_model(&at.path().join("model"), &sizes);
    write_melody(&at.path().join("a.wav"), 1);
    transcribe(at.path(), &["a.wav"]).failed(1, &["model", "onset_outputs", "88"]);
}

#[test]
fn half_precision_changes_hardly_a_note() {
    let at = with_model();
    write_melody(&at.path().join("a.wav"), 4);
    let files = CheckpointFiles::read(&at.path().join("model")).unwrap();
    files
        .export(&at.path().join("half"), Precision::Float16)
        .unwrap();
    let notes = |model| {
        let ran = hemiola(at.path(), &["transcribe", "a.wav", "--model", model]).succeeded();
        notes_of(&ran.stdout, 2.0)
    };
    let (full, half) = (notes("model"), notes("half"));
    let same = full.iter().filter(|note| {
        half.iter()
            .any(|other| other.pitch == note.pitch && (other.onset_s - note.onset_s).abs() < 0.05)
    });
    assert!(same.count() as f64 > 0.8 * full.len() as f64);
}

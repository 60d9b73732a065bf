//! Running the program, and small things for it to work on.

#![allow(dead_code, reason = "no test uses all of it")]

pub mod chroma;
#[path = "../../../hemiola/tests/support/drawn.rs"]
mod drawn_model;
pub mod encoder;
#[path = "../../../hemiola/tests/support/mod.rs"]
mod library;
pub mod pickle;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

pub use drawn_model::drawn;
use hemiola::audio::{WavFormat, write_wav};
use hemiola::checkpoint::{self, Card, Precision};
use hemiola::features::LogFrequencyConfig;
use hemiola::formats::write_notes;
use hemiola::models::transcription_rnn::{MusicTranscriptionRnn, MusicTranscriptionRnnConfig};
use hemiola::music::{Note, midi_to_hz};
use hemiola::tasks::transcribe::TranscriberConfig;
#[allow(unused_imports, reason = "as above")]
pub use library::shared;
use tempfile::TempDir;

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Checks that all went well.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    /// Checks the exit code, that standard error has exactly one line that begins with `error: `, and that this line
    /// holds every one of `words`.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.stderr);
        let errors: Vec<&str> = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        let [error] = errors.as_slice() else {
            panic!("expected one line of error, found: {}", self.stderr);
        };
        for word in words {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

/// Runs the program in a folder.
pub fn hemiola_in(folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = command(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may have refused to read it.
        let _ = pipe.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub fn hemiola(folder: &Path, arguments: &[&str]) -> Ran {
    hemiola_in(folder, arguments, b"")
}

pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hemiola"));
    command.current_dir(folder).args(arguments);
    command
}

pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Notes as decaying sines with overtones.
pub fn sound_of(notes: &[Note], rate: u32) -> Vec<f32> {
    let rate = f64::from(rate);
    let end_s = notes.iter().map(|note| note.offset_s).fold(0.0, f64::max);
    let mut samples = vec![0.0f32; (end_s * rate) as usize];
    for note in notes {
        let (first, last) = (note.onset_s * rate, note.offset_s * rate);
        let sounding = &mut samples[first as usize..last as usize];
        for overtone in 1..6 {
            let hz = midi_to_hz(f64::from(note.pitch)) * f64::from(overtone);
            for (index, sample) in sounding.iter_mut().enumerate() {
                let time_s = index as f64 / rate;
                let wave = (std::f64::consts::TAU * hz * time_s).sin();
                *sample += (0.08 / f64::from(overtone) * (-time_s).exp() * wave) as f32;
            }
        }
    }
    samples
}

/// Sizes of a model that is made in no time: one bin and one output for each key.
pub fn tiny_sizes() -> MusicTranscriptionRnnConfig {
    MusicTranscriptionRnnConfig {
        hidden_dim: 8,
        n_layers: 1,
        n_heads: 2,
        conv_channels: [8, 8],
        onset_outputs: 88,
        velocity_outputs: 88,
        held_outputs: 88,
        ..MusicTranscriptionRnnConfig::default()
    }
}

pub fn tiny_task() -> TranscriberConfig {
    TranscriberConfig {
        features: LogFrequencyConfig {
            bins_per_octave: 12,
            n_bins: 88,
            ..LogFrequencyConfig::default()
        },
        ..TranscriberConfig::default()
    }
}

/// A checkpoint of a model with random weights, the same ones every time.
pub fn save_model(folder: &Path, sizes: &MusicTranscriptionRnnConfig) -> MusicTranscriptionRnn {
    let model = drawn(7, |device| sizes.init(device));
    let card = Card {
        title: "A tiny model".into(),
        licence: "CC0-1.0".into(),
        ..Card::default()
    };
    checkpoint::save(
        folder,
        &model,
        sizes,
        &tiny_task(),
        &card,
        Precision::Float32,
    )
    .unwrap();
    model
}

/// `model` in a folder of tests: a tiny checkpoint.
pub fn with_model() -> TempDir {
    let folder = folder();
    save_model(&folder.path().join("model"), &tiny_sizes());
    folder
}

/// Struck sines, which a random model finds something in.
pub fn tones(notes: &[Note], length_s: f64, sample_rate: u32) -> Vec<f32> {
    let mut samples = vec![0.0; (length_s * f64::from(sample_rate)).round() as usize];
    for note in notes {
        let step =
            std::f64::consts::TAU * midi_to_hz(f64::from(note.pitch)) / f64::from(sample_rate);
        let first = (note.onset_s * f64::from(sample_rate)) as usize;
        let last = (note.offset_s * f64::from(sample_rate)) as usize;
        for (index, sample) in samples.iter_mut().enumerate().take(last).skip(first) {
            let at = (index - first) as f64;
            let decay = (-3.0 * at / f64::from(sample_rate)).exp();
            *sample += (0.3 * decay * (step * at).sin()) as f32;
        }
    }
    samples
}

/// A few notes, others for every seed.
pub fn melody(seed: u8) -> Vec<Note> {
    (0..6u8)
        .map(|index| {
            let onset_s = 0.1 + 0.3 * f64::from(index);
            Note {
                onset_s,
                offset_s: onset_s + 0.25,
                pitch: 48 + (seed * 7 + index * 5) % 36,
                velocity: 40 + (seed * 11 + index * 13) % 80,
            }
        })
        .collect()
}

/// Two seconds of [`melody`] at 16 kHz.
pub fn write_melody(path: &Path, seed: u8) {
    let samples = tones(&melody(seed), 2.0, 16_000);
    write_wav(path, &samples, 1, 16_000, WavFormat::Int16).unwrap();
}

/// Recordings with MIDI files beside them; the fourth is the dev part.
pub fn write_pairs(folder: &Path, count: u8) {
    std::fs::create_dir_all(folder).unwrap();
    for seed in 0..count {
        write_melody(&folder.join(format!("{seed}.wav")), seed);
        write_notes(folder.join(format!("{seed}.mid")), &melody(seed), None).unwrap();
    }
}

//! `hemiola train`: refusals, and resumption that leaves no trace.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hemiola::training::run::{checkpoint_tensors, latest_checkpoint};
use support::{Ran, command, folder, hemiola, write_pairs};

const STEPS: usize = 24;

/// A model that learns in seconds from recordings in the folder `mine`.
const RECIPE: &str = r#"
architecture = "music-transcription-rnn"

[run]
output = "run"
seed = 5
steps = 24
steps_per_epoch = 6
batch_size = 2
warmup_steps = 4
loader_threads = 2

[model]
input_dim = 88
hidden_dim = 8
n_layers = 2
n_heads = 2
conv_channels = [8, 8]
onset_outputs = 88
velocity_outputs = 88
held_outputs = 88

[features]
bins_per_octave = 12
n_bins = 88

[data]
renditions = "mine"
dev = "mine"
segment_frames = 16

[augment]
rooms = 2
"#;

fn train(folder: &Path, arguments: &[&str]) -> Ran {
    hemiola(folder, &[&["train", "r.toml"], arguments].concat())
}

fn with_recipe() -> tempfile::TempDir {
    let at = folder();
    fs::write(at.path().join("r.toml"), RECIPE).unwrap();
    at
}

/// Whether the run was killed before its end.
fn kill_after_a_checkpoint(folder: &Path, output: &Path) -> bool {
    let mut child = command(folder, &["train", "r.toml", "--set", "run.output=killed"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while latest_checkpoint(output).is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "no checkpoint appears"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let state = latest_checkpoint(output).expect("a killed run has a whole checkpoint");
    0 < state.step && state.step < STEPS
}

#[test]
fn a_run_killed_and_resumed_ends_with_the_same_weights() {
    let at = with_recipe();
    write_pairs(&at.path().join("mine"), 5);
    let ran = train(at.path(), &[]).succeeded();
    assert!(
        ran.stderr.contains(&format!("{STEPS} steps")),
        "{}",
        ran.stderr
    );

    let killed = at.path().join("killed");
    let mut tries = 0;
    while !kill_after_a_checkpoint(at.path(), &killed) {
        tries += 1;
        assert!(tries < 20, "every run was over before it was killed");
        fs::remove_dir_all(&killed).unwrap();
    }

    // As if it had been killed while it deleted a checkpoint.
    fs::write(killed.join("checkpoints/optimizer-1.bpk"), "").unwrap();
    let arguments = ["--set", "run.output=killed", "--resume"];
    train(at.path(), &arguments).succeeded();
    let whole = checkpoint_tensors(&at.path().join("run"), STEPS).unwrap();
    let resumed = checkpoint_tensors(&killed, STEPS).unwrap();
    assert_eq!(
        whole.keys().collect::<Vec<_>>(),
        resumed.keys().collect::<Vec<_>>()
    );
    assert!(whole.len() > 20);
    for (name, bytes) in &whole {
        assert!(bytes == &resumed[name], "{name} differs");
    }
    // Training moves every one of them.
    let before = checkpoint_tensors(&at.path().join("run"), STEPS - 6).unwrap();
    for (name, bytes) in &whole {
        assert!(bytes != &before[name], "{name} is not trained");
    }
    // Nothing is left of what was being written when the run was killed, and two checkpoints of four files each.
    assert_eq!(fs::read_dir(killed.join("checkpoints")).unwrap().count(), 8);
    // Every evaluation is logged once.
    let log = fs::read_to_string(killed.join("metrics.jsonl")).unwrap();
    let steps: Vec<u64> = log
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["step"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(steps, [6, 12, 18, 24]);

    // A finished run has nothing left to do; a second one beside it is refused.
    train(at.path(), &arguments).succeeded();
    train(at.path(), &[]).failed(1, &["run", "24 steps", "--resume"]);
    // What came out is a model to transcribe with.
    hemiola(
        at.path(),
        &["transcribe", "mine/3.wav", "--model", "run/best"],
    )
    .succeeded();
}

#[test]
fn there_is_nothing_to_resume_before_a_run() {
    let at = with_recipe();
    write_pairs(&at.path().join("mine"), 4);
    train(at.path(), &["--resume"]).failed(1, &["run", "--resume"]);
}

#[test]
fn impossible_recipes_are_refused_by_the_name_of_the_key() {
    let at = folder();
    let run = |from: &str, to: &str| {
        assert!(RECIPE.contains(from));
        fs::write(at.path().join("r.toml"), RECIPE.replace(from, to)).unwrap();
        train(at.path(), &[])
    };
    run("steps = 24", "stpes = 24").failed(1, &["r.toml", "stpes"]);
    run("seed = 5", "seed = \"five\"").failed(1, &["r.toml", "five"]);
    run("batch_size = 2", "batch_size = 0").failed(1, &["r.toml", "run.batch_size", "0"]);
    run("n_heads = 2", "n_heads = 3").failed(1, &["r.toml", "n_heads 3"]);
    run("n_bins = 88", "n_bins = 100").failed(1, &["r.toml", "input_dim", "n_bins"]);
    run("music-transcription-rnn", "perceptron").failed(1, &["r.toml", "perceptron"]);
    run("[run]", "[run").failed(1, &["r.toml", "line 4"]);
    hemiola(at.path(), &["train", "none.toml"]).failed(1, &["none.toml", "No such file"]);
}

#[test]
fn impossible_values_on_the_command_line_are_wrong_use() {
    let at = with_recipe();
    train(at.path(), &["--set", "run.steps=0"]).failed(2, &["run.steps"]);
    train(at.path(), &["--set", "run.stpes=5"]).failed(2, &["stpes"]);
    train(at.path(), &["--set", "run.steps"]).failed(2, &["run.steps", "expected"]);
    assert_eq!(train(at.path(), &["--set"]).code, 2);
}

#[test]
fn missing_music_is_told() {
    let at = with_recipe();
    train(at.path(), &[]).failed(1, &["mine", "no such folder"]);
    write_pairs(&at.path().join("few"), 3);
    train(
        at.path(),
        &["--set", "data.renditions=few", "--set", "data.dev=few"],
    )
    .failed(1, &["few", "data.dev"]);
    write_pairs(&at.path().join("mine"), 5);
    fs::remove_file(at.path().join("mine/2.mid")).unwrap();
    train(at.path(), &[]).failed(1, &["mine/2.wav", "MIDI"]);
    fs::remove_file(at.path().join("mine/2.wav")).unwrap();
    fs::write(at.path().join("mine/1.wav"), "no audio").unwrap();
    train(at.path(), &[]).failed(1, &["mine/1.wav"]);
}

//! Training by a recipe of `recipes/smoke` on what a test made.

use std::fs;
use std::path::{Path, PathBuf};

use hemiola::training::run::{checkpoint_tensors, latest_checkpoint};
use serde_json::Value;

use crate::support::{Ran, hemiola};

pub fn recipe(name: &str) -> PathBuf {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/smoke");
    recipes.join(format!("{name}.toml"))
}

/// The number after `words` in the comments of a recipe.
fn stated(name: &str, words: &str) -> f64 {
    let text = fs::read_to_string(recipe(name)).unwrap();
    let (_, after) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("{name}: {words}"));
    let number: String = after
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    number.trim_end_matches('.').parse().unwrap()
}

fn arguments<'a>(recipe: &'a str, settings: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["train", recipe, "--set", "run.output=run"];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    arguments
}

pub fn train(at: &Path, name: &str, settings: &[&str]) -> Ran {
    hemiola(at, &arguments(recipe(name).to_str().unwrap(), settings))
}

/// The lines of the run's log.
fn log(at: &Path) -> Vec<Value> {
    let text = fs::read_to_string(at.join("run/metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Trains, checks that the loss fell from that of a guess as far as the recipe says, and returns the last line of the log.
pub fn learns(at: &Path, name: &str, guess: f64, settings: &[&str]) -> Value {
    let stated = stated(name, "# The training loss falls below ");
    assert!(
        stated <= guess / 10.0,
        "{stated} is no more than a good guess"
    );
    train(at, name, settings).succeeded();
    let log = log(at);
    let losses: Vec<f64> = log
        .iter()
        .map(|line| line["train"]["loss"].as_f64().unwrap())
        .collect();
    let last = losses[losses.len() - 1];
    assert!(last < stated, "{name}: {losses:?}, expected below {stated}");
    let last = log[log.len() - 1].clone();
    println!("{name}: {losses:?}; dev {}", last["dev"]);
    resumes(at, name, settings);
    last
}

/// Takes the last checkpoint of a finished run away, goes on from the one before, and checks that all ends as it did.
fn resumes(at: &Path, name: &str, settings: &[&str]) {
    let run = at.join("run");
    let whole = latest_checkpoint(&run).unwrap();
    let tensors = checkpoint_tensors(&run, whole.step).unwrap();
    for entry in fs::read_dir(run.join("checkpoints")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if stem.ends_with(&format!("-{}", whole.step)) {
            fs::remove_file(path).unwrap();
        }
    }
    assert!(latest_checkpoint(&run).unwrap().step < whole.step);
    let path = recipe(name);
    let mut arguments = arguments(path.to_str().unwrap(), settings);
    arguments.push("--resume");
    hemiola(at, &arguments).succeeded();
    assert_eq!(latest_checkpoint(&run).unwrap(), whole);
    assert!(
        checkpoint_tensors(&run, whole.step).unwrap() == tensors,
        "{name}: other weights"
    );
}

//! `hemiola train`: a recipe in, a checkpoint out.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use hemiola::training::Recipe;
use hemiola::training::run::RunEvent;

use crate::{Outcome, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    /// The recipe (TOML)
    recipe: PathBuf,
    /// Go on from the last checkpoint of the recipe's output folder
    #[arg(long)]
    resume: bool,
    /// Replace a value of the recipe, such as run.steps=500; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Show burn's dashboard in the terminal instead of a line per evaluation
    #[arg(long)]
    dashboard: bool,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: crate::models::DeviceArg,
}

pub fn run(args: Args) -> Result<Outcome> {
    let recipe = read_recipe(&args)?;
    let dashboard = args.dashboard && std::io::stdout().is_terminal();
    train(&recipe, args.resume, dashboard, args.device)
}

/// Trains with progress on standard error.
pub fn train(
    recipe: &Recipe,
    resume: bool,
    dashboard: bool,
    device: crate::models::DeviceArg,
) -> Result<Outcome> {
    let bar = crate::progress::bar(
        recipe.run().steps as u64,
        "{msg} {wide_bar} {pos}/{len} {eta}",
    );
    let shown = bar.clone();
    let report = Arc::new(move |event: RunEvent| match event {
        RunEvent::Note(note) => shown.suspend(|| eprintln!("note: {note}")),
        RunEvent::Step {
            step,
            steps: _,
            loss,
        } => {
            shown.set_position(step as u64);
            shown.set_message(format!("loss {loss:.4}"));
        }
        RunEvent::Evaluated {
            step,
            train,
            dev,
            best,
        } => {
            let list = |values: &std::collections::BTreeMap<&'static str, f64>| {
                let parts: Vec<String> =
                    values.iter().map(|(k, v)| format!("{k} {v:.4}")).collect();
                parts.join(", ")
            };
            let mark = if best { " (best)" } else { "" };
            shown.suspend(|| {
                eprintln!(
                    "step {step}: train {}; dev {}{mark}",
                    list(train),
                    list(dev)
                );
            });
        }
    });
    let state = hemiola::training::train(recipe, &device.device(), resume, dashboard, report);
    bar.finish_and_clear();
    let state = state?;
    match state.best_score {
        Some(score) => eprintln!(
            "{} steps; best dev score {score:.4} at step {}: {}",
            state.step,
            state.best_step,
            recipe.run().output.join("best").display()
        ),
        None => eprintln!("{} steps; no dev score", state.step),
    }
    let report = recipe.run().output.join("report.json");
    if state.finished && report.is_file() {
        eprintln!("scores of the best weights: {}", report.display());
    }
    Ok(Outcome::Done)
}

/// The recipe with the values of `--set`; a recipe that only these make impossible is wrong use.
fn read_recipe(args: &Args) -> Result<Recipe> {
    Recipe::read(&args.recipe, &args.overrides).map_err(|error| {
        match args.overrides.is_empty() || Recipe::read(&args.recipe, &[]).is_err() {
            true => error.into(),
            false => wrong_use(error.to_string()),
        }
    })
}

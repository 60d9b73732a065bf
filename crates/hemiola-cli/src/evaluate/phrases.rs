//! `hemiola evaluate phrases`: what a latent space is worth on music that it has not seen.

use std::io::Write;

use anyhow::Result;
use hemiola::tasks::phrases::{MOST_PAIRS, MeasureOptions, measure};
use serde_json::{Value, json};

use super::pieces::PieceArgs;
use crate::interpolate::{steps, way};
use crate::{Outcome, models};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pieces: PieceArgs,
    /// Random pairs of phrases between which is interpolated
    #[arg(long, default_value = "50", value_name = "N", value_parser = pairs, allow_negative_numbers = true)]
    pairs: usize,
    /// Steps of each interpolation, both ends included
    #[arg(long, default_value = "8", value_name = "N", value_parser = steps)]
    steps: usize,
    /// Go on arcs instead of straight lines
    #[arg(long)]
    spherical: bool,
    /// The same seed draws the same pairs
    #[arg(long, default_value = "1")]
    seed: u64,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "vae")]
    model: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn pairs(text: &str) -> Result<usize, String> {
    let pairs = text.parse().ok().filter(|pairs| *pairs <= MOST_PAIRS);
    pairs.ok_or_else(|| format!("expected from 0 to {MOST_PAIRS}"))
}

pub fn run(args: &Args) -> Result<Outcome> {
    let space = models::open_phrase_space(&args.model)?;
    let pieces = args.pieces.scores(|score| space.read(score))?;
    let options = MeasureOptions {
        pairs: args.pairs,
        steps: args.steps,
        interpolation: way(args.spherical),
        seed: args.seed,
    };
    let mut scores = serde_json::to_value(measure(&space, &pieces.pieces, &options)?)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        scores["skipped"] = json!(pieces.skipped);
        writeln!(out, "{}", serde_json::to_string_pretty(&scores)?)?;
    } else if let Value::Object(scores) = &scores {
        let width = scores.keys().map(String::len).max().unwrap_or(0);
        for (name, score) in scores {
            match score.as_u64() {
                Some(count) => writeln!(out, "{name:width$}  {count}")?,
                None => writeln!(out, "{name:width$}  {:.4}", score.as_f64().unwrap_or(0.0))?,
            }
        }
    }
    Ok(pieces.outcome())
}

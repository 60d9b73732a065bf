//! `hemiola evaluate phrases`: what a latent space is worth on music that it has not seen.

use std::io::Write;

use anyhow::Result;
use hemiola::datasets::Split;
use hemiola::tasks::phrases::{MeasureOptions, measure};
use serde_json::Value;

use super::pieces::PieceArgs;
use crate::interpolate::{steps, way};
use crate::{Outcome, models, progress};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pieces: PieceArgs,
    /// Random pairs of phrases between which is interpolated
    #[arg(long, default_value = "50", value_name = "N")]
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

pub fn run(args: &Args) -> Result<Outcome> {
    let space = models::open_phrase_space(&args.model)?;
    let folder = args.pieces.open()?;
    let mut failed = false;
    let mut pieces = Vec::new();
    let bar = progress::bar(
        folder.items_of(Split::Dev).count() as u64,
        "reading {wide_bar} {pos}/{len} {eta}",
    );
    for item in folder.items_of(Split::Dev) {
        let piece = folder.read_score(item).and_then(|score| {
            let piece = space.read(&score);
            piece.map_err(|error| hemiola::Error::input(&item.notes, error.to_string()))
        });
        match piece {
            Ok(piece) => pieces.push(piece),
            Err(error) => {
                failed = true;
                bar.suspend(|| crate::report(&error.into()));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let options = MeasureOptions {
        pairs: args.pairs,
        steps: args.steps,
        interpolation: way(args.spherical),
        seed: args.seed,
    };
    let scores = serde_json::to_value(measure(&space, &pieces, &options)?)?;
    let mut out = std::io::stdout().lock();
    if args.json {
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
    Ok(match failed {
        true => Outcome::SomeFailed,
        false => Outcome::Done,
    })
}

//! `hemiola attribute`: one piece in, the same with more or less of something out.

use anyhow::Result;
use hemiola::tasks::phrases::FURTHEST;

use crate::passages::{self, OnePiece};
use crate::{Outcome, wrong_use};

/// Amounts are in standard deviations of the phrases that the model learnt from.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    piece: OnePiece,
    /// More notes in a beat, or fewer: +1, -0.5
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_hyphen_values = true)]
    density: Option<f64>,
    /// Higher, or lower
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_hyphen_values = true)]
    register: Option<f64>,
    /// More major, or more minor
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_hyphen_values = true)]
    mode: Option<f64>,
    /// More notes at once, or fewer
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_hyphen_values = true)]
    polyphony: Option<f64>,
}

fn amount(text: &str) -> Result<f64, String> {
    let amount = text.parse().ok();
    let amount = amount.filter(|amount| (-FURTHEST..=FURTHEST).contains(amount));
    amount.ok_or_else(|| format!("expected a number from -{FURTHEST} to +{FURTHEST}"))
}

pub fn run(args: Args) -> Result<Outcome> {
    let amounts: Vec<(&str, f64)> = [
        ("density", args.density),
        ("register", args.register),
        ("mode", args.mode),
        ("polyphony", args.polyphony),
    ]
    .into_iter()
    .filter_map(|(name, amount)| Some((name, amount?)))
    .collect();
    if amounts.is_empty() {
        return Err(wrong_use(
            "no attribute is moved; give --density, --register, --mode or --polyphony an amount such as +1",
        ));
    }
    let space = args.piece.space.open()?;
    for (name, _) in &amounts {
        space
            .attribute_vector(name)
            .map_err(|error| wrong_use(format!("model {}: {error}", args.piece.space.model)))?;
    }
    let named: Vec<String> = amounts
        .iter()
        .map(|(name, amount)| format!("{name} {amount:+}"))
        .collect();
    passages::make_one(&args.piece, &space, "moved", &named.join(", "), |score| {
        space.attribute(score, &amounts)
    })
}

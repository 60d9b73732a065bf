//! `hemiola vary`: one piece in, a variation of it out.

use anyhow::Result;

use crate::Outcome;
use crate::passages::{self, OnePiece};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    piece: OnePiece,
    /// How far from the piece: 0 is the piece as the model remembers it, 1 a new one
    #[arg(long, default_value = "0.3", value_parser = amount, allow_hyphen_values = true)]
    amount: f64,
    /// The same seed makes the same variation
    #[arg(long, default_value = "1")]
    seed: u64,
}

fn amount(text: &str) -> Result<f64, String> {
    let amount = text
        .parse()
        .ok()
        .filter(|amount| (0.0..=1.0).contains(amount));
    amount.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

pub fn run(args: Args) -> Result<Outcome> {
    let space = args.piece.space.open()?;
    let title = format!("varied by {}", args.amount);
    passages::make_one(&args.piece, &space, "varied", &title, |score| {
        space.vary(score, args.amount, args.seed)
    })
}

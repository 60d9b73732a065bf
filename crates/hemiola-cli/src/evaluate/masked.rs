//! `hemiola evaluate masked`: how many hidden events of pieces a model tells.

use std::io::Write;

use anyhow::Result;
use hemiola::evaluation::ngram::{Ngram, both_sides_samples, forward_samples};
use hemiola::tokens::EVENTS;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::json;

use super::pieces::PieceArgs;
use crate::{Outcome, progress, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pieces: PieceArgs,
    /// The share of events that is hidden
    #[arg(long, allow_negative_numbers = true, default_value_t = 0.15)]
    share: f64,
    /// The same seed hides the same events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also tell what counting makes of it, in the pieces of the list that are for training: the commonest event, and
    /// that between the two before and the two behind, which are never hidden from the count
    #[arg(long, requires = "list")]
    baselines: bool,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "bert")]
    model: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<Outcome> {
    if !(args.share > 0.0 && args.share <= 1.0) {
        return Err(wrong_use(format!(
            "--share {}: expected more than 0 and at most 1",
            args.share
        )));
    }
    let infiller = crate::models::open_infiller(&args.model)?;
    let tokens = infiller.tokens();
    let dev = args.pieces.events(tokens)?;
    let counted = match args.baselines {
        true => Some(Counted::of(&args.pieces.counted_events(tokens)?.pieces)),
        false => None,
    };
    let bar = progress::bar(
        dev.pieces.len() as u64,
        "{wide_bar} {pos}/{len} pieces {eta}",
    );
    let told = dev.pieces.par_iter().enumerate().map(|(number, piece)| {
        let ids = &piece.ids;
        let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
        rng.set_stream(number as u64);
        let hidden: Vec<usize> = (0..ids.len())
            .filter(|_| rng.random_bool(args.share))
            .collect();
        let found = infiller.predict(ids, &hidden)?;
        let right = hidden.iter().zip(&found).filter(|(p, id)| ids[**p] == **id);
        let mut hits = vec![right.count()];
        if let Some(counted) = &counted {
            let samples: Vec<[u16; 5]> = both_sides_samples(ids).collect();
            let tell = |place: &&usize| counted.between(&samples[**place]) == ids[**place];
            let commonest = hidden
                .iter()
                .filter(|place| ids[**place] == counted.commonest);
            hits.extend([commonest.count(), hidden.iter().filter(tell).count()]);
        }
        bar.inc(1);
        Ok((hidden.len(), hits))
    });
    let told: Vec<(usize, Vec<usize>)> = told.collect::<Result<_>>()?;
    bar.finish_and_clear();

    let hidden: usize = told.iter().map(|(n, _)| n).sum();
    let accuracy = |teller: usize| {
        let right: usize = told.iter().filter_map(|(_, hits)| hits.get(teller)).sum();
        right as f64 / hidden as f64
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        let mut json = json!({
            "accuracy": accuracy(0),
            "hidden": hidden,
            "pieces": dev.pieces.len(),
            "skipped": dev.skipped,
        });
        if counted.is_some() {
            json["unigram"] = json!({ "accuracy": accuracy(1) });
            json["5-gram, both sides"] = json!({ "accuracy": accuracy(2) });
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)?;
    } else {
        writeln!(out, "{hidden} hidden events of {} pieces", dev.pieces.len())?;
        writeln!(out, "{:<20}{:.4}", "model", accuracy(0))?;
        if counted.is_some() {
            writeln!(out, "{:<20}{:.4}", "unigram", accuracy(1))?;
            writeln!(out, "{:<20}{:.4}", "5-gram, both sides", accuracy(2))?;
        }
    }
    Ok(dev.outcome())
}

/// Baselines.
struct Counted {
    commonest: u16,
    both_sides: Ngram<5>,
}

impl Counted {
    fn of(pieces: &[super::pieces::Piece]) -> Self {
        let ids = || pieces.iter().map(|piece| piece.ids.as_slice());
        let single = Ngram::<1>::new(EVENTS, ids().flat_map(forward_samples));
        Self {
            commonest: likeliest(&single.distribution(&[])),
            both_sides: Ngram::new(EVENTS, ids().flat_map(both_sides_samples)),
        }
    }

    fn between(&self, sample: &[u16; 5]) -> u16 {
        likeliest(&self.both_sides.distribution(&sample[..4]))
    }
}

fn likeliest(shares: &[f64]) -> u16 {
    let ranked = shares.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    ranked.map_or(0, |(id, _)| id as u16)
}

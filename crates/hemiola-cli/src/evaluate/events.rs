//! `hemiola evaluate events`: how likely a model finds the events of pieces.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use hemiola::evaluation::ngram::{Ngram, forward_samples};
use hemiola::tasks::perform::EventScore;
use hemiola::tokens::EVENTS;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::pieces::{Piece, PieceArgs};
use crate::{Outcome, progress, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pieces: PieceArgs,
    /// Also tell what counting makes of it: single events, and five in a row, in the pieces of the list that are for
    /// training
    #[arg(long, requires = "list")]
    baselines: bool,
    /// The style that all pieces are said to have [default: none]
    #[arg(long)]
    style: Option<String>,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "performer")]
    model: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A way to tell events, by its name in JSON.
type Teller<'a> = (
    &'static str,
    Box<dyn Fn(&Piece) -> Result<EventScore> + Sync + 'a>,
);

pub fn run(args: &Args) -> Result<Outcome> {
    let performer = crate::models::open_performer(&args.model)?;
    let style = args.style.as_deref();
    performer
        .score(&[], style)
        .map_err(|error| wrong_use(error.to_string()))?;
    let tokens = performer.tokens();
    let dev = args.pieces.events(tokens)?;
    let counted = match args.baselines {
        true => Some(Counted::of(&args.pieces.counted_events(tokens)?.pieces)),
        false => None,
    };
    let mut tellers: Vec<Teller> = vec![(
        "model",
        Box::new(|piece| Ok(performer.score(&piece.ids, style)?)),
    )];
    if let Some(counted) = &counted {
        tellers.push((
            "unigram",
            Box::new(|piece| Ok(told(&counted.single, piece))),
        ));
        tellers.push(("5-gram", Box::new(|piece| Ok(told(&counted.five, piece)))));
    }

    let bar = progress::bar(
        dev.pieces.len() as u64,
        "{wide_bar} {pos}/{len} pieces {eta}",
    );
    let scored = dev.pieces.par_iter().map(|piece| {
        let scores = tellers.iter().map(|(_, tell)| tell(piece)).collect();
        bar.inc(1);
        scores
    });
    let scores: Vec<Vec<EventScore>> = scored.collect::<Result<_>>()?;
    bar.finish_and_clear();

    let names: Vec<&str> = tellers.iter().map(|(name, _)| *name).collect();
    let mut groups: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut all = Sum::new(names.len());
    for (piece, scores) in dev.pieces.iter().zip(&scores) {
        all.add(scores);
        if let Some(style) = &piece.style {
            let group = groups.entry(style);
            group.or_insert_with(|| Sum::new(names.len())).add(scores);
        }
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let mut json = all.json(&names);
        let styles: BTreeMap<_, _> = groups
            .iter()
            .map(|(k, sum)| (k, sum.json(&names)))
            .collect();
        json["styles"] = json!(styles);
        json["skipped"] = json!(dev.skipped);
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)?;
    } else {
        let rows = groups.iter().map(|(name, sum)| (*name, sum));
        table(&mut out, &names, rows.chain([("all", &all)]))?;
    }
    Ok(dev.outcome())
}

/// Baselines.
struct Counted {
    single: Ngram<1>,
    five: Ngram<5>,
}

impl Counted {
    fn of(pieces: &[Piece]) -> Self {
        let ids = || pieces.iter().map(|piece| piece.ids.as_slice());
        Self {
            single: Ngram::new(EVENTS, ids().flat_map(forward_samples)),
            five: Ngram::new(EVENTS, ids().flat_map(forward_samples)),
        }
    }
}

fn told<const N: usize>(model: &Ngram<N>, piece: &Piece) -> EventScore {
    let samples = forward_samples::<N>(&piece.ids);
    let nll = samples.map(|sample| {
        let (context, event) = (&sample[..N - 1], sample[N - 1]);
        -model.distribution(context)[usize::from(event)].ln()
    });
    EventScore {
        nll: nll.sum(),
        events: piece.ids.len(),
    }
}

/// Of several pieces.
struct Sum {
    pieces: usize,
    scores: Vec<EventScore>,
}

impl Sum {
    fn new(tellers: usize) -> Self {
        Self {
            pieces: 0,
            scores: vec![EventScore::default(); tellers],
        }
    }

    fn add(&mut self, scores: &[EventScore]) {
        self.pieces += 1;
        for (sum, score) in self.scores.iter_mut().zip(scores) {
            *sum += *score;
        }
    }

    fn json(&self, names: &[&str]) -> Value {
        let model = self.scores[0];
        let mut json = json!({
            "nll_per_event": model.nll_per_event(),
            "events": model.events,
            "pieces": self.pieces,
        });
        for (name, score) in names.iter().zip(&self.scores).skip(1) {
            json[name] = json!({ "nll_per_event": score.nll_per_event() });
        }
        json
    }
}

fn table<'a>(
    out: &mut impl Write,
    names: &[&str],
    rows: impl Iterator<Item = (&'a str, &'a Sum)>,
) -> std::io::Result<()> {
    write!(out, "{:<12}{:>8}{:>10}", "nats/event", "pieces", "events")?;
    for name in names {
        write!(out, "{name:>10}")?;
    }
    writeln!(out)?;
    for (name, sum) in rows {
        write!(
            out,
            "{name:<12}{:>8}{:>10}",
            sum.pieces, sum.scores[0].events
        )?;
        for score in &sum.scores {
            write!(out, "{:>10.4}", score.nll_per_event())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

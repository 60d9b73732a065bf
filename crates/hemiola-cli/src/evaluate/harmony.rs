//! `hemiola evaluate harmony`: keys and degrees of chords against Roman-numeral analyses.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use hemiola::datasets::Split;
use hemiola::datasets::billboard::Billboard;
use hemiola::datasets::made_progressions;
use hemiola::datasets::progression::{LabelledProgression, Progressions};
use hemiola::datasets::reserved::Reserved;
use hemiola::datasets::when_in_rome::{Selection, WhenInRome};
use hemiola::evaluation::harmony::{
    ChordReading, HarmonyCounts, HarmonyScores, KeyChain, read_by_template,
};
use hemiola::music::SoundingChord;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use crate::{Outcome, models, progress};

/// Progressions made to count a baseline from where the folder has none for training.
const MADE: u64 = 4000;

#[derive(clap::Args)]
pub struct Args {
    /// A folder of RomanText analyses (.txt, .rntxt), or one with an index.csv (file, licence, split) of them
    folder: PathBuf,
    /// What the folder holds
    #[arg(long, value_enum, default_value = "analyses")]
    set: SetArg,
    /// Only this side of the folder's index.csv
    #[arg(long, value_enum)]
    split: Option<SplitArg>,
    /// Only files whose path in the folder begins so
    #[arg(long, value_name = "PATH")]
    only: Option<String>,
    /// Leave out the works of this list: composer, tab, title a line
    #[arg(long, value_name = "FILE")]
    reserved: Option<PathBuf>,
    /// Also tell what simple methods make of it: one key by its profile, and a hidden Markov model of keys, counted on the
    /// training side of the folder's index.csv, or else on progressions made by rules
    #[arg(long)]
    baselines: bool,
    /// Count the hidden Markov model on progressions made by rules in any case
    #[arg(long, requires = "baselines")]
    count_made: bool,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "harmony")]
    model: String,
    /// What a change of key costs, in nats [default: the model's own]
    #[arg(long, value_name = "NATS")]
    change_cost: Option<f64>,
    /// What it costs more for each step between the signatures, in nats [default: the model's own]
    #[arg(long, value_name = "NATS")]
    step_cost: Option<f64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SetArg {
    /// RomanText
    Analyses,
    /// McGill Billboard: NNNN/salami_chords.txt
    Billboard,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SplitArg {
    Train,
    Dev,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let mut analyser = models::open_harmony_analyser(&args.model)?;
    let mut config = *analyser.config();
    config.change_cost = args.change_cost.unwrap_or(config.change_cost);
    config.step_cost = args.step_cost.unwrap_or(config.step_cost);
    analyser = analyser.with_config(config)?;

    let split = args.split.map(|split| match split {
        SplitArg::Train => Split::Train,
        SplitArg::Dev => Split::Dev,
    });
    let mut found = read(args, split)?;
    let only = args.only.as_deref().unwrap_or_default();
    found.progressions.retain(|p| p.name.starts_with(only));
    for skipped in &found.skipped {
        crate::report(&anyhow::anyhow!("{skipped}"));
    }
    let pieces = &found.progressions;
    if pieces.is_empty() {
        bail!("{}: no progression to measure by", args.folder.display());
    }
    let bar = progress::bar(pieces.len() as u64, "{wide_bar} {pos}/{len} pieces {eta}");
    let readings = pieces.par_iter().map(|piece| {
        let readings = analyser.read(&chords(piece))?;
        bar.inc(1);
        Ok(readings)
    });
    let readings: Vec<Vec<ChordReading>> = readings.collect::<hemiola::Result<_>>()?;
    bar.finish_and_clear();
    let mut rows = vec![("model", scores(pieces, readings))];
    if args.baselines {
        let template = pieces.iter().map(|piece| read_by_template(&chords(piece)));
        rows.push(("one key by its profile", scores(pieces, template)));
        let chain = KeyChain::of(&lessons(args)?);
        let chained = pieces.iter().map(|piece| chain.read(&chords(piece)));
        rows.push(("hidden Markov model", scores(pieces, chained)));
    }
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(&as_json(&rows, &found)?)?
        )?,
        false => {
            let (_, model) = &rows[0];
            writeln!(out, "{} chords of {} pieces", model.chords, pieces.len())?;
            writeln!(out, "{:<24}degree    key   both", "")?;
            for (name, scores) in &rows {
                writeln!(
                    out,
                    "{name:<24}{:.4} {:.4} {:.4}",
                    scores.degree_accuracy, scores.key_accuracy, scores.key_and_degree_accuracy
                )?;
            }
        }
    }
    Ok(match found.skipped.is_empty() {
        true => Outcome::Done,
        false => Outcome::SomeFailed,
    })
}

fn read(args: &Args, split: Option<Split>) -> Result<Progressions> {
    let reserved = args.reserved.as_ref().map(Reserved::read).transpose()?;
    Ok(match args.set {
        SetArg::Analyses => WhenInRome::open(&args.folder)?.progressions(&Selection {
            split,
            reserved: reserved.as_ref(),
            ..Selection::default()
        }),
        SetArg::Billboard => Billboard::open(&args.folder)?.progressions(split),
    })
}

/// What the hidden Markov model is counted on.
fn lessons(args: &Args) -> Result<Vec<LabelledProgression>> {
    let train = match args.count_made {
        true => Vec::new(),
        false => read(args, Some(Split::Train))?.progressions,
    };
    Ok(match train.is_empty() {
        true => (0..MADE).map(|n| made_progressions::make(1, n)).collect(),
        false => train,
    })
}

fn chords(piece: &LabelledProgression) -> Vec<SoundingChord> {
    piece.chords.iter().map(|chord| chord.chord).collect()
}

fn scores(
    pieces: &[LabelledProgression],
    readings: impl IntoIterator<Item = Vec<ChordReading>>,
) -> HarmonyScores {
    let mut counts = HarmonyCounts::default();
    for (piece, readings) in pieces.iter().zip(readings) {
        counts.add(piece, &readings);
    }
    counts.scores()
}

fn as_json(rows: &[(&str, HarmonyScores)], found: &Progressions) -> Result<Value> {
    let mut json = serde_json::to_value(rows[0].1)?;
    json["pieces"] = found.progressions.len().into();
    json["left_out"] = json!(found.left_out);
    json["skipped"] = json!(found.skipped);
    let baselines = &rows[1..];
    if !baselines.is_empty() {
        let rows = baselines.iter();
        let rows =
            rows.map(|(name, scores)| Ok(((*name).to_owned(), serde_json::to_value(scores)?)));
        json["baselines"] = Value::Object(rows.collect::<Result<Map<String, Value>>>()?);
    }
    Ok(json)
}

//! `hemiola similar`: what sounds alike in an index that `hemiola embed` made.

mod duplicates;
mod map;
mod query;
mod search;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hemiola::index::{FileState, Index, IndexedFile, Track};

use crate::{Outcome, models, outputs, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    /// The recording to compare, or - for standard input
    query: Option<PathBuf>,
    /// The index
    #[arg(long = "in", value_name = "INDEX")]
    library: Option<PathBuf>,
    /// How many recordings to list, the most similar first
    #[arg(short, default_value = "10", value_name = "N")]
    n: NonZeroUsize,
    /// What is compared: whole recordings, or passages of them
    #[arg(long, default_value = "track")]
    by: By,
    /// Compare everything, also where the index has graphs of neighbours (hemiola embed --graph)
    #[arg(long, conflicts_with_all = ["map", "duplicates"])]
    exact: bool,
    /// List the query itself, too, where the index has it
    #[arg(long)]
    itself: bool,
    /// Draw a map of all recordings of the index: a page, HTML, for -o
    #[arg(long, value_name = "INDEX", num_args = 0..=1, conflicts_with_all = ["query", "duplicates"])]
    map: Option<Option<PathBuf>>,
    /// List what is there more than once: encoded anew, trimmed, louder
    #[arg(long, value_name = "INDEX", num_args = 0..=1, conflicts_with = "query")]
    duplicates: Option<Option<PathBuf>>,
    /// How much duplicates must agree at one offset: 1 is the same sound, 0 what their passages have in common at any offset
    /// [default: 0.8]
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["query", "map"])]
    agreement: Option<f64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A file for the result [default: standard output]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// The model of the index: a built-in one or a checkpoint folder [default: what the index says]
    #[arg(long)]
    model: Option<String>,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// Recordings as a whole
    Track,
    /// The recordings with the most similar passages
    Passage,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Passage => "passage",
        }
    }
}

pub fn run(args: &Args) -> Result<Outcome> {
    let index = Index::open(library(args)?)?;
    let text = match (&args.query, &args.duplicates) {
        (Some(query), _) => search::run(args, query, &index)?,
        (None, Some(_)) => duplicates::run(args, &index)?,
        (None, None) => map::run(args, &index)?,
    };
    outputs::write_one(args.output.as_deref(), text.as_bytes())?;
    Ok(Outcome::Done)
}

/// The index that is meant, wherever it is named.
fn library(args: &Args) -> Result<&Path> {
    if args.query.is_none() && args.map.is_none() && args.duplicates.is_none() {
        return Err(wrong_use(
            "nothing to do: name a recording to compare, or ask for --duplicates or --map",
        ));
    }
    if args.map.is_some() && args.json {
        return Err(wrong_use("--json: a map is a page, HTML; drop one of them"));
    }
    let beside = args.map.iter().chain(&args.duplicates).flatten().next();
    match (beside, &args.library) {
        (Some(one), Some(other)) => Err(wrong_use(format!(
            "two indexes, {} and {}; name one",
            one.display(),
            other.display()
        ))),
        (Some(index), None) | (None, Some(index)) => Ok(index),
        (None, None) => Err(wrong_use(
            "which index? Name it with --in, such as --in library.hml",
        )),
    }
}

/// A file of a track, and whether it is still what was heard: one that is, where there is any.
fn present(track: &Track) -> Result<(&IndexedFile, FileState)> {
    let files = track.files.iter().map(|file| (file, file.state()));
    let order = |state| match state {
        FileState::There => 0,
        FileState::Changed => 1,
        FileState::Missing => 2,
    };
    files
        .min_by_key(|(_, state)| order(*state))
        .context("a track without a file")
}

/// What is to be said of a file beside its name.
fn mark(state: FileState) -> &'static str {
    match state {
        FileState::There => "",
        FileState::Changed => "  (changed since it was heard)",
        FileState::Missing => "  (missing)",
    }
}

/// 83.45 s as 1:23.4: to a tenth, rounded down, so that a time to seek is not past it.
fn clock(time_s: f64) -> String {
    let tenths = (time_s.max(0.0) * 10.0 + 1e-6) as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

/// To a number of decimals.
fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    // Without the sign of nothing.
    (value * scale).round() / scale + 0.0
}

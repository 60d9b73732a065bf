//! `hemiola analyze`: all that can be heard in a recording.

mod existing;
mod folder;
mod manifest;
mod page_audio;
mod shard;
mod summary;
mod table;
mod watch;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use hemiola::audio::Source;
use hemiola::tasks::analyze::{Analyser, AnalyserConfig, Part};

use crate::batch::each;
use crate::inputs::{self, Input};
use crate::outputs::make_folder;
use crate::{Outcome, models, wrong_use};
use existing::Existing;
use folder::AnalysisFolder;
use shard::Shard;
use watch::Watch;

#[derive(clap::Args)]
pub struct Args {
    /// Recordings, folders of recordings, or - for standard input
    #[arg(value_name = "INPUT", required_unless_present = "manifest")]
    inputs: Vec<PathBuf>,
    /// The folder for the results; of several recordings, each gets a folder in it
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Only these: notes, onsets, beats, instruments, chroma, chords, key, harmony, embedding
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "PART",
        conflicts_with = "skip"
    )]
    only: Vec<Part>,
    /// All but these
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    skip: Vec<Part>,
    /// Recordings heard at once
    #[arg(short, long, default_value = "1", value_name = "N")]
    jobs: NonZeroUsize,
    /// Leave out recordings that are already analysed: the same file, by the same version, for the same parts and models
    #[arg(long)]
    skip_existing: bool,
    /// Replace analyses of other recordings without asking
    #[arg(long)]
    force: bool,
    /// Only every Nth recording, from the Ith on, so that N machines share the work
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// A table of recordings, CSV or Parquet: a column file (relative to the table's folder) and, if wanted, a column id, the
    /// name of the recording's folder in OUT
    #[arg(long, value_name = "TABLE")]
    manifest: Option<PathBuf>,
    /// Where to write a row for each recording [default: OUT/analyses.parquet if there are several recordings]
    #[arg(long, value_name = "PARQUET")]
    table: Option<PathBuf>,
    /// The model of notes: a built-in one or a checkpoint folder
    #[arg(long, default_value = "piano", value_name = "MODEL")]
    notes_model: String,
    /// The model of instruments, or of whatever labels
    #[arg(long, default_value = "instruments", value_name = "MODEL")]
    instruments_model: String,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let plan = Plan::of(args)?;
    let config = AnalyserConfig {
        parts: parts(args),
        notes: args.notes_model.clone(),
        instruments: args.instruments_model.clone(),
        ..AnalyserConfig::default()
    };
    if config.parts.is_empty() {
        return Err(wrong_use(
            "--skip leaves nothing to be heard; leave out fewer parts",
        ));
    }
    // Nobody wants to hear after an hour that there is no place for the results.
    make_folder(&args.output)?;
    let batch = Batch {
        analyser: Analyser::open(config, &args.device.device())?,
        existing: Existing {
            skip: args.skip_existing,
            force: args.force,
        },
        asking: Mutex::new(()),
        watch: Watch::new(plan.is_many),
        is_many: plan.is_many,
    };
    let mine: Vec<&Place> = match &args.shard {
        Some(shard) => shard.of(&plan.places),
        None => plan.places.iter().collect(),
    };
    for problem in &plan.problems {
        eprintln!("error: {problem}");
    }
    let failed = batch.run(&mine, args.jobs) || !plan.problems.is_empty();
    let table = args
        .table
        .clone()
        .or_else(|| plan.is_many.then(|| args.output.join("analyses.parquet")));
    if let Some(table) = table {
        table::write(&table, &plan.places)?;
    }
    Ok(match failed {
        true => Outcome::SomeFailed,
        false => Outcome::Done,
    })
}

fn parts(args: &Args) -> BTreeSet<Part> {
    let wanted = |part: &Part| match args.only.is_empty() {
        true => !args.skip.contains(part),
        false => args.only.contains(part),
    };
    Part::ALL.into_iter().filter(wanted).collect()
}

/// A recording and the folder of its results.
pub struct Place {
    input: Input,
    /// As the table calls it.
    name: String,
    folder: PathBuf,
}

struct Plan {
    places: Vec<Place>,
    /// What was named and cannot be looked at.
    problems: Vec<String>,
    /// Whether each recording has a folder below that of the results.
    is_many: bool,
}

impl Plan {
    fn of(args: &Args) -> Result<Self> {
        let (mut all, problems) = inputs::expand(&args.inputs);
        let folder_given = args.inputs.iter().any(|path| path.is_dir());
        if let Some(manifest) = &args.manifest {
            all.extend(manifest::read(manifest)?);
        }
        let is_many = all.len() != 1 || folder_given || args.manifest.is_some();
        if is_many {
            inputs::refuse_collisions(&all).map_err(|e| wrong_use(e.to_string()))?;
        }
        let places = all.into_iter().map(|input| Place {
            name: input.stem.to_string_lossy().replace('\\', "/"),
            folder: match is_many {
                true => args.output.join(&input.stem),
                false => args.output.clone(),
            },
            input,
        });
        Ok(Self {
            places: places.collect(),
            problems,
            is_many,
        })
    }
}

/// Recordings one after another or several at once; a bad one does not stop the rest.
struct Batch {
    analyser: Analyser,
    existing: Existing,
    /// Held while a person is asked.
    asking: Mutex<()>,
    watch: Watch,
    /// Whether there are several recordings: then a folder says why its recording was not analysed, and the table what was found.
    is_many: bool,
}

impl Batch {
    /// Whether something failed; failures are reported as they come.
    fn run(&self, places: &[&Place], jobs: NonZeroUsize) -> bool {
        let failed = AtomicBool::new(false);
        each(places, jobs, |place| {
            if let Err(error) = self.analyse(place) {
                failed.store(true, Ordering::Relaxed);
                crate::report(&error);
            }
            ControlFlow::Continue(())
        });
        failed.into_inner()
    }

    fn analyse(&self, place: &Place) -> Result<()> {
        let path = &place.input.path;
        let known = AnalysisFolder::at(&place.folder);
        let sha256 = match path == Path::new("-") {
            true => None,
            false => {
                summary::sha256_of(path).inspect_err(|error| self.fail(place, &known, error))?
            }
        };
        if self.existing.skip && known.is_of(sha256.as_deref(), &self.analyser.models()) {
            return Ok(());
        }
        self.existing
            .check(&known, sha256.as_deref(), &self.asking)?;
        let heard = self.hear(place, &known, sha256);
        heard.inspect_err(|error| self.fail(place, &known, error))
    }

    fn fail(&self, place: &Place, folder: &AnalysisFolder, error: &anyhow::Error) {
        if self.is_many {
            folder.fail(place, error);
        }
    }

    fn hear(&self, place: &Place, known: &AnalysisFolder, sha256: Option<String>) -> Result<()> {
        let source = Source::from(&place.input.path);
        let mut gathered = page_audio::Gathered::new(&place.input.path)?;
        let watching = self.watch.recording(
            &place.input.path.display().to_string(),
            page_audio::SAMPLE_RATE,
        );
        let mut analysis = self.analyser.analyse(
            &source,
            page_audio::SAMPLE_RATE,
            |block| {
                watching.read(block);
                gathered.push(block);
            },
            &|heard| watching.heard(heard),
        )?;
        drop(watching);
        analysis.recording.sha256 = sha256;
        if analysis.recording.duration_s == 0.0 {
            eprintln!(
                "warning: {}: there is no sound in this recording, not even silence; the result is empty",
                place.input.path.display()
            );
        }
        for warning in &analysis.recording.warnings {
            eprintln!("warning: {}: {warning}", place.input.path.display());
        }
        let (overview, audio) = gathered.finish()?;
        known
            .write(&analysis, &overview, &audio)
            .with_context(|| format!("{}: cannot be kept", place.input.path.display()))?;
        if !self.is_many {
            let found = watch::in_short(&analysis);
            eprintln!("{}: {found}", place.folder.join(folder::REPORT).display());
        }
        Ok(())
    }
}

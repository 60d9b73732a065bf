//! `hemiola evaluate probe`: what a linear model learns of labels from a few clips.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use hemiola::formats::write_atomically;
use hemiola::tasks::descriptors::{ClassifierFeatures, Descriptor, MfccStatistics};
use hemiola::tasks::embed::Embedder;
use hemiola::training::{Draw, LabelledFile, Probe, Reference, measure_probe};

use crate::outputs::make_folder;
use crate::{Outcome, models, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    /// A folder with a folder of recordings for each label; with --table, what its files are below
    root: PathBuf,
    /// A CSV file with the columns file and tags; recordings with several tags are left out
    #[arg(long, value_name = "CSV")]
    table: Option<PathBuf>,
    /// How many clips of each label are learned from
    #[arg(
        long,
        default_value = "5,10,20",
        value_delimiter = ',',
        value_name = "N"
    )]
    shots: Vec<usize>,
    /// Where the clips that are learned from are drawn; without it, from FOLDER, whose others are then told
    #[arg(long, value_name = "FOLDER")]
    labelled: Option<PathBuf>,
    /// Their table, as --table
    #[arg(long, value_name = "CSV", requires = "labelled")]
    labelled_table: Option<PathBuf>,
    /// How often clips are drawn
    #[arg(long, default_value = "20", value_name = "N")]
    draws: usize,
    /// A built-in model of vectors or a checkpoint folder
    #[arg(long, default_value = "embedding")]
    model: String,
    /// A classifier whose last features are compared: a built-in one or a checkpoint folder
    #[arg(long, default_value = "instruments", value_name = "MODEL")]
    supervised: String,
    /// Writes a table shots-N-DRAW.csv of each draw (file, tags, split), with which `hemiola train` learns from the same clips
    #[arg(long, value_name = "FOLDER")]
    write_tables: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

pub fn run(args: &Args) -> Result<Outcome> {
    if args.draws == 0 || args.shots.contains(&0) {
        return Err(wrong_use("--draws and --shots: expected 1 or more"));
    }
    let reference = |root: &Path, table: &Option<PathBuf>| Reference {
        root: root.to_owned(),
        table: table.clone(),
    };
    let probe = Probe {
        reference: reference(&args.root, &args.table),
        labelled: args
            .labelled
            .as_ref()
            .map(|root| reference(root, &args.labelled_table)),
        shots: args.shots.clone(),
        draws: args.draws,
        seed: 1,
    };
    if let Some(folder) = &args.write_tables {
        make_folder(folder)?;
        for draw in probe.draws()? {
            let name = format!("shots-{}-{}.csv", draw.shots, draw.number);
            let bytes = table_of(&draw)?;
            write_atomically(folder.join(name), |file| file.write_all(&bytes))?;
        }
    }
    let device = args.device.device();
    let files = models::open(&args.model)?;
    let model = Embedder::of(&files, &args.model, &device)?;
    let untrained = Embedder::untrained(&files, 1, &device)?;
    let supervised = ClassifierFeatures::open(&args.supervised, &device)?;
    let mfcc = MfccStatistics::new()?;
    let descriptors: [(&str, &dyn Descriptor); 4] = [
        (&args.model, &model),
        ("untrained", &untrained),
        ("MFCC, mean and covariance", &mfcc),
        (&args.supervised, &supervised),
    ];
    let scores = measure_probe(&probe, &descriptors)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&scores)?)?;
        return Ok(Outcome::Done);
    }
    writeln!(
        out,
        "{:28} {:>6} {:>9} {:>9}",
        "features", "shots", "accuracy", "deviation"
    )?;
    for score in scores {
        writeln!(
            out,
            "{:28} {:6} {:9.4} {:9.4}",
            score.descriptor, score.shots, score.accuracy, score.deviation
        )?;
    }
    Ok(Outcome::Done)
}

/// As the classifiers' recipes read them, with absolute paths: the recordings may lie in two folders.
fn table_of(draw: &Draw) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["file", "tags", "split"])?;
    let mut rows = |files: &[LabelledFile], split: &str| -> Result<()> {
        for file in files {
            let path = std::path::absolute(&file.path)?;
            table.write_record([&*path.to_string_lossy(), &file.label, split])?;
        }
        Ok(())
    };
    rows(&draw.train, "train")?;
    rows(&draw.test, "dev")?;
    Ok(table.into_inner()?)
}

//! `hemiola evaluate similar`: how often one half of a recording finds the other.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use hemiola::tasks::descriptors::{Descriptor, MfccStatistics};
use hemiola::tasks::embed::Embedder;
use hemiola::training::{SimilarScores, measure_similar};

use crate::{Outcome, models, progress, wrong_use};

#[derive(clap::Args)]
pub struct Args {
    /// A folder of recordings that the model was not trained on
    folder: PathBuf,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "embedding")]
    model: String,
    /// Seconds that are heard of the middle of each half, at most
    #[arg(long, default_value = "30", value_name = "S")]
    seconds: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

pub fn run(args: &Args) -> Result<Outcome> {
    if !(args.seconds >= 3.0 && args.seconds.is_finite()) {
        return Err(wrong_use(format!(
            "--seconds {}: expected 3 or more",
            args.seconds
        )));
    }
    let device = args.device.device();
    let files = models::open(&args.model)?;
    let model = Embedder::of(&files, &args.model, &device)?;
    let untrained = Embedder::untrained(&files, 1, &device)?;
    let mfcc = MfccStatistics::new()?;
    let descriptors: [(&str, &dyn Descriptor); 3] = [
        (&args.model, &model),
        ("untrained", &untrained),
        ("MFCC, mean and covariance", &mfcc),
    ];
    let bar = progress::bar(0, "{wide_bar} {pos}/{len} {eta}");
    let (scores, notes) = measure_similar(&descriptors, &args.folder, args.seconds, &|_, all| {
        bar.set_length(all as u64);
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    for note in notes {
        eprintln!("note: {note}");
    }
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&scores)?)?,
        false => write!(out, "{}", table(&scores))?,
    }
    Ok(Outcome::Done)
}

fn table(scores: &SimilarScores) -> String {
    let mut text = format!(
        "{} recordings, at most {} s of each half\n{:28} {:28} {:>8} {:>8} {:>8}\n",
        scores.recordings, scores.seconds, "vectors", "asked", "R@1", "R@10", "MRR"
    );
    for descriptor in &scores.descriptors {
        for query in &descriptor.queries {
            text.push_str(&format!(
                "{:28} {:28} {:8.4} {:8.4} {:8.4}\n",
                descriptor.descriptor,
                query.query,
                query.scores.recall_at_1,
                query.scores.recall_at_10,
                query.scores.mean_reciprocal_rank
            ));
        }
    }
    text
}

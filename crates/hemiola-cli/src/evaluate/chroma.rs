//! `hemiola evaluate chroma`: a model of chroma on recordings with notes.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use hemiola::training::measure_chroma;

use crate::{Outcome, models};

#[derive(clap::Args)]
pub struct Args {
    /// A folder of recordings with notes: x.wav (or .flac, .mp3, .ogg) and x.mid, or the MAPS layout
    folder: PathBuf,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "chroma")]
    model: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, default_value = "cpu")]
    device: models::DeviceArg,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let extractor = models::open_chroma_extractor(&args.model, &args.device.device())?;
    let scores = measure_chroma(&extractor, &args.folder)?;
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&scores)?)?,
        false => {
            writeln!(out, "average precision {:.4}", scores.average_precision)?;
            writeln!(
                out,
                "of {} frames of {} recordings; {:.4} of their pitch classes sound",
                scores.frames, scores.recordings, scores.sounding
            )?;
        }
    }
    Ok(Outcome::Done)
}

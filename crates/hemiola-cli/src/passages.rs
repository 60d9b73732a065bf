//! Pieces of music into a latent space of phrases, and what comes out of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hemiola::midi::Score;
use hemiola::tasks::phrases::{Passage, PhraseSpace};

use crate::midi_files::{MidiInput, MidiOutput, draw, made_by};
use crate::{Outcome, models};

/// What verbs share that make one piece of another.
#[derive(clap::Args)]
pub struct OnePiece {
    /// A MIDI file, or - for standard input
    input: PathBuf,
    /// The MIDI file to write, or - for standard output [default: INPUT-varied.mid of vary, INPUT-moved.mid of attribute, in this folder]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub space: SpaceArgs,
}

#[derive(clap::Args)]
pub struct SpaceArgs {
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "vae")]
    pub model: String,
    /// Also draw a piano roll (SVG or PNG) of what was given and what was made
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

impl SpaceArgs {
    /// # Errors
    /// When there is no such model.
    pub fn open(&self) -> Result<PhraseSpace> {
        models::open_phrase_space(&self.model)
    }
}

/// A MIDI file, and its name without folders and ending.
pub struct Input {
    pub score: Score,
    pub stem: String,
}

impl Input {
    /// Reads a file that a space can read; warnings go to standard error.
    pub fn read(path: &Path, space: &PhraseSpace) -> Result<Self> {
        let input = MidiInput::read(path)?;
        let score = Score::from_bytes(&input.bytes, path)?;
        for warning in &score.warnings {
            eprintln!("warning: {}: {warning}", path.display());
        }
        let piece = space
            .read(&score)
            .with_context(|| path.display().to_string())?;
        if piece.left_out > 0 {
            eprintln!(
                "warning: {}: {} notes are outside the keys of the model; they are left out",
                path.display(),
                piece.left_out
            );
        }
        let stem = path.file_stem().unwrap_or_default();
        Ok(Self {
            score,
            stem: stem.to_string_lossy().into_owned(),
        })
    }
}

/// Makes one piece of another, writes it, and draws both; `what` is part of the default name.
pub fn make_one(
    args: &OnePiece,
    space: &PhraseSpace,
    what: &str,
    title: &str,
    make: impl FnOnce(&Score) -> hemiola::Result<Passage>,
) -> Result<Outcome> {
    let path = args.input.display();
    let output = MidiOutput::choose(args.output.as_deref(), Some(&args.input), what)?;
    output.check(&[args.space.plot.as_deref()])?;
    let input = Input::read(&args.input, space)?;
    let made = make(&input.score).with_context(|| path.to_string())?;
    if made.notes.is_empty() {
        eprintln!("warning: {path}: the model makes no note of it; the result is silent");
    }
    let bytes = made.to_midi(Some(made_by(&args.space.model)))?;
    if let Some(path) = &args.space.plot {
        let title = format!("{}: {title}", input.stem);
        draw(path, &title, &input.score.notes(), &made.notes)?;
    }
    output.write(&bytes)?;
    Ok(Outcome::Done)
}

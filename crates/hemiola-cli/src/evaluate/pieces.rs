//! The pieces that symbolic models are measured by.

use std::path::PathBuf;

use anyhow::{Result, bail};
use hemiola::datasets::midi_folder::MidiFolder;
use hemiola::datasets::piece_list::PieceList;
use hemiola::datasets::{DataSet, Split};
use hemiola::tokens::TokenOptions;

use crate::Outcome;

#[derive(clap::Args)]
pub struct PieceArgs {
    /// A folder of MIDI files
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// A list (CSV) of the folder's files with the columns file, split, style, set; its dev pieces are taken
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Only these sets of the list
    #[arg(long, value_delimiter = ',', requires = "list")]
    sets: Vec<String>,
}

/// A piece as a sequence of events.
pub struct Piece {
    pub ids: Vec<u16>,
    pub style: Option<String>,
}

/// What could be read.
pub struct Pieces {
    pub pieces: Vec<Piece>,
    pub skipped: Vec<String>,
}

impl PieceArgs {
    /// The folder with one side of its list, dev unless another is asked for; without a list, all of it as dev.
    pub fn open(&self) -> Result<MidiFolder> {
        let Some(list) = &self.list else {
            return Ok(MidiFolder::open(&self.folder, None, 1.0)?);
        };
        let mut list = PieceList::read(list)?;
        if !self.sets.is_empty() {
            list = list.of_sets(&self.sets)?;
        }
        Ok(MidiFolder::listed(&self.folder, &list, None)?)
    }

    /// Reads the pieces of a side; what cannot be read is told and passed over.
    pub fn read(&self, tokens: &TokenOptions, split: Option<Split>) -> Result<Pieces> {
        let folder = self.open()?;
        let reading = folder.events(split.unwrap_or(Split::Dev), tokens);
        let skipped: Vec<String> = folder
            .left_out()
            .iter()
            .cloned()
            .chain(reading.skipped)
            .collect();
        for skipped in &skipped {
            crate::report(&anyhow::anyhow!("{skipped}"));
        }
        if reading.pieces.is_empty() {
            bail!(
                "{}: no piece with notes to measure by",
                self.folder.display()
            );
        }
        let piece = |(name, ids): (String, Vec<u16>)| Piece {
            style: folder.style(&name).map(str::to_owned),
            ids,
        };
        Ok(Pieces {
            pieces: reading.pieces.into_iter().map(piece).collect(),
            skipped,
        })
    }
}

impl Pieces {
    /// Whether some were passed over.
    pub fn outcome(&self) -> Outcome {
        match self.skipped.is_empty() {
            true => Outcome::Done,
            false => Outcome::SomeFailed,
        }
    }
}

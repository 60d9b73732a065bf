//! The pieces that symbolic models are measured by.

use std::path::PathBuf;

use anyhow::{Result, bail};
use hemiola::datasets::midi_folder::MidiFolder;
use hemiola::datasets::piece_list::PieceList;
use hemiola::datasets::{DataSet, Split};
use hemiola::midi::Score;
use hemiola::tokens::TokenOptions;

use crate::{Outcome, progress, wrong_use};

#[derive(clap::Args)]
pub struct PieceArgs {
    /// A folder of MIDI files
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// A list (CSV) of the folder's files with the columns file, split, style, set; its dev pieces are taken
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Only these sets of the list; baselines are counted from all of them
    #[arg(long, value_delimiter = ',', requires = "list")]
    sets: Vec<String>,
}

/// A piece as a sequence of events.
pub struct Piece {
    pub ids: Vec<u16>,
    pub style: Option<String>,
}

/// What could be read.
pub struct Pieces<T> {
    pub pieces: Vec<T>,
    pub skipped: Vec<String>,
}

impl PieceArgs {
    /// The pieces to measure by as sequences of events.
    pub fn events(&self, tokens: &TokenOptions) -> Result<Pieces<Piece>> {
        let folder = self.dev()?;
        self.all_events(&folder, Split::Dev, tokens)
    }

    /// Those of the list that are for training, whatever the sets, to count baselines from.
    pub fn counted_events(&self, tokens: &TokenOptions) -> Result<Pieces<Piece>> {
        let Some(list) = &self.list else {
            bail!("baselines are counted from the pieces of a list; name one with --list");
        };
        let list = PieceList::read(list)?.once_each();
        let folder = MidiFolder::listed(&self.folder, &list, None)?;
        self.all_events(&folder, Split::Train, tokens)
    }

    /// The pieces to measure by, each as `read` makes it of its score.
    pub fn scores<T>(&self, read: impl Fn(&Score) -> hemiola::Result<T>) -> Result<Pieces<T>> {
        let folder = self.dev()?;
        let bar = progress::bar(
            folder.items_of(Split::Dev).count() as u64,
            "reading {wide_bar} {pos}/{len} {eta}",
        );
        let mut pieces = Vec::new();
        let mut skipped = folder.left_out().to_vec();
        for item in folder.items_of(Split::Dev) {
            let piece = folder.read_score(item).and_then(|score| {
                read(&score).map_err(|error| hemiola::Error::input(&item.notes, error.to_string()))
            });
            match piece {
                Ok(piece) => pieces.push(piece),
                Err(error) => skipped.push(error.to_string()),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        self.found(pieces, skipped)
    }

    /// The folder with the dev side of its list; without a list, all of it.
    fn dev(&self) -> Result<MidiFolder> {
        if self.folder.is_file() {
            return Err(wrong_use(format!(
                "{} is a file; expected a folder of MIDI files",
                self.folder.display()
            )));
        }
        let Some(list) = &self.list else {
            return Ok(MidiFolder::open(&self.folder, None, 1.0)?);
        };
        let mut list = PieceList::read(list)?;
        if !self.sets.is_empty() {
            list = list.of_sets(&self.sets)?;
        }
        Ok(MidiFolder::listed(&self.folder, &list.once_each(), None)?)
    }

    fn all_events(
        &self,
        folder: &MidiFolder,
        split: Split,
        tokens: &TokenOptions,
    ) -> Result<Pieces<Piece>> {
        let reading = folder.events(split, tokens);
        let piece = |(name, ids): (String, Vec<u16>)| Piece {
            style: folder.style(&name).map(str::to_owned),
            ids,
        };
        let pieces = reading.pieces.into_iter().map(piece).collect();
        let left_out = folder.left_out().iter().cloned();
        self.found(pieces, left_out.chain(reading.skipped).collect())
    }

    /// Tells what was passed over.
    fn found<T>(&self, pieces: Vec<T>, skipped: Vec<String>) -> Result<Pieces<T>> {
        for skipped in &skipped {
            crate::report(&anyhow::anyhow!("{skipped}"));
        }
        if pieces.is_empty() {
            bail!(
                "{}: no piece with notes to measure by",
                self.folder.display()
            );
        }
        Ok(Pieces { pieces, skipped })
    }
}

impl<T> Pieces<T> {
    /// Whether some were passed over.
    pub fn outcome(&self) -> Outcome {
        match self.skipped.is_empty() {
            true => Outcome::Done,
            false => Outcome::SomeFailed,
        }
    }
}

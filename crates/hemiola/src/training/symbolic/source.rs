//! Where the pieces are that symbolic models learn from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::datasets::midi_folder::MidiFolder;
use crate::datasets::piece_list::PieceList;
use crate::datasets::reserved::Reserved;
use crate::error::{Error, Result};

/// A folder of MIDI files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MidiSource {
    pub folder: PathBuf,
    /// A [`PieceList`]; without, all files are taken, and `dev_share` of them kept for evaluation.
    #[serde(default)]
    pub list: Option<PathBuf>,
    /// The collections of the list that are taken; all when empty.
    #[serde(default)]
    pub sets: Vec<String>,
    /// The name of the style of the pieces of which no list says another.
    #[serde(default)]
    pub style: Option<String>,
}

impl MidiSource {
    pub(super) fn open(&self, reserved: Option<&Reserved>, dev_share: f64) -> Result<MidiFolder> {
        let Some(list) = &self.list else {
            return MidiFolder::open(&self.folder, reserved, dev_share);
        };
        let mut list = PieceList::read(list)?;
        if !self.sets.is_empty() {
            list = list.of_sets(&self.sets)?;
        }
        MidiFolder::listed(&self.folder, &list, reserved)
    }

    /// The style of a piece by its name.
    pub(super) fn style<'a>(&'a self, folder: &'a MidiFolder, piece: &str) -> Option<&'a str> {
        folder.style(piece).or(self.style.as_deref())
    }
}

/// Refuses what cannot be opened; files are not looked at.
pub(super) fn validate(sources: &[MidiSource], dev_share: f64) -> Result<()> {
    if sources.is_empty() {
        return Err(Error::config(
            "data.sources is empty; name at least one folder of MIDI files",
        ));
    }
    if let Some(source) = sources
        .iter()
        .find(|source| source.list.is_none() && !source.sets.is_empty())
    {
        return Err(Error::config(format!(
            "data.sources: {} has sets but no list that tells them apart; give list too",
            source.folder.display()
        )));
    }
    if !(0.0..1.0).contains(&dev_share) {
        return Err(Error::config(format!(
            "data.dev_share is {dev_share}; it must be in [0, 1)"
        )));
    }
    Ok(())
}

/// The list of titles that stay out.
pub(super) fn reserved(path: Option<&Path>) -> Result<Option<Reserved>> {
    path.map(Reserved::read).transpose()
}

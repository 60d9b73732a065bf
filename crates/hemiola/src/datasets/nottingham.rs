//! Nottingham Music Database, cleaned edition: folk tunes with chords (GPL-3.0 as the edition states).

use std::path::Path;

use super::{DataSet, Item, Performance, SetInfo, Split, files_in, stem};
use crate::error::{Error, Result};
use crate::midi::Score;

pub(super) const INFO: SetInfo = SetInfo {
    name: "nottingham",
    licence: "GPL-3.0",
    may_train: true,
    layout: "MIDI/*.mid",
};

/// A folder with `MIDI/*.mid`; sorted by name, every tenth file from the fourth on is dev.
#[derive(Debug)]
pub struct Nottingham {
    items: Vec<Item>,
}

impl Nottingham {
    /// # Errors
    /// When the folder `MIDI` cannot be read or holds no MIDI file.
    pub fn open(folder: &Path) -> Result<Self> {
        let folder = folder.join("MIDI");
        let files = files_in(&folder, &["mid"])?;
        if files.is_empty() {
            return Err(Error::input(&folder, "expected MIDI files; found none"));
        }
        let items = files
            .into_iter()
            .enumerate()
            .map(|(index, notes)| Item {
                name: stem(&notes),
                split: if index % 10 == 3 {
                    Split::Dev
                } else {
                    Split::Train
                },
                notes,
                audio: None,
            })
            .collect();
        Ok(Self { items })
    }
}

impl DataSet for Nottingham {
    fn info(&self) -> &'static SetInfo {
        &INFO
    }

    fn is_deadpan(&self) -> bool {
        true
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn read(&self, item: &Item) -> Result<Performance> {
        Ok(Performance::from_score(&Score::read(&item.notes)?))
    }
}

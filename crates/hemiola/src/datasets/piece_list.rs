//! A list that fixes which pieces of a folder are learned from, which are measured by, and their styles.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Split;
use crate::error::{Error, Result};

/// A piece of the list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedPiece {
    /// Path from the folder, with `/` on every system.
    pub file: String,
    pub split: Split,
    /// The name of its style, or empty.
    #[serde(default)]
    pub style: String,
    /// The collection it belongs to, or empty.
    #[serde(default)]
    pub set: String,
    /// The work, or empty; two files of one style and work are the same piece.
    #[serde(default)]
    pub work: String,
}

/// The pieces of a CSV file with the columns `file` and `split` (`train` or `dev`) and perhaps `style`, `set` and `work`; others are
/// passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PieceList {
    pub pieces: Vec<ListedPiece>,
    path: PathBuf,
}

impl PieceList {
    /// # Errors
    /// When the file cannot be read, a column is missing, a value is none of those expected, or a file is named twice.
    pub fn read(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|source| Error::io(path, source))?;
        let fault = |error: csv::Error| Error::input(path, error.to_string());
        let pieces: Vec<ListedPiece> = csv::Reader::from_reader(file)
            .deserialize()
            .collect::<std::result::Result<_, _>>()
            .map_err(fault)?;
        let mut names = std::collections::HashSet::new();
        if let Some(twice) = pieces.iter().find(|piece| !names.insert(&piece.file)) {
            return Err(Error::input(
                path,
                format!("{} is named twice; name every file once", twice.file),
            ));
        }
        Ok(Self {
            pieces,
            path: path.to_owned(),
        })
    }

    /// Every piece once: of files of the same style and work, the first.
    pub fn once_each(mut self) -> Self {
        let mut known = std::collections::HashSet::new();
        self.pieces.retain(|piece| {
            piece.work.is_empty() || known.insert((piece.style.clone(), piece.work.clone()))
        });
        self
    }

    /// Only the pieces of some collections.
    ///
    /// # Errors
    /// When a collection has no piece in the list.
    pub fn of_sets(mut self, sets: &[String]) -> Result<Self> {
        for set in sets {
            if self.pieces.iter().all(|piece| piece.set != *set) {
                return Err(Error::input(
                    &self.path,
                    format!("no piece has the set {set:?}; see its column set"),
                ));
            }
        }
        self.pieces.retain(|piece| sets.contains(&piece.set));
        Ok(self)
    }
}

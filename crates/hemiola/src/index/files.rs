//! Files that an index knows, by their content and by what they look like.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use super::TrackId;
use crate::error::{Error, Result};

/// The SHA-256 of a file's bytes.
pub type ContentHash = [u8; 32];

/// What a file looks like without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970.
    pub modified_ns: i64,
}

impl Stamp {
    /// # Errors
    /// When there is no such file, or it is no file.
    pub fn of(path: &Path) -> Result<Self> {
        let found = fs::metadata(path).map_err(|e| Error::io(path, e))?;
        if !found.is_file() {
            return Err(Error::input(
                path,
                "is no regular file; an index keeps files only, by their content",
            ));
        }
        let modified = found.modified().map_err(|e| Error::io(path, e))?;
        let modified_ns = match modified.duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_nanos() as i64,
            Err(before) => -(before.duration().as_nanos() as i64),
        };
        Ok(Self {
            size: i64::try_from(found.len()).unwrap_or(i64::MAX),
            modified_ns,
        })
    }
}

/// The [`ContentHash`] of a file.
///
/// # Errors
/// When it cannot be read.
pub fn hash_file(path: &Path) -> Result<ContentHash> {
    let mut hasher = Sha256::new();
    File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut hasher))
        .map_err(|e| Error::io(path, e))?;
    Ok(hasher.finalize().into())
}

/// A file that an index knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedFile {
    /// Where it was last seen; below the folder by which the index was opened, if it lies below it.
    pub path: PathBuf,
    pub stamp: Stamp,
    /// Its name within the index.
    pub(super) key: Vec<u8>,
}

/// Whether a file is still what was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    There,
    /// Its size or its time of change is another.
    Changed,
    Missing,
}

impl IndexedFile {
    pub fn state(&self) -> FileState {
        match Stamp::of(&self.path) {
            Ok(stamp) if stamp == self.stamp => FileState::There,
            Ok(_) => FileState::Changed,
            Err(_) => FileState::Missing,
        }
    }
}

/// A recording: every file with the same bytes is the same one.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    pub id: TrackId,
    pub duration_s: f64,
    /// At least one; in the order of their names.
    pub files: Vec<IndexedFile>,
}

//! The library's one error type.

use std::path::{Path, PathBuf};

pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong. Messages say what was expected, what was found, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file or stream holds something other than what was expected of it.
    #[error("{}: {message}", path.display())]
    Input { path: PathBuf, message: String },
    /// A configuration, recipe or argument has an impossible value.
    #[error("{0}")]
    Config(String),
    /// A checkpoint's tensors or configuration do not fit the model.
    #[error("{}: {message}", path.display())]
    Checkpoint { path: PathBuf, message: String },
}

impl Error {
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.as_ref().to_path_buf(),
            source,
        }
    }

    pub fn input(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Input {
            path: path.as_ref().to_path_buf(),
            message: message.into(),
        }
    }

    pub fn config(message: impl Into<String>) -> Self {
        Self::Config(message.into())
    }

    pub fn checkpoint(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Checkpoint {
            path: path.as_ref().to_path_buf(),
            message: message.into(),
        }
    }
}

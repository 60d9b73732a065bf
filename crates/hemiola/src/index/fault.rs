//! What SQLite says, in words for the owner of an index.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;

/// What to do with a file that is no index, or a damaged one.
const ANEW: &str = "hemiola embed RECORDINGS -o NEW.hml makes an index anew";

pub fn of(path: &Path, error: rusqlite::Error) -> Error {
    let message = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => return no_index(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program is writing to this index and did not finish in time; nothing was changed. \
             Try again when it is done"
                .to_owned()
        }
        Some(ErrorCode::DiskFull) => {
            "the disk is full; what the index had is kept. Make room and run the same command again, \
             which goes on where it stopped"
                .to_owned()
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "this index, or its folder, cannot be written to; changes are made beside it before they are made in it. \
             Copy it to where you may write"
                .to_owned()
        }
        Some(ErrorCode::CannotOpen) => {
            "cannot open this index, or make a file in its folder; is the folder there, and may you write to it?".to_owned()
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            format!("this index is damaged ({error}); {ANEW}")
        }
        Some(ErrorCode::SystemIoFailure) => format!(
            "the system could not read or write this index ({error}); what it had is kept. Is the disk there, and \
             is there room on it?"
        ),
        _ => format!("cannot use this index: {error}"),
    };
    Error::input(path, message)
}

pub fn no_index(path: &Path) -> Error {
    Error::input(
        path,
        format!(
            "is no index of hemiola, and stays as it is; expected a file that hemiola embed made. {ANEW}"
        ),
    )
}

/// What is in an index but cannot be.
pub fn damaged(path: &Path, what: &str) -> Error {
    Error::input(path, format!("this index is damaged ({what}); {ANEW}"))
}

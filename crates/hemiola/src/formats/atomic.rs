use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// Writes a file that appears whole or not at all: whoever opens `path` sees what was there before, or all of the new.
///
/// The bytes go to a temporary file in the same folder, which takes the place of `path` once `write` has succeeded and is removed otherwise.
/// What is no regular file, such as a pipe or `/dev/null`, is written to as it stands.
///
/// # Errors
/// `write` fails, or the folder or the file cannot be written to.
pub fn write_atomically<T>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T> {
    let path = path.as_ref();
    write_to(path, write).map_err(|source| Error::io(path, source))
}

/// Whether a file can be written at a path, by making an empty one beside it for a moment; folders that are not there yet
/// may be made.
///
/// # Errors
/// There is a folder of that name, part of the path is no folder, or nothing can be made there.
pub fn check_writable(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let fail = |source| Error::io(path, source);
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(fail(io::ErrorKind::IsADirectory.into())),
        Ok(found) if !found.is_file() => return Ok(()),
        _ => {}
    }
    let mut probe = path.to_path_buf();
    while let Some(folder) = probe.parent().filter(|f| !f.as_os_str().is_empty()) {
        if folder.is_dir() {
            break;
        }
        if folder.exists() {
            return Err(Error::input(
                folder,
                "is no folder, so nothing can be put into it",
            ));
        }
        probe = folder.to_path_buf();
    }
    Temporary::beside(&probe).map(drop).map_err(fail)
}

fn write_to<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(|found| !found.is_file()) {
        let mut out = BufWriter::new(File::options().write(true).open(path)?);
        let result = write(&mut out)?;
        out.flush()?;
        return Ok(result);
    }
    // A symbolic link stays one; what it points to is replaced.
    let target = match &existing {
        Some(_) => fs::canonicalize(path)?,
        None => path.to_path_buf(),
    };
    let (temporary, file) = Temporary::beside(&target)?;
    if let Some(existing) = existing {
        fs::set_permissions(&temporary.0, existing.permissions())?;
    }
    let mut out = BufWriter::new(file);
    let result = write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary.0, &target)?;
    std::mem::forget(temporary);
    Ok(result)
}

/// A file that is removed when it goes out of scope.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path) -> io::Result<(Self, File)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = path.file_name().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "expected the path of a file")
        })?;
        loop {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            hidden.push(format!(".{}-{count}.part", std::process::id()));
            let temporary = path.with_file_name(hidden);
            match File::create_new(&temporary) {
                Ok(file) => return Ok((Self(temporary), file)),
                // Left by a process of the same number that was killed.
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
                Err(fault) => return Err(fault),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody can be told that this fails; the failure that led here is reported.
        let _ = fs::remove_file(&self.0);
    }
}

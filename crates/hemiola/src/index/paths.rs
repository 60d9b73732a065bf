//! Paths as an index keeps them: relative to its folder below it, so that both can be moved together, absolute elsewhere.

use std::path::{Path, PathBuf};

/// The bytes of a path.
#[cfg(unix)]
pub fn to_bytes(path: &Path) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    Some(path.as_os_str().as_bytes().to_vec())
}

/// The bytes of a path in UTF-8; none where it has no such name.
#[cfg(not(unix))]
pub fn to_bytes(path: &Path) -> Option<Vec<u8>> {
    Some(path.to_str()?.as_bytes().to_vec())
}

#[cfg(unix)]
pub fn from_bytes(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
pub fn from_bytes(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// The folder of a file; the current one where none is named.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A path as shown: without the dot that stands for the current folder.
pub fn shown(folder: &Path, kept: &Path) -> PathBuf {
    match folder == Path::new(".") {
        true => kept.to_path_buf(),
        false => folder.join(kept),
    }
}

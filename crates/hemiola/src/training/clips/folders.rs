//! Folders of recordings.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use super::Clip;
use crate::audio::{AUDIO_EXTENSIONS, read_mono};
use crate::error::{Error, Result};

/// Files that a note names of those that were skipped.
const NAMED: usize = 5;

pub(in crate::training) fn check_folder(root: &Path) -> Result<()> {
    match root.is_dir() {
        true => Ok(()),
        false => Err(Error::input(
            root,
            "there is no such folder; name one with --set data.root=FOLDER",
        )),
    }
}

pub(in crate::training) fn endings() -> String {
    format!(".{}", AUDIO_EXTENSIONS.join(", ."))
}

/// Files that the system keeps for itself begin with a dot.
pub(super) fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// The recordings below a folder, sorted.
pub(in crate::training) fn audio_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = WalkDir::new(folder)
        .follow_links(true)
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.path()));
    for entry in entries {
        let entry = entry.map_err(|e| Error::input(folder, e.to_string()))?;
        let is_audio = entry.path().extension().is_some_and(|ending| {
            let ending = ending.to_string_lossy().to_ascii_lowercase();
            AUDIO_EXTENSIONS.contains(&ending.as_str())
        });
        if is_audio && entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    files.sort();
    Ok(files)
}

/// The path below a folder, with `/` between its parts.
pub(in crate::training) fn name_below(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The first few, and how many more there are.
pub(in crate::training) fn first_of(what: &[String]) -> String {
    let named = what[..what.len().min(NAMED)].join("; ");
    match what.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// Each file's recording, where it can be read, and a sentence about those that cannot.
///
/// # Errors
/// When none can be read.
pub(in crate::training) fn decode(
    root: &Path,
    files: &[PathBuf],
    sample_rate: u32,
) -> Result<(Vec<Option<Clip>>, Option<String>)> {
    let read = |path: &PathBuf| {
        let samples = read_mono(path, sample_rate)?;
        match samples.is_empty() {
            true => Err(Error::input(path, "there is no sound in it")),
            false => Ok(Clip::new(&samples)),
        }
    };
    let decoded: Vec<Result<Clip>> = files.par_iter().map(read).collect();
    let faults: Vec<String> = decoded
        .iter()
        .filter_map(|clip| clip.as_ref().err().map(ToString::to_string))
        .collect();
    if faults.len() == files.len() {
        return Err(Error::input(
            root,
            format!(
                "none of its {} recordings can be read; {}",
                files.len(),
                faults[0]
            ),
        ));
    }
    let skipped = (!faults.is_empty()).then(|| {
        format!(
            "{} of {} recordings cannot be read and are left out: {}",
            faults.len(),
            files.len(),
            first_of(&faults)
        )
    });
    Ok((decoded.into_iter().map(Result::ok).collect(), skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..7).map(|i| i.to_string()).collect();
        assert_eq!(first_of(&names), "0; 1; 2; 3; 4; and 2 more");
        assert_eq!(first_of(&names[..2]), "0; 1");
    }
}

//! Folders of recordings.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use super::Clip;
use crate::audio::read_mono;
use crate::error::{Error, Result};

const AUDIO: [&str; 5] = ["wav", "flac", "mp3", "ogg", "m4a"];
/// Files that a note names of those that were skipped.
const NAMED: usize = 5;

/// All recordings in a folder and those inside it, by name, and what was left out.
///
/// # Errors
/// When there is no such folder, or no recording in it that can be read.
pub(in crate::training) fn read_folder(
    root: &Path,
    sample_rate: u32,
) -> Result<(Vec<NamedClip>, Option<String>)> {
    check_folder(root)?;
    let files = audio_files(root)?;
    if files.is_empty() {
        return Err(Error::input(
            root,
            format!(
                "expected recordings, files that end in {}; found none",
                endings()
            ),
        ));
    }
    let (decoded, skipped) = decode(root, &files, sample_rate)?;
    let clips = decoded.into_iter().zip(&files);
    let clips = clips.filter_map(|(clip, path)| Some((name_below(root, path), clip?)));
    Ok((clips.collect(), skipped))
}

pub(super) fn check_folder(root: &Path) -> Result<()> {
    match root.is_dir() {
        true => Ok(()),
        false => Err(Error::input(
            root,
            "there is no such folder; name one with --set data.root=FOLDER",
        )),
    }
}

pub(super) fn endings() -> String {
    format!(".{}", AUDIO.join(", ."))
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
            AUDIO.contains(&ending.as_str())
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

/// A recording by its path below the folder.
pub(in crate::training) type NamedClip = (String, Clip);

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
    use crate::audio::{WavFormat, write_wav};

    #[test]
    fn recordings_are_found_below_the_folder_and_broken_ones_told() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path();
        let write = |name: &str| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_wav(path, &[0.25; 90], 1, 8000, WavFormat::Int16).unwrap();
        };
        for name in ["rock/live/B.WAV", "a.wav", "._a.wav", ".cache/d.wav"] {
            write(name);
        }
        std::fs::write(root.join("notes.txt"), "x").unwrap();
        std::fs::write(root.join("broken.mp3"), "no sound").unwrap();
        let (clips, skipped) = read_folder(root, 8000).unwrap();
        let names: Vec<&str> = clips.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.wav", "rock/live/B.WAV"]);
        let skipped = skipped.unwrap();
        assert!(
            skipped.starts_with("1 of 3 recordings") && skipped.contains("broken.mp3"),
            "{skipped}"
        );
        let none = read_folder(&root.join("none"), 8000).unwrap_err();
        assert!(none.to_string().contains("no such folder"), "{none}");
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..7).map(|i| i.to_string()).collect();
        assert_eq!(first_of(&names), "0; 1; 2; 3; 4; and 2 more");
        assert_eq!(first_of(&names[..2]), "0; 1");
    }
}

//! Which files the arguments mean, and where their results go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use hemiola::audio::AUDIO_EXTENSIONS;

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file, or `-` for standard input.
    pub path: PathBuf,
    /// The result's path below the output folder, without extension.
    pub stem: PathBuf,
}

/// Files as named, and the audio files below the folders named, in the order of their names.
///
/// What cannot be looked at is told in the second list and does not stop the rest.
pub fn expand(paths: &[PathBuf]) -> (Vec<Input>, Vec<String>) {
    let looked_for = format!(
        "audio files in this folder (looked for {})",
        AUDIO_EXTENSIONS.join(", ")
    );
    expand_by(paths, is_audio, &looked_for)
}

/// [`expand`] for the files of folders that `fits` says; `looked_for` names them in the problem that there are none.
pub fn expand_by(
    paths: &[PathBuf],
    fits: impl Fn(&Path) -> bool,
    looked_for: &str,
) -> (Vec<Input>, Vec<String>) {
    let mut inputs = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            inputs.push(Input {
                path: path.clone(),
                stem: PathBuf::from("stdin"),
            });
        } else if path.is_dir() {
            let before = (inputs.len(), problems.len());
            let walk = walkdir::WalkDir::new(path).follow_links(true);
            for entry in walk.sort_by_file_name() {
                match entry {
                    Ok(entry) if entry.file_type().is_file() && fits(entry.path()) => {
                        let below = entry.path().strip_prefix(path).unwrap_or(entry.path());
                        inputs.push(Input {
                            path: entry.path().to_path_buf(),
                            stem: below.with_extension(""),
                        });
                    }
                    Ok(_) => {}
                    // A link to a folder that holds it: what is there is found without it.
                    Err(e) if e.loop_ancestor().is_some() => {}
                    // A link to nothing, and not by the name of a recording.
                    Err(e)
                        if e.path()
                            .is_some_and(|at| at.is_symlink() && !at.exists() && !fits(at)) => {}
                    Err(e) => problems.push(format!("{}: {e}", path.display())),
                }
            }
            if (inputs.len(), problems.len()) == before {
                problems.push(format!("{}: no {looked_for}", path.display()));
            }
        } else {
            let stem = path.file_stem().map(PathBuf::from).unwrap_or_default();
            inputs.push(Input {
                path: path.clone(),
                stem,
            });
        }
    }
    (inputs, problems)
}

fn is_audio(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| AUDIO_EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}

/// Whether a file is called as MIDI files are.
pub fn is_midi(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| matches!(e.to_ascii_lowercase().as_str(), "mid" | "midi"))
}

/// Refuses inputs whose results would have the same name.
pub fn refuse_collisions(inputs: &[Input]) -> Result<()> {
    let mut seen: BTreeMap<&Path, &Path> = BTreeMap::new();
    for input in inputs {
        if let Some(other) = seen.insert(&input.stem, &input.path) {
            bail!(
                "{} and {} would both be written to {}; give them to separate runs with separate -o",
                other.display(),
                input.path.display(),
                input.stem.display()
            );
        }
    }
    Ok(())
}

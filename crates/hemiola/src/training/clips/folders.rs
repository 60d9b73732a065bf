//! Folders of recordings, with a folder for every class or without.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use super::{Clip, split};
use crate::audio::read_mono;
use crate::error::{Error, Result};

const AUDIO: [&str; 5] = ["wav", "flac", "mp3", "ogg", "m4a"];
/// Files that a note names of those that were skipped.
const NAMED: usize = 5;

/// A recording of a class.
#[derive(Debug, Clone)]
pub struct LabelledClip {
    /// The path below the root, with `/` between its parts.
    pub name: String,
    pub clip: Clip,
    /// Index of the class.
    pub label: usize,
}

/// The recordings of a folder of classes.
#[derive(Debug)]
pub(in crate::training) struct LabelledFolders {
    /// Names of the classes, sorted.
    pub labels: Vec<String>,
    pub clips: Vec<LabelledClip>,
    /// What was left out, in a sentence.
    pub skipped: Option<String>,
}

impl LabelledFolders {
    /// Reads `root/<class>/…/*.wav` and other formats as mono at `sample_rate` Hz.
    ///
    /// # Errors
    /// When there is no such folder, there are fewer than two classes, or a class holds no recording that can be read.
    pub fn read(root: &Path, sample_rate: u32) -> Result<Self> {
        check_folder(root)?;
        let mut classes = Vec::new();
        for entry in std::fs::read_dir(root).map_err(|e| Error::io(root, e))? {
            let path = entry.map_err(|e| Error::io(root, e))?.path();
            if path.is_dir() && !is_hidden(&path) {
                classes.push(path);
            }
        }
        classes.sort();
        if classes.len() < 2 {
            let found = match classes.as_slice() {
                [] => "found none".to_owned(),
                [one, ..] => format!("found only {}", name_below(root, one)),
            };
            return Err(Error::input(
                root,
                format!("expected a folder for each class, at least two; {found}"),
            ));
        }
        let mut files = Vec::new();
        for (label, class) in classes.iter().enumerate() {
            let of_class = audio_files(class)?;
            if of_class.is_empty() {
                return Err(Error::input(
                    class,
                    format!(
                        "there is no recording of this class; expected files that end in {}, or no such folder",
                        endings()
                    ),
                ));
            }
            files.extend(of_class.into_iter().map(|path| (path, label)));
        }
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        let (decoded, skipped) = decode(root, &paths, sample_rate)?;
        let clips: Vec<LabelledClip> = decoded
            .into_iter()
            .zip(files)
            .filter_map(|(clip, (path, label))| {
                Some(LabelledClip {
                    name: name_below(root, &path),
                    clip: clip?,
                    label,
                })
            })
            .collect();
        if let Some(label) = (0..classes.len()).find(|&l| clips.iter().all(|c| c.label != l)) {
            return Err(Error::input(
                &classes[label],
                format!(
                    "no recording of this class can be read; {}",
                    skipped.unwrap_or_default()
                ),
            ));
        }
        Ok(Self {
            labels: classes.iter().map(|path| name_below(root, path)).collect(),
            clips,
            skipped,
        })
    }

    /// The recordings to learn from, and those to measure by; see [`split`].
    ///
    /// # Errors
    /// When no class has two recordings.
    pub fn split(&self, dev_share: f64) -> Result<(Vec<LabelledClip>, Vec<LabelledClip>)> {
        let names: Vec<(&str, usize)> = self
            .clips
            .iter()
            .map(|clip| (clip.name.as_str(), clip.label))
            .collect();
        let is_dev = split(&names, dev_share, 1);
        let side = |dev: bool| -> Vec<LabelledClip> {
            let clips = self.clips.iter().zip(&is_dev);
            clips
                .filter(|(_, is_dev)| **is_dev == dev)
                .map(|(clip, _)| clip.clone())
                .collect()
        };
        let (train, dev) = (side(false), side(true));
        if dev.is_empty() {
            return Err(Error::config(
                "data.root: no class has two recordings, one to learn from and one to measure by",
            ));
        }
        Ok((train, dev))
    }
}

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

fn check_folder(root: &Path) -> Result<()> {
    match root.is_dir() {
        true => Ok(()),
        false => Err(Error::input(
            root,
            "there is no such folder; name one with --set data.root=FOLDER",
        )),
    }
}

fn endings() -> String {
    format!(".{}", AUDIO.join(", ."))
}

/// Files that the system keeps for itself begin with a dot.
fn is_hidden(path: &Path) -> bool {
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

/// A recording by its path below the folder.
pub(in crate::training) type NamedClip = (String, Clip);

/// Each file's recording, where it can be read, and a sentence about those that cannot.
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
            some_of(&faults)
        )
    });
    Ok((decoded.into_iter().map(Result::ok).collect(), skipped))
}

/// The first few of a list, and how many more there are.
pub(in crate::training) fn some_of(list: &[String]) -> String {
    let named = list[..list.len().min(NAMED)].join("; ");
    match list.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{WavFormat, write_wav};

    fn write(path: &Path, length: usize) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_wav(path, &vec![0.25; length], 1, 8000, WavFormat::Int16).unwrap();
    }

    #[test]
    fn classes_are_the_folders_and_names_the_paths_below() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path();
        write(&root.join("rock/a.wav"), 90);
        write(&root.join("rock/live/B.WAV"), 100);
        write(&root.join("blues/c.wav"), 80);
        write(&root.join("blues/._c.wav"), 80);
        write(&root.join(".cache/d.wav"), 80);
        std::fs::write(root.join("rock/notes.txt"), "x").unwrap();
        std::fs::write(root.join("rock/broken.mp3"), "no sound").unwrap();
        let read = LabelledFolders::read(root, 8000).unwrap();
        assert_eq!(read.labels, ["blues", "rock"]);
        let found: Vec<(&str, usize, usize)> = read
            .clips
            .iter()
            .map(|c| (c.name.as_str(), c.label, c.clip.samples.len()))
            .collect();
        assert_eq!(
            found,
            [
                ("blues/c.wav", 0, 80),
                ("rock/a.wav", 1, 90),
                ("rock/live/B.WAV", 1, 100)
            ]
        );
        let skipped = read.skipped.as_ref().unwrap();
        assert!(skipped.starts_with("1 of 4 recordings"), "{skipped}");
        assert!(skipped.contains("broken.mp3"), "{skipped}");
        let (train, dev) = read.split(0.1).unwrap();
        assert_eq!((train.len(), dev.len()), (2, 1));
        assert_eq!(dev[0].label, 1);
        let (all, _) = read_folder(root, 8000).unwrap();
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn what_is_missing_is_named() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path();
        let fault = |path: &Path| LabelledFolders::read(path, 8000).unwrap_err().to_string();
        assert!(fault(&root.join("none")).contains("no such folder"));
        assert!(fault(root).contains("at least two; found none"));
        write(&root.join("rock/a.wav"), 90);
        assert!(fault(root).contains("found only rock"));
        std::fs::create_dir(root.join("jazz")).unwrap();
        let message = fault(root);
        assert!(
            message.contains("jazz") && message.contains(".flac"),
            "{message}"
        );
        std::fs::write(root.join("jazz/a.ogg"), "no sound").unwrap();
        let message = fault(root);
        assert!(
            message.contains("jazz") && message.contains("a.ogg"),
            "{message}"
        );
        std::fs::write(root.join("rock/a.wav"), "no sound").unwrap();
        assert!(fault(root).contains("none of its 2 recordings"));
        write(&root.join("rock/a.wav"), 90);
        write(&root.join("jazz/b.wav"), 90);
        std::fs::remove_file(root.join("jazz/a.ogg")).unwrap();
        let read = LabelledFolders::read(root, 8000).unwrap();
        let message = read.split(0.5).unwrap_err().to_string();
        assert!(message.contains("two recordings"), "{message}");
    }
}

//! Where results go, and in which formats.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use clap::ValueEnum;
use hemiola::formats::write_atomically;

use crate::inputs::Input;
use crate::wrong_use;

/// Formats of a verb's results. Their names, and aliases, are the extensions of files.
pub trait Format: ValueEnum + Copy + PartialEq + Send + Sync {
    /// What a folder gets where none is asked for.
    const IN_FOLDER: Self;
    /// What standard output gets where none is asked for.
    const ON_STDOUT: Self;

    /// What a terminal has no use for, by its name in messages.
    fn not_for_a_terminal(self) -> Option<&'static str> {
        None
    }

    fn extension(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// By the extension of a file's name, in small or capital letters.
    fn of(path: &Path) -> Option<Self> {
        Self::from_str(path.extension()?.to_str()?, true).ok()
    }
}

/// Whoever writes to standard output does so to the end.
static TURN: Mutex<()> = Mutex::new(());

/// Where results go.
pub enum Target<F> {
    Stdout(F),
    File(PathBuf, F),
    Folder(PathBuf, Vec<F>),
}

impl<F: Format> Target<F> {
    /// The place of `output`, with the formats asked for; `many` says that there may be several inputs.
    ///
    /// # Errors
    /// Wrong use, where these do not go together.
    pub fn choose(output: Option<&Path>, formats: &[F], many: bool) -> Result<Self> {
        let one = |default| match formats {
            [] => Ok(default),
            [format] => Ok(*format),
            several => Err(wrong_use(format!(
                "{} formats need a folder: name one with -o",
                several.len()
            ))),
        };
        match output {
            None if many => Err(wrong_use(
                "several recordings need a folder for their results: name one with -o",
            )),
            None => {
                let format = one(F::ON_STDOUT)?;
                match format.not_for_a_terminal() {
                    Some(name) if std::io::stdout().is_terminal() => Err(wrong_use(format!(
                        "{name} is not for a terminal: name a file with -o"
                    ))),
                    _ => Ok(Self::Stdout(format)),
                }
            }
            Some(path) if path == Path::new("-") && many => Err(wrong_use(
                "standard output takes one recording; name a folder with -o",
            )),
            Some(path) if path == Path::new("-") => Ok(Self::Stdout(one(F::ON_STDOUT)?)),
            Some(path) => match F::of(path) {
                Some(format) if !many && !path.is_dir() => {
                    let asked = one(format)?;
                    if asked != format {
                        return Err(wrong_use(format!(
                            "--format {} does not fit {}; drop one of them",
                            asked.extension(),
                            path.display()
                        )));
                    }
                    Ok(Self::File(path.to_owned(), format))
                }
                _ => {
                    let mut formats = formats.to_vec();
                    if formats.is_empty() {
                        formats.push(F::IN_FOLDER);
                    }
                    Ok(Self::Folder(path.to_owned(), formats))
                }
            },
        }
    }

    /// The files that an input's results go to; none for standard output.
    pub fn files(&self, input: &Input) -> Vec<(PathBuf, F)> {
        match self {
            Self::Stdout(_) => Vec::new(),
            Self::File(path, format) => vec![(path.clone(), *format)],
            Self::Folder(folder, formats) => formats
                .iter()
                .map(|&format| {
                    let mut name = folder.join(&input.stem).into_os_string();
                    name.push(".");
                    name.push(format.extension());
                    (PathBuf::from(name), format)
                })
                .collect(),
        }
    }

    /// Whether all files of an input are there; never so for standard output.
    pub fn has_all(&self, input: &Input) -> bool {
        let files = self.files(input);
        !files.is_empty() && files.iter().all(|(path, _)| path.is_file())
    }

    /// Writes an input's results, in every format what `encode` makes of them.
    pub fn write(&self, input: &Input, encode: impl Fn(F) -> Result<Vec<u8>>) -> Result<()> {
        if let Self::Stdout(format) = self {
            let bytes = encode(*format)?;
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            let mut out = std::io::stdout().lock();
            out.write_all(&bytes)?;
            out.flush()?;
        }
        for (path, format) in self.files(input) {
            let bytes = encode(format)?;
            make_parent(&path)?;
            write_atomically(&path, |out| out.write_all(&bytes))?;
        }
        Ok(())
    }
}

/// Writes one result to a file, or to standard output where none or `-` is named.
pub fn write_one(output: Option<&Path>, bytes: &[u8]) -> Result<()> {
    match output {
        Some(path) if path != Path::new("-") => {
            make_parent(path)?;
            write_atomically(path, |file| file.write_all(bytes))?;
        }
        _ => {
            let mut out = std::io::stdout().lock();
            out.write_all(bytes)?;
            out.flush()?;
        }
    }
    Ok(())
}

pub fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: cannot make this folder", folder.display()))
}

/// Makes the folder that a file is to lie in.
pub fn make_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => make_folder(folder),
        _ => Ok(()),
    }
}

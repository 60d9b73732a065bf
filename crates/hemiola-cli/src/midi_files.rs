//! MIDI files as arguments.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hemiola::formats::{check_writable, write_atomically};
use hemiola::midi::Score;
use hemiola::music::Note;
use hemiola::plot::{Colour, NoteLayer, PianoRollOptions, Picture, PictureFormat, piano_roll};
use hemiola::tokens::{TokenOptions, sounding_notes};

use crate::outputs::make_parent;
use crate::wrong_use;

/// A MIDI file, or `-` for standard input.
pub struct MidiInput {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

impl MidiInput {
    pub fn read(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(wrong_use(format!(
                "{} is a folder; expected a MIDI file",
                path.display()
            )));
        }
        let bytes = match path == Path::new("-") {
            false => std::fs::read(path).with_context(|| path.display().to_string())?,
            true => {
                let mut bytes = Vec::new();
                std::io::stdin().lock().read_to_end(&mut bytes)?;
                bytes
            }
        };
        Ok(Self {
            path: path.to_owned(),
            bytes,
        })
    }
}

/// The notes of a score as a model with these tokens hears them, sorted; at least one.
pub fn heard_notes(score: &Score, tokens: &TokenOptions, path: &Path) -> Result<Vec<Note>> {
    let mut notes = sounding_notes(score, tokens.sustain, tokens.drums);
    notes.retain(|note| note.offset_s > note.onset_s);
    if notes.is_empty() {
        bail!("{}: {}", path.display(), score.silence(tokens.drums));
    }
    notes.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(a.pitch.cmp(&b.pitch)));
    Ok(notes)
}

/// Where a made file goes.
pub enum MidiOutput {
    File(PathBuf),
    Stdout,
}

impl MidiOutput {
    /// The file of `-o`; without it, one in the working folder that is called after the input and `what`.
    pub fn choose(output: Option<&Path>, input: Option<&Path>, what: &str) -> Result<Self> {
        let stdio = Path::new("-");
        let output = match (output, input) {
            (Some(output), _) => output.to_owned(),
            (None, Some(input)) if input != stdio => {
                let stem = input.file_stem().unwrap_or_default().to_string_lossy();
                PathBuf::from(format!("{stem}-{what}.mid"))
            }
            (None, _) => stdio.to_owned(),
        };
        if output != stdio {
            return Ok(Self::File(output));
        }
        if std::io::stdout().is_terminal() {
            return Err(wrong_use("MIDI is not for a terminal: name a file with -o"));
        }
        Ok(Self::Stdout)
    }

    /// Refuses, before the work begins, a file or pictures that cannot be written, or that would take each other's place.
    pub fn check(&self, pictures: &[Option<&Path>]) -> Result<()> {
        let wrong = |error: hemiola::Error| wrong_use(error.to_string());
        let pictures = pictures.iter().copied().flatten();
        for picture in pictures.clone() {
            PictureFormat::of_path(picture).map_err(wrong)?;
        }
        let music = match self {
            Self::File(path) => Some(path.as_path()),
            Self::Stdout => None,
        };
        let all: Vec<&Path> = music.into_iter().chain(pictures).collect();
        for (index, path) in all.iter().enumerate() {
            if path.is_dir() {
                return Err(wrong_use(format!(
                    "{} is a folder; expected the name of a file",
                    path.display()
                )));
            }
            if all[..index].contains(path) {
                return Err(wrong_use(format!(
                    "{} is named twice; each result needs a file of its own",
                    path.display()
                )));
            }
            check_writable(path)?;
        }
        Ok(())
    }

    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::File(path) => {
                make_parent(path)?;
                write_atomically(path, |file| file.write_all(bytes))?;
                eprintln!("{}", path.display());
            }
            Self::Stdout => std::io::stdout().lock().write_all(bytes)?,
        }
        Ok(())
    }
}

/// Writes a picture into a folder, which is made where it is not there.
pub fn save_picture(picture: &Picture, path: &Path) -> Result<()> {
    make_parent(path)?;
    Ok(picture.save(path)?)
}

/// What the text of a made track says.
pub fn made_by(model: &str) -> String {
    format!("made by hemiola {} with {model}", env!("CARGO_PKG_VERSION"))
}

/// Draws what was given and what was made of it in two colours.
pub fn draw(path: &Path, title: &str, given: &[Note], made: &[Note]) -> Result<()> {
    let layers = [
        NoteLayer::new("given", Colour::series(0), given),
        NoteLayer::new("made", Colour::series(1), made),
    ];
    let drawn = layers
        .iter()
        .filter(|layer| !layer.notes.is_empty())
        .cloned();
    let layers: Vec<NoteLayer> = drawn.collect();
    save_picture(
        &piano_roll(title, &layers, &PianoRollOptions::default())?,
        path,
    )
}

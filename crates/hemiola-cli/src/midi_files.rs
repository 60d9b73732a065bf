//! MIDI files as arguments.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hemiola::formats::write_atomically;
use hemiola::midi::Score;
use hemiola::music::Note;
use hemiola::plot::{Colour, NoteLayer, PianoRollOptions, PictureFormat, piano_roll};
use hemiola::tokens::{TokenOptions, sounding_notes};

use crate::wrong_use;

/// A MIDI file, or `-` for standard input.
pub struct MidiInput {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

impl MidiInput {
    pub fn read(path: &Path) -> Result<Self> {
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
        let drums = score.instruments.iter().any(|i| i.is_drum);
        let but = if drums { " besides percussion" } else { "" };
        bail!("{}: there is no note in it{but}", path.display());
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
            if output.is_dir() {
                return Err(wrong_use(format!(
                    "-o {} is a folder; name a MIDI file",
                    output.display()
                )));
            }
            check_folder(&output)?;
            return Ok(Self::File(output));
        }
        if std::io::stdout().is_terminal() {
            return Err(wrong_use("MIDI is not for a terminal: name a file with -o"));
        }
        Ok(Self::Stdout)
    }

    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::File(path) => {
                write_atomically(path, |file| file.write_all(bytes))?;
                eprintln!("{}", path.display());
            }
            Self::Stdout => std::io::stdout().lock().write_all(bytes)?,
        }
        Ok(())
    }
}

/// Refuses a picture of a kind that cannot be drawn, or that cannot be put there, before the work begins.
pub fn check_picture(path: Option<&Path>) -> Result<()> {
    if let Some(path) = path {
        PictureFormat::of_path(path).map_err(|error| wrong_use(error.to_string()))?;
        check_folder(path)?;
    }
    Ok(())
}

/// Refuses a file whose folder is not there.
fn check_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if folder != Path::new("") && !folder.is_dir() => Err(wrong_use(format!(
            "{}: there is no folder {}; make it first",
            path.display(),
            folder.display()
        ))),
        _ => Ok(()),
    }
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
    Ok(piano_roll(title, &layers, &PianoRollOptions::default())?.save(path)?)
}

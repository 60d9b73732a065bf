//! MAPS: recordings of pianos with their notes (Emiya, Badeau, David, 2010; CC BY-NC-SA): to evaluate, never to train.

use std::path::{Path, PathBuf};

use super::{DataSet, Item, Performance, SetInfo, Split, has_ending, stem};
use crate::error::{Error, Result};
use crate::music::Note;

/// Velocity where the file tells none.
const VELOCITY: u8 = 64;

pub(super) const INFO: SetInfo = SetInfo {
    name: "maps",
    licence: "CC BY-NC-SA",
    may_train: false,
    layout: "recordings (.wav, .flac), each with x.txt or x.tsv, perhaps x.pedal.tsv, beside it",
};

/// A folder, searched with the folders in it, of recordings (.wav or .flac), each with its notes beside it:
/// `x.txt` (OnsetTime, OffsetTime, MidiPitch) as MAPS is published, or `x.tsv` (onset, offset, note, velocity).
#[derive(Debug)]
pub struct Maps {
    items: Vec<Item>,
}

impl Maps {
    /// # Errors
    /// When the folder cannot be read, holds no recording, or a recording has no notes beside it.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut items = Vec::new();
        for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
            let entry = entry.map_err(|error| Error::input(folder, error.to_string()))?;
            let audio = entry.path();
            if !has_ending(audio, &["wav", "flac"]) {
                continue;
            }
            let notes = ["tsv", "txt"]
                .map(|ending| audio.with_extension(ending))
                .into_iter()
                .find(|path| path.is_file())
                .ok_or_else(|| {
                    Error::input(
                        audio,
                        "there is neither a .txt nor a .tsv with its notes beside it",
                    )
                })?;
            items.push(Item {
                name: stem(audio),
                split: Split::Dev,
                notes,
                audio: Some(audio.to_path_buf()),
            });
        }
        if items.is_empty() {
            return Err(Error::input(
                folder,
                "expected recordings (.wav or .flac); found none",
            ));
        }
        Ok(Self { items })
    }

    /// The same notes with ends held by the sustain pedal, where the folder has them apart (`x.pedal.tsv`); MAPS's
    /// own .txt files are of this kind.
    pub fn pedal_notes(item: &Item) -> Option<PathBuf> {
        let path = item.notes.with_extension("pedal.tsv");
        path.is_file().then_some(path)
    }

    /// Reads a table of notes: .txt or .tsv, with a line of column names first.
    ///
    /// # Errors
    /// When the file cannot be read or a line has not three or four numbers.
    pub fn read_notes(path: &Path) -> Result<Vec<Note>> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        let mut notes = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            if line.trim().is_empty() {
                continue;
            }
            notes.push(parse_note(line).ok_or_else(|| {
                Error::input(
                    path,
                    format!(
                        "line {}: expected onset, offset, MIDI pitch and perhaps velocity; found {line:?}",
                        number + 1
                    ),
                )
            })?);
        }
        notes.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(a.pitch.cmp(&b.pitch)));
        Ok(notes)
    }
}

fn parse_note(line: &str) -> Option<Note> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (onset, offset, pitch, velocity) = match fields.as_slice() {
        [onset, offset, pitch] => (onset, offset, pitch, None),
        [onset, offset, pitch, velocity] => (onset, offset, pitch, Some(velocity)),
        _ => return None,
    };
    Some(Note {
        onset_s: onset.parse().ok()?,
        offset_s: offset.parse().ok()?,
        pitch: pitch.parse().ok().filter(|pitch| *pitch < 128)?,
        velocity: match velocity {
            Some(velocity) => velocity.parse().ok()?,
            None => VELOCITY,
        },
    })
}

impl DataSet for Maps {
    fn info(&self) -> &'static SetInfo {
        &INFO
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn read(&self, item: &Item) -> Result<Performance> {
        Ok(Performance {
            notes: Self::read_notes(&item.notes)?,
            pedal: Vec::new(),
        })
    }
}

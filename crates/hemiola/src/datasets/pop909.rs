//! POP909: 909 popular songs arranged for piano, with chords, keys and beats (Wang et al., ISMIR 2020; MIT).

use std::path::{Path, PathBuf};

use super::{DataSet, Item, Performance, SetInfo, Split};
use crate::error::{Error, Result};
use crate::midi::Score;

pub(super) const INFO: SetInfo = SetInfo {
    name: "pop909",
    licence: "MIT",
    may_train: true,
    layout: "NNN/NNN.mid",
};

/// A folder with one folder per song, `NNN/NNN.mid`; songs whose number ends in 3 are dev.
#[derive(Debug)]
pub struct Pop909 {
    items: Vec<Item>,
}

/// The label files of a song.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    pub chords_of_midi: PathBuf,
    pub chords_of_audio: PathBuf,
    pub keys_of_audio: PathBuf,
    pub beats_of_midi: PathBuf,
}

impl Pop909 {
    /// # Errors
    /// When the folder cannot be read, holds no song, or a song has no MIDI file.
    pub fn open(folder: &Path) -> Result<Self> {
        let entries = std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
        let mut items = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| Error::io(folder, source))?.path();
            let name = super::stem(&path);
            let is_song = name.len() == 3 && name.bytes().all(|byte| byte.is_ascii_digit());
            if !is_song || !path.is_dir() {
                continue;
            }
            let notes = path.join(format!("{name}.mid"));
            if !notes.is_file() {
                return Err(Error::input(&notes, "the song's MIDI file is missing"));
            }
            let split = if name.ends_with('3') {
                Split::Dev
            } else {
                Split::Train
            };
            items.push(Item {
                name,
                split,
                notes,
                audio: None,
            });
        }
        if items.is_empty() {
            return Err(Error::input(
                folder,
                "expected folders 001, 002, …; found none",
            ));
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { items })
    }

    /// Where the labels of a song are.
    pub fn labels(item: &Item) -> Labels {
        let beside = |name: &str| item.notes.with_file_name(name);
        Labels {
            chords_of_midi: beside("chord_midi.txt"),
            chords_of_audio: beside("chord_audio.txt"),
            keys_of_audio: beside("key_audio.txt"),
            beats_of_midi: beside("beat_midi.txt"),
        }
    }
}

impl DataSet for Pop909 {
    fn info(&self) -> &'static SetInfo {
        &INFO
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    /// Melody, bridge and accompaniment on one piano.
    fn read(&self, item: &Item) -> Result<Performance> {
        Ok(Performance::from_score(&Score::read(&item.notes)?))
    }
}

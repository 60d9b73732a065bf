//! Anybody's own recordings: a folder of recordings with a MIDI file of the same name beside each.

use std::path::Path;

use super::{DataSet, Item, Performance, SetInfo, Split, files_in, stem};
use crate::error::{Error, Result};
use crate::midi::Score;

const AUDIO: &[&str] = &["wav", "flac", "mp3", "ogg"];
const MIDI: &[&str] = &["mid", "midi"];

pub(super) const INFO: SetInfo = SetInfo {
    name: "pairs",
    licence: "the user's own",
    may_train: true,
    layout: "x.wav (or .flac, .mp3, .ogg) and x.mid, any number of them",
};

/// Pairs `x.wav` (or .flac, .mp3, .ogg) and `x.mid`; sorted by name, every tenth from the fourth on is dev.
#[derive(Debug)]
pub struct Pairs {
    items: Vec<Item>,
}

impl Pairs {
    /// # Errors
    /// When the folder cannot be read, is empty, or a recording or a MIDI file has no partner.
    pub fn open(folder: &Path) -> Result<Self> {
        let recordings = files_in(folder, AUDIO)?;
        let scores = files_in(folder, MIDI)?;
        if recordings.is_empty() && scores.is_empty() {
            return Err(Error::input(
                folder,
                "expected recordings (.wav, .flac, .mp3, .ogg) with MIDI files of the same names; found neither",
            ));
        }
        if let Some(alone) = scores
            .iter()
            .find(|score| !recordings.iter().any(|audio| stem(audio) == stem(score)))
        {
            return Err(Error::input(
                alone,
                "there is no recording of the same name beside it",
            ));
        }
        let mut items = Vec::new();
        for (index, audio) in recordings.into_iter().enumerate() {
            let name = stem(&audio);
            let notes = scores
                .iter()
                .find(|score| stem(score) == name)
                .ok_or_else(|| {
                    Error::input(&audio, "there is no MIDI file of the same name beside it")
                })?;
            items.push(Item {
                name,
                split: if index % 10 == 3 {
                    Split::Dev
                } else {
                    Split::Train
                },
                notes: notes.clone(),
                audio: Some(audio),
            });
        }
        Ok(Self { items })
    }
}

impl DataSet for Pairs {
    fn info(&self) -> &'static SetInfo {
        &INFO
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn read(&self, item: &Item) -> Result<Performance> {
        Ok(Performance::from_score(&Score::read(&item.notes)?))
    }
}

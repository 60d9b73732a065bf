//! Anybody's own MIDI files: a folder with whatever folders in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::piece_list::PieceList;
use super::reading::{Reading, read_all};
use super::reserved::Reserved;
use super::{DataSet, Item, Performance, SetInfo, Split, has_ending};
use crate::error::{Error, Result};
use crate::midi::Score;
use crate::music::{FrameGrid, PianoRoll, RollOptions};
use crate::tokens::{TokenOptions, sounding_notes, tokenize};

const ENDINGS: &[&str] = &["mid", "midi"];

pub(super) const INFO: SetInfo = SetInfo {
    name: "midi-folder",
    licence: "the user's own",
    may_train: true,
    layout: ".mid and .midi files, in folders of any depth",
};

/// The MIDI files below a folder, sorted by path.
///
/// Items are named by their path from the folder, with `/` on every system; on that name alone depends which side of
/// the fence an item is on, so that it stays there when other files come and go.
#[derive(Debug, Clone)]
pub struct MidiFolder {
    items: Vec<Item>,
    /// By the name of the item, where a list says it.
    styles: BTreeMap<String, String>,
    left_out: Vec<String>,
    reserved: Reserved,
}

/// How notes become rolls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderRolls {
    pub frames: RollFrames,
    #[serde(default)]
    pub roll: RollOptions,
    /// Whether the sustain pedal lengthens notes.
    #[serde(default)]
    pub sustain: bool,
    /// Whether percussion (channel 10) is merged in.
    #[serde(default)]
    pub drums: bool,
}

/// How long frames are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollFrames {
    PerSecond(f64),
    /// By the tempi of the file; 4 for sixteenths.
    PerQuarter(usize),
}

impl FolderRolls {
    /// The frames of a score.
    ///
    /// # Errors
    /// Their number is impossible, or the score has too many quarter notes for them.
    pub fn grid(&self, score: &Score) -> Result<FrameGrid> {
        match self.frames {
            RollFrames::PerSecond(fps) => FrameGrid::per_second(fps),
            RollFrames::PerQuarter(steps) => FrameGrid::beats(&score.quarters_s()?, steps),
        }
    }

    /// The piano roll of a score, empty where it has no notes.
    ///
    /// # Errors
    /// As [`Self::grid`], or the roll is too large.
    pub fn roll(&self, score: &Score) -> Result<PianoRoll> {
        let notes = sounding_notes(score, self.sustain, self.drums);
        PianoRoll::from_notes(&notes, self.grid(score)?, &self.roll)
    }
}

impl MidiFolder {
    /// Lists the files; a share of `dev_share` of them, 0 to 1, is dev. None of them is opened.
    ///
    /// A file whose path may name a reserved work is left out, and so is what cannot be listed.
    ///
    /// # Errors
    /// When the folder cannot be read, holds no MIDI file, or `dev_share` is no share.
    pub fn open(folder: &Path, reserved: Option<&Reserved>, dev_share: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&dev_share) {
            return Err(Error::config(format!(
                "a dev share of {dev_share}; expected 0 to 1"
            )));
        }
        // Says why the folder as a whole cannot be read, which the walk would list as one more item.
        std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
        let reserved = reserved.cloned().unwrap_or_default();
        let mut items = Vec::new();
        let mut left_out = Vec::new();
        let walk = walkdir::WalkDir::new(folder).follow_links(true);
        for entry in walk {
            let path = match entry {
                Ok(entry) if entry.file_type().is_file() => entry.into_path(),
                Ok(_) => continue,
                Err(error) => {
                    left_out.push(error.to_string());
                    continue;
                }
            };
            if !has_ending(&path, ENDINGS) {
                continue;
            }
            let name = name_within(folder, &path);
            if let Some(title) = reserved.matches(&name) {
                left_out.push(format!("{name}: may be the reserved {title}"));
                continue;
            }
            items.push(Item {
                split: split_of(&name, dev_share),
                name,
                notes: path,
                audio: None,
            });
        }
        if items.is_empty() {
            let but = left_out.first().map(|first| format!(" but {first}"));
            return Err(Error::input(
                folder,
                format!("expected MIDI files; found none{}", but.unwrap_or_default()),
            ));
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        left_out.sort();
        Ok(Self {
            items,
            styles: BTreeMap::new(),
            left_out,
            reserved,
        })
    }

    /// The files that a list names, on the sides and in the styles that it says. None of them is opened.
    ///
    /// A file whose path may name a reserved work is left out.
    ///
    /// # Errors
    /// When a file is missing, or none is left.
    pub fn listed(folder: &Path, list: &PieceList, reserved: Option<&Reserved>) -> Result<Self> {
        let mut listed = Self {
            items: Vec::with_capacity(list.pieces.len()),
            styles: BTreeMap::new(),
            left_out: Vec::new(),
            reserved: reserved.cloned().unwrap_or_default(),
        };
        for piece in &list.pieces {
            let name = &piece.file;
            if let Some(title) = listed.reserved.matches(name) {
                listed
                    .left_out
                    .push(format!("{name}: may be the reserved {title}"));
                continue;
            }
            let notes = folder.join(name);
            if !notes.is_file() {
                return Err(Error::input(
                    &notes,
                    "the list of pieces names this file, but it is missing",
                ));
            }
            if !piece.style.is_empty() {
                listed.styles.insert(name.clone(), piece.style.clone());
            }
            listed.items.push(Item {
                name: name.clone(),
                split: piece.split,
                notes,
                audio: None,
            });
        }
        if listed.items.is_empty() {
            return Err(Error::input(
                folder,
                "the list of pieces names no file in it",
            ));
        }
        listed.items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// The style of an item by its name, where a list says it.
    pub fn style(&self, name: &str) -> Option<&str> {
        self.styles.get(name).map(String::as_str)
    }

    /// The items of one side.
    pub fn items_of(&self, split: Split) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.split == split)
    }

    /// The score of an item.
    ///
    /// # Errors
    /// When the file cannot be read or is no MIDI file, or one of its tracks has the title of a reserved work.
    pub fn read_score(&self, item: &Item) -> Result<Score> {
        let score = Score::read(&item.notes)?;
        for instrument in &score.instruments {
            // The path may give the composer and the track the title.
            let both = format!("{} {}", item.name, instrument.name);
            let found = self.reserved.matches(&instrument.name);
            if let Some(title) = found.or_else(|| self.reserved.matches(&both)) {
                return Err(Error::input(
                    &item.notes,
                    format!(
                        "the track {:?} may be the reserved {title}; it is left out",
                        instrument.name
                    ),
                ));
            }
        }
        Ok(score)
    }

    /// The event ids of the items of one side, read on all threads; pieces without notes are skipped.
    pub fn events(&self, split: Split, options: &TokenOptions) -> Reading<Vec<u16>> {
        read_all(self.items_of(split), |item| self.read_events(item, options))
    }

    /// The event ids of an item.
    ///
    /// # Errors
    /// As [`Self::read_score`], or when no note is left.
    pub fn read_events(&self, item: &Item, options: &TokenOptions) -> Result<Vec<u16>> {
        let score = self.read_score(item)?;
        let ids = tokenize(&score, options)
            .map_err(|error| Error::input(&item.notes, error.to_string()))?;
        if ids.is_empty() {
            return Err(Error::input(&item.notes, score.silence(options.drums)));
        }
        Ok(ids)
    }

    /// The piano rolls of the items of one side, read on all threads; pieces without notes are skipped.
    pub fn rolls(&self, split: Split, options: &FolderRolls) -> Reading<PianoRoll> {
        read_all(self.items_of(split), |item| self.read_roll(item, options))
    }

    /// The piano roll of an item.
    ///
    /// # Errors
    /// As [`Self::read_score`], or when no note is left or the roll is too large.
    pub fn read_roll(&self, item: &Item, options: &FolderRolls) -> Result<PianoRoll> {
        let score = self.read_score(item)?;
        let roll = options
            .roll(&score)
            .map_err(|error| Error::input(&item.notes, error.to_string()))?;
        if roll.values.is_empty() {
            return Err(Error::input(&item.notes, score.silence(options.drums)));
        }
        Ok(roll)
    }
}

impl DataSet for MidiFolder {
    fn info(&self) -> &'static SetInfo {
        &INFO
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn left_out(&self) -> &[String] {
        &self.left_out
    }

    fn read(&self, item: &Item) -> Result<Performance> {
        Ok(Performance::from_score(&self.read_score(item)?))
    }
}

fn name_within(folder: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

fn split_of(name: &str, dev_share: f64) -> Split {
    // FNV-1a, whose high bits depend little on the last letters; hence the mixing after it.
    let mut hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    if ((hash >> 11) as f64) < dev_share * (1_u64 << 53) as f64 {
        Split::Dev
    } else {
        Split::Train
    }
}

//! Data sets to train and to evaluate on: one file each, read and validated.

pub mod billboard;
pub mod cache;
pub mod chorales;
pub mod expression;
pub mod giantmidi;
pub mod made_progressions;
pub mod maps;
pub mod midi_folder;
pub mod nottingham;
pub mod pairs;
pub mod performance;
pub mod piece_list;
pub mod plan;
pub mod pop909;
pub mod progression;
pub mod reading;
pub mod reserved;
pub mod synthetic;
pub mod when_in_rome;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use performance::Performance;
use reserved::Reserved;

use crate::error::{Error, Result};

/// Which side of the fence an item is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    Train,
    Dev,
}

/// One piece or recording of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Unique within its data set.
    pub name: String,
    pub split: Split,
    /// The file with the notes; for made-up music, the name again.
    pub notes: PathBuf,
    /// The recording, where there is one.
    pub audio: Option<PathBuf>,
}

/// What is known of a data set before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SetInfo {
    /// A short word: `giantmidi`.
    pub name: &'static str,
    /// The licence as its publisher names it.
    pub licence: &'static str,
    /// Whether its licence lets weights trained on it be published at all (on terms that follow from it).
    pub may_train: bool,
    /// What its folder holds.
    pub layout: &'static str,
}

/// A collection of music as notes, perhaps with recordings.
pub trait DataSet: Send + Sync {
    fn info(&self) -> &'static SetInfo;

    /// See [`SetInfo::name`].
    fn name(&self) -> &'static str {
        self.info().name
    }

    /// See [`SetInfo::licence`].
    fn licence(&self) -> &'static str {
        self.info().licence
    }

    /// See [`SetInfo::may_train`].
    fn may_train(&self) -> bool {
        self.info().may_train
    }

    /// Whether the notes are a score's, of one loudness and in strict time, rather than somebody's playing.
    fn is_deadpan(&self) -> bool {
        false
    }

    /// All items in a fixed order.
    fn items(&self) -> &[Item];

    /// Items left out because they are, or may be, reserved for tests.
    fn left_out(&self) -> &[String] {
        &[]
    }

    /// The notes of an item.
    ///
    /// # Errors
    /// When the file cannot be read or is not what the data set promises.
    fn read(&self, item: &Item) -> Result<Performance>;
}

/// What [`validate`] found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    pub train_items: usize,
    pub dev_items: usize,
    pub notes: usize,
    pub hours: f64,
    /// One sentence each, naming the file.
    pub problems: Vec<String>,
}

/// Reads every item and checks that its notes are possible and that its recording is there.
pub fn validate(set: &dyn DataSet) -> Report {
    let mut report = Report::default();
    let mut names = std::collections::HashSet::new();
    for item in set.items() {
        match item.split {
            Split::Train => report.train_items += 1,
            Split::Dev => report.dev_items += 1,
        }
        if !names.insert(&item.name) {
            report
                .problems
                .push(format!("{}: the name occurs twice", item.name));
        }
        if let Some(audio) = &item.audio
            && !audio.is_file()
        {
            report.problems.push(format!(
                "{}: the recording of {} is missing",
                audio.display(),
                item.name
            ));
        }
        match set.read(item) {
            Err(error) => report.problems.push(error.to_string()),
            Ok(performance) => {
                report.notes += performance.notes.len();
                report.hours += performance.end_s() / 3600.0;
                if let Some(problem) = performance.problem() {
                    report
                        .problems
                        .push(format!("{}: {problem}", item.notes.display()));
                }
            }
        }
    }
    report
}

/// The data sets that [`open`] knows, by name.
pub const SETS: &[SetInfo] = &[
    chorales::INFO,
    giantmidi::INFO,
    maps::INFO,
    nottingham::INFO,
    pairs::INFO,
    pop909::INFO,
    synthetic::INFO,
];

/// Opens a data set by its name.
///
/// `reserved` lists the works that stay out; it is required where the collection holds performances of composed
/// works that may be among them (`giantmidi`). For `synthetic` the folder is not looked at.
///
/// # Errors
/// When the name is unknown, the folder is not laid out as the set's documentation says, or `reserved` is missing.
pub fn open(name: &str, folder: &Path, reserved: Option<&Reserved>) -> Result<Box<dyn DataSet>> {
    Ok(match name {
        "pop909" => Box::new(pop909::Pop909::open(folder)?),
        "giantmidi" => {
            let reserved = reserved.ok_or_else(|| {
                Error::config(
                    "giantmidi holds works that may be reserved for tests; give the list of reserved titles",
                )
            })?;
            Box::new(giantmidi::GiantMidi::open(folder, reserved)?)
        }
        "maps" => Box::new(maps::Maps::open(folder)?),
        "pairs" => Box::new(pairs::Pairs::open(folder)?),
        "chorales" => Box::new(chorales::Chorales::open(folder)?),
        "nottingham" => Box::new(nottingham::Nottingham::open(folder)?),
        "synthetic" => Box::new(synthetic::Synthetic::new(0, 400)),
        other => {
            let names: Vec<&str> = SETS.iter().map(|set| set.name).collect();
            return Err(Error::config(format!(
                "no data set is called {other}; there are {}",
                names.join(", ")
            )));
        }
    })
}

/// The files of a folder with one of the endings (lower case, no dot), sorted by name.
pub(crate) fn files_in(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| Error::io(folder, source))?.path();
        if has_ending(&path, endings) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| endings.contains(&ending.to_ascii_lowercase().as_str()))
}

/// A file's name without its ending.
fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

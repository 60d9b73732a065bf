//! GiantMIDI-Piano: transcriptions of recorded piano music (Kong et al., TISMIR 2022; CC BY 4.0).

use std::path::Path;

use super::reserved::Reserved;
use super::{DataSet, Item, Performance, SetInfo, Split};
use crate::error::{Error, Result};
use crate::midi::Score;

pub(super) const INFO: SetInfo = SetInfo {
    name: "giantmidi",
    licence: "CC BY 4.0",
    may_train: true,
    layout: "index.csv and giantmidi/*.mid; needs a list of reserved titles",
};

/// A folder with `index.csv` (giantmidi_file, …, work, split) and the MIDI files in `giantmidi/`.
#[derive(Debug)]
pub struct GiantMidi {
    items: Vec<Item>,
    left_out: Vec<String>,
}

impl GiantMidi {
    /// # Errors
    /// When the index cannot be read, names a missing file, or has another split than train and dev.
    pub fn open(folder: &Path, reserved: &Reserved) -> Result<Self> {
        let index = folder.join("index.csv");
        let mut reader = csv::Reader::from_path(&index)
            .map_err(|error| Error::input(&index, error.to_string()))?;
        let headers = reader
            .headers()
            .map_err(|error| Error::input(&index, error.to_string()))?
            .clone();
        let column = |name: &str| {
            headers
                .iter()
                .position(|header| header == name)
                .ok_or_else(|| Error::input(&index, format!("the column {name} is missing")))
        };
        let (file, work, split) = (column("giantmidi_file")?, column("work")?, column("split")?);
        let mut items = Vec::new();
        let mut left_out = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| Error::input(&index, error.to_string()))?;
            let field = |column: usize| row.get(column).unwrap_or_default();
            let name = field(file).to_string();
            let found = reserved
                .matches(&name)
                .or_else(|| reserved.matches(field(work)));
            if let Some(title) = found {
                left_out.push(format!("{name}: may be the reserved {title}"));
                continue;
            }
            let notes = folder.join("giantmidi").join(&name);
            if !notes.is_file() {
                return Err(Error::input(
                    &notes,
                    "index.csv names this file, but it is missing",
                ));
            }
            let split = match field(split) {
                "train" => Split::Train,
                "dev" => Split::Dev,
                other => {
                    return Err(Error::input(
                        &index,
                        format!("the split of {name} is {other:?}; expected train or dev"),
                    ));
                }
            };
            items.push(Item {
                name,
                split,
                notes,
                audio: None,
            });
        }
        Ok(Self { items, left_out })
    }
}

impl DataSet for GiantMidi {
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
        Ok(Performance::from_score(&Score::read(&item.notes)?))
    }
}

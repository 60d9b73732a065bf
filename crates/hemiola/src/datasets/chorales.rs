//! JSB Chorales: four-part chorales by J. S. Bach (Boulanger-Lewandowski et al., ICML 2012).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{DataSet, Item, Performance, SetInfo, Split};
use crate::error::{Error, Result};
use crate::music::Note;

/// Seconds of a sixteenth at 80 quarter notes a minute.
const STEP_S: f64 = 60.0 / 80.0 / 4.0;
const VELOCITY: u8 = 64;

pub(super) const INFO: SetInfo = SetInfo {
    name: "chorales",
    licence: "public domain music",
    may_train: true,
    layout: "Jsb16thSeparated.json",
};

/// A folder with `Jsb16thSeparated.json`: `{train, valid, test}` of lists of steps of four pitches (-1 is silence).
///
/// `train` is train; `valid` and `test` are dev. Held and repeated notes are not told apart in the source: equal
/// pitches of one voice in a row are one note here.
#[derive(Debug)]
pub struct Chorales {
    items: Vec<Item>,
    /// By item: steps of soprano, alto, tenor, bass.
    steps: Vec<Vec<[i16; 4]>>,
}

impl Chorales {
    /// # Errors
    /// When the file cannot be read or a step has not four numbers from -1 to 127.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("Jsb16thSeparated.json");
        let text = std::fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
        let splits: BTreeMap<String, Vec<Vec<Vec<f64>>>> =
            serde_json::from_str(&text).map_err(|error| Error::input(&path, error.to_string()))?;
        let mut items = Vec::new();
        let mut steps = Vec::new();
        for name in ["train", "valid", "test"] {
            let chorales = splits
                .get(name)
                .ok_or_else(|| Error::input(&path, format!("expected the split {name}")))?;
            for (index, chorale) in chorales.iter().enumerate() {
                let name = format!("{name}-{index:03}");
                steps.push(voices(chorale).ok_or_else(|| {
                    Error::input(
                        &path,
                        format!("{name}: expected four numbers from -1 to 127 in every step"),
                    )
                })?);
                items.push(Item {
                    split: if name.starts_with("train") {
                        Split::Train
                    } else {
                        Split::Dev
                    },
                    notes: PathBuf::from(&path),
                    name,
                    audio: None,
                });
            }
        }
        Ok(Self { items, steps })
    }

    /// The steps of an item, a sixteenth each: soprano, alto, tenor, bass; -1 is silence.
    pub fn steps(&self, item: &Item) -> Option<&[[i16; 4]]> {
        let index = self
            .items
            .iter()
            .position(|other| other.name == item.name)?;
        self.steps.get(index).map(Vec::as_slice)
    }
}

fn voices(chorale: &[Vec<f64>]) -> Option<Vec<[i16; 4]>> {
    chorale
        .iter()
        .map(|step| {
            let step: [f64; 4] = step.as_slice().try_into().ok()?;
            step.iter()
                .all(|pitch| (-1.0..128.0).contains(pitch))
                .then(|| step.map(|pitch| pitch as i16))
        })
        .collect()
}

impl DataSet for Chorales {
    fn info(&self) -> &'static SetInfo {
        &INFO
    }

    fn is_deadpan(&self) -> bool {
        true
    }

    fn items(&self) -> &[Item] {
        &self.items
    }

    fn read(&self, item: &Item) -> Result<Performance> {
        let steps = self.steps(item).ok_or_else(|| {
            Error::input(&item.notes, format!("there is no chorale {}", item.name))
        })?;
        let mut notes = Vec::new();
        for voice in 0..4 {
            let mut start = 0;
            for end in 1..=steps.len() {
                if end < steps.len() && steps[end][voice] == steps[start][voice] {
                    continue;
                }
                if let Ok(pitch) = u8::try_from(steps[start][voice]) {
                    notes.push(Note {
                        onset_s: start as f64 * STEP_S,
                        offset_s: end as f64 * STEP_S,
                        pitch,
                        velocity: VELOCITY,
                    });
                }
                start = end;
            }
        }
        Ok(Performance {
            notes: super::performance::one_keyboard(notes),
            pedal: Vec::new(),
        })
    }
}

//! Which recordings are learned from, as a recipe says it.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Value;

use crate::error::{Error, Result};
use crate::features::FrontEnd;
use crate::tasks::classify::CLIP_S;
use crate::training::clips::ClipShare;

/// Where recordings come from, and what is cut from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicData {
    /// A folder of recordings, or several, each with how often its recordings are heard. Folders inside are read, too.
    pub root: Roots,
    /// Where recordings are kept decoded, 2 bytes a sample (159 MB an hour at 22.05 kHz); the folder `cache` below the run's
    /// output where it is not given. Several runs may share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    /// Seconds of a crop.
    #[serde(default = "default_clip_s")]
    pub clip_s: f64,
    /// How far apart the two crops of a recording may begin, in seconds; anywhere in it where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_distance_s: Option<f64>,
    /// A crop whose root mean square is below this, in dB of full scale, is drawn again, a few times;
    /// -inf takes every one.
    #[serde(default = "default_quietest_db")]
    pub quietest_db: f64,
    /// Share of the recordings that the model is measured by and does not learn from.
    #[serde(default = "default_dev_share")]
    pub dev_share: f64,
    /// The most recordings to measure by.
    #[serde(default = "default_dev_most")]
    pub dev_most: usize,
    /// What is never on both sides.
    #[serde(default)]
    pub split_by: SplitBy,
}

fn default_clip_s() -> f64 {
    CLIP_S
}

fn default_quietest_db() -> f64 {
    -60.0
}

fn default_dev_share() -> f64 {
    0.1
}

fn default_dev_most() -> usize {
    300
}

/// One folder, or a list of folders, each a path or a table with its weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Roots {
    One(PathBuf),
    Several(Vec<Root>),
}

impl<'de> Deserialize<'de> for Roots {
    /// Unlike that of an untagged enumeration, the error names the key that is wrong.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let root = |value: Value| match value {
            Value::String(folder) => Ok(Root::of(folder.into())),
            table => table.try_into(),
        };
        match Value::deserialize(deserializer)? {
            Value::String(folder) => Ok(Self::One(folder.into())),
            Value::Array(roots) => {
                let roots: std::result::Result<Vec<Root>, _> =
                    roots.into_iter().map(root).collect();
                let fault = |e: toml::de::Error| D::Error::custom(e.message());
                roots.map(Self::Several).map_err(fault)
            }
            _ => Err(D::Error::custom("expected a folder or a list of folders")),
        }
    }
}

/// A folder of recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    pub folder: PathBuf,
    /// How often one of its recordings is heard, in proportion to those of other folders.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

impl Root {
    fn of(folder: PathBuf) -> Self {
        Self {
            folder,
            weight: one(),
        }
    }
}

impl Roots {
    pub(super) fn list(&self) -> Vec<Root> {
        match self {
            Self::One(folder) => vec![Root::of(folder.clone())],
            Self::Several(roots) => roots.clone(),
        }
    }
}

/// Recordings that stay together when some are set apart to measure by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// Every recording is on its own.
    #[default]
    Recording,
    /// Those that lie directly in one folder, such as those of an album or the parts of one recording; at the root every
    /// one is on its own.
    Folder,
}

impl MusicData {
    /// `least` frames must be in a crop.
    pub fn validate(&self, features: &impl FrontEnd, least: usize) -> Result<()> {
        self.clips().validate(features, least)?;
        let roots = self.root.list();
        if roots.is_empty() {
            return Err(Error::config("data.root is empty; name a folder at least"));
        }
        if let Some(root) = roots
            .iter()
            .find(|r| !(r.weight > 0.0 && r.weight.is_finite()))
        {
            return Err(Error::config(format!(
                "data.root: the weight of {} is {}; it must be above 0",
                root.folder.display(),
                root.weight
            )));
        }
        if let Some(distance) = self.max_distance_s
            && !(distance >= 0.0 && distance.is_finite())
        {
            return Err(Error::config(format!(
                "data.max_distance_s is {distance}; expected 0 or more, or leave it out"
            )));
        }
        if self.quietest_db.is_nan() {
            return Err(Error::config(
                "data.quietest_db is no number; expected dB, such as -60",
            ));
        }
        if self.dev_most < LEAST_DEV {
            return Err(Error::config(format!(
                "data.dev_most is {}; expected {LEAST_DEV} or more",
                self.dev_most
            )));
        }
        Ok(())
    }

    /// Samples of a crop.
    pub fn window(&self, features: &impl FrontEnd) -> usize {
        self.clips().window(features)
    }

    fn clips(&self) -> ClipShare {
        ClipShare {
            clip_s: self.clip_s,
            dev_share: self.dev_share,
        }
    }
}

/// One recording to measure by could not be mistaken for another.
pub(super) const LEAST_DEV: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> MusicData {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn one_folder_or_several_are_named_and_a_wrong_key_is_told() {
        let list = |text: &str| data(&format!("root = {text}\n")).root.list();
        let root = |folder: &str, weight| Root {
            folder: folder.into(),
            weight,
        };
        assert_eq!(list("\"a\""), [root("a", 1.0)]);
        let several = list("[\"a\", { folder = \"b\", weight = 2.5 }]");
        assert_eq!(several, [root("a", 1.0), root("b", 2.5)]);
        let fault = |text: &str| {
            let read = toml::from_str::<MusicData>(&format!("root = {text}\n"));
            read.unwrap_err().to_string()
        };
        assert!(fault("[{ folder = \"b\", wieght = 2.5 }]").contains("wieght"));
        assert!(fault("3").contains("folder or a list"));
        let recipe = data("root = [\"a\", \"b\"]");
        let again: MusicData = toml::from_str(&toml::to_string(&recipe).unwrap()).unwrap();
        assert_eq!(again, recipe);
    }
}

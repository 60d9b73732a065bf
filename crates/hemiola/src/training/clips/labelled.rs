//! Recordings with their labels: a folder for each class, or a table of tags.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::entries::{Entry, Side, check_case, explained, list};
use super::folders::{decode, first_of};
use super::sides::{Share, on_both, sides};
use super::{Clip, ClipShare};
use crate::error::{Error, Result};
use crate::features::FrontEnd;
use crate::tasks::classify::{CLIP_S, Target};

/// Where recordings with labels come from, and which of them the model is measured by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelledData {
    /// A folder with a folder below it for every class, in which are its recordings; or, with a `table` that has tags, the
    /// folder that the table's files are below.
    pub root: PathBuf,
    /// A CSV file with the columns `file` (a path below `root`) and any of `tags` (labels with `;` between them; without
    /// this column the folders are the classes), `group` (what is of one group, such as an artist or an instrument, never
    /// is on both sides of the split) and `split` (`train` or `dev`).
    #[serde(default)]
    pub table: Option<PathBuf>,
    /// Whether a recording has one label, its class, or any number of tags.
    #[serde(default)]
    pub target: Target,
    /// Seconds of an example.
    #[serde(default = "default_clip_s")]
    pub clip_s: f64,
    /// Where it is given, every other example hears only a part of a recording, of this many seconds at least, repeated
    /// to fill the example: recordings to be judged may be as short.
    #[serde(default)]
    pub shortest_s: Option<f64>,
    /// Share of each label's recordings that the model is measured by and does not learn from.
    #[serde(default = "default_dev_share")]
    pub dev_share: f64,
    /// With 2 or more: into how many parts the recordings are divided, of which part `fold` is the one to measure by.
    #[serde(default)]
    pub folds: usize,
    #[serde(default)]
    pub fold: usize,
    /// Other recordings to measure by; then all that `table` does not keep for measuring are learned from.
    #[serde(default)]
    pub dev: Option<Reference>,
    /// Whether rare labels count more, by how rare they are.
    #[serde(default)]
    pub balanced: bool,
}

/// Recordings with labels that are only measured by; as in [`LabelledData`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    pub root: PathBuf,
    #[serde(default)]
    pub table: Option<PathBuf>,
}

fn default_clip_s() -> f64 {
    CLIP_S
}

fn default_dev_share() -> f64 {
    0.1
}

impl LabelledData {
    /// Classes in the folders of `root`, a tenth of them to measure by.
    pub fn of(root: PathBuf) -> Self {
        Self {
            root,
            table: None,
            target: Target::Class,
            clip_s: CLIP_S,
            shortest_s: None,
            dev_share: default_dev_share(),
            folds: 0,
            fold: 0,
            dev: None,
            balanced: false,
        }
    }

    /// What is true of clips without labels, too.
    pub(in crate::training) fn clips(&self) -> ClipShare {
        ClipShare {
            clip_s: self.clip_s,
            dev_share: self.dev_share,
        }
    }

    /// `least` frames must be in an example.
    pub(in crate::training) fn validate(
        &self,
        features: &impl FrontEnd,
        least: usize,
    ) -> Result<()> {
        self.clips().validate(features, least)?;
        if let Some(shortest) = self.shortest_s
            && !(shortest > 0.0 && shortest <= self.clip_s)
        {
            return Err(Error::config(format!(
                "data.shortest_s is {shortest}; expected more than 0 and at most data.clip_s, {}",
                self.clip_s
            )));
        }
        if self.folds == 1 || (self.folds > 1 && self.fold >= self.folds) {
            return Err(Error::config(format!(
                "data.folds is {} and data.fold {}; expected 2 folds or more, and a fold below their number, or no folds",
                self.folds, self.fold
            )));
        }
        Ok(())
    }

    fn share(&self) -> Share {
        match self.folds {
            0 => Share::Part(self.dev_share),
            folds => Share::Fold(self.fold, folds),
        }
    }
}

/// A recording with its labels.
#[derive(Debug, Clone)]
pub struct LabelledClip {
    /// The path below the root, with `/` between its parts.
    pub name: String,
    pub clip: Clip,
    /// Indices of its labels, in their order.
    pub labels: Vec<usize>,
}

impl LabelledClip {
    /// For each of `n_labels`: whether the clip has it.
    pub(in crate::training) fn has(&self, n_labels: usize) -> Vec<bool> {
        (0..n_labels).map(|l| self.labels.contains(&l)).collect()
    }
}

/// Recordings to learn from and to measure by.
#[derive(Debug)]
pub(in crate::training) struct LabelledClips {
    /// Names of the labels, sorted.
    pub labels: Vec<String>,
    pub train: Vec<LabelledClip>,
    pub dev: Vec<LabelledClip>,
    /// What was left out or is worth knowing, a sentence each.
    pub notes: Vec<String>,
}

impl LabelledClips {
    /// Reads all recordings as mono at `sample_rate` Hz.
    ///
    /// # Errors
    /// When a folder or table is missing or damaged, there are fewer than two labels, labels differ only in case, or
    /// nothing is left to learn from or to measure by.
    pub fn read(data: &LabelledData, sample_rate: u32) -> Result<Self> {
        let mut notes = Vec::new();
        let entries = list(&data.root, data.table.as_deref(), &mut notes)?;
        check_case(&data.root, entries.iter().flat_map(|e| &e.labels))?;
        if let Some(group) = on_both(&entries) {
            return Err(Error::input(
                data.table.as_ref().unwrap_or(&data.root),
                format!(
                    "the group {group} has recordings to learn from and others to measure by; its split must be one"
                ),
            ));
        }
        let clips = load(&data.root, entries, sample_rate, &mut notes)?;
        let labels: Vec<String> = clips
            .iter()
            .flat_map(|(entry, _)| entry.labels.iter().cloned())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        if labels.len() < 2 {
            return Err(Error::input(
                data.table.as_ref().unwrap_or(&data.root),
                format!(
                    "expected recordings of two labels at least; found {}{}",
                    match labels.as_slice() {
                        [one] => format!("only {one}"),
                        _ => "none".to_owned(),
                    },
                    explained(&notes)
                ),
            ));
        }
        let is_dev = match &data.dev {
            Some(_) => clips
                .iter()
                .map(|(entry, _)| entry.side == Some(Side::Dev))
                .collect(),
            None => {
                let entries: Vec<&Entry> = clips.iter().map(|(entry, _)| entry).collect();
                sides(&entries, &labels, data.share(), &mut notes)
            }
        };
        let (mut train, mut dev) = (Vec::new(), Vec::new());
        for ((entry, clip), is_dev) in clips.into_iter().zip(is_dev) {
            let clip = labelled(entry, clip, &labels);
            match is_dev {
                true => dev.push(clip),
                false => train.push(clip),
            }
        }
        if let Some(reference) = &data.dev {
            dev = measured_by(reference, &labels, sample_rate, &mut notes)?;
        }
        if data.target == Target::Class
            && let Some(clip) = train.iter().chain(&dev).find(|clip| clip.labels.len() != 1)
        {
            let names: Vec<&str> = clip.labels.iter().map(|&l| labels[l].as_str()).collect();
            return Err(Error::input(
                data.table.as_ref().unwrap_or(&data.root),
                format!(
                    "{} has {} labels ({}); one is expected, its class: for tags set data.target = \"tags\"",
                    clip.name,
                    names.len(),
                    names.join(", ")
                ),
            ));
        }
        if dev.is_empty() {
            return Err(Error::config(
                "data: nothing to measure by: no label has recordings of two groups, one to learn from and one to measure \
                 by; add recordings, or name others in data.dev",
            ));
        }
        if let Some(label) = (0..labels.len()).find(|l| train.iter().all(|c| !c.labels.contains(l)))
        {
            return Err(Error::config(format!(
                "data: there is no recording of {} to learn from; all of them are kept for measuring",
                labels[label]
            )));
        }
        let window = (data.clip_s * f64::from(sample_rate)).round() as usize;
        let all = train.len() + dev.len();
        let short = train.iter().chain(&dev).filter(|c| c.clip.len() < window);
        match short.count() {
            0 => {}
            short => notes.push(format!(
                "{short} of {all} recordings are shorter than data.clip_s = {} s; they are repeated to fill it",
                data.clip_s
            )),
        }
        Ok(Self {
            labels,
            train,
            dev,
            notes,
        })
    }
}

/// Recordings that a model with `labels` is measured by. Labels that it does not know, and recordings that have no others,
/// are left out.
///
/// # Errors
/// As [`LabelledClips::read`].
pub(in crate::training) fn measured_by(
    reference: &Reference,
    labels: &[String],
    sample_rate: u32,
    notes: &mut Vec<String>,
) -> Result<Vec<LabelledClip>> {
    let mut entries = list(&reference.root, reference.table.as_deref(), notes)?;
    let known = |label: &String| labels.contains(label);
    let unknown: BTreeSet<&String> = entries
        .iter()
        .flat_map(|entry| entry.labels.iter().filter(|label| !known(label)))
        .collect();
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.into_iter().cloned().collect();
        notes.push(format!(
            "{}: labels that the model does not have are left out: {}",
            reference.root.display(),
            first_of(&names)
        ));
    }
    entries.iter_mut().for_each(|e| e.labels.retain(known));
    entries.retain(|entry| !entry.labels.is_empty());
    if entries.is_empty() {
        return Err(Error::input(
            reference.table.as_ref().unwrap_or(&reference.root),
            format!(
                "no recording has a label of the model; it has {}{}",
                labels.join(", "),
                explained(notes)
            ),
        ));
    }
    let clips = load(&reference.root, entries, sample_rate, notes)?;
    let clips = clips.into_iter();
    Ok(clips
        .map(|(entry, clip)| labelled(entry, clip, labels))
        .collect())
}

fn labelled(entry: Entry, clip: Clip, labels: &[String]) -> LabelledClip {
    let index = |label: &String| labels.iter().position(|l| l == label);
    let mut indices: Vec<usize> = entry.labels.iter().filter_map(index).collect();
    indices.sort_unstable();
    indices.dedup();
    LabelledClip {
        name: entry.name,
        clip,
        labels: indices,
    }
}

fn load(
    root: &Path,
    entries: Vec<Entry>,
    sample_rate: u32,
    notes: &mut Vec<String>,
) -> Result<Vec<(Entry, Clip)>> {
    if entries.is_empty() {
        return Err(Error::input(
            root,
            format!("there is no recording with a label{}", explained(notes)),
        ));
    }
    let paths: Vec<PathBuf> = entries.iter().map(|entry| entry.path.clone()).collect();
    let (clips, skipped) = decode(root, &paths, sample_rate)?;
    notes.extend(skipped);
    let read = entries.into_iter().zip(clips);
    Ok(read
        .filter_map(|(entry, clip)| Some((entry, clip?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{WavFormat, write_wav};

    fn write(path: &Path, length: usize) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_wav(path, &vec![0.25; length], 1, 8000, WavFormat::Int16).unwrap();
    }

    fn data(root: &Path, settings: &str) -> LabelledData {
        let text = format!(
            "root = {:?}\nclip_s = 0.01\n{settings}",
            root.to_str().unwrap()
        );
        toml::from_str(&text).unwrap()
    }

    fn names(clips: &[LabelledClip]) -> Vec<&str> {
        clips.iter().map(|clip| clip.name.as_str()).collect()
    }

    #[test]
    fn classes_are_the_folders_and_names_the_paths_below() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path();
        write(&root.join("rock/a.wav"), 90);
        write(&root.join("rock/live/B.WAV"), 100);
        write(&root.join("blues/c.wav"), 70);
        write(&root.join(".cache/d.wav"), 80);
        std::fs::create_dir(root.join("jazz")).unwrap();
        std::fs::write(root.join("rock/broken.mp3"), "no sound").unwrap();
        let read = LabelledClips::read(&data(root, ""), 8000).unwrap();
        assert_eq!(read.labels, ["blues", "rock"]);
        assert_eq!((read.train.len(), read.dev.len()), (2, 1));
        assert_eq!(read.dev[0].labels, [1]);
        let all = read.notes.join("\n");
        for part in [
            "1 of 3 folders hold no recording",
            "jazz",
            "1 of 4 recordings cannot be read",
            "broken.mp3",
            "1 of 3 recordings are shorter",
            "blues",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
    }

    #[test]
    fn a_table_tells_tags_groups_and_sides() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path();
        for i in 0..6 {
            write(&root.join(format!("{i}.wav")), 90);
        }
        let table = root.join("tags.csv");
        std::fs::write(
            &table,
            "file,tags,group\n0.wav,drums; bass,x\n1.wav,bass,x\n2.wav,drums,y\n3.wav,bass,z\n\
             4.wav,drums,z\n5.wav,,z\ngone.wav,bass,z\n",
        )
        .unwrap();
        let with = |settings: &str| {
            let text = format!(
                "table = {:?}\ntarget = \"tags\"\n{settings}",
                table.to_str().unwrap()
            );
            LabelledClips::read(&data(root, &text), 8000)
        };
        let read = with("dev_share = 0.4").unwrap();
        assert_eq!(read.labels, ["bass", "drums"]);
        let (train, dev) = (names(&read.train), names(&read.dev));
        for group in [["0.wav", "1.wav"], ["3.wav", "4.wav"]] {
            assert_eq!(train.contains(&group[0]), train.contains(&group[1]));
        }
        assert_eq!((train.len() + dev.len(), dev.is_empty()), (5, false));
        let first = read
            .train
            .iter()
            .chain(&read.dev)
            .find(|c| c.name == "0.wav");
        assert_eq!(first.unwrap().labels, [0, 1]);
        let notes = read.notes.join("\n");
        assert!(
            notes.contains("1 of 7 rows name no file that is there"),
            "{notes}"
        );
        assert!(
            notes.contains("line 8") && notes.contains("gone.wav"),
            "{notes}"
        );
        assert!(notes.contains("1 of 7 rows have no tag"), "{notes}");

        std::fs::write(
            &table,
            "file,tags,split\n0.wav,bass,dev\n1.wav,bass,train\n2.wav,drums,train\n3.wav,drums,dev\n",
        )
        .unwrap();
        let read = with("").unwrap();
        assert_eq!(names(&read.dev), ["0.wav", "3.wav"]);

        std::fs::write(
            &table,
            "file,tags,group,split\n0.wav,bass,x,dev\n1.wav,bass,x,train\n2.wav,drums,y,train\n",
        )
        .unwrap();
        let message = with("").unwrap_err().to_string();
        assert!(message.contains("the group x has"), "{message}");
    }

    #[test]
    fn what_cannot_be_trained_on_is_told() {
        let at = tempfile::tempdir().unwrap();
        let root = at.path();
        let fault = |path: &Path, settings: &str| {
            let read = LabelledClips::read(&data(path, settings), 8000);
            read.unwrap_err().to_string()
        };
        assert!(fault(&root.join("none"), "").contains("no such folder"));
        assert!(fault(root, "").contains("at least two; found none"));
        write(&root.join("rock/a.wav"), 90);
        assert!(fault(root, "").contains("found only rock"));
        std::fs::create_dir(root.join("jazz")).unwrap();
        let message = fault(root, "");
        assert!(
            message.contains("only rock") && message.contains("jazz"),
            "{message}"
        );
        std::fs::write(root.join("jazz/a.ogg"), "no sound").unwrap();
        let message = fault(root, "");
        assert!(
            message.contains("only rock") && message.contains("a.ogg"),
            "{message}"
        );
        write(&root.join("jazz/b.wav"), 90);
        assert!(fault(root, "").contains("two groups"));
        write(&root.join("Rock/a.wav"), 90);
        let message = fault(root, "");
        assert!(
            message.contains("Rock and rock differ only in case"),
            "{message}"
        );
    }
}

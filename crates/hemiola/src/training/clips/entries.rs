//! Which recordings have which labels, before any of them is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Reference;
use super::folders::{audio_files, check_folder, endings, first_of, is_hidden, name_below};
use super::table::Table;
use crate::error::{Error, Result};

/// One of the two sides that recordings are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Train,
    Dev,
}

/// A recording that has not been read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub name: String,
    pub labels: Vec<String>,
    /// What it must not be parted from; itself where nothing is said.
    pub group: Option<String>,
    pub side: Option<Side>,
}

/// A recording with one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledFile {
    pub path: PathBuf,
    /// Its path below the folder.
    pub name: String,
    pub label: String,
}

/// The recordings that have exactly one label, without reading them.
///
/// # Errors
/// When the folder or the table cannot be read, or no recording has just one label.
pub(in crate::training) fn labelled_files(reference: &Reference) -> Result<Vec<LabelledFile>> {
    let mut notes = Vec::new();
    let entries = list(&reference.root, reference.table.as_deref(), &mut notes)?;
    let files = entries.into_iter().filter_map(|mut entry| {
        let label = entry.labels.pop().filter(|_| entry.labels.is_empty())?;
        Some(LabelledFile {
            path: entry.path,
            name: entry.name,
            label,
        })
    });
    let files: Vec<LabelledFile> = files.collect();
    match files.is_empty() {
        false => Ok(files),
        true => Err(Error::input(
            reference.table.as_ref().unwrap_or(&reference.root),
            format!("no recording has exactly one label{}", explained(&notes)),
        )),
    }
}

/// All recordings with at least one label.
pub(super) fn list(
    root: &Path,
    table: Option<&Path>,
    notes: &mut Vec<String>,
) -> Result<Vec<Entry>> {
    check_folder(root)?;
    let table = table.map(Table::read).transpose()?;
    match table {
        Some(table) if table.has_tags() => table.entries(root, notes),
        Some(table) => {
            let mut entries = class_folders(root, notes)?;
            table.complete(root, &mut entries, notes)?;
            Ok(entries)
        }
        None => class_folders(root, notes),
    }
}

/// `root/<class>/…/*.wav` and other formats.
fn class_folders(root: &Path, notes: &mut Vec<String>) -> Result<Vec<Entry>> {
    let mut classes = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|e| Error::io(root, e))? {
        let path = entry.map_err(|e| Error::io(root, e))?.path();
        if path.is_dir() && !is_hidden(&path) {
            classes.push(path);
        }
    }
    classes.sort();
    if classes.len() < 2 {
        let found = match classes.as_slice() {
            [] => "found none".to_owned(),
            [one, ..] => format!("found only {}", name_below(root, one)),
        };
        return Err(Error::input(
            root,
            format!("expected a folder for each class, at least two; {found}"),
        ));
    }
    let (mut entries, mut empty) = (Vec::new(), Vec::new());
    for class in &classes {
        let label = name_below(root, class);
        let files = audio_files(class)?;
        if files.is_empty() {
            empty.push(label.clone());
        }
        entries.extend(files.into_iter().map(|path| Entry {
            name: name_below(root, &path),
            path,
            labels: vec![label.clone()],
            group: None,
            side: None,
        }));
    }
    if !empty.is_empty() {
        notes.push(format!(
            "{} of {} folders hold no recording (files that end in {}) and are no class: {}",
            empty.len(),
            classes.len(),
            endings(),
            first_of(&empty)
        ));
    }
    Ok(entries)
}

/// Refuses labels that differ only in case: they are one label to people, and to some file systems.
pub(super) fn check_case<'a>(
    origin: &Path,
    labels: impl Iterator<Item = &'a String>,
) -> Result<()> {
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for label in labels {
        let other = *seen.entry(label.to_lowercase()).or_insert(label);
        if other != label {
            return Err(Error::input(
                origin,
                format!(
                    "the labels {other} and {label} differ only in case; make them one, or name them apart"
                ),
            ));
        }
    }
    Ok(())
}

/// What else is known of why there is nothing.
pub(super) fn explained(notes: &[String]) -> String {
    match notes {
        [] => String::new(),
        notes => format!(" ({})", notes.join("; ")),
    }
}

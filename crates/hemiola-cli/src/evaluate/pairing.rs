//! Which estimate belongs to which reference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::wrong_use;

/// Names that count, by their endings in small letters.
pub struct Endings {
    /// Where a folder has several files of one stem, the first of these is taken. An ending that ends in another one
    /// stands before it.
    pub known: &'static [&'static str],
    /// Those of `known` that are passed over.
    pub left_out: &'static [&'static str],
    /// Whether a file is what its ending says; others lie in folders for purposes of their own.
    pub begins_well: fn(&Path) -> bool,
}

pub struct Pair {
    /// The path below the folders, without ending.
    pub stem: String,
    pub reference: PathBuf,
    pub estimate: PathBuf,
}

pub struct Pairing {
    pub pairs: Vec<Pair>,
    /// References without an estimate, one sentence each.
    pub alone: Vec<String>,
    /// Estimates without a reference, likewise.
    pub warnings: Vec<String>,
}

impl Pairing {
    /// Two files are one pair; the files of two folders are paired by their stems.
    pub fn find(reference: &Path, estimate: &Path, endings: &Endings) -> Result<Self> {
        let is_folder = |path: &Path| -> Result<bool> {
            let found = std::fs::metadata(path).with_context(|| path.display().to_string())?;
            Ok(found.is_dir())
        };
        match (is_folder(reference)?, is_folder(estimate)?) {
            (true, true) => Self::of_folders(reference, estimate, endings),
            (false, false) => Ok(Self {
                pairs: vec![Pair {
                    stem: endings.stem(&file_name(reference)).unwrap_or_default(),
                    reference: reference.to_path_buf(),
                    estimate: estimate.to_path_buf(),
                }],
                alone: Vec::new(),
                warnings: Vec::new(),
            }),
            (true, false) => Err(wrong_use(format!(
                "{} is a folder but {} is a file; give two files or two folders",
                reference.display(),
                estimate.display()
            ))),
            (false, true) => Err(wrong_use(format!(
                "{} is a file but {} is a folder; give two files or two folders",
                reference.display(),
                estimate.display()
            ))),
        }
    }

    fn of_folders(reference: &Path, estimate: &Path, endings: &Endings) -> Result<Self> {
        let references = endings.files_of(reference)?;
        let mut estimates = endings.files_of(estimate)?;
        for (folder, files) in [(reference, &references), (estimate, &estimates)] {
            if files.is_empty() {
                bail!(
                    "{}: there is nothing to evaluate in this folder (looked for .{})",
                    folder.display(),
                    endings.used().collect::<Vec<_>>().join(", .")
                );
            }
        }
        let mut pairing = Self {
            pairs: Vec::new(),
            alone: Vec::new(),
            warnings: Vec::new(),
        };
        let ours = |path: &Path| (endings.begins_well)(path);
        for (stem, path) in references {
            match estimates.remove(&stem) {
                Some(other) if ours(&path) || ours(&other) => pairing.pairs.push(Pair {
                    stem,
                    reference: path,
                    estimate: other,
                }),
                None if ours(&path) => pairing.alone.push(format!(
                    "{}: there is no estimate for this reference in {} (looked for {stem}.{})",
                    path.display(),
                    estimate.display(),
                    endings.used().collect::<Vec<_>>().join(", .")
                )),
                _ => {}
            }
        }
        for path in estimates.values().filter(|path| ours(path)) {
            pairing.warnings.push(format!(
                "{}: there is no reference for this estimate in {}; it is not scored",
                path.display(),
                reference.display()
            ));
        }
        Ok(pairing)
    }
}

impl Endings {
    fn used(&self) -> impl Iterator<Item = &'static str> {
        let left_out = self.left_out;
        let known = self.known.iter().copied();
        known.filter(move |ending| !left_out.contains(ending))
    }

    /// The place in `known` of a name's ending, and the name without it.
    fn split(&self, name: &str) -> Option<(usize, String)> {
        let lower = name.to_ascii_lowercase();
        self.known.iter().enumerate().find_map(|(rank, ending)| {
            let rest = lower.strip_suffix(ending)?.strip_suffix('.')?;
            Some((rank, name.get(..rest.len())?.to_owned()))
        })
    }

    fn stem(&self, name: &str) -> Option<String> {
        match self.split(name) {
            Some((_, stem)) => Some(stem),
            None => Some(Path::new(name).file_stem()?.to_string_lossy().into_owned()),
        }
    }

    /// The files below a folder by their stems.
    fn files_of(&self, folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
        let mut best: BTreeMap<String, (usize, PathBuf)> = BTreeMap::new();
        for entry in walkdir::WalkDir::new(folder)
            .follow_links(true)
            .sort_by_file_name()
        {
            let entry = entry.with_context(|| folder.display().to_string())?;
            let path = entry.path();
            let below = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
            let Some((rank, stem)) = self.split(&below).filter(|_| entry.file_type().is_file())
            else {
                continue;
            };
            if self
                .known
                .get(rank)
                .is_some_and(|ending| self.left_out.contains(ending))
            {
                continue;
            }
            let better = best.get(&stem).is_none_or(|(before, _)| rank < *before);
            if better {
                best.insert(stem, (rank, path.to_path_buf()));
            }
        }
        Ok(best
            .into_iter()
            .map(|(stem, (_, path))| (stem, path))
            .collect())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

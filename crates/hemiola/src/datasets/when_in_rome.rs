//! When in Rome: Roman-numeral analyses of scores from many sources (Gotham, Micchi, Nápoles López and Sailor, "When in Rome:
//! A Meta-corpus of Functional Harmony", TISMIR 2023). Licences differ from file to file.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use walkdir::WalkDir;

use super::progression::{DiatonicMode, LabelledChord, LabelledProgression, Progressions};
use super::reserved::Reserved;
use super::{SetInfo, Split};
use crate::error::{Error, Result};
use crate::formats::romantext::{self, Analysis};
use crate::music::SoundingChord;

pub const INFO: SetInfo = SetInfo {
    name: "when-in-rome",
    licence: "differs from file to file, see its index.csv",
    may_train: false,
    layout: "GENRE/COMPOSER/SET/MOVEMENT/analysis*.txt and index.csv (file, licence, split)",
};

const INDEX: &str = "index.csv";

/// The analyses of a folder.
#[derive(Debug, Clone)]
pub struct WhenInRome {
    folder: PathBuf,
    items: Vec<AnalysisItem>,
}

/// A file of the collection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AnalysisItem {
    /// Path from the folder, with `/` on every system.
    pub file: String,
    /// As the collection states it; empty where nothing does.
    #[serde(default)]
    pub licence: String,
    pub split: Split,
}

impl AnalysisItem {
    /// Genre and composer, such as `Keyboard_Other/Grieg,_Edvard`.
    pub fn corpus(&self) -> &str {
        let second = self.file.match_indices('/').nth(1);
        second.map_or(&self.file, |(at, _)| &self.file[..at])
    }

    /// What tells the work, with catalogue numbers as [`Reserved`] expects them: `Op013` becomes `op13`.
    fn title(&self) -> String {
        let mut title = String::new();
        let mut before = ' ';
        for c in self.file.chars() {
            let c = if c == '_' || c == '/' { ' ' } else { c };
            if c == '0' && before.is_alphabetic() {
                continue;
            }
            title.push(c);
            before = c;
        }
        title
    }
}

/// Which analyses are taken.
#[derive(Debug, Clone, Default)]
pub struct Selection<'a> {
    pub split: Option<Split>,
    /// Licences as the index states them; all when empty.
    pub licences: &'a [String],
    /// Beginnings of paths that are left out.
    pub leave_out: &'a [String],
    /// Works that are left out.
    pub reserved: Option<&'a Reserved>,
}

impl WhenInRome {
    /// The files that `index.csv` names; without one, all `.txt` and `.rntxt` files below the folder, which are dev.
    ///
    /// # Errors
    /// When the folder or its index cannot be read, or there is no analysis.
    pub fn open(folder: &Path) -> Result<Self> {
        let index = folder.join(INDEX);
        let items = match index.is_file() {
            true => read_index(&index)?,
            false => find_files(folder)?,
        };
        if items.is_empty() {
            return Err(Error::input(
                folder,
                "expected analyses (.txt or .rntxt) below it; found none",
            ));
        }
        Ok(Self {
            folder: folder.to_owned(),
            items,
        })
    }

    /// In the order of the index, or by path.
    pub fn items(&self) -> &[AnalysisItem] {
        &self.items
    }

    /// Whether there is a side for training.
    pub fn has_train_split(&self) -> bool {
        self.items.iter().any(|item| item.split == Split::Train)
    }

    /// # Errors
    /// When the file cannot be read or holds no analysis.
    pub fn read(&self, item: &AnalysisItem) -> Result<Analysis> {
        romantext::read(self.folder.join(&item.file))
    }

    /// The progressions of a selection. A file that cannot be read does not stop the others.
    pub fn progressions(&self, selection: &Selection) -> Progressions {
        let mut found = Progressions::default();
        for item in &self.items {
            if selection.split.is_some_and(|split| split != item.split) {
                continue;
            }
            let licences = selection.licences;
            if !licences.is_empty() && !licences.contains(&item.licence) {
                found.leave_out("analyses of other licences", 1);
                continue;
            }
            let mut left_out = selection.leave_out.iter();
            if left_out.any(|path| item.file.starts_with(path.as_str())) {
                found.leave_out("analyses of corpora left out", 1);
                continue;
            }
            if let Some(reserved) = selection.reserved
                && reserved.matches(&item.title()).is_some()
            {
                found.leave_out("analyses of reserved works", 1);
                continue;
            }
            match self.read(item) {
                Ok(analysis) => {
                    found.leave_out("lines not understood", analysis.unknown_lines());
                    let words = analysis.problems.len() - analysis.unknown_lines();
                    found.leave_out("words not understood", words);
                    found.leave_out("lines with other readings", analysis.variant_lines);
                    let progression = progression(&item.file, &analysis, &mut found);
                    found.progressions.extend(progression);
                }
                Err(error) => found.skipped.push(error.to_string()),
            }
        }
        found
    }
}

/// The chords of an analysis; of two at the same time, as where one key turns into another, the later.
fn progression(
    name: &str,
    analysis: &Analysis,
    found: &mut Progressions,
) -> Option<LabelledProgression> {
    let mut chords: Vec<LabelledChord> = Vec::new();
    for analysed in &analysis.chords {
        let sound = analysed.numeral.sound(analysed.key);
        let Ok(chord) = SoundingChord::new(sound.pitch_classes, sound.bass) else {
            found.leave_out("chords without their bass", 1);
            continue;
        };
        let same_time = |last: &LabelledChord| (last.onset - analysed.onset).abs() < 1e-6;
        if chords.pop_if(|last| same_time(last)).is_some() {
            found.leave_out("first readings of two at one time", 1);
        }
        chords.push(LabelledChord {
            onset: analysed.onset,
            chord,
            root: sound.root,
            key: analysed.key,
            degree: sound.degree,
        });
    }
    let mut progression = LabelledProgression {
        name: name.to_owned(),
        chords,
        mode: DiatonicMode::Ionian,
    };
    progression.mode = DiatonicMode::of_key_mode(progression.main_key()?.mode());
    Some(progression)
}

fn read_index(index: &Path) -> Result<Vec<AnalysisItem>> {
    let file = std::fs::File::open(index).map_err(|e| Error::io(index, e))?;
    csv::Reader::from_reader(file)
        .deserialize()
        .collect::<std::result::Result<_, _>>()
        .map_err(|e: csv::Error| Error::input(index, e.to_string()))
}

fn find_files(folder: &Path) -> Result<Vec<AnalysisItem>> {
    let mut items = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|e| Error::input(folder, e.to_string()))?;
        if !entry.file_type().is_file() || !super::has_ending(entry.path(), &["txt", "rntxt"]) {
            continue;
        }
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        items.push(AnalysisItem {
            file: parts.join("/"),
            licence: String::new(),
            split: Split::Dev,
        });
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::music::roman::LocalKey;

    fn corpus() -> tempfile::TempDir {
        let at = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = at.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "A/Bach/1/analysis.txt",
            "m1 C: I b2 V7/V b3 V G: I\nm2 viio7\n",
        );
        write(
            "A/Bach/2/analysis.txt",
            "m1 a: i b2 H b3 V\nnothing known\n",
        );
        write("A/Chopin/Op028/4/analysis.txt", "m1 e: i\n");
        write("A/Empty/1/analysis.txt", "Composer: nobody\n");
        write(
            "index.csv",
            "file,licence,split\nA/Bach/1/analysis.txt,CC BY-SA 4.0,train\nA/Bach/2/analysis.txt,NC,dev\n\
             A/Chopin/Op028/4/analysis.txt,NC,train\nA/Empty/1/analysis.txt,NC,train\n",
        );
        at
    }

    #[test]
    fn chords_come_with_key_and_degree() {
        let at = corpus();
        let set = WhenInRome::open(at.path()).unwrap();
        let all = set.progressions(&Selection::default());
        let bach = &all.progressions[0].chords;
        let rows: Vec<_> = (bach.iter())
            .map(|c| (c.onset, c.root, c.key.to_string(), c.degree))
            .collect();
        let row = |onset: f64, root, key: &str, degree| (onset, root, key.to_owned(), degree);
        assert_eq!(
            rows,
            [
                row(0.0, 0, "C", 1),
                row(1.0, 2, "C", 2),
                row(2.0, 7, "G", 1),
                row(4.0, 6, "G", 7)
            ]
        );
        assert_eq!(bach[3].chord.bass(), Some(6));
        assert_eq!(all.progressions[1].mode, DiatonicMode::Aeolian);
        assert_eq!(all.progressions[1].main_key(), LocalKey::parse("a").ok());
        assert_eq!(all.left_out["lines not understood"], 1);
        assert_eq!(all.left_out["words not understood"], 1);
        assert_eq!(all.left_out["first readings of two at one time"], 1);
        assert_eq!(all.skipped.len(), 1);
        assert!(
            all.skipped[0].contains("found no chord"),
            "{:?}",
            all.skipped
        );
    }

    #[test]
    fn selections_leave_out_what_they_say() {
        let at = corpus();
        let list = at.path().join("reserved.txt");
        std::fs::write(&list, "Frédéric Chopin\tPrélude op. 28 no. 4\n").unwrap();
        let reserved = Reserved::read(&list).unwrap();
        let set = WhenInRome::open(at.path()).unwrap();
        let names = |selection: Selection| {
            let found = set.progressions(&selection).progressions;
            found.into_iter().map(|p| p.name).collect::<Vec<_>>()
        };
        let train = Selection {
            split: Some(Split::Train),
            reserved: Some(&reserved),
            ..Selection::default()
        };
        assert_eq!(names(train), ["A/Bach/1/analysis.txt"]);
        let licences = ["NC".to_owned()];
        let licensed = Selection {
            licences: &licences,
            ..Selection::default()
        };
        assert_eq!(names(licensed).len(), 2);
        let without = ["A/Bach".to_owned()];
        let without = Selection {
            leave_out: &without,
            ..Selection::default()
        };
        assert_eq!(names(without), ["A/Chopin/Op028/4/analysis.txt"]);
        assert_eq!(set.items()[2].corpus(), "A/Chopin");
    }

    #[test]
    fn without_an_index_every_analysis_counts() {
        let at = corpus();
        std::fs::remove_file(at.path().join(INDEX)).unwrap();
        let set = WhenInRome::open(at.path()).unwrap();
        assert_eq!(set.items().len(), 4);
        assert!(!set.has_train_split());
        assert!(WhenInRome::open(&at.path().join("nowhere")).is_err());
    }
}

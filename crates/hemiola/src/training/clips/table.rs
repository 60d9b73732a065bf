//! A table of recordings: CSV with a header.

use std::collections::{BTreeMap, btree_map};
use std::path::{Path, PathBuf};

use super::entries::{Entry, Side};
use super::folders::first_of;
use crate::error::{Error, Result};

/// What stands between the tags of a recording.
const SEPARATOR: char = ';';

/// A table as it was read, before any file is looked for.
pub(super) struct Table {
    path: PathBuf,
    rows: Vec<Row>,
    has_tags: bool,
}

struct Row {
    /// In the file, from 1.
    line: u64,
    file: String,
    tags: Vec<String>,
    group: Option<String>,
    side: Option<Side>,
}

impl Table {
    /// # Errors
    /// When the file cannot be read, has no column `file`, or a row has too few cells or an unknown side.
    pub fn read(path: &Path) -> Result<Self> {
        let fault =
            |line: u64, message: String| Error::input(path, format!("line {line}: {message}"));
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes));
        let header = reader
            .headers()
            .map_err(|e| fault(1, format!("not a CSV table: {e}")))?
            .clone();
        let column = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
        let Some(file) = column("file") else {
            return Err(fault(
                1,
                format!(
                    "expected a header with a column file and any of tags, group and split; found {}",
                    header.iter().collect::<Vec<_>>().join(",")
                ),
            ));
        };
        let (tags, group, split) = (column("tags"), column("group"), column("split"));
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| {
                let line = e.position().map_or(0, csv::Position::line);
                fault(line, format!("not a row of {} cells: {e}", header.len()))
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |column: Option<usize>| {
                let text = column.and_then(|column| record.get(column)).unwrap_or("");
                (!text.is_empty()).then(|| text.to_owned())
            };
            let side = match cell(split).as_deref() {
                None => None,
                Some("train") => Some(Side::Train),
                Some("dev") => Some(Side::Dev),
                Some(other) => {
                    return Err(fault(
                        line,
                        format!("the split is {other}; expected train, dev or nothing"),
                    ));
                }
            };
            let tags = cell(tags).unwrap_or_default();
            let tags = tags.split(SEPARATOR).map(str::trim);
            rows.push(Row {
                line,
                file: cell(Some(file)).unwrap_or_default(),
                tags: tags.filter(|t| !t.is_empty()).map(str::to_owned).collect(),
                group: cell(group),
                side,
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            rows,
            has_tags: tags.is_some(),
        })
    }

    pub fn has_tags(&self) -> bool {
        self.has_tags
    }

    /// The recordings that the rows name. What names no file, has no tag or stands there twice is left out.
    ///
    /// # Errors
    /// When there is no row.
    pub fn entries(self, root: &Path, notes: &mut Vec<String>) -> Result<Vec<Entry>> {
        if self.rows.is_empty() {
            return Err(Error::input(&self.path, "there is no row below the header"));
        }
        let (mut gone, mut bare, mut twice) = (Vec::new(), Vec::new(), Vec::new());
        let n = self.rows.len();
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for row in self.rows {
            let told = format!("line {}: {}", row.line, row.file);
            let path = root.join(&row.file);
            let place = match entries.entry(row.file) {
                btree_map::Entry::Occupied(_) => {
                    twice.push(told);
                    continue;
                }
                btree_map::Entry::Vacant(place) => place,
            };
            if place.key().is_empty() || !path.is_file() {
                gone.push(told);
            } else if row.tags.is_empty() {
                bare.push(told);
            } else {
                let name = place.key().clone();
                place.insert(Entry {
                    path,
                    name,
                    labels: row.tags,
                    group: row.group,
                    side: row.side,
                });
            }
        }
        for (what, rows) in [
            ("name no file that is there", gone),
            ("have no tag", bare),
            ("name a file of an earlier row", twice),
        ] {
            if !rows.is_empty() {
                notes.push(format!(
                    "{}: {} of {n} rows {what} and are left out: {}",
                    self.path.display(),
                    rows.len(),
                    first_of(&rows)
                ));
            }
        }
        Ok(entries.into_values().collect())
    }

    /// Tells groups and sides of recordings whose class is their folder. Recordings without a row are a group each.
    ///
    /// # Errors
    /// When no row is of such a recording.
    pub fn complete(
        self,
        root: &Path,
        entries: &mut [Entry],
        notes: &mut Vec<String>,
    ) -> Result<()> {
        let n = self.rows.len();
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for row in self.rows {
            rows.insert(row.file.replace('\\', "/"), row);
        }
        let mut alone = 0;
        for entry in entries.iter_mut() {
            match rows.remove(&entry.name) {
                Some(row) => (entry.group, entry.side) = (row.group, row.side),
                None => alone += 1,
            }
        }
        if alone == entries.len() {
            return Err(Error::input(
                &self.path,
                format!(
                    "none of its {n} files is a recording below {}; expected paths such as {}",
                    root.display(),
                    entries.first().map_or("class/file.wav", |e| &e.name)
                ),
            ));
        }
        if alone > 0 {
            notes.push(format!(
                "{}: {alone} of {} recordings have no row; each is a group of its own",
                self.path.display(),
                entries.len()
            ));
        }
        if !rows.is_empty() {
            let told: Vec<String> = rows
                .values()
                .map(|row| format!("line {}: {}", row.line, row.file))
                .collect();
            notes.push(format!(
                "{}: {} of {n} rows name no recording that is there and are left out: {}",
                self.path.display(),
                told.len(),
                first_of(&told)
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        match Table::read(&path) {
            Ok(_) => panic!("{text:?} was read"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn damage_is_told_with_its_line() {
        let message = fault("path,tags\na.wav,x\n");
        assert!(
            message.contains("column file") && message.contains("path,tags"),
            "{message}"
        );
        let message = fault("file,tags,split\na.wav,x,train\nb.wav,x,validation\n");
        assert!(
            message.contains("line 3") && message.contains("validation"),
            "{message}"
        );
        let message = fault("file,tags\na.wav,x\nb.wav\n");
        assert!(
            message.contains("line 3") && message.contains("2 cells"),
            "{message}"
        );
    }

    #[test]
    fn a_table_without_tags_tells_groups_of_folders() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("t.csv");
        std::fs::write(
            &path,
            "\u{FEFF}File,group\nrock/a.wav,Ann\nrock/none.wav,Bob\n",
        )
        .unwrap();
        let entry = |name: &str| Entry {
            path: at.path().join(name),
            name: name.to_owned(),
            labels: vec!["rock".to_owned()],
            group: None,
            side: None,
        };
        let mut entries = [entry("rock/a.wav"), entry("rock/b.wav")];
        let mut notes = Vec::new();
        let table = Table::read(&path).unwrap();
        assert!(!table.has_tags());
        table.complete(at.path(), &mut entries, &mut notes).unwrap();
        assert_eq!(entries[0].group.as_deref(), Some("Ann"));
        assert_eq!(entries[1].group, None);
        let notes = notes.join("\n");
        assert!(notes.contains("1 of 2 recordings have no row"), "{notes}");
        assert!(notes.contains("none.wav"), "{notes}");
        let mut other = [entry("jazz/c.wav")];
        let table = Table::read(&path).unwrap();
        let message = table.complete(at.path(), &mut other, &mut Vec::new());
        assert!(message.unwrap_err().to_string().contains("jazz/c.wav"));
    }
}

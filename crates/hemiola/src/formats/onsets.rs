//! Lists of onsets in and out.

use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{NoteFormat, begins_as_notes, read_events, read_notes};
use crate::midi::Score;
use crate::music::{Onset, SAME_ONSET_S, joined_onsets};
use crate::{Error, Result};

/// How a list of onsets is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnsetFormat {
    /// One time in seconds a line, which [`read_events`], mir_eval and Sonic Visualiser read: `.txt`.
    Txt,
    /// `time_s,strength`: `.csv`.
    Csv,
    /// [`OnsetList`]: `.json`.
    Json,
}

pub(super) const CSV_HEADER: &str = "time_s,strength";

/// Onsets and where they come from; their form in JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OnsetList {
    /// Which model found them, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of the program that found them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub onsets: Vec<Onset>,
}

impl OnsetList {
    /// The bytes of a file; as text, times and strengths have four decimals.
    pub fn encode(&self, format: OnsetFormat) -> Result<Vec<u8>> {
        let mut text = String::new();
        // Writing to a String cannot fail.
        match format {
            OnsetFormat::Txt => {
                for onset in &self.onsets {
                    let _ = writeln!(text, "{:.4}", onset.time_s);
                }
            }
            OnsetFormat::Csv => {
                let _ = writeln!(text, "{CSV_HEADER}");
                for Onset { time_s, strength } in &self.onsets {
                    let _ = writeln!(text, "{time_s:.4},{strength:.4}");
                }
            }
            OnsetFormat::Json => {
                text = serde_json::to_string_pretty(self).map_err(|fault| {
                    Error::config(format!("the onsets cannot be written: {fault}"))
                })?;
                text.push('\n');
            }
        }
        Ok(text.into_bytes())
    }
}

/// When something begins, in seconds and in order: the times of a list of onsets in any [`OnsetFormat`], or the onsets of a
/// list of notes in any [`NoteFormat`], drums included.
///
/// Notes that begin within [`SAME_ONSET_S`] are one onset; the times of other lists stay as they are.
///
/// # Errors
/// The file cannot be read, or is neither; the message names the line.
pub fn read_onsets(path: impl AsRef<Path>) -> Result<Vec<f64>> {
    let path = path.as_ref();
    let format = NoteFormat::of(path).map_err(|_| {
        Error::input(
            path,
            "expected onsets or notes in a file whose name ends in .txt, .csv, .tsv, .json, .mid or .midi",
        )
    })?;
    if format == NoteFormat::Midi {
        let score = Score::read(path)?;
        for warning in &score.warnings {
            log::warn!("{}: {warning}", path.display());
        }
        let notes = score.instruments.iter().flat_map(|part| &part.notes);
        return Ok(of_notes(notes.map(|note| note.onset_s)));
    }
    if begins_as_notes(path) {
        let notes = read_notes(path)?;
        return Ok(of_notes(notes.iter().map(|note| note.onset_s)));
    }
    let mut times_s = match format {
        NoteFormat::Json => read_json(path)?,
        NoteFormat::Csv => read_csv(path)?,
        _ => read_events(path)?,
    };
    times_s.sort_by(f64::total_cmp);
    Ok(times_s)
}

fn of_notes(onsets_s: impl Iterator<Item = f64>) -> Vec<f64> {
    joined_onsets(&onsets_s.collect::<Vec<_>>(), SAME_ONSET_S)
}

fn read_json(path: &Path) -> Result<Vec<f64>> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    let list: OnsetList = serde_json::from_slice(&bytes).map_err(|fault| {
        Error::input(
            path,
            format!("expected JSON with a list of onsets or notes, found {fault}"),
        )
    })?;
    for (index, onset) in list.onsets.iter().enumerate() {
        if !(onset.time_s >= 0.0 && onset.time_s.is_finite()) {
            let fault = format!(
                "onsets[{index}]: expected a time in seconds, 0 or more, found {}",
                onset.time_s
            );
            return Err(Error::input(path, fault));
        }
    }
    Ok(list.onsets.iter().map(|onset| onset.time_s).collect())
}

/// With the header, a time and a strength a line; without, events.
fn read_csv(path: &Path) -> Result<Vec<f64>> {
    let text = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    let text = String::from_utf8_lossy(&text);
    let text = text.trim_start_matches('\u{feff}');
    if text.lines().next().map(str::trim) != Some(CSV_HEADER) {
        return read_events(path);
    }
    let onsets = csv_from(text, path)?;
    Ok(onsets.iter().map(|onset| onset.time_s).collect())
}

/// A table with its header; `path` stands for the file in messages.
pub(super) fn csv_from(text: &str, path: &Path) -> Result<Vec<Onset>> {
    let mut onsets = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        if line.trim().is_empty() {
            continue;
        }
        let onset = line.split_once(',').and_then(|(time_s, strength)| {
            Some(Onset {
                time_s: time_s.trim().parse().ok()?,
                strength: strength.trim().parse().ok()?,
            })
        });
        let onset = onset.filter(|onset| onset.time_s >= 0.0 && onset.time_s.is_finite());
        onsets.push(onset.ok_or_else(|| {
            Error::input(
                path,
                format!(
                    "line {}: expected a time in seconds, 0 or more, and a strength, found {line:?}",
                    number + 1
                ),
            )
        })?);
    }
    Ok(onsets)
}

/// Whether a file begins as a list of onsets or of notes; what cannot be read does, so that reading it tells why.
pub fn begins_as_onsets(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    if begins_as_notes(path) {
        return true;
    }
    let Ok(text) = std::fs::read_to_string(path) else {
        return true;
    };
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_none_or(|line| {
        let cell = line.split([',', '\t', ' ']).next().unwrap_or_default();
        line == CSV_HEADER || line.starts_with('{') || cell.parse::<f64>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::write_notes;
    use crate::music::Note;

    fn list() -> OnsetList {
        let onset = |time_s, strength| Onset { time_s, strength };
        OnsetList {
            model: Some("onsets".into()),
            version: Some("1.2.3".into()),
            onsets: vec![onset(0.25, 0.5), onset(1.234_56, 0.987_68)],
        }
    }

    #[test]
    fn a_table_of_something_else_does_not_begin_as_onsets() {
        let at = tempfile::tempdir().unwrap();
        let begins = |name: &str, text: &str| {
            let path = at.path().join(name);
            std::fs::write(&path, text).unwrap();
            begins_as_onsets(&path)
        };
        assert!(begins("a.txt", "# seconds\n0.25\n"));
        assert!(begins("b.txt", ""));
        assert!(begins("c.csv", "time_s,strength\n0.25,0.5\n"));
        assert!(begins("d.tsv", "0.5\t1.0\n"));
        assert!(!begins("index.csv", "file,title\na.flac,x\n"));
        assert!(begins_as_onsets(at.path().join("none.txt")));
    }

    #[test]
    fn the_formats_are_what_others_read() {
        let text = |format| String::from_utf8(list().encode(format).unwrap()).unwrap();
        assert_eq!(text(OnsetFormat::Txt), "0.2500\n1.2346\n");
        assert_eq!(
            text(OnsetFormat::Csv),
            "time_s,strength\n0.2500,0.5000\n1.2346,0.9877\n"
        );
        let json: serde_json::Value = serde_json::from_str(&text(OnsetFormat::Json)).unwrap();
        assert_eq!(json["model"], "onsets");
        assert_eq!(json["version"], "1.2.3");
        assert_eq!(json["onsets"][1]["time_s"], 1.234_56);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let at = tempfile::tempdir().unwrap();
        for (name, format) in [
            ("a.txt", OnsetFormat::Txt),
            ("a.csv", OnsetFormat::Csv),
            ("a.json", OnsetFormat::Json),
        ] {
            let path = at.path().join(name);
            std::fs::write(&path, list().encode(format).unwrap()).unwrap();
            let found = read_onsets(&path).unwrap();
            assert_eq!(found.len(), 2, "{name}");
            assert_eq!(found[0], 0.25, "{name}");
            assert!((found[1] - 1.234_56).abs() < 1e-4, "{name}: {found:?}");
        }
    }

    #[test]
    fn notes_of_a_chord_are_one_onset() {
        let at = tempfile::tempdir().unwrap();
        let note = |onset_s, pitch| Note {
            onset_s,
            offset_s: onset_s + 0.5,
            pitch,
            velocity: 64,
        };
        let notes = [note(0.5, 60), note(0.5, 64), note(0.515, 67), note(1.0, 60)];
        for name in ["a.mid", "a.csv", "a.tsv", "a.txt", "a.json"] {
            let path = at.path().join(name);
            write_notes(&path, &notes, None).unwrap();
            let found = read_onsets(&path).unwrap();
            assert_eq!(found.len(), 2, "{name}: {found:?}");
            assert!((found[0] - 0.505).abs() < 1e-3, "{name}: {found:?}");
            assert!((found[1] - 1.0).abs() < 1e-3, "{name}: {found:?}");
        }
        // Events stay as they are, but come in order.
        let path = at.path().join("events.txt");
        std::fs::write(&path, "0.52\n0.50\n").unwrap();
        assert_eq!(read_onsets(&path).unwrap(), [0.5, 0.52]);
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let at = tempfile::tempdir().unwrap();
        for (name, text, words) in [
            ("a.txt", "0.5\nsoon\n", ["a.txt", "line 2", "soon"]),
            (
                "a.csv",
                "time_s,strength\n0.5,1\n-1,1\n",
                ["a.csv", "line 3", "-1"],
            ),
            (
                "b.csv",
                "time_s,strength\n0.5\n",
                ["b.csv", "line 2", "strength"],
            ),
            (
                "a.json",
                "{\"onsets\": 3}",
                ["a.json", "onsets or notes", "3"],
            ),
            ("a.wav", "", ["a.wav", ".txt", ".mid"]),
            (
                "a.tsv",
                "onset\toffset\tnote\tvelocity\n1\t2\n",
                ["a.tsv", "line 2", "columns"],
            ),
        ] {
            let path = at.path().join(name);
            std::fs::write(&path, text).unwrap();
            let message = read_onsets(&path).unwrap_err().to_string();
            for word in words {
                assert!(message.contains(word), "{word} is not in: {message}");
            }
        }
        let message = read_onsets(at.path().join("none.txt"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("none.txt"), "{message}");
    }
}

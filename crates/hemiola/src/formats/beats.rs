//! Beats in and out, and tempi in.

use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::series::{read_text, rows};
use crate::music::{Beat, BeatTrack, Tempi};
use crate::{Error, Result};

/// How beats are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeatFormat {
    /// A time in seconds, a tab and the number of the beat in its bar a line: `.beats`.
    Beats,
    /// `time_s,number`: `.csv`.
    Csv,
    /// [`BeatList`]: `.json`.
    Json,
}

const CSV_HEADER: &str = "time_s,number";

/// Beats and where they come from; their form in JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BeatList {
    /// Which model heard them, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of the program that found them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(flatten)]
    pub track: BeatTrack,
}

impl BeatList {
    /// The bytes of a file; as text, times have four decimals.
    pub fn encode(&self, format: BeatFormat) -> Result<Vec<u8>> {
        let mut text = String::new();
        let beats = &self.track.beats;
        // Writing to a String cannot fail.
        match format {
            BeatFormat::Beats => {
                for Beat { time_s, number } in beats {
                    let _ = writeln!(text, "{time_s:.4}\t{number}");
                }
            }
            BeatFormat::Csv => {
                let _ = writeln!(text, "{CSV_HEADER}");
                for Beat { time_s, number } in beats {
                    let _ = writeln!(text, "{time_s:.4},{number}");
                }
            }
            BeatFormat::Json => {
                text = serde_json::to_string_pretty(self).map_err(|fault| {
                    Error::config(format!("the beats cannot be written: {fault}"))
                })?;
                text.push('\n');
            }
        }
        Ok(text.into_bytes())
    }
}

/// The beats of a file, in the order of time: JSON in a file whose name ends in `.json`; else a time in seconds a line,
/// and, where it is known, the number of the beat in its bar, with or without the header of [`BeatFormat::Csv`].
///
/// # Errors
/// The file cannot be read, or a line is something else; the message names it.
pub fn read_beats(path: impl AsRef<Path>) -> Result<BeatTrack> {
    let path = path.as_ref();
    if is_json(path) {
        return Ok(read_json(path)?.track);
    }
    beats_from(&read_text(path)?, path)
}

/// [`read_beats`] of a text; `path` stands for the file in messages.
pub(super) fn beats_from(text: &str, path: &Path) -> Result<BeatTrack> {
    let rows = rows(text, path, Some(CSV_HEADER))?;
    // Some numbers alone are those of a file that lost the others.
    let columns = rows.first().map_or(0, |(_, numbers)| numbers.len());
    let mut beats = Vec::with_capacity(rows.len());
    for (line, numbers) in rows {
        let beat = match *numbers.as_slice() {
            _ if numbers.len() != columns => None,
            [time_s] => Some((time_s, 0.0)),
            [time_s, number] => Some((time_s, number)),
            _ => None,
        };
        let (time_s, number) = beat
            .filter(|&(time_s, number)| time_s >= 0.0 && is_number(number))
            .ok_or_else(|| {
                Error::input(
                    path,
                    format!(
                        "line {}: expected a time in seconds, 0 or more, and the number of the beat in its bar, or in \
                         every line a time alone; found the numbers {numbers:?}",
                        line + 1
                    ),
                )
            })?;
        let number = number as u8;
        beats.push(Beat { time_s, number });
    }
    beats.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    Ok(BeatTrack::of(beats))
}

/// Whether it counts the beats of a bar.
fn is_number(number: f64) -> bool {
    (0.0..=f64::from(u8::MAX)).contains(&number) && number.fract() == 0.0
}

/// Two tempi in beats a minute and the weight of the first, 0–1, in one line, as mir_eval reads them; or the one tempo of a
/// file of beats in JSON.
///
/// # Errors
/// The file cannot be read, or is neither.
pub fn read_tempi(path: impl AsRef<Path>) -> Result<Tempi> {
    let path = path.as_ref();
    if is_json(path) {
        let tempo = read_json(path)?.track.tempo_bpm;
        return Ok(Tempi {
            bpm: [tempo.unwrap_or(0.0), 0.0],
            weight: 1.0,
        });
    }
    let rows = rows(&read_text(path)?, path, None)?;
    let numbers: Vec<&[f64]> = rows.iter().map(|(_, numbers)| numbers.as_slice()).collect();
    match *numbers.as_slice() {
        [&[slow, fast, weight]] if slow >= 0.0 && fast >= 0.0 && (0.0..=1.0).contains(&weight) => {
            Ok(Tempi {
                bpm: [slow, fast],
                weight,
            })
        }
        _ => Err(Error::input(
            path,
            format!(
                "expected one line of two tempi, 0 or more, and the weight of the first, 0 to 1; found {}",
                match numbers.as_slice() {
                    [one] => format!("{one:?}"),
                    lines => format!("{} lines with numbers", lines.len()),
                }
            ),
        )),
    }
}

fn is_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn read_json(path: &Path) -> Result<BeatList> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    let mut list: BeatList = serde_json::from_slice(&bytes).map_err(|fault| {
        Error::input(
            path,
            format!("expected JSON with a list of beats, found {fault}"),
        )
    })?;
    for (index, beat) in list.track.beats.iter().enumerate() {
        if !(beat.time_s >= 0.0 && beat.time_s.is_finite()) {
            let fault = format!(
                "beats[{index}]: expected a time in seconds, 0 or more, found {}",
                beat.time_s
            );
            return Err(Error::input(path, fault));
        }
    }
    list.track
        .beats
        .sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    Ok(list)
}

/// Whether a file begins as beats or tempi do, with a number, a header or JSON; what cannot be read does, so that reading it
/// tells why.
pub fn begins_as_beats(path: impl AsRef<Path>) -> bool {
    let Ok(text) = std::fs::read_to_string(path) else {
        return true;
    };
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_none_or(|line| {
        let cell = line.split([',', '\t', ' ']).next().unwrap_or_default();
        line == CSV_HEADER || line.starts_with('{') || cell.parse::<f64>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> BeatList {
        let beat = |k: u8| Beat {
            time_s: 0.25 + 0.500_04 * f64::from(k),
            number: 1 + (k + 2) % 3,
        };
        BeatList {
            model: Some("onsets".into()),
            version: Some("1.2.3".into()),
            track: BeatTrack::of((0..7).map(beat).collect()),
        }
    }

    #[test]
    fn the_formats_are_what_others_read() {
        let text = |format| String::from_utf8(list().encode(format).unwrap()).unwrap();
        assert!(text(BeatFormat::Beats).starts_with("0.2500\t3\n0.7500\t1\n1.2501\t2\n"));
        assert!(text(BeatFormat::Csv).starts_with("time_s,number\n0.2500,3\n0.7500,1\n"));
        let json: serde_json::Value = serde_json::from_str(&text(BeatFormat::Json)).unwrap();
        assert_eq!(
            (&json["model"], &json["version"]),
            (&"onsets".into(), &"1.2.3".into())
        );
        assert_eq!(
            (&json["beats_per_bar"], &json["beats"][1]["number"]),
            (&3.into(), &1.into())
        );
        assert!((json["tempo_bpm"].as_f64().unwrap() - 119.99).abs() < 0.01);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let at = tempfile::tempdir().unwrap();
        for (name, format) in [
            ("a.beats", BeatFormat::Beats),
            ("a.txt", BeatFormat::Beats),
            ("a.csv", BeatFormat::Csv),
            ("a.JSON", BeatFormat::Json),
        ] {
            let path = at.path().join(name);
            std::fs::write(&path, list().encode(format).unwrap()).unwrap();
            assert!(begins_as_beats(&path), "{name}");
            let (found, expected) = (read_beats(&path).unwrap(), list().track);
            assert_eq!(found.beats_per_bar, 3, "{name}");
            assert!((found.tempo_bpm.unwrap() - expected.tempo_bpm.unwrap()).abs() < 0.02);
            assert_eq!(found.beats.len(), 7, "{name}");
            for (found, expected) in found.beats.iter().zip(&expected.beats) {
                assert_eq!(found.number, expected.number, "{name}");
                assert!((found.time_s - expected.time_s).abs() < 1e-4, "{name}");
            }
        }
    }

    #[test]
    fn numbers_of_beats_may_be_left_out() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("a.txt");
        std::fs::write(&path, "# seconds\n1.5\n1.0\r\n\n2.0\n").unwrap();
        let found = read_beats(&path).unwrap();
        let times: Vec<f64> = found.beats.iter().map(|beat| beat.time_s).collect();
        assert_eq!((times, found.beats_per_bar), (vec![1.0, 1.5, 2.0], 0));
        std::fs::write(&path, "1.0 4.0\n1.5 1.0\n").unwrap();
        assert_eq!(
            read_beats(&path).unwrap().downbeats_s().collect::<Vec<_>>(),
            [1.5]
        );
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let at = tempfile::tempdir().unwrap();
        for (name, text, words) in [
            (
                "a.beats",
                "0.5\t1\nsoon\t2\n",
                ["a.beats", "line 2", "soon"],
            ),
            (
                "b.beats",
                "0.5\t1\n1.0\t1.5\n",
                ["b.beats", "line 2", "1.5"],
            ),
            ("a.csv", "time_s,number\n-1,1\n", ["a.csv", "line 2", "-1"]),
            (
                "a.txt",
                "1 2 3\n",
                ["a.txt", "line 1", "number of the beat"],
            ),
            ("a.json", "{\"beats\": 3}", ["a.json", "list of beats", "3"]),
        ] {
            let path = at.path().join(name);
            std::fs::write(&path, text).unwrap();
            let message = read_beats(&path).unwrap_err().to_string();
            for word in words {
                assert!(message.contains(word), "{word} is not in: {message}");
            }
        }
    }

    #[test]
    fn tempi_are_read_as_mir_eval_reads_them() {
        let at = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &[u8]| {
            let path = at.path().join(name);
            std::fs::write(&path, text).unwrap();
            read_tempi(&path).map(|tempi| (tempi.bpm, tempi.weight))
        };
        assert_eq!(
            read("a.lab", b"# x\n60.0\t120.0\t0.25\n").unwrap(),
            ([60.0, 120.0], 0.25)
        );
        let json = list().encode(BeatFormat::Json).unwrap();
        let (bpm, weight) = read("a.json", &json).unwrap();
        assert!((bpm[0] - 119.99).abs() < 0.01 && (bpm[1], weight) == (0.0, 1.0));
        for text in [
            "60 120\n",
            "60 120 3\n",
            "-60 120 0.5\n",
            "60 120 0.5\n60 120 0.5\n",
            "",
        ] {
            let message = read("b.lab", text.as_bytes()).unwrap_err().to_string();
            assert!(message.contains("two tempi"), "{message}");
        }
    }
}

//! Lists of notes as text.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::write_atomically;
use crate::midi::{Score, WriteOptions, encode_midi, note_fault, sort_notes};
use crate::music::Note;
use crate::{Error, Result};

/// The velocity of notes from files that give none.
pub(super) const UNKNOWN_VELOCITY: u8 = 64;

/// How a list of notes is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteFormat {
    /// A standard MIDI file: `.mid`, `.midi`.
    Midi,
    /// `onset_s,offset_s,pitch,velocity`: `.csv`.
    Csv,
    /// `onset`, `offset`, `note`, `velocity`, as many piano transcription programs write them: `.tsv`.
    Tsv,
    /// `OnsetTime`, `OffsetTime`, `MidiPitch`, as in the MAPS data set (Emiya, Badeau and David, 2010): `.txt`.
    Maps,
    /// [`NoteList`]: `.json`.
    Json,
}

impl NoteFormat {
    /// By the ending of a file's name, in small or capital letters.
    ///
    /// # Errors
    /// The ending is none of those above.
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        Ok(match ending.to_ascii_lowercase().as_str() {
            "mid" | "midi" => Self::Midi,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "txt" => Self::Maps,
            "json" => Self::Json,
            _ => {
                return Err(Error::input(
                    path,
                    "expected a list of notes whose name ends in .mid, .midi, .csv, .tsv, .txt or .json",
                ));
            }
        })
    }
}

/// The form of notes in JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NoteList {
    /// Which model made them, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub notes: Vec<Note>,
}

/// Reads a file by the ending of its name; see [`read_notes_from`].
///
/// # Errors
/// The file cannot be read, or is not in the format that its name promises; the message names line and column.
pub fn read_notes(path: impl AsRef<Path>) -> Result<Vec<Note>> {
    let path = path.as_ref();
    let format = NoteFormat::of(path)?;
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    read_notes_from(&bytes, format, path)
}

/// Whether a file begins as a list of notes: tells them apart from what else lies in their folders, such as `README.txt`.
///
/// MIDI files are known by their names alone. A file that cannot be read is taken for one, so that its fault comes to light.
pub fn begins_as_notes(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    let table = match NoteFormat::of(path) {
        Ok(NoteFormat::Midi) => return true,
        Ok(NoteFormat::Csv) => CSV,
        Ok(NoteFormat::Tsv) => TSV,
        Ok(NoteFormat::Maps) => MAPS,
        Ok(NoteFormat::Json) => {
            return std::fs::read(path).map_or(true, |bytes| {
                let value = serde_json::from_slice::<serde_json::Value>(&bytes);
                value.map_or(true, |value| value.get("notes").is_some())
            });
        }
        Err(_) => return false,
    };
    std::fs::read(path).map_or(true, |bytes| {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let line = bytes
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        let cells = line.split(|&byte| byte == table.separator);
        let expected = table.header.iter().map(|cell| cell.as_bytes());
        cells.map(<[u8]>::trim_ascii).eq(expected)
    })
}

/// The format of a table by its first line.
pub(super) fn table_format(line: &str) -> Option<NoteFormat> {
    let tables = [
        (NoteFormat::Csv, CSV),
        (NoteFormat::Tsv, TSV),
        (NoteFormat::Maps, MAPS),
    ];
    tables.into_iter().find_map(|(format, table)| {
        let cells = line.split(char::from(table.separator)).map(str::trim);
        cells.eq(table.header.iter().copied()).then_some(format)
    })
}

/// The notes of a file in memory, sorted by onset, then pitch; `name` stands for it in messages.
///
/// Of a MIDI file these are all notes but drums, without the pedal (see [`Score`] for more); what was wrong with the file is logged.
/// Where the format has no velocities, they are 64.
///
/// # Errors
/// The bytes are not in the format; the message names line and column.
pub fn read_notes_from(
    bytes: &[u8],
    format: NoteFormat,
    name: impl AsRef<Path>,
) -> Result<Vec<Note>> {
    let name = name.as_ref();
    let mut notes = match format {
        NoteFormat::Midi => {
            let score = Score::from_bytes(bytes, name)?;
            for warning in &score.warnings {
                log::warn!("{}: {warning}", name.display());
            }
            score.notes()
        }
        NoteFormat::Csv => CSV.read(bytes, name)?,
        NoteFormat::Tsv => TSV.read(bytes, name)?,
        NoteFormat::Maps => MAPS.read(bytes, name)?,
        NoteFormat::Json => read_json(bytes, name)?,
    };
    sort_notes(&mut notes);
    Ok(notes)
}

/// Writes a file by the ending of its name, whole or not at all; `model` is noted where the format can hold it.
///
/// # Errors
/// The ending is unknown, a note is out of range, or the file cannot be written.
pub fn write_notes(path: impl AsRef<Path>, notes: &[Note], model: Option<&str>) -> Result<()> {
    let path = path.as_ref();
    let bytes = encode_notes(notes, NoteFormat::of(path)?, model)?;
    write_atomically(path, |out| out.write_all(&bytes))
}

/// The bytes of a file of notes; `model` is noted where the format can hold it.
///
/// # Errors
/// A note is out of range.
pub fn encode_notes(notes: &[Note], format: NoteFormat, model: Option<&str>) -> Result<Vec<u8>> {
    let faults = notes.iter().map(note_fault).enumerate();
    for (index, fault) in faults {
        if let Some(fault) = fault {
            return Err(Error::config(format!(
                "note {} cannot be written: {fault}",
                index + 1
            )));
        }
    }
    let mut bytes = Vec::new();
    let written = match format {
        NoteFormat::Midi => {
            let options = WriteOptions {
                text: model.map(str::to_owned),
                ..WriteOptions::default()
            };
            return encode_midi(notes, &options);
        }
        NoteFormat::Csv => CSV.write(&mut bytes, notes),
        NoteFormat::Tsv => TSV.write(&mut bytes, notes),
        NoteFormat::Maps => MAPS.write(&mut bytes, notes),
        NoteFormat::Json => write_json(&mut bytes, notes, model),
    };
    written.map_err(|fault| Error::config(format!("the notes cannot be written: {fault}")))?;
    Ok(bytes)
}

fn write_json(mut out: impl Write, notes: &[Note], model: Option<&str>) -> io::Result<()> {
    let list = NoteList {
        model: model.map(str::to_owned),
        notes: notes.to_vec(),
    };
    serde_json::to_writer_pretty(&mut out, &list)?;
    writeln!(out)
}

fn read_json(bytes: &[u8], name: &Path) -> Result<Vec<Note>> {
    let list: NoteList = serde_json::from_slice(bytes).map_err(|fault| {
        Error::input(
            name,
            format!("expected JSON with a list of notes, found {fault}"),
        )
    })?;
    for (index, note) in list.notes.iter().enumerate() {
        if let Some(fault) = note_fault(note) {
            return Err(Error::input(name, format!("notes[{index}]: {fault}")));
        }
    }
    Ok(list.notes)
}

/// A table with one note a line: onset, offset, pitch and perhaps velocity.
struct Table {
    separator: u8,
    header: &'static [&'static str],
}

const CSV: Table = Table {
    separator: b',',
    header: &["onset_s", "offset_s", "pitch", "velocity"],
};
const TSV: Table = Table {
    separator: b'\t',
    header: &["onset", "offset", "note", "velocity"],
};
const MAPS: Table = Table {
    separator: b'\t',
    header: &["OnsetTime", "OffsetTime", "MidiPitch"],
};

impl Table {
    fn header_line(&self) -> String {
        self.header
            .join(char::from(self.separator).encode_utf8(&mut [0; 4]))
    }

    /// Times have as many digits as it takes to read the same number again.
    fn write(&self, mut out: impl Write, notes: &[Note]) -> io::Result<()> {
        writeln!(out, "{}", self.header_line())?;
        let separator = char::from(self.separator);
        for note in notes {
            let (onset_s, offset_s, pitch) = (note.onset_s, note.offset_s, note.pitch);
            write!(out, "{onset_s}{separator}{offset_s}{separator}{pitch}")?;
            if self.header.len() > 3 {
                write!(out, "{separator}{}", note.velocity)?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn read(&self, bytes: &[u8], name: &Path) -> Result<Vec<Note>> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.separator)
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let mut notes = Vec::new();
        let mut header_seen = false;
        for record in reader.records() {
            let record = record.map_err(|fault| Error::input(name, fault.to_string()))?;
            if !header_seen {
                if record != *self.header {
                    let header = self.header_line();
                    let found: String = record.iter().collect::<Vec<_>>().join(" ");
                    let found: String = found.chars().take(80).collect();
                    return Err(Error::input(
                        name,
                        format!("line 1: expected the header {header:?}, found {found:?}"),
                    ));
                }
                header_seen = true;
                continue;
            }
            let line = record.position().map_or(0, csv::Position::line);
            // A line of nothing but separators or blanks, as spreadsheets leave them at the end.
            if record.iter().all(str::is_empty) {
                continue;
            }
            let row = Row {
                table: self,
                record,
                line,
            };
            notes.push(row.note().map_err(|message| Error::input(name, message))?);
        }
        if !header_seen {
            let header = self.header_line();
            return Err(Error::input(
                name,
                format!("expected the header {header:?}, found nothing"),
            ));
        }
        Ok(notes)
    }
}

struct Row<'a> {
    table: &'a Table,
    record: csv::StringRecord,
    line: u64,
}

impl Row<'_> {
    fn note(&self) -> std::result::Result<Note, String> {
        let (expected, found) = (self.table.header.len(), self.record.len());
        if found != expected {
            return Err(format!(
                "line {}: expected {expected} columns, found {found}",
                self.line
            ));
        }
        let note = Note {
            onset_s: self.number(0)?,
            offset_s: self.number(1)?,
            pitch: self.whole(2)?,
            velocity: if expected > 3 {
                self.whole(3)?
            } else {
                UNKNOWN_VELOCITY
            },
        };
        match note_fault(&note) {
            Some(fault) => Err(format!("line {}: {fault}", self.line)),
            None => Ok(note),
        }
    }

    fn number(&self, column: usize) -> std::result::Result<f64, String> {
        let cell = self.record.get(column).unwrap_or_default();
        let number = cell.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| self.fault(column, "a number"))
    }

    /// A MIDI value; some programs write 60 as 60.0.
    fn whole(&self, column: usize) -> std::result::Result<u8, String> {
        let number = self.number(column)?;
        let possible = (0.0..=127.0).contains(&number) && number.fract() == 0.0;
        possible
            .then_some(number as u8)
            .ok_or_else(|| self.fault(column, "a whole number from 0 to 127"))
    }

    fn fault(&self, column: usize, expected: &str) -> String {
        format!(
            "line {}, column {} ({}): expected {expected}, found {:?}",
            self.line,
            column + 1,
            self.table.header.get(column).copied().unwrap_or_default(),
            self.record.get(column).unwrap_or_default()
        )
    }
}

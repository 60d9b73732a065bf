//! Annotation layers of Sonic Visualiser as CSV, as its reference (sections on annotation layer import and export) has them:
//! times in seconds, and the columns that a kind of layer has.

use std::fmt::{Display, Write};
use std::path::Path;

use super::labels::{Labelled, labelled};
use super::notes::UNKNOWN_VELOCITY;
use super::{Annotations, Kind};
use crate::midi::sort_notes;
use crate::music::{Note, Segment, pitch_name};
use crate::{Error, Result};

/// Above it a value is a frequency.
const HIGHEST_PITCH: f64 = 127.0;

/// What a column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Time,
    End,
    Value,
    Duration,
    Level,
    Label,
    /// Such as the height of a text.
    Other,
}

/// A line of a layer.
#[derive(Debug, Default)]
struct Row {
    time_s: f64,
    value: Option<f64>,
    duration_s: Option<f64>,
    level: Option<f64>,
    label: String,
}

/// Whether a text begins with a heading of a layer, or with a time and more.
pub(super) fn begins_as_layer(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let first = lines
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let mut cells = first.split(',').map(str::trim);
    let time = cells.next().unwrap_or_default();
    let is_time = time.eq_ignore_ascii_case("time") || time.parse::<f64>().is_ok();
    is_time && cells.next().is_some()
}

/// Reads a layer, with the heading that newer versions write or without.
///
/// Without, a line has a time and a label (time instants), or a time, a duration and a label, or a time, a value, a duration
/// and a label (regions), or a time, a value, a duration, a level and a label (notes). The values of notes are MIDI pitches
/// where none is above 127, otherwise frequencies in Hz; levels are 0 to 1, or up to 127. Instants are onsets, and beats where
/// the label of each is a number.
///
/// # Errors
/// The text is no such table; the message names the line.
pub(super) fn layer_from(text: &str, name: &Path, what: Option<Kind>) -> Result<Annotations> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut columns: Option<Vec<Column>> = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|fault| Error::input(name, fault.to_string()))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let fault = |fault: String| Error::input(name, format!("line {line}: {fault}"));
        let columns = match &columns {
            Some(columns) => columns,
            None => {
                let heading = heading(&record);
                let is_heading = heading.is_some();
                let found = match heading {
                    Some(found) => found,
                    None => usual(record.len()).map_err(fault)?,
                };
                let found = columns.insert(found);
                if is_heading {
                    continue;
                }
                found
            }
        };
        rows.push(row(&record, columns).map_err(fault)?);
    }
    let Some(columns) = columns else {
        let fault = "expected a layer of Sonic Visualiser, lines such as \"0.5,1\", found nothing";
        return Err(Error::input(name, fault));
    };
    let has = |column| columns.contains(&column);
    if has(Column::Level) || (what == Some(Kind::Notes) && has(Column::Duration)) {
        return notes(&rows, name);
    }
    let spans = has(Column::Duration) || has(Column::End);
    let segments = rows.into_iter().map(|row| {
        let unlabelled = row.label.is_empty();
        let value = row.value.filter(|_| unlabelled && spans);
        Segment {
            start_s: row.time_s,
            end_s: row.time_s + row.duration_s.unwrap_or(0.0),
            label: value.map_or(row.label, |value| value.to_string()),
        }
    });
    let source = Labelled {
        segments: segments.collect(),
        are_points: !spans,
    };
    labelled(source, what).map_err(|fault| Error::input(name, fault))
}

fn heading(record: &csv::StringRecord) -> Option<Vec<Column>> {
    let column = |cell: &str| match cell.to_ascii_lowercase().as_str() {
        "time" | "start" => Column::Time,
        "end" => Column::End,
        "value" => Column::Value,
        "duration" => Column::Duration,
        "level" => Column::Level,
        "label" => Column::Label,
        _ => Column::Other,
    };
    let columns: Vec<Column> = record.iter().map(column).collect();
    columns.contains(&Column::Time).then_some(columns)
}

/// By the number of the columns.
fn usual(count: usize) -> std::result::Result<Vec<Column>, String> {
    use Column::{Duration, Label, Level, Time, Value};
    Ok(match count {
        1 => vec![Time],
        2 => vec![Time, Label],
        3 => vec![Time, Duration, Label],
        4 => vec![Time, Value, Duration, Label],
        5 => vec![Time, Value, Duration, Level, Label],
        _ => return Err(format!("expected 1 to 5 columns, found {count}")),
    })
}

fn row(record: &csv::StringRecord, columns: &[Column]) -> std::result::Result<Row, String> {
    let mut row = Row::default();
    let mut end_s = None;
    for (index, cell) in record.iter().enumerate() {
        let number = || {
            let number = cell.parse().ok().filter(|number: &f64| number.is_finite());
            let expected = || format!("column {}: expected a number, found {cell:?}", index + 1);
            number.ok_or_else(expected)
        };
        match columns.get(index) {
            Some(Column::Time) => row.time_s = number()?,
            Some(Column::End) => end_s = Some(number()?),
            Some(Column::Value) => row.value = Some(number()?),
            Some(Column::Duration) => row.duration_s = Some(number()?),
            Some(Column::Level) => row.level = Some(number()?),
            Some(Column::Label) => cell.clone_into(&mut row.label),
            Some(Column::Other) => {}
            None if cell.is_empty() => {}
            None => {
                let (expected, found) = (columns.len(), record.len());
                return Err(format!("expected {expected} columns, found {found}"));
            }
        }
    }
    if let Some(end_s) = end_s {
        row.duration_s = Some(end_s - row.time_s);
    }
    let duration_s = row.duration_s.unwrap_or(0.0);
    match row.time_s >= 0.0 && duration_s >= 0.0 {
        true => Ok(row),
        false => Err(format!(
            "expected a time and a duration in seconds, 0 or more, found {} and {duration_s}",
            row.time_s
        )),
    }
}

fn notes(rows: &[Row], name: &Path) -> Result<Annotations> {
    let missing = || Error::input(name, "expected notes, with a value in each line");
    let values: Option<Vec<f64>> = rows.iter().map(|row| row.value).collect();
    let values = values.ok_or_else(missing)?;
    let in_hz = values.iter().any(|value| *value > HIGHEST_PITCH);
    let levels = rows.iter().filter_map(|row| row.level);
    let loudest = if levels.fold(0.0, f64::max) > 1.0 {
        127.0
    } else {
        1.0
    };
    let mut notes = Vec::with_capacity(rows.len());
    for (index, (row, value)) in rows.iter().zip(&values).enumerate() {
        let pitch = match in_hz {
            true => 69.0 + 12.0 * (value / 440.0).log2(),
            false => *value,
        };
        let pitch = pitch.round();
        if !(0.0..=HIGHEST_PITCH).contains(&pitch) {
            let fault = format!("note {}: {value} is no pitch that MIDI has", index + 1);
            return Err(Error::input(name, fault));
        }
        let velocity = row.level.map(|level| (level / loudest * 127.0).round());
        notes.push(Note {
            onset_s: row.time_s,
            offset_s: row.time_s + row.duration_s.unwrap_or(0.0),
            pitch: pitch as u8,
            velocity: velocity.map_or(UNKNOWN_VELOCITY, |level| level.clamp(1.0, 127.0) as u8),
        });
    }
    sort_notes(&mut notes);
    let whole = values.iter().all(|value| value.fract() == 0.0);
    let doubt = (!in_hz && !whole).then(|| {
        "the values of the notes are taken for MIDI pitches, as none is above 127".to_owned()
    });
    Ok(Annotations {
        notes: Some(notes),
        warnings: doubt.into_iter().collect(),
        ..Annotations::default()
    })
}

/// A note layer: time, MIDI pitch, duration, level (the velocity, 0 to 1) and the name of the pitch.
pub(super) fn encode_notes_layer(notes: &[Note]) -> String {
    let mut text = String::from("TIME,VALUE,DURATION,LEVEL,LABEL\n");
    for note in notes {
        let level = f64::from(note.velocity) / 127.0;
        let name = pitch_name(note.pitch);
        let (onset_s, length_s, pitch) = (note.onset_s, note.duration_s(), note.pitch);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{onset_s:.9},{pitch},{length_s:.9},{level:.6},{name}");
    }
    text
}

/// A layer of time instants.
pub(super) fn encode_instants<L: Display>(instants: impl Iterator<Item = (f64, L)>) -> String {
    let mut text = String::from("TIME,LABEL\n");
    for (time_s, label) in instants {
        let _ = writeln!(text, "{time_s:.9},{}", quoted(&label.to_string()));
    }
    text
}

/// A layer of regions, whose values count from 1.
pub(super) fn encode_regions<L: Display>(segments: &[Segment<L>]) -> String {
    let mut text = String::from("TIME,VALUE,DURATION,LABEL\n");
    for (value, segment) in (1..).zip(segments) {
        let label = quoted(&segment.label.to_string());
        let (start_s, length_s) = (segment.start_s, segment.duration_s());
        let _ = writeln!(text, "{start_s:.9},{value},{length_s:.9},{label}");
    }
    text
}

fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

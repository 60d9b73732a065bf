//! Labelled intervals as text: a start and an end in seconds and a label a line, separated by tabs or blanks, as MIREX,
//! mir_eval and Sonic Visualiser have them.

use std::fmt::{Display, Write};
use std::path::Path;

use crate::music::Segment;
use crate::music::chord::{ChordLabel, parse as parse_chord};
use crate::music::key::KeyLabel;
use crate::{Error, Result};

/// How far a segment may begin before the end of the one above, in seconds: times that were added up in floating point.
/// It then begins at that end.
const ROUNDING_S: f64 = 1e-6;

/// Segments with labels of any words, in order and without overlap; a label may have blanks within.
///
/// Lines may end in LF or CRLF, and the file may begin with a byte order mark. Empty lines and those that begin with
/// `#` are left out.
///
/// # Errors
/// The file cannot be read; a line has fewer than three columns, a time that is no number or is negative, or an end
/// before its start; or a segment begins before the one above ends. The message names the line, and the column in
/// characters.
pub fn read_lab(path: impl AsRef<Path>) -> Result<Vec<Segment<String>>> {
    let path = path.as_ref();
    lab_from(&read_text(path)?, path, |label| Ok(label.to_owned()))
}

/// The same with labels that are chords in Harte's syntax.
///
/// # Errors
/// As [`read_lab`], or a label is no chord; the message names the line and the column, what was expected and what was
/// found.
pub fn read_chord_lab(path: impl AsRef<Path>) -> Result<Vec<Segment<ChordLabel>>> {
    let path = path.as_ref();
    chords_from(&read_text(path)?, path)
}

/// [`read_chord_lab`] of a text; `path` stands for the file in messages.
pub(super) fn chords_from(text: &str, path: &Path) -> Result<Vec<Segment<ChordLabel>>> {
    lab_from(text, path, |label| {
        parse_chord(label).map_err(|fault| (fault.column, fault.to_string()))
    })
}

/// A file of one line, a key: `C# minor`, `C#` and `minor` separated by a tab, `C#:min` or `X`; other lines as in
/// [`read_lab`].
///
/// # Errors
/// The file cannot be read, or has not exactly one key; the message names the line.
pub fn read_key(path: impl AsRef<Path>) -> Result<KeyLabel> {
    let path = path.as_ref();
    key_from(&read_text(path)?, path)
}

/// [`read_key`] of a text; `path` stands for the file in messages.
pub(super) fn key_from(text: &str, path: &Path) -> Result<KeyLabel> {
    let mut lines = lines_of(text);
    let expected = "expected one key such as \"C# minor\" or X";
    let Some((number, line)) = lines.next() else {
        return Err(Error::input(path, format!("{expected}, found nothing")));
    };
    if let Some((number, line)) = lines.next() {
        let fault = format!("line {number}: {expected}, found another line, {line:?}");
        return Err(Error::input(path, fault));
    }
    line.parse()
        .map_err(|fault| Error::input(path, format!("line {number}: {fault}")))
}

/// The text of a file: times with six decimals, tabs between the columns.
pub fn encode_lab<L: Display>(segments: &[Segment<L>]) -> String {
    let mut text = String::new();
    for Segment {
        start_s,
        end_s,
        label,
    } in segments
    {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{start_s:.6}\t{end_s:.6}\t{label}");
    }
    text
}

/// Whether a file begins with two numbers and a label; what cannot be read does, so that reading it tells why.
pub fn begins_as_lab(path: impl AsRef<Path>) -> bool {
    let Ok(text) = read_text(path.as_ref()) else {
        return true;
    };
    lines_of(&text).next().is_none_or(|(_, line)| {
        let mut columns = line.split_whitespace();
        let mut is_time = || {
            columns
                .next()
                .is_some_and(|cell| cell.parse::<f64>().is_ok())
        };
        is_time() && is_time()
    })
}

/// Whether a file begins with a line of one or two words, as that of a key has; what cannot be read does.
pub fn begins_as_key(path: impl AsRef<Path>) -> bool {
    let Ok(text) = read_text(path.as_ref()) else {
        return true;
    };
    let first = lines_of(&text).next();
    first.is_none_or(|(_, line)| line.split([' ', '\t', ':']).count() <= 2)
}

/// What is wrong with a label, and how many of its characters come before it.
pub(super) type LabelFault = (usize, String);

/// The segments of a text; `path` stands for the file in messages.
pub(super) fn lab_from<L>(
    text: &str,
    path: &Path,
    parse: impl Fn(&str) -> std::result::Result<L, LabelFault>,
) -> Result<Vec<Segment<L>>> {
    let mut segments: Vec<Segment<L>> = Vec::new();
    for (number, text) in lines_of(text) {
        let mut segment = Line { text, number }
            .segment(&parse)
            .map_err(|fault| Error::input(path, fault))?;
        if let Some(before) = segments.last() {
            follow(before, &mut segment)
                .map_err(|fault| Error::input(path, format!("line {number}: {fault}")))?;
        }
        segments.push(segment);
    }
    Ok(segments)
}

/// Segments from elsewhere, which must be as [`read_lab`] gives them; the fault begins with the number of the segment.
pub(super) fn in_order<L>(
    segments: Vec<Segment<L>>,
) -> std::result::Result<Vec<Segment<L>>, String> {
    let mut ordered: Vec<Segment<L>> = Vec::new();
    for (number, mut segment) in (1..).zip(segments) {
        let Segment { start_s, end_s, .. } = segment;
        if !(start_s >= 0.0 && end_s >= start_s && end_s.is_finite()) {
            return Err(format!(
                "{number}: expected a start of 0 s or more and an end not before it, found {start_s} s and {end_s} s"
            ));
        }
        if let Some(before) = ordered.last() {
            follow(before, &mut segment).map_err(|fault| format!("{number}: {fault}"))?;
        }
        ordered.push(segment);
    }
    Ok(ordered)
}

/// Checks that a segment begins where the one before it ends, or later.
fn follow<L>(before: &Segment<L>, segment: &mut Segment<L>) -> std::result::Result<(), String> {
    let (end_s, start_s) = (before.end_s, segment.start_s);
    if start_s < end_s - ROUNDING_S {
        return Err(format!(
            "expected a segment from {end_s} s on, where the one above ends; found a start of {start_s} s"
        ));
    }
    segment.start_s = start_s.max(end_s);
    segment.end_s = segment.end_s.max(segment.start_s);
    Ok(())
}

fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::input(path, "expected text in UTF-8; found other bytes"))
}

/// The lines that say something, with their numbers from 1.
fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..).zip(text.lines().map(str::trim_end));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

struct Line<'a> {
    text: &'a str,
    number: usize,
}

impl<'a> Line<'a> {
    fn segment<L>(
        &self,
        parse: impl Fn(&str) -> std::result::Result<L, LabelFault>,
    ) -> std::result::Result<Segment<L>, String> {
        let columns = self.columns();
        let &[start, end, (label_at, label)] = columns.as_slice() else {
            return Err(format!(
                "line {}: expected three columns, start, end and label, found {}",
                self.number,
                columns.len()
            ));
        };
        let (start_s, end_s) = (self.time(start, "start")?, self.time(end, "end")?);
        if end_s < start_s {
            let fault =
                format!("expected an end not before the start of {start_s} s, found {end_s} s");
            return Err(self.fault(end.0, 0, &fault));
        }
        let label = parse(label).map_err(|(before, fault)| self.fault(label_at, before, &fault))?;
        Ok(Segment {
            start_s,
            end_s,
            label,
        })
    }

    /// Where each column begins, in bytes, and what it says; the third has all the rest.
    fn columns(&self) -> Vec<(usize, &'a str)> {
        let mut columns = Vec::new();
        let mut at = 0;
        loop {
            let left = self.text.get(at..).unwrap_or_default();
            let cell = left.trim_start();
            at += left.len() - cell.len();
            if cell.is_empty() {
                return columns;
            }
            let blank = match columns.len() {
                2 => None,
                _ => cell.find(char::is_whitespace),
            };
            let (cell, _) = cell.split_at(blank.unwrap_or(cell.len()));
            columns.push((at, cell));
            at += cell.len();
        }
    }

    fn time(&self, (at, cell): (usize, &str), what: &str) -> std::result::Result<f64, String> {
        let time_s = cell.parse().ok();
        time_s
            .filter(|time_s: &f64| *time_s >= 0.0 && time_s.is_finite())
            .ok_or_else(|| {
                let fault = format!("expected the {what} in seconds, 0 or more, found {cell:?}");
                self.fault(at, 0, &fault)
            })
    }

    /// At so many characters after a byte of the line.
    fn fault(&self, at: usize, characters: usize, what: &str) -> String {
        let before = self.text.get(..at).unwrap_or_default().chars().count();
        let column = before + characters + 1;
        format!("line {}, column {column}: {what}", self.number)
    }
}

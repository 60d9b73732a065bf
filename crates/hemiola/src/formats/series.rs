//! Events and pitch tracks as text, one a line, as mir_eval reads them.

use std::path::Path;

use crate::{Error, Result};

/// Times in seconds, one a line; empty lines and those that begin with `#` are left out.
///
/// # Errors
/// The file cannot be read, or a line is not one number of 0 or more; the message names it.
pub fn read_events(path: impl AsRef<Path>) -> Result<Vec<f64>> {
    let path = path.as_ref();
    events_from(&read_text(path)?, path)
}

/// [`read_events`] of a text; `path` stands for the file in messages.
pub(super) fn events_from(text: &str, path: &Path) -> Result<Vec<f64>> {
    let mut events = Vec::new();
    for (line, numbers) in rows(text, path, None)? {
        match numbers.as_slice() {
            [time_s] if *time_s >= 0.0 => events.push(*time_s),
            _ => return Err(fault(path, line, "expected one time in seconds, 0 or more")),
        }
    }
    Ok(events)
}

/// A time in seconds and any number of frequencies in Hz a line, separated by blanks or commas; lines as in [`read_events`].
///
/// A frequency of 0 stands for no pitch and is left out.
///
/// # Errors
/// The file cannot be read, or a line has a number below 0 or is earlier than the one before; the message names it.
pub fn read_pitch_series(path: impl AsRef<Path>) -> Result<Vec<(f64, Vec<f64>)>> {
    let path = path.as_ref();
    let mut series: Vec<(f64, Vec<f64>)> = Vec::new();
    for (line, numbers) in rows(&read_text(path)?, path, None)? {
        let (&time_s, frequencies_hz) = numbers
            .split_first()
            .filter(|_| numbers.iter().all(|number| *number >= 0.0))
            .ok_or_else(|| {
                fault(
                    path,
                    line,
                    "expected a time and frequencies in Hz, none below 0",
                )
            })?;
        if series
            .last()
            .is_some_and(|(before_s, _)| *before_s > time_s)
        {
            return Err(fault(
                path,
                line,
                "its time is before that of the line above",
            ));
        }
        let sounding = frequencies_hz.iter().copied().filter(|hz| *hz > 0.0);
        series.push((time_s, sounding.collect()));
    }
    Ok(series)
}

/// The numbers of each line that has some, with the number of the line, from 0; a first line that is `header` is left out.
pub(super) fn rows(
    text: &str,
    path: &Path,
    header: Option<&str>,
) -> Result<Vec<(usize, Vec<f64>)>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut rows = Vec::new();
    for (line, text) in text.lines().enumerate() {
        if line == 0 && header == Some(text.trim()) {
            continue;
        }
        let text = text.split('#').next().unwrap_or_default();
        let cells = text.split(|c: char| c.is_whitespace() || c == ',');
        let mut numbers = Vec::new();
        for cell in cells.filter(|cell| !cell.is_empty()) {
            let number = cell.parse().ok().filter(|number: &f64| number.is_finite());
            let expected = || fault(path, line, &format!("expected a number, found {cell:?}"));
            numbers.push(number.ok_or_else(expected)?);
        }
        if !numbers.is_empty() {
            rows.push((line, numbers));
        }
    }
    Ok(rows)
}

pub(super) fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::input(path, "expected text with numbers; found binary data"))
}

fn fault(path: &Path, line: usize, what: &str) -> Error {
    Error::input(path, format!("line {}: {what}", line + 1))
}

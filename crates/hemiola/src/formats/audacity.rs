//! Label tracks of Audacity (Audacity Manual, "Importing and Exporting Labels"): a start, an end and a label a line,
//! separated by tabs.

use std::fmt::{Display, Write};
use std::path::Path;

use super::labels::{Labelled, labelled};
use super::{Annotations, Kind};
use crate::music::Segment;
use crate::{Error, Result};

/// Whether the first line has two numbers and perhaps a label, separated by tabs.
pub(super) fn begins_as_label_track(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let first = lines
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let mut cells = first.split('\t');
    let mut is_time = || {
        cells
            .next()
            .is_some_and(|cell| cell.trim().parse::<f64>().is_ok())
    };
    is_time() && is_time()
}

/// Reads a label track. Labels whose end is their start are points; the lines with frequencies of spectral selections, which
/// begin with a backslash, are left out. Lines of a start and a label, as of Audacity 1.2, are points.
///
/// # Errors
/// The text is no label track; the message names the line.
pub(super) fn label_track_from(text: &str, name: &Path, what: Option<Kind>) -> Result<Annotations> {
    let mut segments = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if line.trim().is_empty() || line.starts_with('\\') {
            continue;
        }
        let segment =
            segment(line).map_err(|fault| Error::input(name, format!("line {number}: {fault}")))?;
        segments.push(segment);
    }
    let source = Labelled {
        segments,
        are_points: false,
    };
    labelled(source, what).map_err(|fault| Error::input(name, fault))
}

fn segment(line: &str) -> std::result::Result<Segment<String>, String> {
    let (start, rest) = line.split_once('\t').unwrap_or((line, ""));
    let seconds = |cell: &str| {
        let number = cell.trim().parse().ok();
        number.filter(|number: &f64| *number >= 0.0 && number.is_finite())
    };
    let start_s = seconds(start).ok_or_else(|| {
        format!(
            "expected a start in seconds, 0 or more, a tab, an end and a label, found {start:?}"
        )
    })?;
    let (end, label) = rest.split_once('\t').unwrap_or((rest, ""));
    let (end_s, label) = match end.trim().parse::<f64>() {
        Ok(_) => (seconds(end).filter(|end_s| *end_s >= start_s), label),
        Err(_) => (Some(start_s), rest),
    };
    let end_s = end_s.ok_or_else(|| {
        format!("expected an end not before the start of {start_s} s, found {end:?}")
    })?;
    Ok(Segment {
        start_s,
        end_s,
        label: label.trim_end().to_owned(),
    })
}

/// A label track; line breaks and tabs of labels become blanks.
pub(super) fn encode_label_track<L: Display>(
    labels: impl Iterator<Item = (f64, f64, L)>,
) -> String {
    let mut text = String::new();
    for (start_s, end_s, label) in labels {
        let label = label.to_string().replace(['\t', '\n', '\r'], " ");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{start_s:.6}\t{end_s:.6}\t{label}");
    }
    text
}

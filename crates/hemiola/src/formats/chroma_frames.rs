//! Tables of chroma in.

use std::path::Path;

use crate::error::{Error, Result};
use crate::music::N_PITCH_CLASSES;

/// Chroma of any number of twelves, such as bass and treble apart.
#[derive(Debug, Clone, PartialEq)]
pub struct ChromaFrames {
    /// Frames a second; frame i is of time i / fps.
    pub fps: f64,
    /// Numbers of a frame.
    pub width: usize,
    /// Row-major [time, width], every twelve from C to B.
    pub values: Vec<f32>,
}

/// Reads CSV with a header: `time_s`, evenly spaced from 0, and a multiple of twelve columns, as `hemiola chroma` writes it.
///
/// # Errors
/// The file cannot be read, or holds something else; the message names the line.
pub fn read_chroma(path: impl AsRef<Path>) -> Result<ChromaFrames> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    chroma_from(&bytes, path)
}

/// [`read_chroma`] of a file in memory; `path` stands for it in messages.
pub(super) fn chroma_from(bytes: &[u8], path: &Path) -> Result<ChromaFrames> {
    let fault = |line: u64, message: String| Error::input(path, format!("line {line}: {message}"));
    let mut table = csv::Reader::from_reader(bytes);
    let header = table
        .headers()
        .map_err(|e| Error::input(path, e.to_string()))?;
    let width = header.len().saturating_sub(1);
    if header.get(0) != Some("time_s") || width == 0 || !width.is_multiple_of(N_PITCH_CLASSES) {
        return Err(fault(
            1,
            format!(
                "expected the column time_s and one for each pitch class, twelve or a multiple; found {}",
                header.iter().collect::<Vec<_>>().join(",")
            ),
        ));
    }
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for row in table.records() {
        let row = row.map_err(|e| Error::input(path, e.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        let numbers = row.iter().map(|cell| {
            let number = cell.trim().parse::<f64>().ok().filter(|x| x.is_finite());
            number.ok_or_else(|| fault(line, format!("{cell} is no number")))
        });
        let numbers = numbers.collect::<Result<Vec<f64>>>()?;
        times.push(numbers[0]);
        values.extend(numbers[1..].iter().map(|&x| x as f32));
    }
    let fps = match times.as_slice() {
        [first, .., last] if last > first => (times.len() - 1) as f64 / (last - first),
        _ => {
            return Err(Error::input(
                path,
                format!(
                    "{} frames of chroma have no rate; expected two or more, in order of time",
                    times.len()
                ),
            ));
        }
    };
    let uneven = times
        .iter()
        .enumerate()
        .position(|(i, &time)| (time - i as f64 / fps).abs() > 0.1 / fps);
    if let Some(index) = uneven {
        return Err(fault(
            index as u64 + 2,
            format!(
                "the time {} s is not evenly spaced from 0 at {fps:.3} frames a second",
                times[index]
            ),
        ));
    }
    Ok(ChromaFrames { fps, width, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ChromaFrames> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        read_chroma(path)
    }

    fn row(time: &str) -> String {
        format!(
            "{time},{}\n",
            (0..12).map(|i| i.to_string()).collect::<Vec<_>>().join(",")
        )
    }

    #[test]
    fn a_table_is_frames() {
        let names = (0..12)
            .map(|i| format!("p{i}"))
            .collect::<Vec<_>>()
            .join(",");
        let header = format!("time_s,{names}\n");
        let found = read(&format!("{header}{}{}{}", row("0"), row("0.5"), row("1"))).unwrap();
        assert_eq!((found.fps, found.width, found.values.len()), (2.0, 12, 36));
        assert_eq!(found.values[13], 1.0);
        for (text, words) in [
            ("time,C\n0,1\n".to_owned(), "time_s"),
            (format!("{header}{}", row("0")), "two or more"),
            (format!("{header}{}{}", row("0"), row("x")), "line 3"),
            (
                format!("{header}{}{}{}", row("0"), row("3"), row("4")),
                "evenly",
            ),
        ] {
            let fault = read(&text).unwrap_err().to_string();
            assert!(fault.contains(words), "{fault}");
        }
    }
}

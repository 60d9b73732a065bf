//! RomanText: harmonic analyses as text (Tymoczko, Gotham, Cuthbert and Ariza, "The RomanText Format: a Flexible and
//! Standard Method for Representing Roman Numeral Analyses", ISMIR 2019).
//!
//! ```text
//! Composer: J. S. Bach
//! Time Signature: 3/4
//!
//! m0 b3 G: I
//! m1 b2 IV6 b3 V6
//! m2 I b2 V || b3 vi
//! m3-4 = m1-2
//! ```
//!
//! ```
//! use hemiola::formats::romantext;
//!
//! let analysis = romantext::parse("Time Signature: 3/4\nm1 G: I b3 V7/V\nm2 V\n");
//! let [tonic, applied, dominant] = analysis.chords.as_slice() else { panic!() };
//! assert_eq!((tonic.onset, applied.onset, dominant.onset), (0.0, 2.0, 3.0));
//! assert_eq!(applied.numeral.to_string(), "V7/V");
//! assert!(analysis.problems.is_empty());
//! ```

mod line;
mod timeline;

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::music::roman::{LocalKey, RomanNumeral};

use line::Line;
use timeline::{Entry, Timeline};

/// What a file says, with repeated passages written out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analysis {
    /// Tags with their text, such as `Composer`; notes and the parts of the form as well.
    pub headers: Vec<(String, String)>,
    /// In the order of the file.
    pub chords: Vec<AnalysedChord>,
    /// Onsets at which a double bar ends a phrase, in quarter notes.
    pub phrase_ends: Vec<f64>,
    /// Where the last measure ends, in quarter notes from the beginning of the first.
    pub end: f64,
    /// Lines that begin with a measure's number.
    pub measure_lines: usize,
    /// Lines with another reading of a measure (`m5var1`), which are not read.
    pub variant_lines: usize,
    /// What was not understood and left out.
    pub problems: Vec<Problem>,
}

/// A chord of an analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysedChord {
    /// In quarter notes from the beginning of the first measure, which counts as a whole one where it is a pickup.
    pub onset: f64,
    pub measure: u32,
    /// From 1.
    pub beat: f64,
    pub key: LocalKey,
    pub numeral: RomanNumeral,
    /// Line and column of the numeral, from 1; of its original in a repeated passage.
    pub line: usize,
    pub column: usize,
}

/// Something that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub kind: ProblemKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// Nothing of the line was read.
    Line,
    /// A word was passed over.
    Word,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}

impl Analysis {
    /// The text of a tag, whichever case it is in.
    pub fn header(&self, tag: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(name, _)| name.eq_ignore_ascii_case(tag))
            .map(|(_, text)| text.as_str())
    }

    /// Lines of which nothing was read.
    pub fn unknown_lines(&self) -> usize {
        let lines = self.problems.iter();
        lines
            .filter(|problem| problem.kind == ProblemKind::Line)
            .count()
    }
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read, is not UTF-8, or has no chord.
pub fn read(path: impl AsRef<Path>) -> Result<Analysis> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let text = String::from_utf8(bytes)
        .map_err(|e| Error::input(path, format!("expected UTF-8 text: {e}")))?;
    let analysis = parse(&text);
    if analysis.chords.is_empty() {
        let why = match analysis.problems.first() {
            Some(problem) => format!("; {problem}"),
            None => String::new(),
        };
        return Err(Error::input(
            path,
            format!(
                "expected a RomanText analysis, such as \"m1 C: I b3 V7\"; found no chord{why}"
            ),
        ));
    }
    Ok(analysis)
}

/// Reads the text of a file; what is not understood is among the [`problems`](Analysis::problems).
pub fn parse(text: &str) -> Analysis {
    let mut analysis = Analysis::default();
    let mut timeline = Timeline::default();
    for (index, text) in text.lines().enumerate() {
        let number = index + 1;
        let text = text.trim_start_matches('\u{feff}');
        match Line::read(text) {
            Line::Empty => {}
            Line::Tag { tag, text: value } => {
                if tag.eq_ignore_ascii_case("time signature")
                    && let Err(message) = timeline.set_time(&value)
                {
                    analysis.problem(number, text, ProblemKind::Line, message);
                }
                analysis.headers.push((tag, value));
            }
            Line::Measure { measure, words } => {
                analysis.measure_lines += 1;
                timeline.push(Entry::new(number, measure, words));
            }
            Line::Bars(word) => timeline.append(number, word),
            Line::Variant => {
                analysis.measure_lines += 1;
                analysis.variant_lines += 1;
            }
            Line::Repeat { to, from } => {
                analysis.measure_lines += 1;
                if let Err(message) = timeline.repeat(to, from) {
                    analysis.problem(number, text, ProblemKind::Line, message);
                }
            }
            Line::Unknown => analysis.problem(
                number,
                text,
                ProblemKind::Line,
                format!(
                    "expected a measure (m12 …) or a tag with a colon, found {:?}",
                    text.trim()
                ),
            ),
        }
    }
    timeline.play(&mut analysis);
    analysis
}

impl Analysis {
    fn problem(&mut self, line: usize, text: &str, kind: ProblemKind, message: String) {
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        self.problems.push(Problem {
            line,
            column: indent + 1,
            kind,
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(analysis: &Analysis) -> Vec<String> {
        let chords = analysis.chords.iter();
        chords
            .map(|c| format!("{} {}: {}", c.onset, c.key, c.numeral))
            .collect()
    }

    #[test]
    fn a_chorale_is_read_as_written() {
        let text = "Composer: J. S. Bach\nBWV: 269\nTime Signature: 3/4\n\nForm: chorale\nm0 b3 G: I\n\
                    m1 b2 IV6 b3 V6\nm2 I b2 V || b2.5 D: viio6/5\nNote: parallel fifths: none\nm2var1: I b2 ii\n\
                    m4 b1.6 I :||\n";
        let analysis = parse(text);
        assert_eq!(
            shown(&analysis),
            [
                "2 G: I",
                "4 G: IV6",
                "5 G: V6",
                "6 G: I",
                "7 G: V",
                "7.5 D: viio65",
                "12.6 D: I"
            ]
        );
        assert_eq!(analysis.phrase_ends.len(), 2);
        assert_eq!(analysis.phrase_ends[0], 7.0);
        assert_eq!(analysis.end, 15.0);
        assert_eq!(analysis.header("composer"), Some("J. S. Bach"));
        assert_eq!((analysis.measure_lines, analysis.variant_lines), (5, 1));
        assert_eq!(analysis.problems, []);
    }

    #[test]
    fn repeated_measures_take_the_key_in_force() {
        let text = "Time Signature: 2/4\nm1 C: I b2 V\nm2 G: I\nm3-4 = m1-2\nm5 a: i\nm6=m1\nm7 = m 1\nm8 b2 V\n";
        assert_eq!(
            shown(&parse(text)),
            [
                "0 C: I", "1 C: V", "2 G: I", "4 C: I", "5 C: V", "6 G: I", "8 a: i", "10 C: I",
                "11 C: V", "12 C: I", "13 C: V", "15 C: V"
            ]
        );
        let follows = "Time Signature: 2/4\nm1 C: I\nm2 V7\nm3 G: I\nm4 = m2\n";
        assert_eq!(shown(&parse(follows))[3], "6 G: V7");
    }

    #[test]
    fn beats_follow_the_metre() {
        let beats = |time: &str, beat: &str| {
            let analysis = parse(&format!("Time Signature: {time}\nm1 C: I {beat} V\n"));
            analysis.chords[1].onset
        };
        assert_eq!(beats("6/8", "b2"), 1.5);
        assert_eq!(beats("slow 6/8", "b2"), 0.5);
        // More beats than the metre counts: the smaller ones are meant.
        assert_eq!(beats("6/8", "b4"), 1.5);
        assert_eq!(beats("2/2", "b2"), 2.0);
        assert_eq!(beats("C", "b4"), 3.0);
        assert_eq!(beats("3/8", "b3"), 1.0);
        let thirds = [("b2.33", 4.0 / 3.0), ("b1.66.5", 5.0 / 6.0)];
        for (beat, expected) in thirds {
            assert!((beats("4/4", beat) - expected).abs() < 1e-9, "{beat}");
        }
    }

    #[test]
    fn parts_of_a_measure_share_it_and_endings_do_not() {
        let text = "Time Signature: 4/4\nm1a C: I b2 V\nm1b b3 I\nm2a V\nm2b I\nm3 IV\n";
        let onsets: Vec<f64> = parse(text).chords.iter().map(|c| c.onset).collect();
        assert_eq!(onsets, [0.0, 1.0, 2.0, 4.0, 8.0, 12.0]);
    }

    #[test]
    fn what_is_not_understood_is_told_by_line_and_column() {
        let text =
            "Time Signature: soon\nalso be analysed as V\nm1 I b2 C: V7 b3 H7 b.5 I6\nm5 = m4\n";
        let analysis = parse(text);
        let found: Vec<_> = analysis
            .problems
            .iter()
            .map(|p| (p.line, p.column))
            .collect();
        assert_eq!(found, [(1, 1), (2, 1), (4, 1), (3, 4), (3, 18), (3, 21)]);
        assert_eq!(analysis.unknown_lines(), 3);
        assert_eq!(shown(&analysis).len(), 2);
        assert!(analysis.problems[3].message.contains("key"));
    }
}

//! Measures in time: metres, repeated passages, beats.

use super::line::{Measure, Word};
use super::{AnalysedChord, Analysis, Problem, ProblemKind};
use crate::music::roman::LocalKey;

/// Measures, and the metre that each is in.
#[derive(Debug, Default)]
pub(super) struct Timeline<'a> {
    entries: Vec<(Entry<'a>, Metre)>,
    metre: Metre,
}

/// A measure as written.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    line: usize,
    measure: Measure,
    words: Vec<Word<'a>>,
}

impl<'a> Entry<'a> {
    pub fn new(line: usize, measure: Measure, words: Vec<Word<'a>>) -> Self {
        Self {
            line,
            measure,
            words,
        }
    }
}

/// Lengths in quarter notes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Metre {
    measure: f64,
    beat: f64,
    /// What `measure` counts by its lower number.
    unit: f64,
}

impl Default for Metre {
    fn default() -> Self {
        Self {
            measure: 4.0,
            beat: 1.0,
            unit: 1.0,
        }
    }
}

impl Metre {
    /// `3/4`, `C`, `slow 6/8`, `fast 3/8`.
    ///
    /// Where the upper number is a multiple of three above three, three of its units are a beat, unless it says slow.
    fn parse(text: &str) -> Result<Self, String> {
        let fail = || format!("time signature {text:?}: expected two numbers such as 3/4");
        let words = text.to_lowercase();
        let fraction = words.split_whitespace().next_back().ok_or_else(fail)?;
        let fraction = match fraction {
            "c" => "4/4",
            "cut" | "c|" => "2/2",
            other => other.trim_end_matches('?'),
        };
        let (upper, lower) = fraction.split_once('/').ok_or_else(fail)?;
        let upper: u32 = upper.parse().map_err(|_| fail())?;
        let lower: u32 = lower.parse().map_err(|_| fail())?;
        if upper == 0 || lower == 0 {
            return Err(fail());
        }
        let unit = 4.0 / f64::from(lower);
        let in_threes = upper.is_multiple_of(3)
            && (words.starts_with("fast") || (upper > 3 && !words.starts_with("slow")));
        Ok(Self {
            measure: unit * f64::from(upper),
            beat: if in_threes { 3.0 * unit } else { unit },
            unit,
        })
    }

    /// Quarter notes from the beginning of a measure to a beat, counted from 1, where `last` is the measure's last.
    fn position(self, beat: f64, last: f64) -> f64 {
        let counted = self.measure / self.beat + 1.0;
        let beat_length = if last < counted { self.beat } else { self.unit };
        (beat - 1.0) * beat_length
    }
}

impl<'a> Timeline<'a> {
    pub fn set_time(&mut self, text: &str) -> Result<(), String> {
        self.metre = Metre::parse(text)?;
        Ok(())
    }

    pub fn push(&mut self, entry: Entry<'a>) {
        self.entries.push((entry, self.metre));
    }

    /// A bar line on a line of its own.
    pub fn append(&mut self, line: usize, word: Word<'a>) {
        match self.entries.last_mut() {
            Some((entry, _)) => entry.words.push(word),
            None => {
                let measure = Measure {
                    number: 0,
                    suffix: String::new(),
                };
                self.push(Entry::new(line, measure, vec![word]));
            }
        }
    }

    /// Writes measures again under other numbers. A measure without a line of its own goes on with the chord before.
    pub fn repeat(&mut self, to: (u32, u32), from: (u32, u32)) -> Result<(), String> {
        let found: Vec<Entry> = (self.entries.iter())
            .map(|(entry, _)| entry)
            .filter(|entry| (from.0..=from.1).contains(&entry.measure.number))
            .cloned()
            .collect();
        if found.is_empty() {
            return Err(format!(
                "expected measures {} to {} above this line, found none",
                from.0, from.1
            ));
        }
        for mut entry in found {
            let number = u64::from(to.0) + u64::from(entry.measure.number - from.0);
            if number > u64::from(to.1) {
                break;
            }
            entry.measure.number = number as u32;
            self.push(entry);
        }
        Ok(())
    }

    /// Reads the words of all measures in order.
    pub fn play(self, analysis: &mut Analysis) {
        let mut key: Option<LocalKey> = None;
        let mut start = 0.0;
        let mut before: Option<(Measure, Metre, f64)> = None;
        for (entry, metre) in self.entries {
            let beats: Vec<f64> = entry.words.iter().filter_map(|w| beat(w.text)).collect();
            let last_beat = beats.iter().copied().fold(1.0, f64::max);
            if let Some((measure, metre_before, beat_before)) = &before {
                let (number, then) = (entry.measure.number, measure.number);
                let first = entry.words.first().and_then(|w| beat(w.text));
                let goes_on = number == then && first.is_some_and(|beat| beat > *beat_before);
                start += match goes_on {
                    true => 0.0,
                    // Numbers that go back, or are the same, follow in time all the same.
                    false => metre_before.measure * f64::from(number.saturating_sub(then).max(1)),
                };
            }
            let mut at = 1.0;
            let mut problem = |word: &Word, message: String| {
                analysis.problems.push(Problem {
                    line: entry.line,
                    column: word.column,
                    kind: ProblemKind::Word,
                    message,
                });
            };
            for word in &entry.words {
                let onset = start + metre.position(at, last_beat);
                if let Some(beat) = beat(word.text) {
                    at = beat;
                } else if word.is_bars() {
                    if word.text.contains("||") {
                        analysis.phrase_ends.push(onset);
                    }
                } else if let Some(name) = word.text.strip_suffix(':')
                    && let Ok(found) = LocalKey::parse(name)
                {
                    key = Some(found);
                } else {
                    match (word.text.parse(), key) {
                        (Ok(numeral), Some(key)) => analysis.chords.push(AnalysedChord {
                            onset,
                            measure: entry.measure.number,
                            beat: at,
                            key,
                            numeral,
                            line: entry.line,
                            column: word.column,
                        }),
                        (Ok(_), None) => problem(
                            word,
                            format!("{}: expected a key before it, such as C:", word.text),
                        ),
                        (Err(error), _) => problem(word, error.to_string()),
                    }
                }
            }
            analysis.end = analysis.end.max(start + metre.measure);
            before = Some((entry.measure, metre, last_beat));
        }
    }
}

/// `b2`, `b2.5`, `b1.66` (two thirds), `b1.66.5` (half of the last third).
fn beat(word: &str) -> Option<f64> {
    let number = word.strip_prefix('b')?;
    let well_formed = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !well_formed {
        return None;
    }
    let mut parts = number.split('.');
    let mut beat: f64 = parts.next()?.parse().ok()?;
    let mut unit = 1.0;
    for part in parts.filter(|part| !part.is_empty()) {
        let (fraction, denominator) = simple_fraction(format!("0.{part}").parse().ok()?);
        beat += unit * fraction;
        unit /= denominator;
    }
    (beat >= 1.0 && beat.is_finite()).then_some(beat)
}

/// The simple fraction that rounds to the decimals, with its denominator.
fn simple_fraction(decimals: f64) -> (f64, f64) {
    // Decimals are cut or rounded at two places.
    const TOLERANCE: f64 = 0.0067;
    let found = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0]
        .into_iter()
        .map(|denominator: f64| ((decimals * denominator).round() / denominator, denominator))
        .find(|(fraction, _)| (fraction - decimals).abs() < TOLERANCE);
    found.unwrap_or((decimals, 1.0))
}

//! What each line of RomanText is.

/// A line, told by how it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line<'a> {
    Empty,
    /// `Composer: J. S. Bach`
    Tag {
        tag: String,
        text: String,
    },
    /// `m12 C: I b3 V7`
    Measure {
        measure: Measure,
        words: Vec<Word<'a>>,
    },
    /// `m12var1 …`, another reading.
    Variant,
    /// `m12-15 = m8-11`
    Repeat {
        to: (u32, u32),
        from: (u32, u32),
    },
    /// `||` alone, the end of the measure before.
    Bars(Word<'a>),
    Unknown,
}

/// `12` or `12a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measure {
    pub number: u32,
    pub suffix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    /// In characters, from 1.
    pub column: usize,
}

impl Word<'_> {
    /// `||`, `:||` and the like.
    pub fn is_bars(&self) -> bool {
        self.text.contains('|') && self.text.chars().all(|c| matches!(c, '|' | ':'))
    }
}

/// A tag has no more words than `Overall tonal centre`, with some to spare.
const LONGEST_TAG: usize = 5;

impl<'a> Line<'a> {
    pub fn read(line: &'a str) -> Self {
        let words = words(line);
        let Some((first, rest)) = words.split_first() else {
            return Self::Empty;
        };
        if first.is_bars() && rest.is_empty() {
            return Self::Bars(*first);
        }
        if let Some(repeat) = repeat(line) {
            return repeat;
        }
        // Some write a colon after the number.
        if let Some((range, suffix)) = measures(first.text.trim_end_matches(':')) {
            if suffix.contains("var") || rest.first().is_some_and(|w| w.text.starts_with("var")) {
                return Self::Variant;
            }
            return Self::of_measures(range, suffix, rest);
        }
        match line.split_once(':') {
            Some((tag, text)) if is_tag(tag) => Self::Tag {
                tag: tag.trim().to_owned(),
                text: text.trim().to_owned(),
            },
            _ => Self::Unknown,
        }
    }

    fn of_measures(range: (u32, u32), suffix: &str, rest: &[Word<'a>]) -> Self {
        if range.0 != range.1 {
            return Self::Unknown;
        }
        Self::Measure {
            measure: Measure {
                number: range.0,
                suffix: suffix.to_owned(),
            },
            words: rest.to_vec(),
        }
    }
}

/// `m12-15 = m8-11`, with or without blanks and the second `m`; what follows is passed over.
fn repeat<'a>(line: &str) -> Option<Line<'a>> {
    let (to, from) = line.split_once('=')?;
    let (to, _) = measures(to.trim())?;
    let from = from.trim();
    let from = from.strip_prefix('m').unwrap_or(from).trim_start();
    let from = from.split_whitespace().next()?;
    let (from, _) = measures(&format!("m{from}"))?;
    Some(Line::Repeat { to, from })
}

fn is_tag(tag: &str) -> bool {
    tag.trim_start()
        .starts_with(|c: char| c.is_ascii_alphabetic())
        && tag.split_whitespace().count() <= LONGEST_TAG
        && tag
            .chars()
            .all(|c| c.is_alphanumeric() || " -_./".contains(c))
}

/// `m12`, `m12a`, `m12-15`, `m12-m15`: first, last, and what follows the number.
fn measures(word: &str) -> Option<((u32, u32), &str)> {
    let (first, rest) = number(word.strip_prefix('m')?)?;
    if let Some(last) = rest.strip_prefix(['-', '–']) {
        let (last, rest) = number(last.strip_prefix('m').unwrap_or(last))?;
        return rest.is_empty().then_some(((first, last), ""));
    }
    let is_suffix = rest.chars().all(|c| c.is_ascii_alphanumeric());
    is_suffix.then_some(((first, first), rest))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    let ends = line.char_indices().chain([(line.len(), ' ')]);
    for (column, (at, c)) in ends.enumerate() {
        match (start, c.is_whitespace()) {
            (None, false) => start = Some((at, column + 1)),
            (Some((from, column)), true) => {
                words.push(Word {
                    text: &line[from..at],
                    column,
                });
                start = None;
            }
            _ => {}
        }
    }
    words
}

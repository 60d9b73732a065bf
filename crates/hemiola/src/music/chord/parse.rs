//! The grammar of labels:
//!
//! ```text
//! label      = "N" | "X" | root [":" shorthand [degrees] | ":" degrees] ["/" degree]
//! root       = letter accidentals
//! degrees    = "(" ["*"] degree {"," ["*"] degree} ")"
//! degree     = accidentals number        number from 1 to 13
//! accidentals = {"b"} | {"#"}
//! ```

use std::fmt;

use super::{Chord, ChordLabel, Degree, Shorthand};
use crate::music::NoteName;
use crate::music::note_name::Letter;

/// Where a label stops being one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Characters before it.
    pub column: usize,
    expected: &'static str,
    /// Empty at the end of the label.
    found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found ", self.expected)?;
        match self.found.as_str() {
            "" => f.write_str("the end of the label"),
            found => write!(f, "{found:?}"),
        }
    }
}

pub(crate) fn parse(text: &str) -> Result<ChordLabel, Fault> {
    let mut rest = Rest { text, at: 0 };
    for (name, label) in [("N", ChordLabel::NoChord), ("X", ChordLabel::Unknown)] {
        if rest.take(name) {
            return match rest.left() {
                "" => Ok(label),
                _ => Err(rest.fault("nothing after N or X")),
            };
        }
    }
    let letter = rest.left().chars().next().and_then(Letter::from_char);
    let Some(letter) = letter else {
        return Err(rest.fault("a root from A to G, or N or X alone"));
    };
    rest.at += 1;
    let mut chord = Chord {
        root: NoteName::new(letter, rest.accidentals()?),
        shorthand: None,
        added: Vec::new(),
        omitted: Vec::new(),
        bass: Degree::UNISON,
    };
    let mut may_follow = "a sharp, a flat, \":\", \"/\" or the end of the label";
    if rest.take(":") {
        chord.shorthand = rest.shorthand()?;
        may_follow = "\"(\", \"/\" or the end of the label";
        if rest.take("(") {
            rest.degrees(&mut chord)?;
            may_follow = "\"/\" or the end of the label";
        }
    } else {
        chord.shorthand = Some(Shorthand::Maj);
    }
    if rest.take("/") {
        chord.bass = rest.degree("the bass, a degree from 1 to 13 such as b7")?;
        may_follow = "the end of the label";
    }
    match rest.left() {
        "" => Ok(ChordLabel::Chord(chord)),
        _ => Err(rest.fault(may_follow)),
    }
}

/// What of a label is still to be read.
struct Rest<'a> {
    text: &'a str,
    /// Bytes read; all of them ASCII.
    at: usize,
}

impl<'a> Rest<'a> {
    fn left(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.left().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// At the next character.
    fn fault(&self, expected: &'static str) -> Fault {
        let found = self.left().chars().take(1).collect();
        self.fault_with(expected, found)
    }

    fn fault_with(&self, expected: &'static str, found: String) -> Fault {
        Fault {
            column: self.at,
            expected,
            found,
        }
    }

    /// Sharps, or flats where negative.
    fn accidentals(&mut self) -> Result<i8, Fault> {
        let left = self.left().as_bytes();
        let (sign, step) = match left.first() {
            Some(b'#') => (b'#', 1),
            Some(b'b') => (b'b', -1),
            _ => return Ok(0),
        };
        let count = left.iter().take_while(|&&byte| byte == sign).count();
        let accidentals =
            i8::try_from(count).map_err(|_| self.fault("at most 127 sharps or flats"))? * step;
        self.at += count;
        match self.left().as_bytes().first() {
            Some(b'#' | b'b') => Err(self.fault("sharps or flats, not both")),
            _ => Ok(accidentals),
        }
    }

    /// The word up to degrees or bass; `None` where degrees stand in its place.
    fn shorthand(&mut self) -> Result<Option<Shorthand>, Fault> {
        const EXPECTED: &str = "a shorthand such as maj, min7 or sus4, or degrees in parentheses";
        let left = self.left();
        let word = left.split(['(', '/']).next().unwrap_or_default();
        if word.is_empty() {
            return match left.starts_with('(') {
                true => Ok(None),
                false => Err(self.fault(EXPECTED)),
            };
        }
        let Some(shorthand) = Shorthand::from_text(word) else {
            let found = word.chars().take(20).collect();
            return Err(self.fault_with(EXPECTED, found));
        };
        self.at += word.len();
        Ok(Some(shorthand))
    }

    /// Up to the closing parenthesis; what is named twice counts once.
    fn degrees(&mut self, chord: &mut Chord) -> Result<(), Fault> {
        loop {
            let list = match self.take("*") {
                true => &mut chord.omitted,
                false => &mut chord.added,
            };
            let degree = self.degree("a degree from 1 to 13 such as b7, or * and one")?;
            if !list.contains(&degree) {
                list.push(degree);
            }
            if self.take(")") {
                return Ok(());
            }
            if !self.take(",") {
                return Err(self.fault("\",\" or \")\""));
            }
        }
    }

    fn degree(&mut self, expected: &'static str) -> Result<Degree, Fault> {
        let accidentals = self.accidentals()?;
        let left = self.left();
        let end = left.find(|c: char| !c.is_ascii_digit());
        let digits = left.get(..end.unwrap_or(left.len())).unwrap_or_default();
        if digits.is_empty() {
            return Err(self.fault(expected));
        }
        let number = (!digits.starts_with('0'))
            .then(|| digits.parse().ok())
            .flatten();
        let degree = number.and_then(|number| Degree::new(number, accidentals));
        let Some(degree) = degree else {
            let found = digits.chars().take(20).collect();
            return Err(self.fault_with(expected, found));
        };
        self.at += digits.len();
        Ok(degree)
    }
}

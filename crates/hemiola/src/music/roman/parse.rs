//! Reading of Roman numerals.

use std::str::FromStr;

use super::{AugmentedSixth, Change, Figure, Quality, RomanNumeral, Seventh, Stem};
use crate::error::{Error, Result};

/// Longer ones first, so that none is taken for its beginning.
const NUMERALS: [(&str, u8); 7] = [
    ("vii", 7),
    ("iii", 3),
    ("vi", 6),
    ("iv", 4),
    ("ii", 2),
    ("v", 5),
    ("i", 1),
];

const SPECIAL: [(&str, Stem); 6] = [
    ("Cad", Stem::Cadential),
    ("Ger", Stem::AugmentedSixth(AugmentedSixth::German)),
    ("It", Stem::AugmentedSixth(AugmentedSixth::Italian)),
    ("Fr", Stem::AugmentedSixth(AugmentedSixth::French)),
    ("Sw", Stem::AugmentedSixth(AugmentedSixth::Swiss)),
    ("N", Stem::Neapolitan),
];

/// The largest interval that a figure may name.
const LARGEST_INTERVAL: u8 = 15;

impl FromStr for RomanNumeral {
    type Err = Error;

    /// # Errors
    /// When the text is no Roman numeral; the message tells the column, counted from 1, at which it ceases to be one.
    fn from_str(text: &str) -> Result<Self> {
        let mut reader = Reader { text, at: 0 };
        let numeral = reader.chord()?;
        match reader.rest() {
            "" => Ok(numeral),
            _ => Err(reader.fail("the end of the Roman numeral")),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Bytes that have been read.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail(&self, expected: &str) -> Error {
        let column = self.text[..self.at].chars().count() + 1;
        let found = match self.rest() {
            "" => "its end".to_owned(),
            rest => format!("{rest:?}"),
        };
        Error::config(format!(
            "Roman numeral {:?}, column {column}: expected {expected}, found {found}",
            self.text
        ))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn take_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.take(word))
    }

    fn chord(&mut self) -> Result<RomanNumeral> {
        let stem = self.stem()?;
        let mut quality = self.quality();
        let seventh = if self.take_any(&["maj", "M"]) {
            Some(Seventh::Major)
        } else {
            self.take("d").then_some(Seventh::Minor)
        };
        let figures = self.figures()?;
        // Some write I6+ for I+6.
        if quality == Quality::ByCase && !figures.is_empty() && self.take("+") {
            quality = Quality::Augmented;
        }
        let (mut changes, mut expected) = (Vec::new(), None);
        while self.take("[") {
            let Some(length) = self.rest().find(']') else {
                return Err(self.fail("a closing bracket"));
            };
            if self.rest().starts_with(['i', 'v', 'I', 'V']) {
                expected = Some(self.rest()[..length].to_owned());
                self.at += length;
            } else {
                let end = self.at + length;
                while self.at < end {
                    changes.push(self.change()?);
                }
            }
            if !self.take("]") {
                return Err(self.fail("a closing bracket"));
            }
        }
        let target = match self.take("/") {
            true => Some(Box::new(self.chord()?)),
            false => None,
        };
        Ok(RomanNumeral {
            stem,
            quality,
            seventh,
            figures,
            changes,
            expected,
            target,
        })
    }

    fn stem(&mut self) -> Result<Stem> {
        for (name, stem) in SPECIAL {
            if self.take(name) {
                return Ok(stem);
            }
        }
        let accidental = self.accidental();
        for (small, degree) in NUMERALS {
            for (name, capital) in [(small.to_owned(), false), (small.to_uppercase(), true)] {
                if self.take(&name) {
                    return Ok(Stem::Degree {
                        accidental,
                        degree,
                        capital,
                    });
                }
            }
        }
        Err(self.fail("a numeral from I to VII, or N, It, Ger, Fr, Sw, Cad"))
    }

    fn accidental(&mut self) -> i8 {
        let mut sum = 0i8;
        loop {
            if self.take_any(&["#", "♯"]) {
                sum = sum.saturating_add(1);
            } else if self.take_any(&["b", "-", "♭"]) {
                sum = sum.saturating_sub(1);
            } else {
                return sum;
            }
        }
    }

    fn quality(&mut self) -> Quality {
        if self.take_any(&["ø", "%", "/o"]) {
            Quality::HalfDiminished
        } else if self.take_any(&["o", "°"]) {
            Quality::Diminished
        } else if self.take("+") {
            Quality::Augmented
        } else {
            Quality::ByCase
        }
    }

    fn figures(&mut self) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        loop {
            let before = self.at;
            if !figures.is_empty() {
                self.take("/");
            }
            let major = !figures.is_empty() && self.rest().starts_with("M9") && self.take("M");
            // A dash between figures is no flat but a step.
            let accidental = match self.rest().starts_with('-') {
                true => 0,
                false => self.accidental(),
            };
            match self.interval() {
                Some(number) => figures.push(Figure {
                    accidental,
                    major,
                    number,
                }),
                None => {
                    // The stroke or accidental belongs to what follows.
                    self.at = before;
                    return Ok(figures);
                }
            }
        }
    }

    /// One digit, or two that begin with 1.
    fn interval(&mut self) -> Option<u8> {
        let digit = |at: usize| {
            let byte = self.rest().as_bytes().get(at)?;
            byte.is_ascii_digit().then(|| byte - b'0')
        };
        let (number, length) = match (digit(0)?, digit(1)) {
            (1, Some(second)) => (10 + second, 2),
            (first, _) => (first, 1),
        };
        if !(1..=LARGEST_INTERVAL).contains(&number) {
            return None;
        }
        self.at += length;
        Some(number)
    }

    fn change(&mut self) -> Result<Change> {
        let (omitted, added) = (self.take("no"), self.take("add"));
        let accidental = self.accidental();
        let at = self.at;
        match self.interval() {
            Some(interval) if omitted && !added && accidental == 0 => Ok(Change::Omitted(interval)),
            Some(interval) if added && !omitted => Ok(Change::Added {
                accidental,
                interval,
            }),
            Some(interval) if !omitted && accidental != 0 => Ok(Change::Altered {
                accidental,
                interval,
            }),
            _ => {
                self.at = at;
                Err(self.fail("no3, add6, b9 or the like in brackets"))
            }
        }
    }
}

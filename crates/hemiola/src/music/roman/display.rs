//! One way of writing Roman numerals.

use std::fmt;

use super::{AugmentedSixth, Change, Figure, Quality, RomanNumeral, Seventh, Stem};

/// The numerals of the degrees.
const NUMERALS: [&str; 7] = ["I", "II", "III", "IV", "V", "VI", "VII"];

/// Half-diminished as `ø`, figures without strokes; reading it gives the same numeral again.
impl fmt::Display for RomanNumeral {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.stem.fmt(f)?;
        f.write_str(match self.quality {
            Quality::ByCase => "",
            Quality::Diminished => "o",
            Quality::HalfDiminished => "ø",
            Quality::Augmented => "+",
        })?;
        f.write_str(match self.seventh {
            None => "",
            Some(Seventh::Major) => "M",
            Some(Seventh::Minor) => "d",
        })?;
        for figure in &self.figures {
            figure.fmt(f)?;
        }
        for change in &self.changes {
            change.fmt(f)?;
        }
        if let Some(expected) = &self.expected {
            write!(f, "[{expected}]")?;
        }
        match &self.target {
            Some(target) => write!(f, "/{target}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Stem::Neapolitan => "N",
            Stem::Cadential => "Cad",
            Stem::AugmentedSixth(AugmentedSixth::Italian) => "It",
            Stem::AugmentedSixth(AugmentedSixth::French) => "Fr",
            Stem::AugmentedSixth(AugmentedSixth::German) => "Ger",
            Stem::AugmentedSixth(AugmentedSixth::Swiss) => "Sw",
            &Stem::Degree {
                accidental,
                degree,
                capital,
            } => {
                write_accidental(f, accidental)?;
                let numeral = NUMERALS[(usize::from(degree) + 6) % 7];
                return match capital {
                    true => f.write_str(numeral),
                    false => f.write_str(&numeral.to_lowercase()),
                };
            }
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.major {
            f.write_str("M")?;
        }
        write_accidental(f, self.accidental)?;
        write!(f, "{}", self.number)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (word, accidental, interval) = match *self {
            Change::Omitted(interval) => ("no", 0, interval),
            Change::Added {
                accidental,
                interval,
            } => ("add", accidental, interval),
            Change::Altered {
                accidental,
                interval,
            } => ("", accidental, interval),
        };
        write!(f, "[{word}")?;
        write_accidental(f, accidental)?;
        write!(f, "{interval}]")
    }
}

fn write_accidental(f: &mut fmt::Formatter, accidental: i8) -> fmt::Result {
    let sign = if accidental < 0 { "b" } else { "#" };
    (0..accidental.unsigned_abs()).try_for_each(|_| f.write_str(sign))
}

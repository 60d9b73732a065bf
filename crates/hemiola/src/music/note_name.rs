//! Pitch classes as they are written: a letter and its accidentals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The seven letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Letter {
    C,
    D,
    E,
    F,
    G,
    A,
    B,
}

impl Letter {
    /// Of a capital letter.
    pub fn from_char(letter: char) -> Option<Self> {
        let all = [
            Self::C,
            Self::D,
            Self::E,
            Self::F,
            Self::G,
            Self::A,
            Self::B,
        ];
        all.into_iter().find(|one| one.as_char() == letter)
    }

    pub fn as_char(self) -> char {
        match self {
            Self::C => 'C',
            Self::D => 'D',
            Self::E => 'E',
            Self::F => 'F',
            Self::G => 'G',
            Self::A => 'A',
            Self::B => 'B',
        }
    }

    /// Fifths above C.
    fn fifths(self) -> i32 {
        match self {
            Self::F => -1,
            Self::C => 0,
            Self::G => 1,
            Self::D => 2,
            Self::A => 3,
            Self::E => 4,
            Self::B => 5,
        }
    }
}

/// Letters by fifths, from F.
const BY_FIFTHS: [Letter; 7] = [
    Letter::F,
    Letter::C,
    Letter::G,
    Letter::D,
    Letter::A,
    Letter::E,
    Letter::B,
];

/// The name of a pitch class, such as `C#`, `Eb` or `F##`; C# and Db are two names of one pitch class.
///
/// ```
/// use hemiola::music::NoteName;
///
/// let name: NoteName = "Eb".parse()?;
/// assert_eq!((name.pitch_class(), name.to_string()), (3, "Eb".to_owned()));
/// # Ok::<(), hemiola::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NoteName {
    letter: Letter,
    accidentals: i32,
}

impl NoteName {
    pub const C: Self = Self {
        letter: Letter::C,
        accidentals: 0,
    };

    /// `accidentals` counts sharps, or flats where negative.
    pub fn new(letter: Letter, accidentals: i8) -> Self {
        Self {
            letter,
            accidentals: accidentals.into(),
        }
    }

    /// The name so many fifths above C, or below where negative: 0 is C, 1 is G, -1 is F, 6 is F#, -6 is Gb.
    pub fn from_fifths(fifths: i16) -> Self {
        let from_f = i32::from(fifths) + 1;
        Self {
            letter: BY_FIFTHS[from_f.rem_euclid(7) as usize],
            accidentals: from_f.div_euclid(7),
        }
    }

    pub fn letter(self) -> Letter {
        self.letter
    }

    /// Sharps, or flats where negative.
    pub fn accidentals(self) -> i32 {
        self.accidentals
    }

    /// Fifths above C, the inverse of [`NoteName::from_fifths`]. Names of one pitch class lie 12 fifths apart.
    pub fn fifths(self) -> i16 {
        // At most 16 bits, from whichever of the two constructors the name is.
        (self.letter.fifths() + 7 * self.accidentals) as i16
    }

    /// 0 (C) to 11 (B).
    pub fn pitch_class(self) -> u8 {
        (i32::from(self.fifths()) * 7).rem_euclid(12) as u8
    }

    /// The name so many semitones above, or below where negative: the same where these are whole octaves, otherwise
    /// by the nearest fifths, and with none but the names from Gb to A#.
    ///
    /// ```
    /// use hemiola::music::NoteName;
    ///
    /// let name = |text: &str| text.parse::<NoteName>();
    /// assert_eq!(name("C#")?.transposed(1), name("D")?);
    /// assert_eq!(name("C")?.transposed(1), name("Db")?);
    /// assert_eq!(name("Cb")?.transposed(12), name("Cb")?);
    /// # Ok::<(), hemiola::Error>(())
    /// ```
    #[must_use]
    pub fn transposed(self, semitones: i32) -> Self {
        /// Gb and A#, the outermost names of chord roots in common use.
        const COMMON: std::ops::RangeInclusive<i32> = -6..=10;
        let up = semitones.rem_euclid(12);
        if up == 0 {
            return self;
        }
        // From five fifths below, a minor second up, to six above, a tritone up.
        let motion = (up * 7 + 5).rem_euclid(12) - 5;
        let fifths = i32::from(self.fifths()) + motion;
        let within = match fifths {
            low if low < *COMMON.start() => COMMON.start() + (low - COMMON.start()).rem_euclid(12),
            high if high > *COMMON.end() => COMMON.end() - (COMMON.end() - high).rem_euclid(12),
            common => common,
        };
        Self::from_fifths(within as i16)
    }
}

impl fmt::Display for NoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter.as_char())?;
        write_accidentals(f, self.accidentals)
    }
}

/// So many sharps, or flats where negative.
pub(super) fn write_accidentals(f: &mut fmt::Formatter<'_>, accidentals: i32) -> fmt::Result {
    let sign = if accidentals < 0 { "b" } else { "#" };
    (0..accidentals.unsigned_abs()).try_for_each(|_| f.write_str(sign))
}

impl FromStr for NoteName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fault = || {
            Error::config(format!(
                "note name {text:?}: expected a letter from A to G and any number of # or of b after it"
            ))
        };
        let mut signs = text.chars();
        let letter = signs.next().and_then(Letter::from_char).ok_or_else(fault)?;
        let signs = signs.as_str();
        let count = i8::try_from(signs.len()).map_err(|_| fault())?;
        let accidentals = match signs.as_bytes() {
            [b'b', ..] => -count,
            _ => count,
        };
        let one_kind = signs.bytes().all(|sign| sign == b'#') || signs.bytes().all(|b| b == b'b');
        match one_kind {
            true => Ok(Self::new(letter, accidentals)),
            false => Err(fault()),
        }
    }
}

impl TryFrom<String> for NoteName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<NoteName> for String {
    fn from(name: NoteName) -> Self {
        name.to_string()
    }
}

use std::fmt;

use crate::music::NoteName;
use crate::music::note_name::write_accidentals;

/// A degree above a chord's root, such as `b7` or `#11`; without accidentals, that of the major scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Degree {
    number: u8,
    accidentals: i8,
}

impl Degree {
    pub const UNISON: Self = Self::natural(1);

    /// The highest number that chords are written with.
    pub const MAX: u8 = 13;

    /// `number` from 1 to [`Degree::MAX`]; `accidentals` counts sharps, or flats where negative. `None` for another
    /// number.
    pub fn new(number: u8, accidentals: i8) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self {
            number,
            accidentals,
        })
    }

    const fn altered(number: u8, accidentals: i8) -> Self {
        Self {
            number,
            accidentals,
        }
    }

    pub(super) const fn natural(number: u8) -> Self {
        Self::altered(number, 0)
    }

    pub(super) const fn sharp(number: u8) -> Self {
        Self::altered(number, 1)
    }

    pub(super) const fn flat(number: u8) -> Self {
        Self::altered(number, -1)
    }

    pub(super) const fn double_flat(number: u8) -> Self {
        Self::altered(number, -2)
    }

    /// 1 to 13.
    pub fn number(self) -> u8 {
        self.number
    }

    /// Sharps, or flats where negative.
    pub fn accidentals(self) -> i8 {
        self.accidentals
    }

    /// Semitones above the root: 14 for 9, 15 for `#9`, -1 for `b1`.
    pub fn semitones(self) -> i32 {
        let index = i32::from(self.number) - 1;
        let within = match index % 7 {
            0 => 0,
            1 => 2,
            2 => 4,
            3 => 5,
            4 => 7,
            5 => 9,
            _ => 11,
        };
        within + index / 7 * 12 + i32::from(self.accidentals)
    }

    /// Semitones above the root within an octave, 0 to 11.
    pub fn pitch_class(self) -> u8 {
        self.semitones().rem_euclid(12) as u8
    }

    /// The name of the degree above a root: `b7` above D is C, `3` above Ab is C.
    pub fn above(self, root: NoteName) -> NoteName {
        let natural: i16 = match (self.number - 1) % 7 {
            0 => 0,
            1 => 2,
            2 => 4,
            3 => -1,
            4 => 1,
            5 => 3,
            _ => 5,
        };
        let fifths = natural + 7 * i16::from(self.accidentals);
        NoteName::from_fifths(root.fifths().saturating_add(fifths))
    }
}

impl fmt::Display for Degree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_accidentals(f, self.accidentals.into())?;
        write!(f, "{}", self.number)
    }
}

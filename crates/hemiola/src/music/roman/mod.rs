//! Roman numerals: what a chord is in its key.
//!
//! The grammar is that of the RomanText format (Tymoczko, Gotham, Cuthbert and Ariza, "The RomanText Format: a Flexible
//! and Standard Method for Representing Roman Numeral Analyses", ISMIR 2019) with the habits of the corpora written in it:
//!
//! - `bVII`, `#iv`: an accidental, and a numeral whose case tells its third;
//! - `o` diminished, `ø`, `%` or `/o` half-diminished, `+` augmented; `M` or `maj` a major, `d` a minor seventh;
//! - figures above the bass, with or without strokes: `6`, `6/4`, `65`, `4/3`, `42` or `2`, `7`, `9`, `54`, `b7`;
//! - `[no3]`, `[add#4]`, `[b9]`: tones that are missing, added, altered, counted from the root;
//! - `V7/V`, `viio7/V/ii`: chords of another chord's key, and `[I]` after it what was expected to follow;
//! - `N6`, `It6`, `Ger65`, `Fr43`, `Sw43`, `Cad64`.

mod display;
mod key;
mod naming;
mod parse;
mod path;
mod sound;
#[cfg(test)]
mod tests;

pub use key::{LocalKey, Mode, N_KEYS};
pub use naming::{name_chord, probable_root};
pub use path::{KeyTransitions, likeliest_keys};
pub use sound::Sound;

/// Degrees of a scale.
pub const N_DEGREES: usize = 7;

/// A Roman numeral; parsed from text, shown in one way of writing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RomanNumeral {
    pub stem: Stem,
    pub quality: Quality,
    /// `M` or `d` before the figures, where the seventh is not that of the key.
    pub seventh: Option<Seventh>,
    /// Intervals above the bass, as written, without strokes.
    pub figures: Vec<Figure>,
    /// In the order of writing.
    pub changes: Vec<Change>,
    /// What was expected to follow, as written in brackets after an applied chord's target.
    pub expected: Option<String>,
    /// The chord whose key this one is from.
    pub target: Option<Box<RomanNumeral>>,
}

/// What a numeral names before quality and figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stem {
    Degree {
        /// Sharps, or flats where negative, in front of the numeral.
        accidental: i8,
        /// 1 to 7.
        degree: u8,
        /// Whether the numeral is in capitals.
        capital: bool,
    },
    /// The major triad on the lowered second degree.
    Neapolitan,
    /// The augmented sixth of the lowered sixth and raised fourth degree, and what stands between.
    AugmentedSixth(AugmentedSixth),
    /// The tonic's six-four chord where it delays a dominant.
    Cadential,
}

/// What sounds with the lowered sixth, the first and the raised fourth degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AugmentedSixth {
    Italian,
    /// The second degree.
    French,
    /// The third degree of minor.
    German,
    /// The raised second degree: it sounds like the German.
    Swiss,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quality {
    /// Major in capitals, minor in small letters.
    ByCase,
    Diminished,
    HalfDiminished,
    Augmented,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seventh {
    /// 11 semitones, `M`.
    Major,
    /// 10 semitones, `d` as in dominant.
    Minor,
}

/// An interval above the bass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Figure {
    /// Sharps, or flats where negative.
    pub accidental: i8,
    /// `M` in front of it: a major ninth.
    pub major: bool,
    /// 1 to 15.
    pub number: u8,
}

/// A tone that differs, counted from the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    Omitted(u8),
    /// Relative to the scale of the key.
    Added {
        accidental: i8,
        interval: u8,
    },
    /// Relative to the chord's own tone.
    Altered {
        accidental: i8,
        interval: u8,
    },
}

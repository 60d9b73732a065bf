//! Chords and their labels (Harte, Sandler, Abdallah and Gómez, "Symbolic Representation of Musical Chords", ISMIR 2005,
//! with the shorthands that annotations have added since, as mir_eval and JAMS read them).
//!
//! ```
//! use hemiola::music::chord::ChordLabel;
//!
//! let label: ChordLabel = "Eb:min7(*5,11)/b3".parse()?;
//! let chord = label.chord().unwrap();
//! assert_eq!(chord.root.to_string(), "Eb");
//! assert_eq!(chord.bass_name().to_string(), "Gb");
//! assert_eq!(chord.tones().iter().collect::<Vec<_>>(), [1, 3, 6, 8]);
//! assert_eq!(label.to_string(), "Eb:min7(11,*5)/b3");
//! # Ok::<(), hemiola::Error>(())
//! ```

mod degree;
mod encoding;
mod parse;
mod shorthand;
mod vocabulary;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use degree::Degree;
pub use encoding::Encoding;
pub(crate) use parse::{Fault, parse};
pub use shorthand::Shorthand;
pub use vocabulary::Vocabulary;

use super::{NoteName, PitchClassSet};
use crate::error::{Error, Result};

/// What a label says of a stretch of music. In JSON, the label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ChordLabel {
    /// `N`: no chord sounds.
    NoChord,
    /// `X`: a chord that cannot be told, or that a vocabulary has no word for.
    Unknown,
    Chord(Chord),
}

/// A root and what sounds above it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chord {
    pub root: NoteName,
    /// `None` where degrees alone say what sounds, as in `D:(b3,5)`. Without degrees too, a label says `maj`.
    pub shorthand: Option<Shorthand>,
    /// Degrees that sound beside those of the shorthand.
    pub added: Vec<Degree>,
    /// Degrees of the shorthand that do not sound.
    pub omitted: Vec<Degree>,
    /// The lowest tone; [`Degree::UNISON`] in root position.
    pub bass: Degree,
}

impl Chord {
    /// In root position.
    pub fn new(root: NoteName, shorthand: Shorthand) -> Self {
        Self {
            root,
            shorthand: Some(shorthand),
            added: Vec::new(),
            omitted: Vec::new(),
            bass: Degree::UNISON,
        }
    }

    /// The shorthand; `maj` where nothing is said.
    pub fn quality(&self) -> Option<Shorthand> {
        match self.shorthand {
            None if self.added.is_empty() && self.omitted.is_empty() => Some(Shorthand::Maj),
            shorthand => shorthand,
        }
    }

    /// What sounds, in semitones above the root: root and bass always, extensions within the octave.
    pub fn relative_tones(&self) -> PitchClassSet {
        self.bitmap(true)
    }

    /// The pitch classes that sound.
    pub fn tones(&self) -> PitchClassSet {
        let up = i32::from(self.root.pitch_class());
        self.relative_tones().transposed(up)
    }

    /// The name of the lowest tone.
    pub fn bass_name(&self) -> NoteName {
        self.bass.above(self.root)
    }

    /// The chord moved up by `semitones`, or down where negative, its root spelled as [`NoteName::transposed`] does.
    #[must_use]
    pub fn transposed(&self, semitones: i32) -> Self {
        Self {
            root: self.root.transposed(semitones),
            ..self.clone()
        }
    }
}

impl ChordLabel {
    /// The chord, where there is one.
    pub fn chord(&self) -> Option<&Chord> {
        match self {
            Self::Chord(chord) => Some(chord),
            Self::NoChord | Self::Unknown => None,
        }
    }

    /// The pitch classes that sound; none for `N` and `X`.
    pub fn tones(&self) -> PitchClassSet {
        self.chord().map_or(PitchClassSet::EMPTY, Chord::tones)
    }

    /// The label moved up by `semitones`, or down where negative.
    #[must_use]
    pub fn transposed(&self, semitones: i32) -> Self {
        match self {
            Self::Chord(chord) => Self::Chord(chord.transposed(semitones)),
            label => label.clone(),
        }
    }

    /// The same chord over its root.
    #[must_use]
    pub fn in_root_position(&self) -> Self {
        match self {
            Self::Chord(chord) => Self::Chord(Chord {
                bass: Degree::UNISON,
                ..chord.clone()
            }),
            label => label.clone(),
        }
    }
}

impl From<Chord> for ChordLabel {
    fn from(chord: Chord) -> Self {
        Self::Chord(chord)
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.root)?;
        if let Some(shorthand) = self.quality() {
            f.write_str(shorthand.as_str())?;
        }
        let added = self.added.iter().map(|degree| ("", degree));
        let omitted = self.omitted.iter().map(|degree| ("*", degree));
        let mut before = "(";
        for (sign, degree) in added.chain(omitted) {
            write!(f, "{before}{sign}{degree}")?;
            before = ",";
        }
        if before == "," {
            f.write_str(")")?;
        }
        match self.bass {
            Degree::UNISON => Ok(()),
            bass => write!(f, "/{bass}"),
        }
    }
}

impl fmt::Display for ChordLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChord => f.write_str("N"),
            Self::Unknown => f.write_str("X"),
            Self::Chord(chord) => chord.fmt(f),
        }
    }
}

impl FromStr for ChordLabel {
    type Err = Error;

    /// # Errors
    /// The text is no label; the message names the column, what was expected there and what was found.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|fault| {
            let Fault { column, .. } = fault;
            Error::config(format!(
                "chord label {text:?}, column {}: {fault}",
                column + 1
            ))
        })
    }
}

impl TryFrom<String> for ChordLabel {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ChordLabel> for String {
    fn from(label: ChordLabel) -> Self {
        label.to_string()
    }
}

//! Keys, and how pitch classes are written in them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NoteName;
use super::chord::{Chord, ChordLabel, Shorthand};
use crate::error::{Error, Result};

/// What a label says of the key. In JSON, the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyLabel {
    /// `X`: a key that cannot be told.
    Unknown,
    Key(Key),
}

/// A tonic and a mode.
///
/// ```
/// use hemiola::music::key::Key;
///
/// let key: Key = "Ab major".parse()?;
/// assert_eq!(key.spell(1).to_string(), "Db");
/// let key: Key = "F#:min".parse()?;
/// assert_eq!(key.spell(1).to_string(), "C#");
/// assert_eq!(key.to_string(), "F# minor");
/// # Ok::<(), hemiola::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    pub tonic: NoteName,
    pub mode: Mode,
}

/// The modes that mir_eval's metric knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    Major,
    Minor,
    /// Neither major nor minor.
    Other,
}

impl Mode {
    /// As mir_eval has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Other => "other",
        }
    }

    fn from_text(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "major" | "maj" => Some(Self::Major),
            "minor" | "min" => Some(Self::Minor),
            "other" => Some(Self::Other),
            _ => None,
        }
    }

    /// The scale in semitones above the tonic: major, or natural and melodic minor together.
    fn scale(self) -> &'static [u8] {
        match self {
            Self::Major => &[0, 2, 4, 5, 7, 9, 11],
            Self::Minor => &[0, 2, 3, 5, 7, 8, 9, 10, 11],
            Self::Other => &[],
        }
    }
}

/// The flattest degree, b2, in fifths from the tonic.
const FLATTEST: i32 = -5;

impl Key {
    /// The key on a pitch class (of a pitch modulo 12) whose signature has the fewest accidentals; of F# and Gb major, F#, of
    /// Eb and D# minor, Eb.
    pub fn usual(pitch_class: u8, mode: Mode) -> Self {
        // Fifths from C, of which C is 0 and F# is 6.
        let fifths = i16::from(pitch_class % 12) * 7 % 12;
        // The most sharps of a signature, by the tonic's fifths.
        let most = if mode == Mode::Minor { 8 } else { 6 };
        Self {
            tonic: NoteName::from_fifths(if fifths > most { fifths - 12 } else { fifths }),
            mode,
        }
    }

    /// The name of a pitch class (of a pitch modulo 12) in the key.
    ///
    /// A tone of the scale has its letter, and so have the raised sixth and seventh of minor. The others are those of
    /// the harmonic chromatic scale, which major and minor share: b2, b3 and the major third, #4, b6, b7. One of these
    /// that would need a double flat or sharp has its simpler name, as in chord charts.
    pub fn spell(&self, pitch_class: u8) -> NoteName {
        let tonic = i32::from(self.tonic.fifths());
        let semitones = self.semitones_above_tonic(pitch_class);
        // Seven fifths are a semitone.
        let above = (i32::from(semitones) * 7 - FLATTEST).rem_euclid(12) + FLATTEST;
        let name = NoteName::from_fifths((tonic + above) as i16);
        let of_scale = self.mode.scale().contains(&semitones);
        match of_scale {
            true => name,
            false => simpler(name),
        }
    }

    /// The root of a chord as the key has it: by [`Key::spell`]; a diminished triad or a seventh chord on one outside
    /// the scale is taken for that of a leading tone, so that in C major C#:dim7 leads to D.
    pub fn spell_root(&self, chord: &Chord) -> NoteName {
        let name = self.spell(chord.root.pitch_class());
        let leading = matches!(
            chord.shorthand,
            Some(Shorthand::Dim | Shorthand::Dim7 | Shorthand::HalfDim7)
        );
        let semitones = self.semitones_above_tonic(chord.root.pitch_class());
        let of_scale = self.mode.scale().contains(&semitones);
        // b2, b3 and b6; b7 leads nowhere that has a triad.
        if !leading || of_scale || !matches!(semitones, 1 | 3 | 8) {
            return name;
        }
        let raised = self.tonic.fifths() + i16::from(semitones) * 7 % 12;
        simpler(NoteName::from_fifths(raised))
    }

    /// A label with its root as the key has it; the chord stays the same.
    #[must_use]
    pub fn spell_label(&self, label: &ChordLabel) -> ChordLabel {
        match label {
            ChordLabel::Chord(chord) => ChordLabel::Chord(Chord {
                root: self.spell_root(chord),
                ..chord.clone()
            }),
            label => label.clone(),
        }
    }

    /// The key moved up by `semitones`, or down where negative, its tonic spelled as [`NoteName::transposed`] does.
    #[must_use]
    pub fn transposed(&self, semitones: i32) -> Self {
        Self {
            tonic: self.tonic.transposed(semitones),
            ..*self
        }
    }

    fn semitones_above_tonic(&self, pitch_class: u8) -> u8 {
        (pitch_class % 12 + 12 - self.tonic.pitch_class()) % 12
    }
}

/// The name of the same pitch class with one accidental at most, where this one has more.
fn simpler(name: NoteName) -> NoteName {
    match name.accidentals() {
        -1..=1 => name,
        // Twelve fifths change a name by a letter and its accidentals; a pitch class has names from Fb to B# at most.
        ..-1 => NoteName::from_fifths(-8 + (name.fifths() + 8).rem_euclid(12)),
        _ => NoteName::from_fifths(12 - (12 - name.fifths()).rem_euclid(12)),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.tonic, self.mode.as_str())
    }
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("X"),
            Self::Key(key) => key.fmt(f),
        }
    }
}

impl FromStr for Key {
    type Err = Error;

    /// A tonic, in small letters too, and `major`, `minor`, `maj`, `min` or `other`, with blanks or a colon between.
    ///
    /// # Errors
    /// The text is no key; the message says what was expected and found.
    fn from_str(text: &str) -> Result<Self> {
        let fault = |expected: &str, found: &str| {
            Error::config(format!(
                "key {text:?}: expected {expected}, found {found:?}"
            ))
        };
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| c.is_whitespace() || c == ':');
        let (tonic, mode) = trimmed.split_at(end.unwrap_or(trimmed.len()));
        let mode = mode.trim();
        let mode = mode.strip_prefix(':').unwrap_or(mode).trim();
        let mut capital = tonic.to_owned();
        if let Some(letter) = capital.get_mut(..1) {
            letter.make_ascii_uppercase();
        }
        let tonic = capital
            .parse()
            .map_err(|_| fault("a tonic such as C, F# or Bb", tonic))?;
        let mode = Mode::from_text(mode)
            .ok_or_else(|| fault("major, minor or other after the tonic", mode))?;
        Ok(Self { tonic, mode })
    }
}

impl FromStr for KeyLabel {
    type Err = Error;

    /// A [`Key`], or `X`.
    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "X" | "x" => Ok(Self::Unknown),
            key => key.parse().map(Self::Key),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for KeyLabel {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<KeyLabel> for String {
    fn from(label: KeyLabel) -> Self {
        label.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_keys_have_few_accidentals() {
        let names = |mode| -> Vec<String> {
            (0..12)
                .map(|pc| Key::usual(pc, mode).tonic.to_string())
                .collect()
        };
        let major = [
            "C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B",
        ];
        let minor = [
            "C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B",
        ];
        assert_eq!(names(Mode::Major), major);
        assert_eq!(names(Mode::Minor), minor);
    }
}

//! A key as far as chords need it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::music::key::{self, Key};
use crate::music::{N_PITCH_CLASSES, NoteName};

/// Keys: twelve tonics, major and minor.
pub const N_KEYS: usize = 2 * N_PITCH_CLASSES;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Major,
    Minor,
}

/// A tonic and a mode, without its spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalKey {
    tonic: u8,
    mode: Mode,
}

impl LocalKey {
    /// The key on the pitch class `tonic`; numbers above 11 are taken modulo 12.
    pub fn new(tonic: u8, mode: Mode) -> Self {
        Self {
            tonic: tonic % N_PITCH_CLASSES as u8,
            mode,
        }
    }

    /// Reads a tonic that is a capital in major: `C`, `bb`, `F#`; `-` is a flat as well.
    ///
    /// # Errors
    /// When it is not a letter from A to G with accidentals.
    pub fn parse(text: &str) -> Result<Self> {
        let fail = || {
            Error::config(format!(
                "key {text:?}: expected a letter from A to G, a capital in major, and its accidentals"
            ))
        };
        let letter = text.chars().next().ok_or_else(fail)?;
        let mode = match letter.is_ascii_uppercase() {
            true => Mode::Major,
            false => Mode::Minor,
        };
        let rest = text[letter.len_utf8()..].replace(['-', '♭'], "b");
        let name = format!("{}{}", letter.to_ascii_uppercase(), rest.replace('♯', "#"));
        let tonic: NoteName = name.parse().map_err(|_| fail())?;
        Ok(Self::new(tonic.pitch_class(), mode))
    }

    /// Pitch class of the tonic, 0 (C) to 11 (B).
    pub fn tonic(self) -> u8 {
        self.tonic
    }

    pub fn mode(self) -> Mode {
        self.mode
    }

    /// 0 (C major) to 11 (B major), then 12 (C minor) to 23 (B minor).
    pub fn index(self) -> usize {
        let of_mode = match self.mode {
            Mode::Major => 0,
            Mode::Minor => N_PITCH_CLASSES,
        };
        of_mode + usize::from(self.tonic)
    }

    /// The key of an [`index`](Self::index); numbers of [`N_KEYS`] and more are taken modulo it.
    pub fn of_index(index: usize) -> Self {
        let mode = match index % N_KEYS < N_PITCH_CLASSES {
            true => Mode::Major,
            false => Mode::Minor,
        };
        Self::new((index % N_PITCH_CLASSES) as u8, mode)
    }

    /// The key moved up by `semitones`, or down where negative.
    pub fn transposed(self, semitones: i32) -> Self {
        let tonic = (i32::from(self.tonic) + semitones).rem_euclid(N_PITCH_CLASSES as i32);
        Self::new(tonic as u8, self.mode)
    }

    /// The degree, 1 to 7, that a tone of the pitch class most often is in the key: that of the scale, also raised, else a
    /// lowered one, and the raised fourth.
    pub fn degree_of(self, pitch_class: u8) -> u8 {
        let octave = N_PITCH_CLASSES as u8;
        match (pitch_class % octave + octave - self.tonic) % octave {
            0 => 1,
            1 | 2 => 2,
            3 | 4 => 3,
            5 | 6 => 4,
            7 => 5,
            8 | 9 => 6,
            _ => 7,
        }
    }

    /// Steps on the circle of fifths between the signatures of two keys, 0 to 6; relatives have the same.
    pub fn signature_distance(self, other: Self) -> u8 {
        let octave = N_PITCH_CLASSES as u8;
        let fifths = |key: Self| {
            let of_major = match key.mode {
                Mode::Major => key.tonic,
                Mode::Minor => key.tonic + 3,
            };
            // Seven semitones are one fifth, and seven fifths one semitone.
            of_major * 7 % octave
        };
        let steps = (fifths(self) + octave - fifths(other)) % octave;
        steps.min(octave - steps)
    }

    /// Semitones of the seven degrees above the tonic; in minor those of the natural scale.
    pub fn scale(self) -> [u8; 7] {
        match self.mode {
            Mode::Major => [0, 2, 4, 5, 7, 9, 11],
            Mode::Minor => [0, 2, 3, 5, 7, 8, 10],
        }
    }
}

/// As RomanText writes it; black keys with the fewer accidentals.
impl fmt::Display for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let tonic = Key::from(*self).tonic.to_string();
        f.write_str(&match self.mode {
            Mode::Major => tonic,
            Mode::Minor => tonic.to_ascii_lowercase(),
        })
    }
}

/// With the usual spelling.
impl From<LocalKey> for Key {
    fn from(key: LocalKey) -> Self {
        let mode = match key.mode {
            Mode::Major => key::Mode::Major,
            Mode::Minor => key::Mode::Minor,
        };
        Self::usual(key.tonic, mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_far_apart_as_their_signatures() {
        let key = |name| LocalKey::parse(name).unwrap();
        for (a, b, expected) in [
            ("C", "a", 0),
            ("C", "G", 1),
            ("C", "f", 4),
            ("C", "F#", 6),
            ("a", "A", 3),
            ("Bb", "E", 6),
            ("e", "d", 2),
        ] {
            assert_eq!(key(a).signature_distance(key(b)), expected, "{a} {b}");
            assert_eq!(key(b).signature_distance(key(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn names_are_read_and_written() {
        for (text, tonic, mode) in [
            ("C", 0, Mode::Major),
            ("bb", 10, Mode::Minor),
            ("F#", 6, Mode::Major),
            ("Cb", 11, Mode::Major),
            ("Bbb", 9, Mode::Major),
            ("e-", 3, Mode::Minor),
        ] {
            assert_eq!(LocalKey::parse(text).unwrap(), LocalKey::new(tonic, mode));
        }
        for index in 0..N_KEYS {
            let key = LocalKey::of_index(index);
            assert_eq!(key.index(), index);
            assert_eq!(LocalKey::parse(&key.to_string()).unwrap(), key);
        }
        for text in ["", "H", "Cm", "C♮"] {
            assert!(LocalKey::parse(text).is_err(), "{text}");
        }
    }
}

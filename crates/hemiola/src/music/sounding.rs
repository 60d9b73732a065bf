//! A chord as it sounds, before anybody says what it is.

use super::chord::ChordLabel;
use super::chord_graph::ChordTones;
use super::roman::probable_root;
use super::{N_PITCH_CLASSES, PitchClassSet};
use crate::error::{Error, Result};

/// Pitch classes and the lowest of them; none of either is no chord (N).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SoundingChord {
    pitch_classes: PitchClassSet,
    bass: Option<u8>,
}

impl SoundingChord {
    /// No chord (N).
    pub const NONE: Self = Self {
        pitch_classes: PitchClassSet::EMPTY,
        bass: None,
    };

    /// # Errors
    /// When no pitch class is given, or the bass is not among them.
    pub fn new(pitch_classes: PitchClassSet, bass: u8) -> Result<Self> {
        if !pitch_classes.contains(bass) {
            let tones: Vec<u8> = pitch_classes.iter().collect();
            return Err(Error::config(format!(
                "a chord over pitch class {bass} of the pitch classes {tones:?}; the bass must be among them"
            )));
        }
        Ok(Self {
            pitch_classes,
            bass: Some(bass),
        })
    }

    /// What sounds in a label, its bass included; nothing in `N` and `X`.
    pub fn of_label(label: &ChordLabel) -> Self {
        label.chord().map_or(Self::NONE, |chord| {
            let bass = chord.bass_name().pitch_class();
            let tones = PitchClassSet::new(chord.tones().iter().chain([bass]));
            tones.map_or(Self::NONE, |pitch_classes| Self {
                pitch_classes,
                bass: Some(bass),
            })
        })
    }

    pub fn pitch_classes(self) -> PitchClassSet {
        self.pitch_classes
    }

    /// Pitch class of the lowest tone.
    pub fn bass(self) -> Option<u8> {
        self.bass
    }

    /// See [`probable_root`].
    pub fn probable_root(self) -> Option<u8> {
        probable_root(self.pitch_classes, self.bass)
    }

    /// The chord moved up by `semitones`, or down where negative.
    pub fn transposed(self, semitones: i32) -> Self {
        let octave = N_PITCH_CLASSES as i32;
        let moved = |tone: u8| (i32::from(tone) + semitones).rem_euclid(octave) as u8;
        Self {
            pitch_classes: self.pitch_classes.transposed(semitones),
            bass: self.bass.map(moved),
        }
    }

    /// On its probable root.
    pub fn tones(self) -> ChordTones {
        let root = self.probable_root();
        root.and_then(|root| ChordTones::new(root, self.pitch_classes).ok())
            .unwrap_or(ChordTones::NONE)
    }
}

use super::{Chord, ChordLabel, Degree};
use crate::music::{N_PITCH_CLASSES, PitchClassSet};

/// A label in numbers, equal to `mir_eval.chord.encode`: what its metrics compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The root's pitch class; -1 for `N` and `X`.
    pub root: i8,
    /// 1 where a semitone above the root sounds; all 0 for `N`, all -1 for `X`.
    pub semitones: [i8; N_PITCH_CLASSES],
    /// The bass in semitones above the root, 0 to 11; -1 for `N` and `X`.
    pub bass: i8,
}

impl ChordLabel {
    /// With `reduce_extended`, degrees of an octave and more count in the octave; without, they are left out, so that a
    /// ninth chord is its seventh chord.
    ///
    /// `maj11` and `aug7`, which mir_eval reads but cannot encode, are encoded by the same rules.
    pub fn encode(&self, reduce_extended: bool) -> Encoding {
        let nothing = |semitone| Encoding {
            root: -1,
            semitones: [semitone; N_PITCH_CLASSES],
            bass: -1,
        };
        match self {
            Self::NoChord => nothing(0),
            Self::Unknown => nothing(-1),
            Self::Chord(chord) => {
                let sounding = chord.bitmap(reduce_extended);
                Encoding {
                    root: chord.root.pitch_class() as i8,
                    semitones: std::array::from_fn(|semitone| {
                        i8::from(sounding.contains(semitone as u8))
                    }),
                    bass: chord.bass.pitch_class() as i8,
                }
            }
        }
    }
}

impl Chord {
    /// What sounds in semitones above the root: every degree named adds one, every omission takes one away, and what is
    /// above zero sounds; the bass does so always. `within_octave` brings degrees of an octave and more into it;
    /// otherwise they do not count.
    pub(super) fn bitmap(&self, within_octave: bool) -> PitchClassSet {
        let mut counts = [0_i32; N_PITCH_CLASSES];
        let mut count = |degree: Degree, by: i32| {
            if within_octave || degree.semitones() < N_PITCH_CLASSES as i32 {
                counts[usize::from(degree.pitch_class())] += by;
            }
        };
        // The root sounds even where degrees alone are told.
        let (degrees, extensions) = match self.quality() {
            Some(shorthand) => (shorthand.degrees(), shorthand.extensions()),
            None => (&[Degree::UNISON][..], &[][..]),
        };
        for &degree in degrees {
            count(degree, 1);
        }
        if within_octave {
            let new = |degree: &&Degree| !self.added.contains(degree);
            extensions.iter().filter(new).for_each(|&d| count(d, 1));
        }
        self.added.iter().for_each(|&degree| count(degree, 1));
        self.omitted.iter().for_each(|&degree| count(degree, -1));
        let sounding = (0..)
            .zip(counts)
            .filter_map(|(semitone, count)| (count > 0).then_some(semitone));
        PitchClassSet::of(sounding.chain([self.bass.pitch_class()]))
    }
}

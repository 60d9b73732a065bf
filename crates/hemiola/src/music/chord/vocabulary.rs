use super::{Chord, ChordLabel, Shorthand};
use crate::music::NoteName;

/// The chords that a comparison or a model has words for (MIREX, Audio Chord Estimation; Pauwels and Peeters, "Evaluating
/// automatically estimated chord sequences", ICASSP 2013).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// `maj`, `min` and `N`. A chord belongs to it by what sounds up to the fifth, so that sixths, sevenths and
    /// ninths do not matter.
    MajMin,
    /// `maj`, `min`, `maj7`, `min7`, `7` and `N`. A chord belongs to it by all that sounds within the octave; ninths and
    /// what lies above do not matter.
    Sevenths,
}

impl Vocabulary {
    /// A label's chord of this vocabulary, in root position; `X` for those outside and for `X`.
    ///
    /// A label is outside exactly where mir_eval's comparison of that name passes over it. The bass sounds with the
    /// chord: `C:maj/2` is outside [`Vocabulary::MajMin`], and `C:maj/b7` is `C:7`. The vocabularies of the McGill
    /// Billboard annotations leave it out; for those, reduce [`ChordLabel::in_root_position`].
    ///
    /// ```
    /// use hemiola::music::chord::{ChordLabel, Vocabulary};
    ///
    /// let label: ChordLabel = "D:min9/b3".parse()?;
    /// assert_eq!(Vocabulary::MajMin.reduce(&label).to_string(), "D:min");
    /// assert_eq!(Vocabulary::Sevenths.reduce(&label).to_string(), "D:min7");
    /// let label: ChordLabel = "D:sus4".parse()?;
    /// assert_eq!(Vocabulary::MajMin.reduce(&label).to_string(), "X");
    /// # Ok::<(), hemiola::Error>(())
    /// ```
    pub fn reduce(self, label: &ChordLabel) -> ChordLabel {
        let Some(chord) = label.chord() else {
            return label.clone();
        };
        let sounding = label.encode(false).semitones;
        let compared = self.compared_semitones();
        let same = |word: &&Shorthand| {
            let word = Chord::new(NoteName::C, **word);
            let of_word = ChordLabel::Chord(word).encode(false).semitones;
            sounding[..compared] == of_word[..compared]
        };
        match self.shorthands().iter().find(same) {
            Some(&shorthand) => Chord::new(chord.root, shorthand).into(),
            None => ChordLabel::Unknown,
        }
    }

    fn shorthands(self) -> &'static [Shorthand] {
        match self {
            Self::MajMin => &[Shorthand::Maj, Shorthand::Min],
            Self::Sevenths => &[
                Shorthand::Maj,
                Shorthand::Min,
                Shorthand::Maj7,
                Shorthand::Dominant7,
                Shorthand::Min7,
            ],
        }
    }

    /// Semitones from the root up that tell its chords apart.
    fn compared_semitones(self) -> usize {
        match self {
            Self::MajMin => 8,
            Self::Sevenths => 12,
        }
    }
}

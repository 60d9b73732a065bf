//! Chords in the words that JAMS has for them.

use crate::music::chord::{Chord, ChordLabel, Degree, Shorthand};

/// A label in the namespace `chord_harte`; `None` for `X`, which it has not.
pub(super) fn harte(label: &ChordLabel) -> Option<String> {
    match label {
        ChordLabel::Unknown => None,
        ChordLabel::NoChord => Some("N".to_owned()),
        ChordLabel::Chord(chord) => Some(in_words_of_2005(chord).to_string()),
    }
}

/// The same chord with no other shorthand than the namespace has: those of Harte et al. 2005.
fn in_words_of_2005(chord: &Chord) -> Chord {
    use Shorthand as S;
    let (word, degrees): (Option<S>, &[Degree]) = match chord.quality() {
        Some(S::Aug7) => (Some(S::Aug), &S::Aug7.degrees()[3..]),
        Some(S::Dominant11) => (Some(S::Dominant9), &S::Dominant11.extensions()[1..]),
        Some(S::Maj11) => (Some(S::Maj9), &S::Maj11.extensions()[1..]),
        Some(S::Min11) => (Some(S::Min9), &S::Min11.extensions()[1..]),
        Some(S::Dominant13) => (Some(S::Dominant9), &S::Dominant13.extensions()[1..]),
        Some(S::Maj13) => (Some(S::Maj9), &S::Maj13.extensions()[1..]),
        Some(S::Min13) => (Some(S::Min9), &S::Min13.extensions()[1..]),
        Some(S::Sus2) => (None, S::Sus2.degrees()),
        Some(S::Root) => (None, S::Root.degrees()),
        Some(S::Power) => (None, S::Power.degrees()),
        word => (word, &[]),
    };
    let mut added = degrees.to_vec();
    let new = |degree: &&Degree| !degrees.contains(degree);
    added.extend(chord.added.iter().filter(new));
    Chord {
        shorthand: word,
        added,
        ..chord.clone()
    }
}

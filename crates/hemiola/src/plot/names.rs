//! Names as musicians write them, short enough for a lane.

use crate::music::NoteName;
use crate::music::chord::{Chord, ChordLabel, Degree, Shorthand};
use crate::music::key::KeyLabel;

/// What a chord is coloured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChordKind {
    /// No chord, or one that cannot be told.
    None,
    Major,
    Minor,
    Diminished,
    /// Augmented, suspended, without a third.
    Other,
}

impl ChordKind {
    pub fn of(label: &ChordLabel) -> Self {
        let Some(chord) = label.chord() else {
            return Self::None;
        };
        let tones = chord.relative_tones();
        let has = |semitones| tones.contains(semitones);
        match () {
            () if has(3) && has(6) && !has(7) => Self::Diminished,
            () if has(4) && (has(7) || !has(8)) => Self::Major,
            () if has(3) && !has(4) => Self::Minor,
            () => Self::Other,
        }
    }
}

/// `C♯m7/E` for `C#:min7/b3`; degrees that no shorthand has stay as the label has them.
pub(crate) fn chord_name(label: &ChordLabel) -> String {
    match label {
        ChordLabel::NoChord => "–".to_owned(),
        ChordLabel::Unknown => "?".to_owned(),
        ChordLabel::Chord(chord) => named(chord),
    }
}

fn named(chord: &Chord) -> String {
    let mut name = note(chord.root);
    name.push_str(chord.quality().map_or("", suffix));
    let omitted = chord.omitted.iter().map(|degree| format!("*{degree}"));
    let added = chord.added.iter().map(Degree::to_string);
    let degrees: Vec<String> = added.chain(omitted).collect();
    if !degrees.is_empty() {
        name.push_str(&format!("({})", signs(&degrees.join(","))));
    }
    if chord.bass != Degree::UNISON {
        name.push('/');
        name.push_str(&note(chord.bass_name()));
    }
    name
}

/// After the root.
fn suffix(shorthand: Shorthand) -> &'static str {
    match shorthand {
        Shorthand::Maj => "",
        Shorthand::Min => "m",
        Shorthand::Dim => "°",
        Shorthand::Aug => "+",
        Shorthand::Min7 => "m7",
        Shorthand::Dim7 => "°7",
        Shorthand::HalfDim7 => "ø7",
        Shorthand::MinMaj7 => "m(maj7)",
        Shorthand::Aug7 => "+7",
        Shorthand::Maj6 => "6",
        Shorthand::Min6 => "m6",
        Shorthand::Min9 => "m9",
        Shorthand::Min11 => "m11",
        Shorthand::Min13 => "m13",
        Shorthand::Root => "(1)",
        other => other.as_str(),
    }
}

fn note(name: NoteName) -> String {
    signs(&name.to_string())
}

/// With ♯ and ♭.
fn signs(text: &str) -> String {
    text.replace('#', "♯").replace('b', "♭")
}

/// `F♯ minor`, or a dash where it cannot be told.
pub(crate) fn key_name(label: &KeyLabel) -> String {
    match label {
        KeyLabel::Unknown => "–".to_owned(),
        KeyLabel::Key(key) => format!("{} {}", note(key.tonic), key.mode.as_str()),
    }
}

/// A Roman numeral with ♯, ♭ and °.
pub(crate) fn numeral_name(numeral: &str) -> String {
    signs(numeral).replace('o', "°")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_are_written_as_on_a_lead_sheet() {
        for (label, name, kind) in [
            ("C:maj", "C", ChordKind::Major),
            ("C#:min7/b3", "C♯m7/E", ChordKind::Minor),
            ("Bb:7", "B♭7", ChordKind::Major),
            ("B:hdim7", "Bø7", ChordKind::Diminished),
            ("F#:dim", "F♯°", ChordKind::Diminished),
            ("E:aug", "E+", ChordKind::Other),
            ("D:sus4(9)", "Dsus4(9)", ChordKind::Other),
            ("N", "–", ChordKind::None),
            ("X", "?", ChordKind::None),
        ] {
            let label: ChordLabel = label.parse().unwrap();
            assert_eq!(
                (chord_name(&label).as_str(), ChordKind::of(&label)),
                (name, kind)
            );
        }
        let key: KeyLabel = "Bb minor".parse().unwrap();
        assert_eq!(key_name(&key), "B♭ minor");
        assert_eq!(numeral_name("viio7/bVI"), "vii°7/♭VI");
    }
}

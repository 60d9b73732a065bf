//! Chord symbols.

use roxmltree::Node;

use super::xml::Xml;
use crate::music::chord::{Chord, ChordLabel, Degree, Shorthand};
use crate::music::{Letter, NoteName};

/// The kinds that a label has a word for.
const KINDS: [(Shorthand, &str); 25] = [
    (Shorthand::Maj, "major"),
    (Shorthand::Min, "minor"),
    (Shorthand::Dim, "diminished"),
    (Shorthand::Aug, "augmented"),
    (Shorthand::Maj7, "major-seventh"),
    (Shorthand::Min7, "minor-seventh"),
    (Shorthand::Dominant7, "dominant"),
    (Shorthand::Dim7, "diminished-seventh"),
    (Shorthand::HalfDim7, "half-diminished"),
    (Shorthand::MinMaj7, "major-minor"),
    (Shorthand::Aug7, "augmented-seventh"),
    (Shorthand::Maj6, "major-sixth"),
    (Shorthand::Min6, "minor-sixth"),
    (Shorthand::Dominant9, "dominant-ninth"),
    (Shorthand::Maj9, "major-ninth"),
    (Shorthand::Min9, "minor-ninth"),
    (Shorthand::Dominant11, "dominant-11th"),
    (Shorthand::Maj11, "major-11th"),
    (Shorthand::Min11, "minor-11th"),
    (Shorthand::Dominant13, "dominant-13th"),
    (Shorthand::Maj13, "major-13th"),
    (Shorthand::Min13, "minor-13th"),
    (Shorthand::Sus2, "suspended-second"),
    (Shorthand::Sus4, "suspended-fourth"),
    (Shorthand::Power, "power"),
];

/// Accidentals of a step; more are no name of a tone.
const MOST_ACCIDENTALS: f64 = 3.0;

/// A chord symbol `offset` divisions from where it is written; `X` is none.
pub(super) fn write_harmony(xml: &mut Xml, label: &ChordLabel, offset: u32) {
    let chord = match label {
        ChordLabel::Unknown => return,
        ChordLabel::NoChord => {
            xml.open("harmony", "print-frame=\"no\"");
            xml.open("root", "");
            xml.text_with("root-step", "text=\"\"", "C");
            xml.close();
            xml.text_with("kind", "text=\"N.C.\"", "none");
            return end(xml, offset);
        }
        ChordLabel::Chord(chord) => chord,
    };
    xml.open("harmony", "print-frame=\"no\"");
    write_name(xml, "root", "root-step", "root-alter", chord.root);
    let kind = chord.quality().and_then(|quality| {
        let mut kinds = KINDS.iter();
        kinds.find(|(shorthand, _)| *shorthand == quality)
    });
    xml.text("kind", kind.map_or("other", |(_, kind)| kind));
    if chord.bass != Degree::UNISON {
        write_name(xml, "bass", "bass-step", "bass-alter", chord.bass_name());
    }
    let degrees = [(&chord.added, "add"), (&chord.omitted, "subtract")];
    for (degrees, change) in degrees {
        for degree in degrees {
            let accidentals = match change {
                // What is added is altered from what a dominant chord has.
                "add" if degree.number() == 7 => degree.accidentals() + 1,
                "add" => degree.accidentals(),
                _ => 0,
            };
            xml.open("degree", "");
            xml.text("degree-value", degree.number());
            xml.text("degree-alter", accidentals);
            xml.text("degree-type", change);
            xml.close();
        }
    }
    end(xml, offset);
}

fn end(xml: &mut Xml, offset: u32) {
    if offset > 0 {
        xml.text("offset", offset);
    }
    xml.text("staff", 1);
    xml.close();
}

fn write_name(xml: &mut Xml, element: &'static str, step: &str, alter: &str, name: NoteName) {
    xml.open(element, "");
    xml.text(step, name.letter().as_char());
    if name.accidentals() != 0 {
        xml.text(alter, name.accidentals());
    }
    xml.close();
}

/// The label of a chord symbol; `X` of kinds that labels have no word for, `None` where it has no root.
pub(super) fn read_harmony(harmony: Node) -> Option<ChordLabel> {
    let child = |name: &str| harmony.children().find(|child| child.has_tag_name(name));
    let kind = child("kind")
        .and_then(|kind| kind.text())
        .unwrap_or_default()
        .trim();
    if kind == "none" {
        return Some(ChordLabel::NoChord);
    }
    let root = name_of(child("root")?, "root-step", "root-alter")?;
    let shorthand = KINDS.iter().find(|(_, name)| *name == kind);
    let shorthand = shorthand.map(|(shorthand, _)| *shorthand);
    let mut chord = Chord {
        root,
        shorthand,
        added: Vec::new(),
        omitted: Vec::new(),
        bass: Degree::UNISON,
    };
    for degree in harmony
        .children()
        .filter(|child| child.has_tag_name("degree"))
    {
        change(&mut chord, degree);
    }
    if shorthand.is_none() && (kind != "other" || chord.added.is_empty()) {
        return Some(ChordLabel::Unknown);
    }
    let bass = child("bass").and_then(|bass| name_of(bass, "bass-step", "bass-alter"));
    if let Some(bass) = bass {
        chord.bass = degree_between(root, bass).unwrap_or(Degree::UNISON);
    }
    Some(chord.into())
}

fn change(chord: &mut Chord, degree: Node) {
    let text = |name: &str| {
        let child = degree.children().find(|child| child.has_tag_name(name));
        child.and_then(|child| child.text()).map(str::trim)
    };
    let value = text("degree-value").and_then(|text| text.parse::<u8>().ok());
    let alter = text("degree-alter").and_then(|text| text.parse::<f64>().ok());
    let alter = alter
        .unwrap_or(0.0)
        .clamp(-MOST_ACCIDENTALS, MOST_ACCIDENTALS) as i8;
    let Some(value) = value else { return };
    let of_kind = chord.shorthand.and_then(|kind| {
        let mut degrees = kind.degrees().iter().chain(kind.extensions());
        degrees.find(|degree| degree.number() == value).copied()
    });
    let usual = if value == 7 { -1 } else { 0 };
    let (added, omitted) = match text("degree-type") {
        Some("subtract") => (None, of_kind),
        Some("alter") => {
            let from = of_kind.map_or(usual, Degree::accidentals);
            (Degree::new(value, from + alter), of_kind)
        }
        _ => (Degree::new(value, usual + alter), None),
    };
    chord.omitted.extend(omitted);
    chord
        .added
        .extend(added.filter(|added| Some(*added) != of_kind));
}

fn name_of(node: Node, step: &str, alter: &str) -> Option<NoteName> {
    let text = |name: &str| {
        let child = node.children().find(|child| child.has_tag_name(name))?;
        child.text().map(str::trim)
    };
    let letter = Letter::from_char(text(step)?.chars().next()?)?;
    let alter: f64 = text(alter)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0);
    let alter = alter.clamp(-MOST_ACCIDENTALS, MOST_ACCIDENTALS);
    Some(NoteName::new(letter, alter as i8))
}

/// The degree above `root` that has the name `tone`.
fn degree_between(root: NoteName, tone: NoteName) -> Option<Degree> {
    let degrees = (1..=7).flat_map(|number| {
        (-3..=3).filter_map(move |accidentals| Degree::new(number, accidentals))
    });
    let mut degrees = degrees.filter(|degree| degree.above(root) == tone);
    degrees.next()
}

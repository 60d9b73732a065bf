//! Notes as a score for piano.

use super::bars::Grid;
use super::measures::Measures;
use super::voices::staves;
use super::xml::Xml;
use super::{DIVISIONS, mxl};
use crate::formats::Annotations;
use crate::midi::note_fault;
use crate::music::chord::ChordLabel;
use crate::music::key::{Key, KeyLabel, Mode};
use crate::{Error, Result};

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
"#;

/// The bytes of a score with the notes, of one part on two staves that middle C parts.
///
/// Notes are rounded to sixteenths, or to triplets or thirty-seconds in beats whose onsets are no sixteenths; beats are quarter
/// notes, and bars begin where the number of a beat is 1. Without beats there are four a bar, at 120 BPM. The score begins with
/// the first beat or note: silence before it is not written. The first key that is told gives the signature and the names of
/// the tones; chords are written as symbols. Each bar has its own tempo.
///
/// # Errors
/// There are no notes told, a note is out of its range, or there are more than 200 000 beats.
pub fn encode_music_xml(annotations: &Annotations) -> Result<Vec<u8>> {
    document(annotations).map(String::into_bytes)
}

/// The same compressed.
///
/// # Errors
/// As [`encode_music_xml`].
pub fn encode_mxl(annotations: &Annotations) -> Result<Vec<u8>> {
    mxl::pack(&document(annotations)?)
}

fn document(found: &Annotations) -> Result<String> {
    let notes = found.notes.as_deref();
    let notes = notes.ok_or_else(|| Error::config("a score needs notes, and none are told"))?;
    for (number, note) in (1..).zip(notes) {
        if let Some(fault) = note_fault(note) {
            return Err(Error::config(format!(
                "note {number} cannot be written: {fault}"
            )));
        }
    }
    let grid = Grid::new(found.beats.as_ref(), notes)?;
    let keys = found.keys.iter().flatten();
    let key = keys.filter_map(|key| match key.label {
        KeyLabel::Key(key) => Some(key),
        KeyLabel::Unknown => None,
    });
    let key = key.into_iter().next().unwrap_or(Key::usual(0, Mode::Major));
    let chords = found.chords.iter().flatten();
    let mut symbols: Vec<(u32, &ChordLabel)> = chords
        .filter(|chord| chord.start_s.is_finite())
        .map(|chord| (grid.position(chord.start_s), &chord.label))
        .collect();
    symbols.sort_by_key(|(position, _)| *position);

    let mut xml = Xml::new(DECLARATION);
    xml.open("score-partwise", "version=\"4.0\"");
    if let Some(title) = &found.recording.title {
        xml.open("work", "");
        xml.text("work-title", title);
        xml.close();
    }
    xml.open("identification", "");
    xml.open("encoding", "");
    xml.text("software", concat!("hemiola ", env!("CARGO_PKG_VERSION")));
    xml.close();
    xml.close();
    xml.open("part-list", "");
    xml.open("score-part", "id=\"P1\"");
    xml.text("part-name", "Piano");
    xml.close();
    xml.close();
    xml.open("part", "id=\"P1\"");
    let staves = staves(notes, &grid);
    Measures::new(key, &staves, &symbols).write(&mut xml, &grid.bars());
    Ok(xml.finish())
}

/// The sharps of a key's signature, or its flats where negative, at most 7.
pub(super) fn signature(key: &Key) -> i16 {
    let fifths = match key.mode {
        Mode::Major => key.tonic.fifths(),
        Mode::Minor => key.tonic.fifths() - 3,
        Mode::Other => 0,
    };
    match fifths {
        -7..=7 => fifths,
        _ => signature(&Key::usual(key.tonic.pitch_class(), key.mode)),
    }
}

/// Where a pitch lies on the staff: the letter, how many sharps, and the octave.
pub(super) fn spelled(key: &Key, pitch: u8) -> (char, i32, i32) {
    let name = key.spell(pitch);
    let letter = name.letter();
    let natural = crate::music::NoteName::new(letter, 0).pitch_class();
    let octave = (i32::from(pitch) - name.accidentals() - i32::from(natural)) / 12 - 1;
    (letter.as_char(), name.accidentals(), octave)
}

/// Divisions of so many beats.
pub(super) fn divisions(beats: u32) -> u32 {
    beats * DIVISIONS
}

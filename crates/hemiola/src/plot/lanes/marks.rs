//! Lanes of single things: samples, notes, chords, moments.

use super::super::axis::Tick;
use super::super::colour::Colour;
use super::super::frame::baseline;
use super::super::names::{ChordKind, chord_name, key_name, numeral_name};
use super::super::piano_roll::{Keys, NoteLayer, Roll};
use super::super::picture::{Anchor, Paint, Picture, Rect, TextStyle};
use super::super::text::text_width;
use super::Place;
use crate::analysis::{Analysis, Overview};
use crate::error::{Error, Result};
use crate::midi::note_fault;
use crate::music::Note;
use crate::music::key::KeyLabel;

const GREY: Colour = Colour::hex(0x66_66_66);
/// Height that the keys share, and the least of one, in pixels.
const KEYS_HEIGHT: f64 = 220.0;
const MIN_KEY_HEIGHT: f64 = 3.0;
/// Rows of chords, of numerals and of keys, in pixels, and the sizes of their texts.
const CHORD_ROWS: [f64; 3] = [28.0, 22.0, 20.0];
const CHORD_SIZES: [f64; 3] = [13.0, 12.0, 11.0];
/// Left of a text in a box.
const TEXT_SPACE: f64 = 4.0;
/// Room between numbers of bars, and the least between beats and between bars that are drawn, in pixels.
const NUMBER_ROOM: f64 = 34.0;
const BEAT_ROOM: f64 = 4.0;
const BAR_ROOM: f64 = 3.0;

pub fn waveform(picture: &mut Picture, place: &Place, overview: &Overview) {
    let (frame, rate) = (place.frame, overview.peaks_per_second);
    let samples = overview.peaks.iter().flatten();
    let most = samples.fold(0f32, |most, sample| most.max(sample.abs()));
    if overview.peaks.is_empty() {
        return place.say_nothing(picture, "none found");
    }
    // Soft recordings are magnified, silence is not.
    let unit = (frame.height / 2.0 - 2.0) / f64::from(most.max(0.05));
    let middle = frame.y + frame.height / 2.0;
    let columns = frame.width as usize;
    let seconds = (place.to_s - place.from_s) / columns as f64;
    for column in 0..columns {
        let from_s = place.from_s + column as f64 * seconds;
        let first = (from_s * rate) as usize;
        let end = ((from_s + seconds) * rate) as usize;
        let Some(peaks) = overview
            .peaks
            .get(first..end.max(first + 1).min(overview.peaks.len()))
        else {
            break;
        };
        let low = peaks
            .iter()
            .map(|peak| peak[0])
            .fold(f32::INFINITY, f32::min);
        let high = peaks
            .iter()
            .map(|peak| peak[1])
            .fold(f32::NEG_INFINITY, f32::max);
        let column = Rect {
            x: frame.x + column as f64,
            y: middle - f64::from(high) * unit - 0.25,
            width: 1.0,
            height: f64::from(high - low) * unit + 0.5,
        };
        picture.rect(column, Paint::fill(Colour::BLUE));
    }
}

fn keys(notes: &[Note], from_s: f64, to_s: f64) -> Keys {
    let seen = notes
        .iter()
        .filter(|note| note.onset_s < to_s && note.offset_s >= from_s);
    let mut keys = Keys::around(seen.map(|note| note.pitch));
    keys.height = (KEYS_HEIGHT / f64::from(keys.count())).max(MIN_KEY_HEIGHT);
    keys
}

pub fn notes_height(analysis: &Analysis, (from_s, to_s): (f64, f64)) -> f64 {
    let notes = analysis.notes.as_deref().unwrap_or_default();
    let keys = keys(notes, from_s, to_s);
    keys.height * f64::from(keys.count())
}

pub fn notes(picture: &mut Picture, place: &Place, analysis: &Analysis) -> Result<()> {
    let notes = analysis.notes.as_deref().unwrap_or_default();
    for (index, note) in notes.iter().enumerate() {
        if let Some(fault) = note_fault(note) {
            return Err(Error::config(format!(
                "note {index} of the analysis: {fault}"
            )));
        }
    }
    let roll = Roll {
        frame: place.frame,
        keys: keys(notes, place.from_s, place.to_s),
        from_s: place.from_s,
        to_s: place.to_s,
    };
    let seen = |note: &&Note| place.sees(note.onset_s, note.offset_s);
    picture.clipped(place.frame, |picture| {
        roll.draw_ground(picture, &[], &[]);
        roll.draw_notes(picture, &NoteLayer::new("", Colour::BLUE, notes), seen);
    });
    if !notes.iter().any(|note| seen(&note)) {
        place.say_nothing(picture, "none found");
    }
    place.names(picture, roll.keys.ticks());
    Ok(())
}

fn chord_rows(analysis: &Analysis) -> &'static [f64] {
    match analysis.harmony {
        Some(_) => &CHORD_ROWS,
        None => &CHORD_ROWS[..1],
    }
}

pub fn chords_height(analysis: &Analysis) -> f64 {
    chord_rows(analysis).iter().sum()
}

fn chord_colour(kind: ChordKind) -> Colour {
    Colour::hex(match kind {
        ChordKind::None => 0xef_ed_e8,
        ChordKind::Major => 0xcf_e4_f2,
        ChordKind::Minor => 0xfb_e3_b5,
        ChordKind::Diminished => 0xf0_d3_e3,
        ChordKind::Other => 0xd3_eb_e2,
    })
}

/// A box from one time to another in a row, with a text where it fits.
struct Cell<'a> {
    start_s: f64,
    end_s: f64,
    row: usize,
    colour: Option<Colour>,
    text: &'a str,
}

fn draw_cell(picture: &mut Picture, place: &Place, cell: &Cell) {
    let [left, right] =
        [cell.start_s, cell.end_s].map(|time_s| place.x(time_s.clamp(place.from_s, place.to_s)));
    let top = place.frame.y + CHORD_ROWS[..cell.row].iter().sum::<f64>();
    let (height, size) = (CHORD_ROWS[cell.row], CHORD_SIZES[cell.row]);
    if let Some(colour) = cell.colour {
        let area = Rect {
            x: left,
            y: top,
            // A gap between neighbours, where there is room.
            width: right - left - if right - left > 3.0 { 1.0 } else { 0.0 },
            height,
        };
        picture.rect(area, Paint::fill(colour));
    }
    if text_width(cell.text, size) + 1.5 * TEXT_SPACE <= right - left {
        let at = (left + TEXT_SPACE, baseline(top + height / 2.0, size));
        picture.text(at, cell.text, TextStyle::new(size, Anchor::Start));
    }
}

pub fn chords(picture: &mut Picture, place: &Place, analysis: &Analysis) {
    let chords = analysis.chords.as_deref().unwrap_or_default();
    let functions = analysis.harmony.as_deref().unwrap_or_default();
    if !chords.iter().any(|c| place.sees(c.start_s, c.end_s)) {
        place.say_nothing(picture, "none found");
        return;
    }
    let seen = chords.iter().enumerate();
    let seen: Vec<_> = seen
        .filter(|(_, chord)| place.sees(chord.start_s, chord.end_s))
        .collect();
    for (index, chord) in &seen {
        let mut cell = Cell {
            start_s: chord.start_s,
            end_s: chord.end_s,
            row: 0,
            colour: Some(chord_colour(ChordKind::of(&chord.label))),
            text: &chord_name(&chord.label),
        };
        draw_cell(picture, place, &cell);
        let numeral = functions.get(*index).and_then(|f| f.numeral.as_deref());
        if let Some(numeral) = numeral {
            let name = numeral_name(numeral);
            (cell.row, cell.colour, cell.text) = (1, None, &name);
            draw_cell(picture, place, &cell);
        }
    }
    // Neighbours in the same key are one stretch of it.
    let key = |index: &usize| functions.get(*index).map(|function| function.key);
    for stretch in seen.chunk_by(|(a, _), (b, _)| key(a) == key(b)) {
        if let [(index, first), ..] = stretch
            && let Some(key) = key(index)
        {
            let cell = Cell {
                start_s: first.start_s,
                end_s: stretch.last().map_or(first.end_s, |(_, last)| last.end_s),
                row: 2,
                colour: Some(Colour::hex(0xe6_e3_dc)),
                text: &key_name(&KeyLabel::Key(key)),
            };
            draw_cell(picture, place, &cell);
        }
    }
    if !functions.is_empty() {
        let height: f64 = CHORD_ROWS.iter().sum();
        let names = ["chord", "numeral", "key"].into_iter().enumerate();
        let tick = |(row, name): (usize, &str)| {
            let below: f64 = CHORD_ROWS[row + 1..].iter().sum();
            Tick {
                at: (below + CHORD_ROWS[row] / 2.0) / height,
                text: name.to_owned(),
            }
        };
        place.names(picture, names.map(tick).collect());
    }
}

pub fn onsets(picture: &mut Picture, place: &Place, analysis: &Analysis) {
    let onsets = analysis.onsets.iter().flatten();
    let mut seen = onsets.filter(|o| place.sees(o.time_s, o.time_s)).peekable();
    if seen.peek().is_none() {
        return place.say_nothing(picture, "none found");
    }
    let bottom = place.frame.bottom();
    for onset in seen {
        let (x, strength) = (
            place.x(onset.time_s),
            f64::from(onset.strength.clamp(0.0, 1.0)),
        );
        let top = bottom - 2.0 - strength * (place.frame.height - 5.0);
        picture.line(
            (x, bottom),
            (x, top),
            Paint::stroke(Colour::VERMILLION, 1.2),
        );
    }
}

pub fn beats(picture: &mut Picture, place: &Place, analysis: &Analysis) {
    let Some(track) = &analysis.beats else { return };
    let mut bar = 0;
    let numbered: Vec<_> = track
        .beats
        .iter()
        .map(|beat| {
            // What comes before the first whole bar is bar 0.
            bar += usize::from(beat.number == 1);
            (beat, bar)
        })
        .filter(|(beat, _)| place.sees(beat.time_s, beat.time_s))
        .collect();
    if numbered.is_empty() {
        return place.say_nothing(picture, "none found");
    }
    let apart = place.frame.width / numbered.len() as f64;
    let bars = numbered.iter().filter(|(beat, _)| beat.number == 1).count();
    let bar_apart = place.frame.width / bars.max(1) as f64;
    let step = (NUMBER_ROOM / bar_apart).ceil().max(1.0) as usize;
    let bottom = place.frame.bottom();
    for (beat, bar) in numbered {
        let x = place.x(beat.time_s);
        let shown = (bar.max(1) - 1).is_multiple_of(step);
        if beat.number == 1 && (shown || bar_apart >= BAR_ROOM) {
            let top = place.frame.y + 15.0;
            picture.line((x, bottom), (x, top), Paint::stroke(Colour::BLACK, 1.4));
        } else if beat.number != 1 && apart >= BEAT_ROOM {
            let top = place.frame.y + 22.0;
            picture.line((x, bottom), (x, top), Paint::stroke(GREY, 1.0));
        }
        let text = bar.to_string();
        let fits = x + text_width(&text, 11.0) / 2.0 < place.frame.right();
        if beat.number == 1 && shown && fits {
            let at = (x, baseline(place.frame.y + 8.0, 11.0));
            picture.text(at, text, TextStyle::new(11.0, Anchor::Middle));
        }
    }
}

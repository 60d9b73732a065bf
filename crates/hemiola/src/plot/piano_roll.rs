use super::axis::{Tick, time_ticks, time_unit};
use super::colour::Colour;
use super::frame::{LABEL_SIZE, MARGIN, Side, baseline, draw_frame, draw_title, title_height};
use super::legend::Legend;
use super::picture::{Anchor, Paint, Picture, Rect, TextStyle};
use crate::error::{Error, Result};
use crate::midi::note_fault;
use crate::music::{Note, end_s};

/// Notes of one colour, such as the given ones or those of one track.
#[derive(Debug, Clone)]
pub struct NoteLayer<'a> {
    /// Its name in the legend; without one it is not listed.
    pub name: String,
    pub colour: Colour,
    pub notes: &'a [Note],
}

impl<'a> NoteLayer<'a> {
    pub fn new(name: impl Into<String>, colour: Colour, notes: &'a [Note]) -> Self {
        Self {
            name: name.into(),
            colour,
            notes,
        }
    }
}

/// A stretch of time with a coloured ground, such as a gap that was filled.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkedRange {
    /// Its name in the legend; several of the same name are listed once.
    pub name: String,
    pub from_s: f64,
    pub to_s: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PianoRollOptions {
    /// Start and end of the time shown, in seconds; from 0 to the end of the last note where `None`.
    pub range_s: Option<(f64, f64)>,
    pub marked: Vec<MarkedRange>,
    /// Pixels for a second of music, as long as the notes are not wider than `max_width` then.
    pub pixels_per_second: f64,
    /// In pixels.
    pub max_width: f64,
}

impl Default for PianoRollOptions {
    fn default() -> Self {
        Self {
            range_s: None,
            marked: Vec::new(),
            pixels_per_second: 32.0,
            max_width: 4096.0,
        }
    }
}

const MIN_WIDTH: f64 = 560.0;
/// Pixels that the keys share, and the pixels of one.
const KEYS_HEIGHT: f64 = 480.0;
const MIN_KEY_HEIGHT: f64 = 4.0;
const MAX_KEY_HEIGHT: f64 = 12.0;
const MIN_KEYS: u8 = 24;
const OCTAVE: u8 = 12;
/// Room for the text of a tick of time.
const TICK_ROOM: f64 = 72.0;
/// Keeps repeated notes apart.
const NOTE_SPACE: f64 = 0.75;
const MIN_NOTE_WIDTH: f64 = 1.0;
/// Steps of opacity for the velocities; few, so that many notes share a path.
const SHADES: u8 = 8;
const FAINTEST: f64 = 0.35;

const BLACK_KEY: Colour = Colour::hex(0xf1_f1_f1);
const GRID: Colour = Colour::hex(0xd8_d8_d8);

/// Notes over time and pitch in layers, later ones above earlier ones; louder notes are darker.
///
/// # Errors
/// A note, a marked range, the time shown or the width is impossible.
pub fn piano_roll(
    title: &str,
    layers: &[NoteLayer],
    options: &PianoRollOptions,
) -> Result<Picture> {
    check(layers, options)?;
    let notes = || layers.iter().flat_map(|layer| layer.notes);
    let (from_s, to_s) = options.range_s.unwrap_or_else(|| {
        let end_s = end_s(notes());
        (0.0, if end_s > 0.0 { end_s } else { 1.0 })
    });
    let shown = |note: &&Note| note.onset_s < to_s && note.offset_s >= from_s;
    let keys = Keys::around(notes().filter(shown).map(|note| note.pitch));

    let width = ((to_s - from_s) * options.pixels_per_second)
        .clamp(MIN_WIDTH.min(options.max_width), options.max_width)
        .round();
    let left = Side {
        label: "pitch".to_owned(),
        ticks: keys.ticks(),
        upwards: false,
    };
    let bottom = Side {
        label: format!("time ({})", time_unit(to_s)),
        ticks: time_ticks(from_s, to_s, (width / TICK_ROOM) as usize)?,
        upwards: false,
    };
    let legend = Legend::new(names(layers, options), width);
    let legend_height = match legend.height() {
        0.0 => 0.0,
        height => height + 4.0,
    };
    let legend_top = MARGIN + title_height(title);
    let frame = Rect {
        x: (MARGIN + left.depth(false)).ceil() + 0.5,
        y: legend_top + legend_height + 0.5,
        width,
        height: keys.height * f64::from(keys.count()),
    };
    let mut picture = Picture::new(
        (frame.right() + MARGIN + 4.0).ceil() as u32,
        (frame.bottom() + bottom.depth(true) + MARGIN).ceil() as u32,
        title,
    );
    draw_title(&mut picture, frame.x, title);
    legend.draw(&mut picture, (frame.x, legend_top));

    let roll = Roll {
        frame,
        keys,
        from_s,
        to_s,
    };
    picture.clipped(frame, |picture| {
        roll.draw_ground(picture, &options.marked, &bottom.ticks);
        for layer in layers {
            roll.draw_notes(picture, layer, shown);
        }
    });
    if !notes().any(|note| shown(&note)) {
        let middle = (
            frame.x + width / 2.0,
            baseline(frame.y + frame.height / 2.0, LABEL_SIZE),
        );
        picture.text(
            middle,
            "no notes",
            TextStyle::new(LABEL_SIZE, Anchor::Middle),
        );
    }
    draw_frame(&mut picture, frame);
    left.draw_left(&mut picture, frame);
    bottom.draw_bottom(&mut picture, frame);
    Ok(picture)
}

fn check(layers: &[NoteLayer], options: &PianoRollOptions) -> Result<()> {
    for layer in layers {
        for (index, note) in layer.notes.iter().enumerate() {
            if let Some(fault) = note_fault(note) {
                let name = &layer.name;
                return Err(Error::config(format!(
                    "note {index} of the layer {name:?}: {fault}"
                )));
            }
        }
    }
    let marked = options.marked.iter();
    let marked = marked.map(|range| (range.name.as_str(), range.from_s, range.to_s));
    let shown = options
        .range_s
        .map(|(from_s, to_s)| ("shown", from_s, to_s));
    for (name, from_s, to_s) in marked.chain(shown) {
        if !(from_s.is_finite() && to_s.is_finite() && from_s < to_s) {
            return Err(Error::config(format!(
                "the time {name:?} from {from_s} s to {to_s} s; expected an end after its start"
            )));
        }
    }
    let (pace, width) = (options.pixels_per_second, options.max_width);
    if !(pace.is_finite() && pace > 0.0 && (1.0..=1e6).contains(&width)) {
        return Err(Error::config(format!(
            "{pace} pixels per second and at most {width} pixels; expected more than 0, and 1 to 1 000 000"
        )));
    }
    Ok(())
}

fn names<'a>(layers: &'a [NoteLayer], options: &'a PianoRollOptions) -> Vec<(Paint, &'a str)> {
    let layers = layers.iter();
    let mut names: Vec<_> = layers
        .map(|layer| (Paint::fill(layer.colour), layer.name.as_str()))
        .collect();
    for range in &options.marked {
        let entry = (mark_paint(), range.name.as_str());
        if !names.contains(&entry) {
            names.push(entry);
        }
    }
    names.retain(|(_, name)| !name.is_empty());
    names
}

fn mark_paint() -> Paint {
    Paint::fill(Colour::YELLOW).opacity(0.3)
}

/// The pitches shown.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    lowest: u8,
    highest: u8,
    /// Of one key, in pixels.
    pub height: f64,
}

impl Keys {
    /// All pitches with two keys around them, at least two octaves.
    pub fn around(pitches: impl Iterator<Item = u8> + Clone) -> Self {
        let mut lowest = pitches.clone().min().unwrap_or(60).saturating_sub(2);
        let mut highest = pitches.max().unwrap_or(72).saturating_add(2).min(127);
        while highest - lowest + 1 < MIN_KEYS {
            lowest = lowest.saturating_sub(1);
            highest = (highest + 1).min(127);
        }
        let count = f64::from(highest - lowest + 1);
        Self {
            lowest,
            highest,
            height: (KEYS_HEIGHT / count)
                .floor()
                .clamp(MIN_KEY_HEIGHT, MAX_KEY_HEIGHT),
        }
    }

    pub fn count(self) -> u8 {
        self.highest - self.lowest + 1
    }

    fn is_black(pitch: u8) -> bool {
        matches!(pitch % OCTAVE, 1 | 3 | 6 | 8 | 10)
    }

    /// At the middle of each C.
    pub fn ticks(self) -> Vec<Tick> {
        let shown = (self.lowest..=self.highest).filter(|pitch| pitch % OCTAVE == 0);
        let middle = |pitch: u8| f64::from(pitch - self.lowest) + 0.5;
        let tick = |pitch: u8| Tick {
            at: middle(pitch) / f64::from(self.count()),
            text: format!("C{}", i32::from(pitch / OCTAVE) - 1).replace('-', "−"),
        };
        shown.map(tick).collect()
    }
}

/// Where times and pitches are in a picture.
pub(super) struct Roll {
    pub frame: Rect,
    pub keys: Keys,
    pub from_s: f64,
    pub to_s: f64,
}

impl Roll {
    fn x(&self, time_s: f64) -> f64 {
        self.frame.x + (time_s - self.from_s) / (self.to_s - self.from_s) * self.frame.width
    }

    /// The upper edge of a key.
    fn y(&self, pitch: u8) -> f64 {
        self.frame.y + f64::from(self.keys.highest - pitch) * self.keys.height
    }

    pub fn draw_ground(&self, picture: &mut Picture, marked: &[MarkedRange], times: &[Tick]) {
        let shown = self.keys.lowest..=self.keys.highest;
        for pitch in shown.clone().filter(|pitch| Keys::is_black(*pitch)) {
            let stripe = Rect {
                y: self.y(pitch),
                height: self.keys.height,
                ..self.frame
            };
            picture.rect(stripe, Paint::fill(BLACK_KEY));
        }
        for range in marked {
            let ground = Rect {
                x: self.x(range.from_s),
                width: self.x(range.to_s) - self.x(range.from_s),
                ..self.frame
            };
            picture.rect(ground, mark_paint());
        }
        let (top, bottom) = (self.frame.y, self.frame.bottom());
        let grid = Paint::stroke(GRID, 1.0);
        for tick in times {
            let x = self.frame.x + tick.at * self.frame.width;
            picture.line((x, top), (x, bottom), grid);
        }
        for pitch in shown.filter(|pitch| pitch % OCTAVE == 0) {
            let y = self.y(pitch) + self.keys.height;
            picture.line((self.frame.x, y), (self.frame.right(), y), grid);
        }
        let edge = Paint::stroke(Colour::hex(0x99_99_99), 1.0).dashed();
        for time_s in marked.iter().flat_map(|range| [range.from_s, range.to_s]) {
            let x = self.x(time_s);
            picture.line((x, top), (x, bottom), edge);
        }
    }

    pub fn draw_notes(
        &self,
        picture: &mut Picture,
        layer: &NoteLayer,
        shown: impl Fn(&&Note) -> bool,
    ) {
        let mut notes: Vec<&Note> = layer.notes.iter().filter(shown).collect();
        notes.sort_by_key(|note| shade(note.velocity));
        for note in notes {
            let (start, end) = (self.x(note.onset_s), self.x(note.offset_s));
            let space = if end - start > 4.0 * NOTE_SPACE {
                NOTE_SPACE
            } else {
                0.0
            };
            let body = Rect {
                x: start,
                y: self.y(note.pitch) + 0.5,
                width: (end - start - space).max(MIN_NOTE_WIDTH),
                height: self.keys.height - 1.0,
            };
            let strength = f64::from(shade(note.velocity)) / f64::from(SHADES - 1);
            let opacity = FAINTEST + (1.0 - FAINTEST) * strength;
            picture.rect(body, Paint::fill(layer.colour).opacity(opacity));
        }
    }
}

/// From 0, the softest, to `SHADES` − 1.
fn shade(velocity: u8) -> u8 {
    velocity.min(127) / (128 / SHADES)
}

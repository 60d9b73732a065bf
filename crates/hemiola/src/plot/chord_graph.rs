//! The graph of a chord progression, as a strip of chords that is cut into rows.

mod row;

use row::Row;

use super::colour::Colour;
use super::frame::{MARGIN, TICK_SIZE, draw_title, title_height};
use super::legend::Legend;
use super::picture::{Paint, Picture};
use super::text::text_width;
use crate::error::{Error, Result};
use crate::music::chord_graph::{Edge, EdgeKind, WeightedEdge};
use crate::music::key::Key;

/// The most chords of a [`chord_graph`]: 32 rows.
pub const MAX_CHORDS: usize = 512;
/// The most edges of a [`chord_graph`]; relations of chords up to eight apart stay below it.
pub const MAX_EDGES: usize = 20_000;

/// A chord of a [`chord_graph`].
#[derive(Debug, Clone, PartialEq)]
pub struct ChordNode {
    /// Such as `G:7`.
    pub label: String,
    /// Such as `V7`; empty for no chord.
    pub numeral: String,
    /// Of the root in the key, 1 to 7; `None` for no chord.
    pub degree: Option<u8>,
    pub key: Key,
    /// How much the chord counts in the whole; 0 or more.
    pub attention: f64,
}

const MOST_COLUMNS: usize = 16;
const COLUMN: f64 = 78.0;
const MIN_WIDTH: f64 = 560.0;
const ROW_SPACE: f64 = 20.0;
const LEGEND_SPACE: f64 = 10.0;

/// Steps of strength of a line; few, so that many lines share a path.
const STRENGTHS: u8 = 8;
const FAINTEST: f64 = 0.08;
const THINNEST: f64 = 0.5;
const THICKEST: f64 = 3.0;

const BAR: Colour = Colour::hex(0x33_33_33);

/// What the degrees do in functional harmony.
const FUNCTIONS: [(&str, &[u8], Colour); 3] = [
    ("tonic (I, III, VI)", &[1, 3, 6], Colour::hex(0xfd_f3_c4)),
    ("subdominant (II, IV)", &[2, 4], Colour::hex(0xd7_ee_e4)),
    ("dominant (V, VII)", &[5, 7], Colour::hex(0xf8_d9_cf)),
];

/// The chords of a progression from left to right, at most sixteen to the row, with their numerals, coloured by what their
/// degrees do; above each row the keys; between the chords the edges, in the colours of their kinds.
///
/// Edges to later chords are arcs above the chords, those to earlier ones arcs below; they go on in the next row where a row
/// ends. The heavier an edge, the wider and darker its line: the heaviest of the picture has the full width. A bar in each
/// chord's box is as long as its attention, and fills the box of the chord that has most.
///
/// # Errors
/// There is no chord, more than [`MAX_CHORDS`] or [`MAX_EDGES`], an edge joins chords that do not exist or a chord to itself,
/// or a weight is below 0 or not finite.
pub fn chord_graph(title: &str, chords: &[ChordNode], edges: &[WeightedEdge]) -> Result<Picture> {
    check(chords, edges)?;
    let n_rows = chords.len().div_ceil(MOST_COLUMNS);
    let columns = chords.len().div_ceil(n_rows);
    let gutter = text_width(&chords.len().to_string(), TICK_SIZE) + 8.0;
    let left = MARGIN + gutter;
    let width = (columns as f64 * COLUMN).max(MIN_WIDTH);
    let heaviest = edges.iter().map(|edge| edge.weight).fold(0.0, f64::max);
    let lines = Lines { heaviest };

    let legends = [lines.kinds(), lines.samples(), boxes()].map(|names| {
        let names = names.iter().map(|(paint, name)| (*paint, name.as_str()));
        Legend::new(names, width)
    });
    let mut y = MARGIN + title_height(title);
    let places = legends.each_ref().map(|legend| {
        let place = (left, y);
        y += legend.height();
        place
    });
    y += LEGEND_SPACE;
    let rows: Vec<Row> = (0..n_rows)
        .map(|number| {
            let first = number * columns;
            let last = (first + columns).min(chords.len());
            let row = Row::new(first..last, (left, y), edges);
            y = row.bottom() + ROW_SPACE;
            row
        })
        .collect();
    let mut picture = Picture::new(
        (left + width + MARGIN).ceil() as u32,
        (y - ROW_SPACE + MARGIN).ceil() as u32,
        title,
    );
    draw_title(&mut picture, left, title);
    for (legend, place) in legends.iter().zip(places) {
        legend.draw(&mut picture, place);
    }
    let most = chords
        .iter()
        .map(|chord| chord.attention)
        .fold(0.0, f64::max);
    for row in &rows {
        row.draw_keys(&mut picture, chords);
        let place = row.arcs_place();
        picture.clipped(place, |picture| row.draw_edges(picture, edges, &lines));
        row.draw_boxes(&mut picture, chords, most);
    }
    Ok(picture)
}

fn check(chords: &[ChordNode], edges: &[WeightedEdge]) -> Result<()> {
    let fail = |message: String| Err(Error::config(format!("picture of chords: {message}")));
    if chords.is_empty() || chords.len() > MAX_CHORDS {
        return fail(format!(
            "there are {} chords; expected 1 to {MAX_CHORDS}: draw a part of the progression, or write a table",
            chords.len()
        ));
    }
    if edges.len() > MAX_EDGES {
        return fail(format!(
            "there are {} edges; at most {MAX_EDGES} can be drawn: draw a part of the progression, or write a table",
            edges.len()
        ));
    }
    let unweighed = |weight: f64| !(weight >= 0.0 && weight.is_finite());
    for WeightedEdge { edge, weight } in edges {
        let Edge { source, target, .. } = *edge;
        if source.max(target) >= chords.len() || source == target {
            return fail(format!(
                "an edge joins chord {source} and {target}; expected two of chords 0 to {}",
                chords.len() - 1
            ));
        }
        if unweighed(*weight) {
            return fail(format!(
                "the edge from chord {source} to {target} has weight {weight}; expected 0 or more"
            ));
        }
    }
    match chords.iter().position(|chord| unweighed(chord.attention)) {
        Some(number) => fail(format!(
            "chord {number} has attention {}; expected 0 or more",
            chords[number].attention
        )),
        None => Ok(()),
    }
}

/// How edges are drawn.
struct Lines {
    /// The weight of the widest line.
    heaviest: f64,
}

impl Lines {
    fn colour(kind: EdgeKind) -> Colour {
        match kind {
            EdgeKind::Next => Colour::hex(0x44_44_44),
            EdgeKind::Fifth => Colour::BLUE,
            EdgeKind::Fourth => Colour::VERMILLION,
            EdgeKind::VoiceLeading => Colour::GREEN,
            EdgeKind::Repetition => Colour::PURPLE,
        }
    }

    /// From 1 to `STRENGTHS`.
    fn strength(&self, weight: f64) -> u8 {
        let share = if self.heaviest > 0.0 {
            weight / self.heaviest
        } else {
            1.0
        };
        (share * f64::from(STRENGTHS)).ceil().max(1.0) as u8
    }

    fn paint(&self, kind: EdgeKind, strength: u8) -> Paint {
        let share = f64::from(strength) / f64::from(STRENGTHS);
        let width = THINNEST + (THICKEST - THINNEST) * share;
        let line = Paint::stroke(Self::colour(kind), width)
            .opacity(FAINTEST + (1.0 - FAINTEST) * share * share);
        match kind {
            EdgeKind::VoiceLeading => line.dashed(),
            EdgeKind::Repetition => line.dotted(),
            _ => line,
        }
    }

    /// The kinds in the lines' colours.
    fn kinds(&self) -> Vec<(Paint, String)> {
        let named = |kind: EdgeKind| {
            let name = match kind {
                EdgeKind::Next => "next chord",
                EdgeKind::Fifth => "root a fifth up",
                EdgeKind::Fourth => "root a fourth up",
                EdgeKind::VoiceLeading => "small motion of the voices",
                EdgeKind::Repetition => "the same chord",
            };
            (self.paint(kind, STRENGTHS), name.to_owned())
        };
        EdgeKind::ALL.map(named).into()
    }

    /// A heavy and a light line with their weights.
    fn samples(&self) -> Vec<(Paint, String)> {
        if self.heaviest <= 0.0 {
            return Vec::new();
        }
        let mut samples = [STRENGTHS, STRENGTHS / 2].map(|strength| {
            let weight = self.heaviest * f64::from(strength) / f64::from(STRENGTHS);
            (self.paint(EdgeKind::Next, strength), percent(weight))
        });
        samples[0].1.push_str(" of what reaches the chord");
        samples.into()
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent >= 10.0 {
        true => format!("{percent:.0} %"),
        false => format!("{percent:.1} %"),
    }
}

/// What boxes and their bars mean.
fn boxes() -> Vec<(Paint, String)> {
    let functions = FUNCTIONS.iter();
    let mut boxes: Vec<_> = functions
        .map(|(name, _, colour)| (Paint::fill(*colour), (*name).to_owned()))
        .collect();
    boxes.push((
        Paint::fill(BAR),
        "bar: how much the chord counts in the whole".to_owned(),
    ));
    boxes
}

/// The colour of a chord's box.
fn colour_of(degree: Option<u8>) -> Colour {
    let of = |degree| {
        FUNCTIONS
            .iter()
            .find(|(_, degrees, _)| degrees.contains(&degree))
    };
    degree
        .and_then(of)
        .map_or(Colour::WHITE, |(.., colour)| *colour)
}

//! The graph of a chord progression, as a strip of chords that is cut into rows.

mod row;

use row::Row;

use super::colour::Colour;
use super::frame::{LABEL_SIZE, MARGIN, TICK_SIZE, baseline, draw_title, title_height};
use super::legend::Legend;
use super::picture::{Anchor, Paint, Picture, TextStyle};
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
const COLUMN: f64 = 82.0;
const MIN_WIDTH: f64 = 640.0;
const ROW_SPACE: f64 = 20.0;
const LEGEND_SPACE: f64 = 10.0;
const NOTE_HEIGHT: f64 = 14.0;
const NOTE: &str = "Arcs above the chords lead to later chords, arcs below them to earlier ones.";

/// The shares of the edges that are lighter than the thinnest line, and than the widest. A chord that little reaches has edges
/// so heavy that the others would not be told apart.
const TOLD_APART: [f64; 2] = [0.1, 0.95];
/// Steps of strength of a line; few, so that many lines share a path.
const STRENGTHS: u8 = 8;
/// Opacities of the thinnest lines are those that add up to so much over the edges of a chord, yet no less than that.
const INK: f64 = 2.5;
const FAINTEST: f64 = 0.15;
const THINNEST: f64 = 0.6;
const THICKEST: f64 = 2.75;

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
/// ends. The heavier an edge, the wider and darker its line; the heaviest twentieth have the full width. A bar in each
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
    let lines = Lines::new(edges, chords.len());

    let legends = [lines.kinds(edges), lines.samples(), boxes()].map(|names| {
        let names = names.iter().map(|(paint, name)| (*paint, name.as_str()));
        Legend::new(names, width)
    });
    let mut y = MARGIN + title_height(title);
    let places = legends.each_ref().map(|legend| {
        let place = (left, y);
        y += legend.height();
        place
    });
    let has_arcs = edges.iter().any(|edge| edge.edge.kind != EdgeKind::Next);
    let note_y = y + NOTE_HEIGHT / 2.0;
    y += LEGEND_SPACE + if has_arcs { NOTE_HEIGHT } else { 0.0 };
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
    if has_arcs {
        let at = (left, baseline(note_y, LABEL_SIZE));
        picture.text(at, NOTE, TextStyle::new(LABEL_SIZE, Anchor::Start));
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
    /// The weights of the thinnest and of the widest line. Lighter and heavier edges are drawn alike.
    light: f64,
    heavy: f64,
    /// Opacity of the thinnest.
    faintest: f64,
}

impl Lines {
    fn new(edges: &[WeightedEdge], n_chords: usize) -> Self {
        let mut weights: Vec<f64> = edges.iter().map(|edge| edge.weight).collect();
        weights.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let last = weights.len().saturating_sub(1) as f64;
            weights.get((last * share).round() as usize).copied()
        };
        let [light, heavy] = TOLD_APART.map(|share| quantile(share).unwrap_or(0.0));
        let density = edges.len() as f64 / n_chords as f64;
        Self {
            light,
            heavy,
            faintest: (INK / density).clamp(FAINTEST, 0.5),
        }
    }

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
        let span = self.heavy - self.light;
        let share = match span > 0.0 {
            true => ((weight - self.light) / span).clamp(0.0, 1.0),
            false => 1.0,
        };
        1 + (share * f64::from(STRENGTHS - 1)).round() as u8
    }

    fn paint(&self, kind: EdgeKind, strength: u8) -> Paint {
        let share = f64::from(strength - 1) / f64::from(STRENGTHS - 1);
        let between = |low: f64, high: f64| low + (high - low) * share * share;
        let line = Paint::stroke(Self::colour(kind), between(THINNEST, THICKEST))
            .opacity(between(self.faintest, 1.0));
        match kind {
            EdgeKind::Fourth => line.dashed(),
            EdgeKind::Repetition => line.dotted(),
            EdgeKind::Next | EdgeKind::Fifth | EdgeKind::VoiceLeading => line,
        }
    }

    /// The kinds of the edges, in full width.
    fn kinds(&self, edges: &[WeightedEdge]) -> Vec<(Paint, String)> {
        let there = |kind: &EdgeKind| edges.iter().any(|edge| edge.edge.kind == *kind);
        let named = |kind: EdgeKind| {
            let name = match kind {
                EdgeKind::Next => "next chord",
                EdgeKind::Fifth => "root a fifth up",
                EdgeKind::Fourth => "root a fourth up",
                EdgeKind::VoiceLeading => "voice leading",
                EdgeKind::Repetition => "repetition",
            };
            (self.paint(kind, STRENGTHS), name.to_owned())
        };
        let kinds = EdgeKind::ALL.into_iter().filter(there);
        kinds.map(named).collect()
    }

    /// The widest and the thinnest line with their weights.
    fn samples(&self) -> Vec<(Paint, String)> {
        if self.heavy <= 0.0 {
            return Vec::new();
        }
        let heavy = percent(self.heavy);
        let widest = self.paint(EdgeKind::Next, STRENGTHS);
        if self.heavy <= self.light {
            return vec![(widest, format!("{heavy} of what reaches the chord"))];
        }
        let light = percent(self.light);
        vec![
            (widest, format!("{heavy} or more of what reaches the chord")),
            (self.paint(EdgeKind::Next, 1), format!("{light} or less")),
        ]
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
    boxes.push((Paint::fill(BAR), "bar: attention to the chord".to_owned()));
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

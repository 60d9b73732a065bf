use std::ops::Range;

use super::{BAR, COLUMN, ChordNode, Lines, colour_of};
use crate::music::chord_graph::{Edge, EdgeKind, WeightedEdge};
use crate::music::key::Mode;
use crate::plot::colour::Colour;
use crate::plot::frame::{LABEL_SIZE, TICK_SIZE, baseline};
use crate::plot::picture::{Anchor, Paint, Picture, Rect, TextStyle};
use crate::plot::text::{fitted, text_width};

const BOX_WIDTH: f64 = 64.0;
const BOX_HEIGHT: f64 = 44.0;
const CORNER: f64 = 5.0;
const NUMERAL_SIZE: f64 = 15.0;
const NAME_SIZE: f64 = 11.0;
/// Text of a box shrinks down to that before it is shortened.
const SMALLEST_SIZE: f64 = 8.0;
const TEXT_INSET: f64 = 3.0;
const BAR_HEIGHT: f64 = 3.0;
const BAR_INSET: f64 = 6.0;
const BAND_HEIGHT: f64 = 18.0;
const BAND_SPACE: f64 = 6.0;
const ARROW: f64 = 5.0;

/// Height of an arc between neighbours, what each chord between adds, and how many of them do.
const LOWEST_ARC: f64 = 16.0;
const ARC_STEP: f64 = 9.0;
const MOST_STEPS: usize = 12;
/// Keeps the arcs of the kinds apart that join the same chords.
const KIND_SPACE: f64 = 4.0;
/// From the middle of a box to where arcs of the first kind leave it.
const FOOT: f64 = 7.0;
/// By which share of an arc's length its control points stand inside its feet; 0 is a flat roof.
const ROUNDNESS: f64 = 0.15;
/// How far a Bézier curve rises for control points at height 1.
const CURVE_RISE: f64 = 0.75;

const MUTED: Colour = Colour::hex(0x77_77_77);
const MAJOR_BAND: Colour = Colour::hex(0xf3_ea_d3);
const MINOR_BAND: Colour = Colour::hex(0xdd_e3_ec);
const BORDER: Colour = Colour::hex(0xaa_aa_aa);

/// Chords that stand beside one another.
pub(super) struct Row {
    chords: Range<usize>,
    left: f64,
    top: f64,
    /// How far arcs rise above the boxes and sink below them.
    rise: f64,
    depth: f64,
}

impl Row {
    pub fn new(chords: Range<usize>, (left, top): (f64, f64), edges: &[WeightedEdge]) -> Self {
        let mut row = Self {
            chords,
            left,
            top,
            rise: 0.0,
            depth: 0.0,
        };
        for WeightedEdge { edge, .. } in edges {
            if edge.kind != EdgeKind::Next && row.is_crossed_by(edge) {
                let side = match is_forward(edge) {
                    true => &mut row.rise,
                    false => &mut row.depth,
                };
                *side = side.max(arc_height(edge) + 2.0);
            }
        }
        row
    }

    pub fn bottom(&self) -> f64 {
        self.boxes_top() + BOX_HEIGHT + self.depth
    }

    fn boxes_top(&self) -> f64 {
        self.top + BAND_HEIGHT + BAND_SPACE + self.rise
    }

    /// The columns of the row, from the arcs above the boxes to those below.
    pub fn arcs_place(&self) -> Rect {
        let top = self.boxes_top() - self.rise;
        Rect {
            x: self.left,
            y: top,
            width: self.chords.len() as f64 * COLUMN,
            height: self.bottom() - top,
        }
    }

    /// The middle of a chord's column, beyond the row for chords of other rows.
    fn x(&self, chord: usize) -> f64 {
        self.left + (chord as f64 - self.chords.start as f64 + 0.5) * COLUMN
    }

    fn is_crossed_by(&self, edge: &Edge) -> bool {
        let (first, last) = (edge.source.min(edge.target), edge.source.max(edge.target));
        first < self.chords.end && last >= self.chords.start
    }

    /// A band for each key, named where it begins and where the row does, and the number of the row's first chord.
    pub fn draw_keys(&self, picture: &mut Picture, chords: &[ChordNode]) {
        let boundary = Paint::stroke(BORDER, 1.0).dashed();
        let mut start = self.chords.start;
        for run in chords[self.chords.clone()].chunk_by(|a, b| a.key == b.key) {
            let key = run[0].key;
            let band = Rect {
                x: self.x(start) - COLUMN / 2.0 + 1.0,
                y: self.top,
                width: run.len() as f64 * COLUMN - 2.0,
                height: BAND_HEIGHT,
            };
            let colour = match key.mode {
                Mode::Minor => MINOR_BAND,
                Mode::Major | Mode::Other => MAJOR_BAND,
            };
            picture.rect(band, Paint::fill(colour));
            let at = (
                band.x + BAR_INSET,
                baseline(band.y + BAND_HEIGHT / 2.0, LABEL_SIZE),
            );
            let room = band.width - 2.0 * BAR_INSET;
            let name = key.to_string();
            picture.text(
                at,
                fitted(&name, LABEL_SIZE, room),
                TextStyle::new(LABEL_SIZE, Anchor::Start),
            );
            if start > 0 && chords[start - 1].key != key {
                let x = band.x - 1.0;
                picture.line((x, self.top), (x, self.bottom()), boundary);
            }
            start += run.len();
        }
        let style = TextStyle {
            colour: MUTED,
            ..TextStyle::new(TICK_SIZE, Anchor::End)
        };
        let y = baseline(self.boxes_top() + BOX_HEIGHT / 2.0, TICK_SIZE);
        let number = (self.chords.start + 1).to_string();
        picture.text((self.left - 4.0, y), number, style);
    }

    /// The lightest first, so that the heaviest stay visible.
    pub fn draw_edges(&self, picture: &mut Picture, edges: &[WeightedEdge], lines: &Lines) {
        let crossing = edges.iter().filter(|edge| self.is_crossed_by(&edge.edge));
        let mut crossing: Vec<(u8, &Edge)> = crossing
            .map(|edge| (lines.strength(edge.weight), &edge.edge))
            .collect();
        crossing.sort_by_key(|&(strength, edge)| (strength, edge.kind));
        for (strength, edge) in crossing {
            let paint = lines.paint(edge.kind, strength);
            match edge.kind {
                EdgeKind::Next => self.draw_arrow(picture, edge, paint),
                _ => self.draw_arc(picture, edge, paint),
            }
        }
    }

    fn draw_arrow(&self, picture: &mut Picture, edge: &Edge, paint: Paint) {
        let y = self.boxes_top() + BOX_HEIGHT / 2.0;
        let from = self.x(edge.source) + BOX_WIDTH / 2.0;
        let to = self.x(edge.target) - BOX_WIDTH / 2.0 - 1.0;
        picture.line((from, y), (to - ARROW, y), paint);
        let back = to - ARROW;
        let head = [(to, y), (back, y - ARROW / 2.0), (back, y + ARROW / 2.0)];
        picture.triangle(
            head,
            Paint {
                stroke: None,
                ..paint
            },
        );
    }

    fn draw_arc(&self, picture: &mut Picture, edge: &Edge, paint: Paint) {
        let (up, foot) = match is_forward(edge) {
            true => (1.0, self.boxes_top()),
            false => (-1.0, self.boxes_top() + BOX_HEIGHT),
        };
        let aside = up * (FOOT + KIND_SPACE * place_of(edge.kind));
        let (from, to) = (self.x(edge.source) + aside, self.x(edge.target) - aside);
        let control = foot - up * arc_height(edge) / CURVE_RISE;
        let inset = ROUNDNESS * (to - from);
        let curve = [
            (from, foot),
            (from + inset, control),
            (to - inset, control),
            (to, foot),
        ];
        picture.curve(curve, paint);
    }

    /// `most` is the attention that fills a bar.
    pub fn draw_boxes(&self, picture: &mut Picture, chords: &[ChordNode], most: f64) {
        for number in self.chords.clone() {
            let chord = &chords[number];
            let place = Rect {
                x: self.x(number) - BOX_WIDTH / 2.0,
                y: self.boxes_top(),
                width: BOX_WIDTH,
                height: BOX_HEIGHT,
            };
            picture.rounded_rect(place, CORNER, Paint::fill(colour_of(chord.degree)));
            picture.rounded_rect(place, CORNER, Paint::stroke(BORDER, 1.0));
            let name_y = match chord.numeral.is_empty() {
                true => BOX_HEIGHT / 2.0,
                false => 28.0,
            };
            write(picture, &chord.numeral, NUMERAL_SIZE, place, 12.0);
            write(picture, &chord.label, NAME_SIZE, place, name_y);
            if most > 0.0 {
                let bar = Rect {
                    x: place.x + BAR_INSET,
                    y: place.bottom() - BAR_HEIGHT - 3.0,
                    width: (BOX_WIDTH - 2.0 * BAR_INSET) * chord.attention / most,
                    height: BAR_HEIGHT,
                };
                picture.rect(bar, Paint::fill(BAR));
            }
        }
    }
}

/// A line in the middle of a box, its own middle at `y` below the box's top.
fn write(picture: &mut Picture, text: &str, size: f64, place: Rect, y: f64) {
    if text.is_empty() {
        return;
    }
    let room = BOX_WIDTH - 2.0 * TEXT_INSET;
    let fitting = size * room / text_width(text, size);
    let size = fitting.clamp(SMALLEST_SIZE, size);
    let at = (place.x + BOX_WIDTH / 2.0, baseline(place.y + y, size));
    picture.text(
        at,
        fitted(text, size, room),
        TextStyle::new(size, Anchor::Middle),
    );
}

fn is_forward(edge: &Edge) -> bool {
    edge.target > edge.source
}

fn arc_height(edge: &Edge) -> f64 {
    let between = edge.source.abs_diff(edge.target) - 1;
    let steps = between.min(MOST_STEPS) as f64;
    LOWEST_ARC + ARC_STEP * steps + KIND_SPACE * place_of(edge.kind)
}

/// Of the arcs of a kind among those that join the same chords, from 0.
fn place_of(kind: EdgeKind) -> f64 {
    kind.index().saturating_sub(1) as f64
}

use std::fmt::Write;
use std::mem;

use super::colour::Colour;

/// A rectangle in CSS pixels; y grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }
}

/// How a shape is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paint {
    pub(super) colour: Colour,
    pub(super) opacity: f64,
    /// Width of the line in pixels; `None` fills.
    pub(super) stroke: Option<f64>,
    pub(super) dashes: Dashes,
}

/// Where a line is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dashes {
    None,
    Dashed,
    Dotted,
}

impl Paint {
    pub fn fill(colour: Colour) -> Self {
        Self {
            colour,
            opacity: 1.0,
            stroke: None,
            dashes: Dashes::None,
        }
    }

    /// A line of a width in pixels.
    pub fn stroke(colour: Colour, width: f64) -> Self {
        Self {
            stroke: Some(width),
            ..Self::fill(colour)
        }
    }

    /// From 0, invisible, to 1.
    pub fn opacity(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    pub fn dashed(self) -> Self {
        Self {
            dashes: Dashes::Dashed,
            ..self
        }
    }

    pub fn dotted(self) -> Self {
        Self {
            dashes: Dashes::Dotted,
            ..self
        }
    }
}

/// Which point of a text stands at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anchor {
    #[default]
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextStyle {
    /// Size of the font in pixels.
    pub size: f64,
    pub colour: Colour,
    pub anchor: Anchor,
    /// Reads upwards.
    pub upwards: bool,
}

impl TextStyle {
    /// Dark horizontal text.
    pub fn new(size: f64, anchor: Anchor) -> Self {
        Self {
            size,
            colour: Colour::hex(0x22_22_22),
            anchor,
            upwards: false,
        }
    }

    pub fn upwards(self) -> Self {
        Self {
            upwards: true,
            ..self
        }
    }
}

pub(super) enum Element {
    /// `data` is in the syntax of SVG's `d`.
    Path {
        paint: Paint,
        data: String,
    },
    Text {
        x: f64,
        y: f64,
        text: String,
        style: TextStyle,
    },
    /// A PNG file stretched over a place, with hard edges between its pixels.
    Image {
        place: Rect,
        png: Vec<u8>,
    },
    Clipped {
        to: Rect,
        elements: Vec<Element>,
    },
}

/// A drawing on white, of a size in CSS pixels with the origin in the upper left corner.
///
/// Shapes of the same paint that follow one another become one path, which is painted once where they overlap.
/// A shape with a coordinate that is not finite is not drawn.
pub struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) title: String,
    pub(super) elements: Vec<Element>,
}

impl Picture {
    /// `title` is the accessible name of the picture; it is not drawn.
    pub fn new(width: u32, height: u32, title: impl Into<String>) -> Self {
        Self {
            width,
            height,
            title: title.into(),
            elements: Vec::new(),
        }
    }

    /// In CSS pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In CSS pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn rect(&mut self, rect: Rect, paint: Paint) {
        let corners = [(rect.x, rect.y), (rect.right(), rect.bottom())];
        let Some([(left, top), (right, bottom)]) = hundredths(corners) else {
            return;
        };
        let (width, height) = (Hundredths(right.0 - left.0), Hundredths(bottom.0 - top.0));
        let back = Hundredths(-width.0);
        self.path(
            paint,
            format_args!("M{left} {top}h{width}v{height}h{back}z"),
        );
    }

    /// With corners rounded to quarters of a circle of `radius`, which is to be at most half of either side.
    pub fn rounded_rect(&mut self, rect: Rect, radius: f64, paint: Paint) {
        let corners = [(rect.x, rect.y), (rect.right(), rect.bottom())];
        let Some([(left, top), (right, bottom), (r, _)]) =
            hundredths([corners[0], corners[1], (radius, 0.0)])
        else {
            return;
        };
        let back = Hundredths(-r.0);
        let across = Hundredths(right.0 - left.0 - 2 * r.0);
        let down = Hundredths(bottom.0 - top.0 - 2 * r.0);
        let (returning, up) = (Hundredths(-across.0), Hundredths(-down.0));
        let start = Hundredths(left.0 + r.0);
        self.path(
            paint,
            format_args!(
                "M{start} {top}h{across}a{r} {r} 0 0 1 {r} {r}v{down}a{r} {r} 0 0 1 {back} {r}h{returning}\
                 a{r} {r} 0 0 1 {back} {back}v{up}a{r} {r} 0 0 1 {r} {back}z"
            ),
        );
    }

    /// A cubic Bézier curve from its first point to its last; the others are its control points.
    pub fn curve(&mut self, points: [(f64, f64); 4], paint: Paint) {
        if let Some([(x0, y0), (x1, y1), (x2, y2), (x3, y3)]) = hundredths(points) {
            self.path(
                paint,
                format_args!("M{x0} {y0}C{x1} {y1} {x2} {y2} {x3} {y3}"),
            );
        }
    }

    pub fn triangle(&mut self, corners: [(f64, f64); 3], paint: Paint) {
        if let Some([(x0, y0), (x1, y1), (x2, y2)]) = hundredths(corners) {
            self.path(paint, format_args!("M{x0} {y0}L{x1} {y1}L{x2} {y2}z"));
        }
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), paint: Paint) {
        if let Some([(x0, y0), (x1, y1)]) = hundredths([from, to]) {
            self.path(paint, format_args!("M{x0} {y0}L{x1} {y1}"));
        }
    }

    /// Joins the points by lines; interrupted at a point that is not finite.
    pub fn polyline(&mut self, points: impl IntoIterator<Item = (f64, f64)>, paint: Paint) {
        let mut data = String::new();
        let mut joined = false;
        for point in points {
            let Some([(x, y)]) = hundredths([point]) else {
                joined = false;
                continue;
            };
            let command = if joined { 'L' } else { 'M' };
            // Writing to a string does not fail.
            let _ = write!(data, "{command}{x} {y}");
            joined = true;
        }
        if !data.is_empty() {
            self.path(paint, format_args!("{data}"));
        }
    }

    /// Writes one line; `y` is its baseline.
    pub fn text(&mut self, (x, y): (f64, f64), text: impl Into<String>, style: TextStyle) {
        if x.is_finite() && y.is_finite() {
            self.elements.push(Element::Text {
                x,
                y,
                text: text.into(),
                style,
            });
        }
    }

    /// Stretches the picture of a PNG file over `place`, with hard edges between its pixels.
    pub fn image(&mut self, place: Rect, png: Vec<u8>) {
        self.elements.push(Element::Image { place, png });
    }

    /// What `draw` draws is seen inside `to` only.
    pub fn clipped(&mut self, to: Rect, draw: impl FnOnce(&mut Self)) {
        let outside = mem::take(&mut self.elements);
        draw(self);
        let elements = mem::replace(&mut self.elements, outside);
        self.elements.push(Element::Clipped { to, elements });
    }

    fn path(&mut self, paint: Paint, commands: std::fmt::Arguments) {
        match self.elements.last_mut() {
            Some(Element::Path { paint: last, data }) if *last == paint => {
                let _ = data.write_fmt(commands);
            }
            _ => self.elements.push(Element::Path {
                paint,
                data: commands.to_string(),
            }),
        }
    }
}

/// A coordinate in hundredths of a pixel, written in pixels.
#[derive(Clone, Copy)]
pub(super) struct Hundredths(i64);

impl From<f64> for Hundredths {
    fn from(pixels: f64) -> Self {
        /// Far outside any picture.
        const FURTHEST: f64 = 1e9;
        Self((pixels.clamp(-FURTHEST, FURTHEST) * 100.0).round() as i64)
    }
}

impl std::fmt::Display for Hundredths {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.abs() / 100, self.0.abs() % 100);
        match (rest, rest % 10) {
            (0, _) => write!(f, "{sign}{whole}"),
            (_, 0) => write!(f, "{sign}{whole}.{}", rest / 10),
            _ => write!(f, "{sign}{whole}.{rest:02}"),
        }
    }
}

/// `None` when one is not finite.
fn hundredths<const N: usize>(points: [(f64, f64); N]) -> Option<[(Hundredths, Hundredths); N]> {
    let finite = points.iter().all(|(x, y)| x.is_finite() && y.is_finite());
    finite.then(|| points.map(|(x, y)| (x.into(), y.into())))
}

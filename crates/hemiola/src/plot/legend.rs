use super::frame::{LABEL_SIZE, baseline};
use super::picture::{Anchor, Paint, Picture, Rect, TextStyle};
use super::text::{fitted, text_width};

const LINE_HEIGHT: f64 = 20.0;
const SWATCH_WIDTH: f64 = 16.0;
/// Room for a few dashes.
const LINE_WIDTH: f64 = 28.0;
const SWATCH_HEIGHT: f64 = 10.0;
const SWATCH_SPACE: f64 = 6.0;
const ENTRY_SPACE: f64 = 20.0;

/// Names of paints in lines of a width: lines stand for paints that stroke, rectangles for those that fill.
pub(super) struct Legend {
    /// Place from the left, number of the line, paint and name.
    entries: Vec<(f64, usize, Paint, String)>,
}

impl Legend {
    /// Names that are longer than a line are shortened.
    pub fn new<'a>(names: impl IntoIterator<Item = (Paint, &'a str)>, width: f64) -> Self {
        let mut entries = Vec::new();
        let (mut x, mut line) = (0.0, 0);
        for (paint, name) in names {
            let swatch = swatch_width(paint) + SWATCH_SPACE;
            let name = fitted(name, LABEL_SIZE, width - swatch).into_owned();
            let needed = swatch + text_width(&name, LABEL_SIZE);
            if x > 0.0 && x + needed > width {
                (x, line) = (0.0, line + 1);
            }
            entries.push((x, line, paint, name));
            x += needed + ENTRY_SPACE;
        }
        Self { entries }
    }

    pub fn height(&self) -> f64 {
        let lines = self.entries.last().map_or(0, |(_, line, ..)| line + 1);
        lines as f64 * LINE_HEIGHT
    }

    pub fn draw(&self, picture: &mut Picture, (left, top): (f64, f64)) {
        for (x, line, paint, name) in &self.entries {
            let middle = top + *line as f64 * LINE_HEIGHT + SWATCH_HEIGHT / 2.0;
            let swatch = Rect {
                x: left + x,
                y: middle - SWATCH_HEIGHT / 2.0,
                width: swatch_width(*paint),
                height: SWATCH_HEIGHT,
            };
            match paint.stroke {
                Some(_) => picture.line((swatch.x, middle), (swatch.right(), middle), *paint),
                None => picture.rect(swatch, *paint),
            }
            let at = (swatch.right() + SWATCH_SPACE, baseline(middle, LABEL_SIZE));
            picture.text(at, name, TextStyle::new(LABEL_SIZE, Anchor::Start));
        }
    }
}

fn swatch_width(paint: Paint) -> f64 {
    match paint.stroke {
        Some(_) => LINE_WIDTH,
        None => SWATCH_WIDTH,
    }
}

//! The parts that every chart has: its title, its frame, and the axes at the frame's left and lower side.

use super::axis::{Tick, widest};
use super::colour::Colour;
use super::picture::{Anchor, Paint, Picture, Rect, TextStyle};
use super::text::fitted;

/// Empty space around a picture.
pub(super) const MARGIN: f64 = 16.0;
/// Height of a title with the space below it.
const TITLE_HEIGHT: f64 = 28.0;
pub(super) const TICK_SIZE: f64 = 11.0;
pub(super) const LABEL_SIZE: f64 = 12.0;

const TITLE_SIZE: f64 = 16.0;
const TICK_LENGTH: f64 = 4.0;
const TICK_SPACE: f64 = 4.0;
const LABEL_HEIGHT: f64 = 20.0;
/// From the middle of a line of text down to its baseline, for a font of size 1.
const BASELINE: f64 = 0.34;
/// Height of capitals and digits above the baseline, for a font of size 1.
const ASCENT: f64 = 0.72;

const FRAME: Colour = Colour::hex(0x77_77_77);

/// An axis that is ready to be drawn.
pub(super) struct Side {
    pub label: String,
    pub ticks: Vec<Tick>,
    /// Whether the texts of the ticks read upwards.
    pub upwards: bool,
}

impl Side {
    /// How far it reaches out of the frame, in pixels.
    pub fn depth(&self, horizontal: bool) -> f64 {
        let label = if self.label.is_empty() {
            0.0
        } else {
            LABEL_HEIGHT
        };
        let ticks = match horizontal != self.upwards {
            true => TICK_SIZE,
            false => widest(&self.ticks, TICK_SIZE),
        };
        label + ticks + TICK_LENGTH + TICK_SPACE
    }

    pub fn draw_left(&self, picture: &mut Picture, frame: Rect) {
        self.draw_ticks(picture, frame, (frame.x, -1.0), Anchor::End);
        let baseline = frame.x - self.depth(false) + ASCENT * LABEL_SIZE;
        self.draw_label_upwards(picture, baseline, frame);
    }

    /// As for a colour bar.
    pub fn draw_right(&self, picture: &mut Picture, frame: Rect) {
        self.draw_ticks(picture, frame, (frame.right(), 1.0), Anchor::Start);
        self.draw_label_upwards(picture, frame.right() + self.depth(false), frame);
    }

    /// From the frame's edge at `x` to the left, −1, or to the right, 1.
    fn draw_ticks(&self, picture: &mut Picture, frame: Rect, (x, way): (f64, f64), anchor: Anchor) {
        let end = x + way * TICK_LENGTH;
        for tick in &self.ticks {
            let y = frame.bottom() - tick.at * frame.height;
            tick_mark(picture, (x, y), (end, y));
            let at = (end + way * TICK_SPACE, baseline(y, TICK_SIZE));
            picture.text(at, &tick.text, TextStyle::new(TICK_SIZE, anchor));
        }
    }

    pub fn draw_bottom(&self, picture: &mut Picture, frame: Rect) {
        let top = frame.bottom() + TICK_LENGTH + TICK_SPACE;
        for tick in &self.ticks {
            let x = frame.x + tick.at * frame.width;
            tick_mark(
                picture,
                (x, frame.bottom()),
                (x, frame.bottom() + TICK_LENGTH),
            );
            if self.upwards {
                let style = TextStyle::new(TICK_SIZE, Anchor::End).upwards();
                picture.text((x + BASELINE * TICK_SIZE, top), &tick.text, style);
            } else {
                let style = TextStyle::new(TICK_SIZE, Anchor::Middle);
                picture.text((x, top + ASCENT * TICK_SIZE), &tick.text, style);
            }
        }
        let middle = frame.x + frame.width / 2.0;
        let y = frame.bottom() + self.depth(true);
        let style = TextStyle::new(LABEL_SIZE, Anchor::Middle);
        let label = fitted(&self.label, LABEL_SIZE, frame.width);
        draw_label(picture, (middle, y), &label, style);
    }

    /// With its baseline at `x`.
    fn draw_label_upwards(&self, picture: &mut Picture, x: f64, frame: Rect) {
        let middle = frame.y + frame.height / 2.0;
        let style = TextStyle::new(LABEL_SIZE, Anchor::Middle).upwards();
        let label = fitted(&self.label, LABEL_SIZE, frame.height);
        draw_label(picture, (x, middle), &label, style);
    }
}

fn draw_label(picture: &mut Picture, at: (f64, f64), label: &str, style: TextStyle) {
    if !label.is_empty() {
        picture.text(at, label, style);
    }
}

fn tick_mark(picture: &mut Picture, from: (f64, f64), to: (f64, f64)) {
    picture.line(from, to, Paint::stroke(FRAME, 1.0));
}

/// The outline around what a chart shows.
pub(super) fn draw_frame(picture: &mut Picture, frame: Rect) {
    picture.rect(frame, Paint::stroke(FRAME, 1.0));
}

/// The space that a title takes; none without one.
pub(super) fn title_height(title: &str) -> f64 {
    if title.is_empty() { 0.0 } else { TITLE_HEIGHT }
}

/// At the top of a picture, from `x` on; shortened where the picture is too narrow.
pub(super) fn draw_title(picture: &mut Picture, x: f64, title: &str) {
    let room = f64::from(picture.width()) - x - MARGIN;
    let y = MARGIN + ASCENT * TITLE_SIZE;
    let title = fitted(title, TITLE_SIZE, room);
    draw_label(
        picture,
        (x, y),
        &title,
        TextStyle::new(TITLE_SIZE, Anchor::Start),
    );
}

/// The baseline of a line of text whose middle is at `y`.
pub(super) fn baseline(y: f64, size: f64) -> f64 {
    y + BASELINE * size
}

//! Panels over one axis of time, one below the other.

use super::axis::{Tick, number_ticks, time_ticks, time_unit};
use super::colour::{Colour, ColourScale};
use super::features::{Patch, StepCurve};
use super::frame::{LABEL_SIZE, MARGIN, Side, TICK_SIZE, baseline, draw_frame};
use super::frequency::frequency_ticks;
use super::heat_map::{BAR_WIDTH, FirstRow, LINE_ROOM, TEXT_ROOM};
use super::matrix::Reduction;
use super::picture::{Anchor, Paint, Picture, Rect, TextStyle};
use super::shades::Shades;
use super::text::text_width;
use crate::error::Result;

/// Where every panel begins: room for its axis at the left.
pub(super) const LEFT: f64 = MARGIN + 64.5;
pub(super) const WIDTH: f64 = 936.0;
/// Room at the right for the names of panels, the bar of their colours and its axis.
pub(super) const RIGHT: f64 = 180.0;
const NAME_ROOM: f64 = 84.0;
const NAME_SPACE: f64 = 8.0;
/// Between panels that belong together.
const GAP: f64 = 6.0;
/// Between those that do not.
const GROUP_GAP: f64 = 12.0;
const HEADING_HEIGHT: f64 = 18.0;
const CURVE_HEIGHT: f64 = 64.0;
const LONGEST_BAR: f64 = 256.0;
/// Room of names of frequencies: those of a high panel may stand closer.
const FREQUENCY_ROOM: [f64; 2] = [10.0, 13.0];
const HIGH: f64 = 200.0;
const FREQUENCY: &str = "frequency (Hz)";

/// A picture that grows downwards.
pub(super) struct Panels<'a> {
    pub picture: Picture,
    /// Centres of the bins that the height of a panel stands for.
    pub bins_hz: &'a [f64],
    /// The time that the width of a panel stands for.
    pub time_s: (f64, f64),
    /// Where the next panel begins.
    pub y: f64,
}

impl Panels<'_> {
    /// A line of text above what comes next.
    pub fn heading(&mut self, text: &str) {
        let at = (LEFT, self.y + LABEL_SIZE);
        self.picture
            .text(at, text, TextStyle::new(LABEL_SIZE, Anchor::Start));
        self.y += HEADING_HEIGHT;
    }

    /// Patches of `height` pixels each in the same colours, with their names beside them and one bar for all.
    pub fn patches(
        &mut self,
        patches: &[(&str, Patch)],
        height: f64,
        shades: &Shades,
        value_label: &str,
    ) -> Result<()> {
        let group = Rect {
            x: LEFT,
            y: self.y,
            width: WIDTH,
            height: patches.len() as f64 * (height + GAP) - GAP,
        };
        let room = FREQUENCY_ROOM[usize::from(height < HIGH)];
        let mut ticks = Vec::new();
        for (index, (name, patch)) in patches.iter().enumerate() {
            let frame = Rect {
                y: group.y + index as f64 * (height + GAP),
                height,
                ..group
            };
            self.draw_patch(frame, patch, shades)?;
            draw_frame(&mut self.picture, frame);
            self.name(frame, name);
            let own = frequency_ticks(self.bins_hz, height, room);
            ticks.extend(own.into_iter().map(|tick| {
                let y = frame.bottom() - tick.at * height;
                Tick {
                    at: (group.bottom() - y) / group.height,
                    ..tick
                }
            }));
        }
        let label = match text_width(FREQUENCY, LABEL_SIZE) <= group.height {
            true => FREQUENCY,
            false => "Hz",
        };
        let side = Side {
            label: label.to_owned(),
            ticks,
            upwards: false,
        };
        side.draw_left(&mut self.picture, group);
        let bar = Rect {
            x: group.right() + NAME_ROOM,
            width: BAR_WIDTH,
            height: group.height.min(LONGEST_BAR),
            ..group
        };
        let most = (bar.height / (3.0 * LINE_ROOM)).clamp(2.0, 10.0) as usize;
        let bar_side = Side {
            label: value_label.to_owned(),
            ticks: number_ticks(shades.low, shades.high, most)?,
            upwards: false,
        };
        shades.draw_bar(&mut self.picture, bar, &bar_side)?;
        self.y = group.bottom() + GAP;
        Ok(())
    }

    /// Values of 0 and more as steps, and what they were if all were equal.
    pub fn steps(&mut self, curve: &StepCurve) -> Result<()> {
        let frame = Rect {
            x: LEFT,
            y: self.y,
            width: WIDTH,
            height: CURVE_HEIGHT,
        };
        let most = f64::from(curve.values.iter().copied().fold(0.0, f32::max));
        let top = if most > 0.0 { most } else { 1.0 };
        let y = |value: f64| frame.bottom() - value / top * frame.height;
        let (from_s, to_s) = curve.time_s;
        let step_s = (to_s - from_s) / curve.values.len() as f64;
        let ends = |index: usize| {
            [index, index + 1].map(|edge| self.x(frame, from_s + edge as f64 * step_s))
        };
        let bars = curve.values.iter().enumerate().map(|(index, value)| {
            let ([x, end], y) = (ends(index), y(f64::from(*value)));
            Rect {
                x,
                y,
                width: end - x,
                height: frame.bottom() - y,
            }
        });
        let bars: Vec<Rect> = bars.collect();
        for bar in bars {
            self.picture.rect(bar, Paint::fill(Colour::BLUE));
        }
        let mean = curve.values.iter().copied().map(f64::from).sum::<f64>();
        let mean = y(mean / curve.values.len() as f64);
        let dashed = Paint::stroke(Colour::VERMILLION, 1.0).dashed();
        self.picture
            .line((frame.x, mean), (frame.right(), mean), dashed);
        draw_frame(&mut self.picture, frame);
        self.name(frame, "dashed: the mean");
        let side = Side {
            label: curve.label.to_owned(),
            ticks: number_ticks(0.0, top, 3)?,
            upwards: false,
        };
        side.draw_left(&mut self.picture, frame);
        self.y = frame.bottom() + GAP;
        Ok(())
    }

    /// The axis of time below the last panel, named where it is the last one.
    pub fn times(&mut self, last: bool) -> Result<()> {
        let (from_s, to_s) = self.time_s;
        let side = Side {
            label: match last {
                true => format!("time ({})", time_unit(to_s)),
                false => String::new(),
            },
            ticks: time_ticks(from_s, to_s, (WIDTH / TEXT_ROOM) as usize)?,
            upwards: false,
        };
        let above = Rect {
            x: LEFT,
            y: self.y - GAP,
            width: WIDTH,
            height: 0.0,
        };
        side.draw_bottom(&mut self.picture, above);
        self.y = above.y + side.depth(true) + GROUP_GAP;
        Ok(())
    }

    /// Beside the right edge of a panel.
    fn name(&mut self, frame: Rect, name: &str) {
        if name.is_empty() {
            return;
        }
        let middle = baseline(frame.y + frame.height / 2.0, TICK_SIZE);
        let at = (frame.right() + NAME_SPACE, middle);
        self.picture
            .text(at, name, TextStyle::new(TICK_SIZE, Anchor::Start));
    }

    fn draw_patch(&mut self, frame: Rect, patch: &Patch, shades: &Shades) -> Result<()> {
        let (left, right) = (self.x(frame, patch.time_s.0), self.x(frame, patch.time_s.1));
        let bins = self.bins_hz.len() as f64;
        let y = |bin: f64| frame.bottom() - bin / bins * frame.height;
        let place = Rect {
            x: left,
            y: y(patch.bins.1),
            width: right - left,
            height: y(patch.bins.0) - y(patch.bins.1),
        };
        let at_most = |cells: usize, pixels: f64| cells.min((pixels as usize).max(1));
        let columns = at_most(patch.cells.columns(), place.width);
        let rows = at_most(patch.cells.rows(), place.height.round());
        let cells = patch.cells.reduced(rows, columns, Reduction::Max);
        shades.draw_cells(&mut self.picture, place, &cells, columns, FirstRow::Bottom)
    }

    fn x(&self, frame: Rect, time_s: f64) -> f64 {
        let (from_s, to_s) = self.time_s;
        frame.x + (time_s - from_s) / (to_s - from_s) * frame.width
    }
}

/// Colours from the lowest hundredth of some values to their `top`, a share of them.
pub(super) fn shades_of(values: impl Iterator<Item = f32>, top: f64) -> Shades {
    const BOTTOM: f64 = 0.01;
    let mut values: Vec<f32> = values.collect();
    let scale = ColourScale::default();
    let Some(last) = values.len().checked_sub(1) else {
        return Shades::new(scale, 0.0, 0.0);
    };
    let mut quantile = |share: f64| {
        let place = (last as f64 * share).round() as usize;
        let (_, value, _) = values.select_nth_unstable_by(place, f32::total_cmp);
        f64::from(*value)
    };
    let (low, high) = (quantile(BOTTOM), quantile(top));
    match low < high {
        true => Shades::new(scale, low, high),
        // Few cells differ from the others: those count.
        false => Shades::new(scale, quantile(0.0), quantile(1.0)),
    }
}

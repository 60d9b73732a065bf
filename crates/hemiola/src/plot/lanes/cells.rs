//! Lanes of cells in colours.

use super::super::axis::Tick;
use super::super::colour::ColourScale;
use super::super::frame::TICK_SIZE;
use super::super::frequency::frequency_ticks;
use super::super::heat_map::FirstRow;
use super::super::matrix::{Matrix, Reduction};
use super::super::picture::{Picture, Rect};
use super::super::shades::Shades;
use super::super::text::fitted;
use super::{LEFT, Place};
use crate::analysis::{Analysis, LabelCurves, Overview};
use crate::error::Result;
use crate::music::{N_PITCH_CLASSES, PITCH_CLASS_NAMES};

/// Height of a row with a name, in pixels.
pub const ROW: f64 = 12.0;
/// Labels that are drawn at most, the most certain of the whole recording.
const MOST_LABELS: usize = 10;
/// Room of a name of a frequency.
const FREQUENCY_ROOM: f64 = 13.0;

/// Cells of rows over frames that lie `1 / fps` apart and are centred on their times; the first row lies at the bottom.
struct Grid<'a> {
    rows: usize,
    frames: usize,
    fps: f64,
    value: &'a dyn Fn(usize, usize) -> f32,
    high: f64,
    reduction: Reduction,
}

impl Grid<'_> {
    fn draw(&self, picture: &mut Picture, place: &Place) -> Result<()> {
        let frame_at = |time_s: f64| (time_s * self.fps + 0.5).max(0.0) as usize;
        let first = frame_at(place.from_s);
        let end = frame_at(place.to_s).saturating_add(1).min(self.frames);
        if first >= end || self.rows == 0 {
            place.say_nothing(picture, "none found");
            return Ok(());
        }
        let mut values = Vec::with_capacity(self.rows * (end - first));
        for row in 0..self.rows {
            let cells = (first..end).map(|frame| (self.value)(row, frame));
            values.extend(cells.map(|value| if value.is_finite() { value } else { 0.0 }));
        }
        let edge = |frame: usize| place.x((frame as f64 - 0.5) / self.fps);
        let area = Rect {
            x: edge(first),
            width: edge(end) - edge(first),
            ..place.frame
        };
        let matrix = Matrix::new(self.rows, end - first, &values)?;
        let columns = matrix.columns().min(area.width.ceil() as usize).max(1);
        let cells = matrix.reduced(self.rows, columns, self.reduction);
        let shades = Shades::new(ColourScale::Magma, 0.0, self.high);
        let mut drawn = Ok(());
        picture.clipped(place.frame, |picture| {
            drawn = shades.draw_cells(picture, area, &cells, columns, FirstRow::Bottom);
        });
        drawn
    }
}

/// A name for each of some rows of equal height, from the bottom.
fn row_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Vec<Tick> {
    let rows = names.len() as f64;
    let tick = |(row, name): (usize, &str)| Tick {
        at: (row as f64 + 0.5) / rows,
        text: fitted(name, TICK_SIZE, LEFT - 20.0).into_owned(),
    };
    names.enumerate().map(tick).collect()
}

pub fn spectrogram(picture: &mut Picture, place: &Place, overview: &Overview) -> Result<()> {
    let rows = overview.bands_hz.len();
    let grid = Grid {
        rows,
        frames: overview.levels.len() / rows.max(1),
        fps: overview.spectrogram_fps,
        value: &|row, frame| f32::from(overview.levels[frame * rows + row]),
        high: 255.0,
        reduction: Reduction::Max,
    };
    grid.draw(picture, place)?;
    let bands: Vec<f64> = overview.bands_hz.iter().copied().map(f64::from).collect();
    place.names(
        picture,
        frequency_ticks(&bands, place.frame.height, FREQUENCY_ROOM),
    );
    Ok(())
}

pub fn chroma(picture: &mut Picture, place: &Place, analysis: &Analysis) -> Result<()> {
    let Some(chroma) = &analysis.chroma else {
        return Ok(());
    };
    let grid = Grid {
        rows: N_PITCH_CLASSES,
        frames: chroma.frames.len(),
        fps: chroma.fps,
        value: &|row, frame| chroma.frames[frame][row],
        high: 1.0,
        reduction: Reduction::Mean,
    };
    grid.draw(picture, place)?;
    place.names(picture, row_names(PITCH_CLASS_NAMES.into_iter()));
    Ok(())
}

/// The most certain labels by their places, the most certain last.
fn labels(curves: &LabelCurves) -> Vec<usize> {
    let score = |place: &usize| curves.scores.get(*place).copied().unwrap_or(0.0);
    let mut places: Vec<usize> = (0..curves.labels.len()).collect();
    places.sort_by(|a, b| score(b).total_cmp(&score(a)));
    places.truncate(MOST_LABELS);
    places.reverse();
    places
}

pub fn instruments_height(analysis: &Analysis) -> f64 {
    let count = analysis.instruments.as_ref().map_or(0, |c| labels(c).len());
    count.max(2) as f64 * (ROW + 2.0)
}

pub fn instruments(picture: &mut Picture, place: &Place, analysis: &Analysis) -> Result<()> {
    let Some(curves) = &analysis.instruments else {
        return Ok(());
    };
    let shown = labels(curves);
    // Windows may overlap: at each time, the one whose middle is nearest counts.
    let middle = |i: usize| (curves.windows[i].start_s + curves.windows[i].end_s) / 2.0;
    let cells = place.frame.width as usize;
    let fps = cells as f64 / (place.to_s - place.from_s);
    let window_at = |cell: usize| {
        let time_s = place.from_s + cell as f64 / fps;
        let after = curves
            .windows
            .partition_point(|w| (w.start_s + w.end_s) / 2.0 < time_s);
        let near = [
            after.checked_sub(1),
            (after < curves.windows.len()).then_some(after),
        ];
        let distance = |i: &usize| (middle(*i) - time_s).abs();
        let nearest = near.into_iter().flatten();
        nearest
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .filter(|i| curves.windows[*i].start_s <= time_s && time_s <= curves.windows[*i].end_s)
    };
    let windows: Vec<Option<usize>> = (0..=cells).map(window_at).collect();
    if shown.is_empty() || windows.iter().all(Option::is_none) {
        place.say_nothing(picture, "none found");
        return Ok(());
    }
    let score = |row: usize, cell: usize| {
        let scores = windows[cell].map(|window| &curves.windows[window].scores);
        scores
            .and_then(|scores| scores.get(shown[row]))
            .copied()
            .unwrap_or(0.0)
    };
    let relative = Place {
        frame: place.frame,
        from_s: 0.0,
        to_s: place.to_s - place.from_s,
    };
    let grid = Grid {
        rows: shown.len(),
        frames: windows.len(),
        fps,
        value: &score,
        high: 1.0,
        reduction: Reduction::Max,
    };
    grid.draw(picture, &relative)?;
    let names = shown.iter().map(|label| curves.labels[*label].as_str());
    place.names(picture, row_names(names));
    Ok(())
}

use super::axis::{Axis, Tick, Ticks, number_ticks, widest};
use super::colour::ColourScale;
use super::frame::{MARGIN, Side, TICK_SIZE, draw_frame, draw_title, title_height};
use super::matrix::{Matrix, Reduction};
use super::picture::{Picture, Rect};
use super::shades::Shades;
use super::text::fitted;
use crate::error::{Error, Result};

/// Where the first row of a matrix is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstRow {
    /// As in print.
    #[default]
    Top,
    /// As the lowest frequency of a spectrogram.
    Bottom,
}

/// How a matrix is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatMapOptions {
    /// What the columns are, along the lower side.
    pub columns: Axis,
    /// What the rows are, along the left side.
    pub rows: Axis,
    pub first_row: FirstRow,
    /// Whether cells are as high as wide.
    pub square_cells: bool,
    pub scale: ColourScale,
    /// The values at the two ends of the scale; those of the matrix where `None`.
    pub range: Option<(f32, f32)>,
    /// What the values are, beside the scale.
    pub value_label: String,
    pub reduction: Reduction,
}

const BAR_SPACE: f64 = 20.0;
pub(super) const BAR_WIDTH: f64 = 14.0;
/// Room for the text of a tick, in pixels along its axis.
pub(super) const TEXT_ROOM: f64 = 64.0;
pub(super) const LINE_ROOM: f64 = TICK_SIZE + 2.0;
/// Room for names of cells, in pixels across their axis.
const NAME_LENGTH: f64 = 140.0;

/// A matrix in colours, with axes and the scale. What has more cells than pixels is reduced to pixels.
///
/// # Errors
/// The range or an axis is impossible, or an axis has another number of names than the matrix has cells.
pub fn heat_map(title: &str, matrix: Matrix, options: &HeatMapOptions) -> Result<Picture> {
    let (width, height) = size(&matrix, options);
    let columns = matrix.columns().min(width);
    let rows = matrix.rows().min(height);
    let cells = matrix.reduced(rows, columns, options.reduction);
    let shades = shades(options.scale, &cells, options.range)?;

    let bottom = bottom_side(&options.columns, matrix.columns(), width as f64)?;
    let left = left_side(options, matrix.rows(), height as f64)?;
    let most_shades = (height as f64 / (3.0 * LINE_ROOM)).min(10.0) as usize;
    let bar_side = Side {
        label: options.value_label.clone(),
        ticks: number_ticks(shades.low, shades.high, most_shades)?,
        upwards: false,
    };
    let frame = Rect {
        x: (MARGIN + left.depth(false)).ceil() + 0.5,
        y: MARGIN + title_height(title) + 0.5,
        width: width as f64,
        height: height as f64,
    };
    let bar = Rect {
        x: frame.right() + BAR_SPACE,
        width: BAR_WIDTH,
        ..frame
    };
    let mut picture = Picture::new(
        (bar.right() + bar_side.depth(false) + MARGIN).ceil() as u32,
        (frame.bottom() + bottom.depth(true) + MARGIN).ceil() as u32,
        title,
    );
    draw_title(&mut picture, frame.x, title);

    shades.draw_cells(&mut picture, frame, &cells, columns, options.first_row)?;
    draw_frame(&mut picture, frame);
    bottom.draw_bottom(&mut picture, frame);
    left.draw_left(&mut picture, frame);
    shades.draw_bar(&mut picture, bar, &bar_side)?;
    Ok(picture)
}

/// Width and height of the cells together, in pixels: a whole number to the cell where there are few.
fn size(matrix: &Matrix, options: &HeatMapOptions) -> (usize, usize) {
    let (columns, rows) = (matrix.columns(), matrix.rows());
    if !options.square_cells {
        return (
            side(columns, 480, 1200, &options.columns),
            side(rows, 240, 512, &options.rows),
        );
    }
    const LONGEST: usize = 840;
    let most = columns.max(rows);
    if most > LONGEST {
        let scaled = |cells: usize| (cells * LONGEST / most).max(1);
        return (scaled(columns), scaled(rows));
    }
    let axes = [(columns, &options.columns), (rows, &options.rows)];
    let cell = axes.map(|(cells, axis)| side(cells, 1, LONGEST, axis) / cells);
    let cell = cell[0].max(cell[1]).max(480 / most);
    (columns * cell, rows * cell)
}

/// From `least` to `most` pixels for all cells; a line of text for each where they have names and there is room.
fn side(cells: usize, least: usize, most: usize, axis: &Axis) -> usize {
    if cells >= most {
        return most;
    }
    let line = LINE_ROOM as usize;
    let named = matches!(axis.ticks, Ticks::Names(_)) && cells * line <= most;
    cells * least.div_ceil(cells).max(if named { line } else { 1 })
}

fn shades(scale: ColourScale, cells: &[f32], given: Option<(f32, f32)>) -> Result<Shades> {
    let Some((low, high)) = given else {
        let least = cells.iter().copied().fold(f32::INFINITY, f32::min);
        let most = cells.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        return Ok(Shades::new(scale, least.into(), most.into()));
    };
    if low.is_finite() && high.is_finite() && low < high {
        return Ok(Shades::new(scale, low.into(), high.into()));
    }
    Err(Error::config(format!(
        "colours from {low} to {high}; expected two numbers, the second above the first"
    )))
}

fn bottom_side(axis: &Axis, cells: usize, length: f64) -> Result<Side> {
    let mut ticks = axis.ticks.place(cells, length, TEXT_ROOM)?;
    let mut upwards = false;
    if let Ticks::Names(_) = axis.ticks {
        let all = axis.ticks.place(cells, length, length / cells as f64)?;
        let fits = widest(&all, TICK_SIZE) + 8.0 <= length / cells as f64;
        upwards = !fits;
        ticks = match fits {
            true => all,
            false => axis.ticks.place(cells, length, LINE_ROOM)?,
        };
    }
    Ok(Side {
        label: axis.label.clone(),
        ticks: shortened(ticks),
        upwards,
    })
}

fn left_side(options: &HeatMapOptions, cells: usize, length: f64) -> Result<Side> {
    let axis = &options.rows;
    let room = match axis.ticks {
        Ticks::Names(_) => LINE_ROOM,
        _ => 2.5 * LINE_ROOM,
    };
    let mut ticks = shortened(axis.ticks.place(cells, length, room)?);
    if options.first_row == FirstRow::Top {
        for tick in &mut ticks {
            tick.at = 1.0 - tick.at;
        }
    }
    Ok(Side {
        label: axis.label.clone(),
        ticks,
        upwards: false,
    })
}

fn shortened(mut ticks: Vec<Tick>) -> Vec<Tick> {
    for tick in &mut ticks {
        tick.text = fitted(&tick.text, TICK_SIZE, NAME_LENGTH).into_owned();
    }
    ticks
}

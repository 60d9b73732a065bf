//! Cells in colours, and the bar that tells what the colours mean.

use super::colour::{Colour, ColourScale};
use super::frame::{Side, draw_frame};
use super::heat_map::FirstRow;
use super::picture::{Picture, Rect};
use super::raster::encode_indexed;
use crate::error::Result;

/// Which value has which colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shades {
    pub scale: ColourScale,
    /// The values at the ends of the scale, the second above the first; what lies beyond has the colour of the nearer end.
    pub low: f64,
    pub high: f64,
}

impl Shades {
    /// Where there is one value alone, it has the colour of the low end.
    pub fn new(scale: ColourScale, low: f64, high: f64) -> Self {
        let high = match low < high {
            true => high,
            false => low + low.abs().max(1.0),
        };
        Self { scale, low, high }
    }

    fn palette(&self) -> [Colour; 256] {
        std::array::from_fn(|i| self.scale.colour(i as f64 / 255.0))
    }

    /// Draws cells of `columns` to the row over a place.
    pub fn draw_cells(
        &self,
        picture: &mut Picture,
        place: Rect,
        cells: &[f32],
        columns: usize,
        first_row: FirstRow,
    ) -> Result<()> {
        let span = self.high - self.low;
        let index = |value: &f32| ((f64::from(*value) - self.low) / span * 255.0).round() as u8;
        let rows = cells.chunks_exact(columns);
        let indices: Vec<u8> = match first_row {
            FirstRow::Top => rows.flatten().map(index).collect(),
            FirstRow::Bottom => rows.rev().flatten().map(index).collect(),
        };
        picture.image(place, encode_indexed(columns, &indices, &self.palette())?);
        Ok(())
    }

    /// The scale from its low end below to its high end above, with `side` at its right.
    pub fn draw_bar(&self, picture: &mut Picture, bar: Rect, side: &Side) -> Result<()> {
        let indices: Vec<u8> = (0..=u8::MAX).rev().collect();
        picture.image(bar, encode_indexed(1, &indices, &self.palette())?);
        draw_frame(picture, bar);
        side.draw_right(picture, bar);
        Ok(())
    }
}

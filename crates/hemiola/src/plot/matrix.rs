use std::ops::Range;

use crate::error::{Error, Result};

/// Numbers in rows.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    rows: usize,
    columns: usize,
    values: &'a [f32],
}

/// What stands for several cells where a matrix has more of them than a picture has pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reduction {
    /// The largest, so that single high values stay visible.
    #[default]
    Max,
    Mean,
}

impl<'a> Matrix<'a> {
    /// Of `values` [rows, columns], row by row.
    ///
    /// # Errors
    /// The matrix is empty, the number of values is another, or one is not finite.
    pub fn new(rows: usize, columns: usize, values: &'a [f32]) -> Result<Self> {
        if rows == 0 || columns == 0 {
            return Err(Error::config(format!(
                "a matrix of {rows} × {columns} cannot be drawn; expected at least one row and one column"
            )));
        }
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(Error::config(format!(
                "{} values for a matrix of {rows} × {columns}",
                values.len()
            )));
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::config(format!(
                "row {}, column {} of the matrix holds {}; expected finite numbers",
                place / columns,
                place % columns,
                values[place]
            )));
        }
        Ok(Self {
            rows,
            columns,
            values,
        })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The value that a share of the positive ones do not exceed; `None` where none is positive.
    pub(super) fn positive_quantile(&self, share: f64) -> Option<f32> {
        let positive = self.values.iter().copied().filter(|value| *value > 0.0);
        let mut positive: Vec<f32> = positive.collect();
        let last = positive.len().checked_sub(1)?;
        let place = (last as f64 * share).round() as usize;
        let (_, value, _) = positive.select_nth_unstable_by(place, f32::total_cmp);
        Some(*value)
    }

    /// The values, row by row.
    pub(super) fn values(&self) -> &'a [f32] {
        self.values
    }

    /// Row by row with at most so many rows and columns, each of the cells that fall into it.
    pub(super) fn reduced(&self, rows: usize, columns: usize, reduction: Reduction) -> Vec<f32> {
        let mut reduced = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let falling = part(row, rows, self.rows);
            let block = &self.values[falling.start * self.columns..falling.end * self.columns];
            reduced.extend((0..columns).map(|column| {
                let falling = part(column, columns, self.columns);
                let lines = block.chunks_exact(self.columns);
                let cells = lines.flat_map(|line| &line[falling.clone()]);
                match reduction {
                    Reduction::Max => cells.copied().fold(f32::NEG_INFINITY, f32::max),
                    Reduction::Mean => {
                        let count = falling.len() * (block.len() / self.columns);
                        (cells.map(|&cell| f64::from(cell)).sum::<f64>() / count as f64) as f32
                    }
                }
            }));
        }
        reduced
    }
}

/// The cells of `cells` that fall into part `index` of `parts`, which are not more.
fn part(index: usize, parts: usize, cells: usize) -> Range<usize> {
    index * cells / parts..(index + 1) * cells / parts
}

//! Sparse matrices of fixed numbers, such as the neighbours of a graph's nodes, and their products with dense ones.
//!
//! [`SparseMatrix`] is plain data; with burn, its product is a differentiable operator too.

#[cfg(feature = "neural")]
mod operator;

use std::sync::Arc;

use rayon::prelude::*;

/// Products of fewer multiplications run on one thread.
const PARALLEL_FROM: usize = 1 << 18;

/// A sparse matrix with fixed values, kept by rows and by columns; clones share them.
#[derive(Debug, Clone)]
pub struct SparseMatrix {
    rows: Arc<CompressedRows>,
    columns: Arc<CompressedRows>,
}

/// The entries of each row, one row after the other.
#[derive(Debug)]
struct CompressedRows {
    /// Where the entries of each row start, and where the last ones end.
    starts: Vec<usize>,
    /// Column and value of each entry.
    entries: Vec<(u32, f32)>,
    /// Number of columns.
    width: usize,
}

/// A value in a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    pub row: usize,
    pub column: usize,
    pub value: f32,
}

impl SparseMatrix {
    /// A matrix of `shape` (rows, columns), zero but for `entries`; those at the same place add up.
    ///
    /// # Panics
    /// If an entry lies outside the shape, or there are 2³² rows or columns.
    pub fn new(shape: [usize; 2], entries: &[Entry]) -> Self {
        let [rows, columns] = shape;
        let transposed: Vec<Entry> = (entries.iter())
            .map(|entry| Entry {
                row: entry.column,
                column: entry.row,
                value: entry.value,
            })
            .collect();
        Self {
            rows: Arc::new(CompressedRows::new([rows, columns], entries)),
            columns: Arc::new(CompressedRows::new([columns, rows], &transposed)),
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        [self.columns.width, self.rows.width]
    }

    pub fn transposed(&self) -> Self {
        Self {
            rows: self.columns.clone(),
            columns: self.rows.clone(),
        }
    }

    /// This matrix times `dense`, `[columns, width]` in row-major order: `[rows, width]`.
    ///
    /// # Panics
    /// If `dense` has another length.
    pub fn times(&self, dense: &[f32], width: usize) -> Vec<f32> {
        self.rows.times(dense, width)
    }
}

impl CompressedRows {
    fn new([rows, width]: [usize; 2], entries: &[Entry]) -> Self {
        assert!(u32::try_from(width).is_ok(), "{width} columns");
        let mut starts = vec![0; rows + 1];
        for entry in entries {
            assert!(entry.column < width, "column {} of {width}", entry.column);
            starts[entry.row + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut sorted = vec![(0, 0.0); entries.len()];
        for entry in entries {
            let place = &mut next[entry.row];
            sorted[*place] = (entry.column as u32, entry.value);
            *place += 1;
        }
        Self {
            starts,
            entries: sorted,
            width,
        }
    }

    fn times(&self, dense: &[f32], width: usize) -> Vec<f32> {
        assert_eq!(
            dense.len(),
            self.width * width,
            "length of the dense matrix"
        );
        let rows = self.starts.len() - 1;
        let mut product = vec![0.0; rows * width];
        let fill = |first: usize, part: &mut [f32]| {
            for (row, sums) in part.chunks_exact_mut(width).enumerate() {
                let row = first + row;
                for &(column, value) in &self.entries[self.starts[row]..self.starts[row + 1]] {
                    let other = &dense[column as usize * width..][..width];
                    for (sum, other) in sums.iter_mut().zip(other) {
                        *sum += value * other;
                    }
                }
            }
        };
        if width == 0 {
            return product;
        }
        if self.entries.len() * width < PARALLEL_FROM {
            fill(0, &mut product);
        } else {
            let rows_each = rows.div_ceil(rayon::current_num_threads());
            product
                .par_chunks_mut(rows_each * width)
                .enumerate()
                .for_each(|(index, part)| fill(index * rows_each, part));
        }
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries without a pattern; some places occur twice, some rows stay empty.
    pub(super) fn entries([rows, columns]: [usize; 2], number: usize) -> Vec<Entry> {
        (0..number)
            .map(|i| Entry {
                row: i * 7 % rows / 2 * 2,
                column: i * i % columns,
                value: (i % 5) as f32 - 1.5,
            })
            .collect()
    }

    #[test]
    fn the_product_is_that_of_the_dense_matrix() {
        // The last one is large enough for two threads.
        for ([rows, columns], number, width) in [
            ([3, 5], 9, 1),
            ([1, 4], 6, 7),
            ([6, 2], 0, 3),
            ([211, 97], 9_000, 33),
        ] {
            let entries = entries([rows, columns], number);
            let sparse = SparseMatrix::new([rows, columns], &entries);
            assert_eq!(sparse.shape(), [rows, columns]);
            let dense: Vec<f32> = (0..columns * width)
                .map(|i| (i % 11) as f32 - 4.0)
                .collect();
            let mut expected = vec![0.0f32; rows * width];
            for entry in &entries {
                for i in 0..width {
                    expected[entry.row * width + i] +=
                        entry.value * dense[entry.column * width + i];
                }
            }
            // Halves and small integers: sums are exact in any order.
            assert_eq!(sparse.times(&dense, width), expected);

            let transposed = sparse.transposed();
            assert_eq!(transposed.shape(), [columns, rows]);
            let dense: Vec<f32> = (0..rows * width).map(|i| (i % 7) as f32 - 2.0).collect();
            let mut expected = vec![0.0f32; columns * width];
            for entry in &entries {
                for i in 0..width {
                    expected[entry.column * width + i] +=
                        entry.value * dense[entry.row * width + i];
                }
            }
            assert_eq!(transposed.times(&dense, width), expected);
        }
    }
}

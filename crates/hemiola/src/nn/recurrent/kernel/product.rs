//! Matrix products: large ones over all frames, small ones with packed weights in every step.

use super::simd::Vector;

/// A matrix somewhere in a slice.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub data: &'a [f32],
    pub row_stride: usize,
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other, `width` values each.
    pub fn rows(data: &'a [f32], width: usize) -> Self {
        Self {
            data,
            row_stride: width,
            column_stride: 1,
        }
    }

    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.data.len()
    }
}

/// `into = a · b` for `a` of `m × k` and `b` of `k × n`; `into` has `m` rows of `n` values.
///
/// With `threads`, the product uses all of rayon's threads.
pub fn matmul(
    into: &mut [f32],
    [m, n, k]: [usize; 3],
    a: Matrix<'_>,
    b: Matrix<'_>,
    threads: bool,
) {
    assert!(into.len() == m * n && a.holds(m, k) && b.holds(k, n));
    if k == 0 {
        into.fill(0.0);
        return;
    }
    let parallelism = if threads {
        gemm::Parallelism::Rayon(0)
    } else {
        gemm::Parallelism::None
    };
    // SAFETY: the assertion above keeps every index inside its slice; `into` is borrowed mutably and overlaps nothing.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            into.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Where the packed order puts the rows of weights of `gates · hidden` rows, gate after gate in PyTorch's order.
///
/// The packed order goes by groups of `lanes` hidden units, padded with zeros to a whole number of them; in a group,
/// the first gate of its units, then their second, and so on: the gates of one unit are then in one lane of
/// neighbouring vectors.
#[derive(Clone, Copy, Debug)]
pub struct Packing {
    pub gates: usize,
    pub hidden: usize,
    pub lanes: usize,
}

impl Packing {
    pub fn groups(self) -> usize {
        self.hidden.div_ceil(self.lanes)
    }

    /// Hidden units, padding included.
    pub fn units(self) -> usize {
        self.groups() * self.lanes
    }

    /// Rows in packed order, padding included.
    pub fn rows(self) -> usize {
        self.gates * self.units()
    }

    /// Pairs of (packed row, original row) for all rows that are no padding.
    pub fn pairs(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.gates).flat_map(move |gate| {
            (0..self.hidden).map(move |unit| {
                let (group, lane) = (unit / self.lanes, unit % self.lanes);
                (
                    (group * self.gates + gate) * self.lanes + lane,
                    gate * self.hidden + unit,
                )
            })
        })
    }

    /// Rows of `width` values in packed order.
    pub fn pack_rows(self, original: &[f32], width: usize) -> Vec<f32> {
        let mut packed = vec![0.0; self.rows() * width];
        for (to, from) in self.pairs() {
            packed[to * width..][..width].copy_from_slice(&original[from * width..][..width]);
        }
        packed
    }

    /// The transpose of [`Packing::pack_rows`]: for each of the `width` values its column of packed rows.
    pub fn pack_columns(self, original: &[f32], width: usize) -> Vec<f32> {
        let rows = self.rows();
        let mut packed = vec![0.0; rows * width];
        let pairs: Vec<(usize, usize)> = self.pairs().collect();
        // Neighbours in packed order, mostly: each part of a column is written at once.
        for pairs in pairs.chunks(self.lanes) {
            for (column, packed) in packed.chunks_exact_mut(rows).enumerate() {
                for &(to, from) in pairs {
                    packed[to] = original[from * width + column];
                }
            }
        }
        packed
    }

    /// The inverse of [`Packing::pack_rows`]; each packed row has `stride` values, of which the first `width` count.
    pub fn unpack_rows(self, packed: &[f32], stride: usize, width: usize) -> Vec<f32> {
        let mut original = vec![0.0; self.gates * self.hidden * width];
        for (from, to) in self.pairs() {
            original[to * width..][..width].copy_from_slice(&packed[from * stride..][..width]);
        }
        original
    }
}

/// The right-hand side of the steps' products, cut into panels of some columns: for each inner index those columns'
/// values, one after the other, so that a product reads it from beginning to end.
pub struct Panels {
    data: Vec<f32>,
    inner: usize,
    columns: usize,
}

impl Panels {
    /// For products with the transpose of `weights`, `packing.gates · hidden` rows of `inner` values: one panel per
    /// group of units.
    pub fn of_transposed(packing: Packing, weights: &[f32], inner: usize) -> Self {
        let columns = packing.gates * packing.lanes;
        let mut data = vec![0.0; packing.groups() * inner * columns];
        for (packed, original) in packing.pairs() {
            let (panel, column) = (packed / columns, packed % columns);
            let to = &mut data[panel * inner * columns + column..];
            let from = &weights[original * inner..][..inner];
            for (to, &from) in to.iter_mut().step_by(columns).zip(from) {
                *to = from;
            }
        }
        Self {
            data,
            inner,
            columns,
        }
    }

    /// For products with `weights` themselves: the inner index goes over packed rows, panels have `columns` columns.
    pub fn of_rows(packing: Packing, weights: &[f32], width: usize, columns: usize) -> Self {
        let inner = packing.rows();
        let panels = width.div_ceil(columns);
        let mut data = vec![0.0; panels * inner * columns];
        for (packed, original) in packing.pairs() {
            let row = &weights[original * width..][..width];
            for (panel, part) in row.chunks(columns).enumerate() {
                data[(panel * inner + packed) * columns..][..part.len()].copy_from_slice(part);
            }
        }
        Self {
            data,
            inner,
            columns,
        }
    }

    /// Columns, padding included.
    pub fn width(&self) -> usize {
        self.data.len() / self.inner.max(1)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact((self.inner * self.columns).max(1))
    }
}

/// `ROWS` rows of `a`, `stride` values apart, times one panel of `N` vectors; `sums` is what they are added to.
#[inline(always)]
pub fn panel_product<V: Vector, const ROWS: usize, const N: usize>(
    mut sums: [[V; N]; ROWS],
    a: &[f32],
    stride: usize,
    panel: &[f32],
) -> [[V; N]; ROWS] {
    let inner = panel.len() / (N * V::LANES);
    assert!(a.len() >= (ROWS - 1) * stride + inner);
    for (k, columns) in panel.chunks_exact(N * V::LANES).enumerate() {
        let mut b = [V::splat(0.0); N];
        for (n, b) in b.iter_mut().enumerate() {
            *b = V::load(&columns[n * V::LANES..]);
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: k < inner and row < ROWS; the assertion above covers the largest index.
            let factor = V::splat(unsafe { *a.get_unchecked(row * stride + k) });
            for (sum, &b) in sums.iter_mut().zip(&b) {
                *sum = factor.mul_add(b, *sum);
            }
        }
    }
    sums
}

/// Work on a block of `ROWS` rows of a batch.
pub trait RowBlock {
    /// Must be `#[inline(always)]`, as it runs inside a [`super::simd::Job`].
    fn block<V: Vector, const ROWS: usize>(&mut self, first_row: usize);
}

/// Cuts `rows` rows into blocks of at most `V::ROWS`.
#[inline(always)]
pub fn in_row_blocks<V: Vector>(rows: usize, work: &mut impl RowBlock) {
    let mut row = 0;
    while row < rows {
        let rest = rows - row;
        // Two even blocks are faster than a full one and a small rest.
        let block = if rest > V::ROWS && rest < 2 * V::ROWS {
            rest.div_ceil(2)
        } else {
            rest.min(V::ROWS)
        };
        match block {
            1 => work.block::<V, 1>(row),
            2 => work.block::<V, 2>(row),
            3 => work.block::<V, 3>(row),
            4 => work.block::<V, 4>(row),
            5 => work.block::<V, 5>(row),
            _ => work.block::<V, 6>(row),
        }
        row += block;
    }
}

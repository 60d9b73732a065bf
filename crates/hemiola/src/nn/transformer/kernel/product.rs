//! Products of matrices that lie anywhere in slices.

/// A matrix in a slice; strides may be negative.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    strides: Strides,
}

/// Where the entries of a matrix are.
#[derive(Clone, Copy)]
pub struct Strides {
    /// Of the entry in the first row and column
    pub start: usize,
    /// From row to row
    pub rows: isize,
    /// From column to column
    pub columns: isize,
}

impl Strides {
    /// Whether a matrix of these sizes lies within a slice of that length.
    fn fit(self, rows: usize, columns: usize, len: usize) -> bool {
        if rows == 0 || columns == 0 {
            return true;
        }
        let ends = [
            (rows as isize - 1) * self.rows,
            (columns as isize - 1) * self.columns,
        ];
        let start = self.start as isize;
        let lowest = start + ends.iter().map(|end| end.min(&0)).sum::<isize>();
        let highest = start + ends.iter().map(|end| end.max(&0)).sum::<isize>();
        lowest >= 0 && highest < len as isize
    }
}

impl<'a> View<'a> {
    /// Rows of neighbouring values, `stride` apart.
    pub fn rows(data: &'a [f32], start: usize, stride: isize) -> Self {
        let strides = Strides {
            start,
            rows: stride,
            columns: 1,
        };
        Self { data, strides }
    }

    pub fn transposed(mut self) -> Self {
        std::mem::swap(&mut self.strides.rows, &mut self.strides.columns);
        self
    }
}

/// `into = factor · a · b`, or `into += …` if `add`, for `a` of `m × k` and `b` of `k × n`, on one thread.
///
/// # Panics
/// If a matrix does not lie within its slice.
pub fn multiply(
    into: &mut [f32],
    to: Strides,
    [m, n, k]: [usize; 3],
    a: View<'_>,
    b: View<'_>,
    factor: f32,
    add: bool,
) {
    assert!(
        to.fit(m, n, into.len())
            && a.strides.fit(m, k, a.data.len())
            && b.strides.fit(k, n, b.data.len())
    );
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the assertion keeps every index inside its slice; `into` is borrowed mutably and overlaps nothing.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            into.as_mut_ptr().add(to.start),
            to.columns,
            to.rows,
            add,
            a.data.as_ptr().add(a.strides.start),
            a.strides.columns,
            a.strides.rows,
            b.data.as_ptr().add(b.strides.start),
            b.strides.columns,
            b.strides.rows,
            1.0,
            factor,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Rows of `stride` values from the beginning of a slice.
pub fn rows(stride: usize) -> Strides {
    Strides {
        start: 0,
        rows: stride as isize,
        columns: 1,
    }
}

//! Products of many vectors.

use nalgebra::DMatrixView;
use rayon::prelude::*;

use super::TrackId;

/// Vectors that one thread compares before it takes more.
const ROWS_AT_ONCE: usize = 4096;
/// Queries that one thread compares with these.
const QUERIES_AT_ONCE: usize = 128;

/// The vectors of all tracks, side by side.
#[derive(Debug, Clone)]
pub struct TrackVectors {
    width: usize,
    ids: Vec<TrackId>,
    /// Row-major [tracks, width].
    vectors: Vec<f32>,
}

impl TrackVectors {
    /// None yet, of vectors of that many numbers.
    ///
    /// # Panics
    /// When the width is 0.
    pub fn new(width: usize) -> Self {
        assert!(width > 0, "vectors without numbers");
        Self {
            width,
            ids: Vec::new(),
            vectors: Vec::new(),
        }
    }

    /// # Panics
    /// When the vector has another width.
    pub fn push(&mut self, id: TrackId, vector: &[f32]) {
        assert_eq!(vector.len(), self.width, "numbers of a vector");
        self.ids.push(id);
        self.vectors.extend_from_slice(vector);
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Numbers in a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn ids(&self) -> &[TrackId] {
        &self.ids
    }

    /// Row-major [tracks, width].
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// The `n` tracks with the largest products with `query`, the largest first; exact.
    ///
    /// # Panics
    /// When the query has another width.
    pub fn nearest(&self, query: &[f32], n: usize) -> Vec<(TrackId, f32)> {
        assert_eq!(query.len(), self.width, "numbers of a vector");
        let rows = self.vectors.par_chunks(ROWS_AT_ONCE * self.width);
        let parts = rows.zip(self.ids.par_chunks(ROWS_AT_ONCE));
        let best: Vec<(TrackId, f32)> = parts
            .flat_map_iter(|(rows, ids)| {
                let products = rows.chunks_exact(self.width).map(|row| dot(query, row));
                largest(ids.iter().copied().zip(products).collect(), n)
            })
            .collect();
        largest(best, n)
    }
    /// Of each track the `n` others with the largest products, those of at least `least` only, the largest first; exact.
    pub(super) fn nearest_of_each(
        &self,
        n: usize,
        least: f32,
    ) -> Vec<(TrackId, Vec<(TrackId, f32)>)> {
        let width = self.width;
        let queries = self.vectors.par_chunks(QUERIES_AT_ONCE * width);
        let found = queries.zip(self.ids.par_chunks(QUERIES_AT_ONCE));
        found
            .flat_map_iter(|(queries, names)| {
                let mut near: Vec<Vec<(TrackId, f32)>> = vec![Vec::new(); names.len()];
                let tiles = self.vectors.chunks(ROWS_AT_ONCE * width);
                for (rows, ids) in tiles.zip(self.ids.chunks(ROWS_AT_ONCE)) {
                    let products = products(queries, rows, width);
                    for ((near, &name), products) in
                        near.iter_mut().zip(names).zip(products.chunks(ids.len()))
                    {
                        let others = ids.iter().copied().zip(products.iter().copied());
                        near.extend(others.filter(|&(id, product)| product >= least && id != name));
                        *near = largest(std::mem::take(near), n);
                    }
                }
                names.iter().copied().zip(near)
            })
            .collect()
    }
}

/// The `n` with the largest numbers, the largest first, of equal ones that with the smaller name.
pub fn largest<T: Ord + Copy>(mut named: Vec<(T, f32)>, n: usize) -> Vec<(T, f32)> {
    let order = |a: &(T, f32), b: &(T, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if n < named.len() {
        named.select_nth_unstable_by(n, order);
        named.truncate(n);
    }
    named.sort_unstable_by(order);
    named
}

/// The product of two vectors of one width, in lanes that the compiler makes wide.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (a_rows, b_rows) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_rows
        .remainder()
        .iter()
        .zip(b_rows.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_rows.zip(b_rows) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Products of all rows of `a` with all rows of `b`, both row-major of that width: row-major [a, b].
pub fn products(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    let columns = |rows: &'_ [f32]| rows.len() / width.max(1);
    // What is row-major here is column-major there, transposed.
    let b_rows = DMatrixView::from_slice(b, width, columns(b)).transpose();
    let a_columns = DMatrixView::from_slice(a, width, columns(a));
    (b_rows * a_columns).data.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn products_are_those_of_rows() {
        let a = [[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]].concat();
        let b = [[1.0, 0.0, 0.0], [0.0, 5.0, 0.0], [1.0, 1.0, 1.0]].concat();
        assert_eq!(products(&a, &b, 3), [1.0, 10.0, 6.0, 0.0, 5.0, 1.0]);
        assert!(products(&a, &[], 3).is_empty());
    }

    proptest! {
        #[test]
        fn the_nearest_are_those_of_a_full_sort(
            rows in prop::collection::vec(prop::collection::vec(-1.0f32..1.0, 19), 0..60),
            query in prop::collection::vec(-1.0f32..1.0, 19),
            n in 0usize..70,
        ) {
            let mut tracks = TrackVectors::new(19);
            for (id, row) in rows.iter().enumerate() {
                tracks.push(id as TrackId, row);
            }
            let exact = |row: &Vec<f32>| -> f64 {
                row.iter().zip(&query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let mut expected: Vec<f64> = rows.iter().map(exact).collect();
            expected.sort_by(|a, b| b.total_cmp(a));
            let found = tracks.nearest(&query, n);
            prop_assert_eq!(found.len(), n.min(rows.len()));
            for (name, near) in tracks.nearest_of_each(n, -1e9) {
                let alone = tracks.nearest(&rows[name as usize], n.saturating_add(1));
                let alone = alone.into_iter().filter(|(id, _)| *id != name).take(n);
                prop_assert_eq!(near.len(), n.min(rows.len() - 1));
                for (together, alone) in near.iter().zip(alone) {
                    prop_assert!((together.1 - alone.1).abs() < 1e-5);
                }
            }
            for ((id, product), expected) in found.iter().zip(expected) {
                prop_assert!((f64::from(*product) - expected).abs() < 1e-5);
                prop_assert!((exact(&rows[*id as usize]) - expected).abs() < 1e-5);
            }
        }
    }
}

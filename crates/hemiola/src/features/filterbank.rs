//! Weighted sums of neighbouring spectral bins.

/// A matrix [filters, bins] whose rows are zero but for one run of neighbours each.
#[derive(Debug, Clone)]
pub struct Filterbank {
    n_inputs: usize,
    filters: Vec<Filter>,
    weights: Vec<f32>,
}

#[derive(Debug, Clone)]
struct Filter {
    /// The first bin it reads.
    start: usize,
    /// Its run in `weights`.
    first_weight: usize,
    len: usize,
}

impl Filterbank {
    /// `weight(filter, bin)` says how much each of the `n_inputs` bins counts.
    pub fn new(n_filters: usize, n_inputs: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let mut bank = Self {
            n_inputs,
            filters: Vec::with_capacity(n_filters),
            weights: Vec::new(),
        };
        for filter in 0..n_filters {
            let row: Vec<f32> = (0..n_inputs).map(|bin| weight(filter, bin)).collect();
            let start = row.iter().position(|&w| w != 0.0).unwrap_or(0);
            let end = row.iter().rposition(|&w| w != 0.0).map_or(start, |i| i + 1);
            bank.filters.push(Filter {
                start,
                first_weight: bank.weights.len(),
                len: end - start,
            });
            bank.weights.extend_from_slice(&row[start..end]);
        }
        bank
    }

    pub fn n_filters(&self) -> usize {
        self.filters.len()
    }

    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    /// The first bin that a filter reads, and the weights from there on.
    pub fn filter(&self, index: usize) -> (usize, &[f32]) {
        let filter = &self.filters[index];
        let end = filter.first_weight + filter.len;
        (filter.start, &self.weights[filter.first_weight..end])
    }

    /// Writes one weighted sum of `bins` per filter to `out`.
    pub fn apply(&self, bins: &[f32], out: &mut [f32]) {
        for (filter, out) in self.filters.iter().zip(out) {
            let end = filter.first_weight + filter.len;
            let weights = &self.weights[filter.first_weight..end];
            *out = dot(weights, &bins[filter.start..filter.start + filter.len]);
        }
    }
}

/// Four sums at once, so that the additions need not wait for one another.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a4, a_rest) = a.as_chunks::<4>();
    let (b4, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a4.iter().zip(b4) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

//! How the data is cut for the passes.

/// Floats a thread takes at a time, about; they are read twice and stay in the first-level cache.
const CHUNK_FLOATS: usize = 6_144;
/// Floats that are treated as independent lanes; a multiple of the channels near this.
const PERIOD_FLOATS: usize = 192;

/// Channels repeat within a period, periods within a chunk.
pub(super) struct Layout {
    channels: usize,
    pub period: usize,
    pub chunk: usize,
}

impl Layout {
    pub fn new(channels: usize, len: usize) -> Self {
        assert!(
            channels > 0 && len > 0,
            "normalisation of nothing: {len} values of {channels} channels"
        );
        assert_eq!(
            len % channels,
            0,
            "{len} values are no multiple of {channels} channels"
        );
        let period = channels * PERIOD_FLOATS.div_ceil(channels);
        Self {
            channels,
            period,
            chunk: period * CHUNK_FLOATS.div_ceil(period),
        }
    }

    /// The channels' values repeated over a period.
    pub fn tile(&self, values: &[f32]) -> Vec<f32> {
        values.repeat(self.period / self.channels)
    }

    /// Sums over a period, added up by channel.
    pub fn fold(&self, sums: &[f32]) -> Vec<f64> {
        let mut folded = vec![0.0; self.channels];
        for sums in sums.chunks_exact(self.channels) {
            folded
                .iter_mut()
                .zip(sums)
                .for_each(|(all, &sum)| *all += f64::from(sum));
        }
        folded
    }
}

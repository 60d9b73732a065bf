use super::AudioStream;
use crate::{Error, Result};

impl AudioStream {
    /// The samples from `start_s` on, for `length_s` or up to the end, of a stream that has not been read from.
    ///
    /// # Errors
    /// Times that are no times, a start at or beyond the end of the recording; those of [`next_block`](Self::next_block).
    pub fn read_excerpt(&mut self, start_s: f64, length_s: f64) -> Result<Vec<f32>> {
        if !(start_s.is_finite() && start_s >= 0.0 && length_s.is_finite() && length_s > 0.0) {
            return Err(Error::config(format!(
                "an excerpt of {length_s} s from {start_s} s on; expected a start of 0 or more and a length above 0"
            )));
        }
        let rate = f64::from(self.sample_rate());
        let to_samples = |seconds: f64| (seconds * rate).round() as usize;
        let (start, wanted) = (to_samples(start_s), to_samples(length_s).max(1));
        let mut excerpt = Vec::new();
        let mut passed = 0;
        while let Some(block) = self.next_block()? {
            let skipped = start.saturating_sub(passed).min(block.len());
            passed += block.len();
            let kept = &block[skipped..];
            let missing = wanted - excerpt.len();
            excerpt.extend_from_slice(&kept[..missing.min(kept.len())]);
            if excerpt.len() == wanted {
                return Ok(excerpt);
            }
        }
        if !excerpt.is_empty() {
            return Ok(excerpt);
        }
        let message = match passed {
            0 => "there is no sound in this recording, not even silence".to_owned(),
            _ => format!(
                "the excerpt begins at {start_s} s, but the recording ends at {:.2} s; choose an earlier start",
                passed as f64 / rate
            ),
        };
        Err(Error::input(self.name(), message))
    }
}

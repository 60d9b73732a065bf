//! A stream of samples cut into windows of one length.

/// Windows that follow one another by a step, of samples that come block by block. Where they lie follows from the number of
/// samples alone.
pub(crate) struct Windows {
    window: usize,
    step: usize,
    /// The samples from `first` on that later windows need.
    held: Vec<f32>,
    first: usize,
    /// Samples so far.
    n_samples: usize,
    /// Where the next window begins.
    next: usize,
}

impl Windows {
    /// Lengths in samples, at least 1; a step is no longer than a window.
    pub fn new(window: usize, step: usize) -> Self {
        Self {
            window,
            step,
            held: Vec::new(),
            first: 0,
            n_samples: 0,
            next: 0,
        }
    }

    /// Samples so far.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Takes samples; every window that [`Self::take`] has of them should be taken before more are given.
    pub fn push(&mut self, samples: &[f32]) {
        // The last window may begin anywhere in what a window before the end holds.
        let needed = self.next.min(self.n_samples.saturating_sub(self.window));
        if needed > self.first + self.window {
            self.held.drain(..needed - self.first);
            self.first = needed;
        }
        self.held.extend_from_slice(samples);
        self.n_samples += samples.len();
    }

    /// The next window that is whole, and where it begins.
    pub fn take(&mut self) -> Option<(usize, Vec<f32>)> {
        if self.next + self.window > self.n_samples {
            return None;
        }
        let start = self.next;
        self.next += self.step;
        Some((start, self.samples_from(start)))
    }

    /// Once all windows are taken: the one that ends where the samples end, unless it was among them. Fewer samples than a
    /// window holds are repeated to fill it.
    pub fn last(&self) -> Option<(usize, Vec<f32>)> {
        let (window, n) = (self.window, self.n_samples);
        if n == 0 {
            return None;
        }
        if n < window {
            let round = self.held.iter().cycle();
            return Some((0, round.take(window).copied().collect()));
        }
        let covered = self.next + window - self.step;
        (covered < n).then(|| (n - window, self.samples_from(n - window)))
    }

    fn samples_from(&self, start: usize) -> Vec<f32> {
        let from = start - self.first;
        self.held[from..from + self.window].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_size_make_the_same_windows_and_few_samples_are_held() {
        let samples: Vec<f32> = (0..437).map(|i| i as f32).collect();
        for size in [1, 3, 10] {
            let mut windows = Windows::new(10, 5);
            let (mut found, mut most) = (Vec::new(), 0);
            for block in samples.chunks(size) {
                windows.push(block);
                most = most.max(windows.held.len());
                found.extend(std::iter::from_fn(|| windows.take()));
            }
            found.extend(windows.last());
            let starts: Vec<usize> = found.iter().map(|(start, _)| *start).collect();
            let expected: Vec<usize> = (0..=425).step_by(5).chain([427]).collect();
            assert_eq!(starts, expected, "{size}");
            for (start, window) in &found {
                assert_eq!(window[..], samples[*start..start + 10], "{size}");
            }
            assert!(most <= 60, "{most} samples were held");
        }
    }
}

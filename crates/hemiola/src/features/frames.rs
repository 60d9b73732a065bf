//! Frames of spectra, and what makes them.

/// Row-major spectra: [frames, bins].
#[derive(Debug, Clone, PartialEq)]
pub struct Frames {
    data: Vec<f32>,
    n_bins: usize,
}

impl Frames {
    /// No frames yet, each to be `n_bins` wide.
    ///
    /// # Panics
    /// If `n_bins` is zero.
    pub fn new(n_bins: usize) -> Self {
        assert!(n_bins > 0, "a frame has at least one bin");
        Self {
            data: Vec::new(),
            n_bins,
        }
    }

    /// Wraps row-major data.
    ///
    /// # Panics
    /// If the length is no multiple of `n_bins`.
    pub fn from_vec(data: Vec<f32>, n_bins: usize) -> Self {
        let mut frames = Self::new(n_bins);
        assert!(
            data.len().is_multiple_of(n_bins),
            "{} values do not make whole frames of {n_bins} bins",
            data.len()
        );
        frames.data = data;
        frames
    }

    pub fn n_frames(&self) -> usize {
        self.data.len() / self.n_bins
    }

    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The bins of one frame.
    ///
    /// # Panics
    /// If there is no such frame.
    pub fn frame(&self, index: usize) -> &[f32] {
        &self.data[index * self.n_bins..(index + 1) * self.n_bins]
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.n_bins)
    }

    /// # Panics
    /// If the frame is not `n_bins` wide.
    pub fn push_frame(&mut self, frame: &[f32]) {
        assert_eq!(frame.len(), self.n_bins, "bins of the frame to push");
        self.data.extend_from_slice(frame);
    }

    /// Appends a frame of zeros and returns it to be filled.
    pub fn grow(&mut self) -> &mut [f32] {
        let start = self.data.len();
        self.data.resize(start + self.n_bins, 0.0);
        &mut self.data[start..]
    }

    /// Appends all frames of `other`.
    ///
    /// # Panics
    /// If the widths differ.
    pub fn extend(&mut self, other: &Frames) {
        assert_eq!(other.n_bins, self.n_bins, "bins of the frames to append");
        self.data.extend_from_slice(&other.data);
    }

    /// Removes the first `n` frames, or all where there are fewer.
    pub fn drain_front(&mut self, n: usize) {
        let end = n.min(self.n_frames()) * self.n_bins;
        self.data.drain(..end);
    }

    pub fn clear(&mut self) {
        self.data.clear();
    }

    /// All values: [frames, bins].
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }
}

/// Turns samples into frames as they come; the analysis of a whole file is the same object fed once.
///
/// However the samples are cut into pushes, the frames are the same bit for bit.
/// Frame i is centred on sample i · `hop_length`; n > 0 samples give 1 + n / `hop_length` frames, no samples give none.
pub trait FrameExtractor: Send {
    fn n_bins(&self) -> usize;

    /// Samples between the centres of neighbouring frames.
    fn hop_length(&self) -> usize;

    /// Hz; the samples pushed must have this rate.
    fn sample_rate(&self) -> u32;

    /// Takes mono samples and appends every frame that they complete.
    fn push(&mut self, samples: &[f32], out: &mut Frames);

    /// Ends the recording: appends the frames that reach beyond its last sample, and is then ready for another recording.
    fn finish(&mut self, out: &mut Frames);

    /// How many samples after its centre a frame needs before it comes out, at most.
    fn latency_samples(&self) -> usize;
}

/// The frames of a whole recording.
pub fn extract(extractor: &mut dyn FrameExtractor, samples: &[f32]) -> Frames {
    let mut frames = Frames::new(extractor.n_bins());
    frames
        .data
        .reserve((samples.len() / extractor.hop_length() + 1) * extractor.n_bins());
    extractor.push(samples, &mut frames);
    extractor.finish(&mut frames);
    frames
}

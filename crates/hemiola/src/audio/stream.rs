//! Recordings of any format as a stream of mono blocks at one sample rate, in constant memory.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::decode::Decoder;
use crate::Result;

/// A recording, decoded, mixed to mono (the mean of its channels) and resampled, as a stream of blocks.
///
/// Sample `n` of all that [`next_block`](Self::next_block) yields is the recording at `n / sample_rate` seconds: encoder delay is trimmed where the container states it,
/// and damaged packets become silence, so that what follows keeps its time.
pub struct AudioStream(Box<dyn Blocks>);

/// What a stream of blocks comes from.
pub(super) trait Blocks: Send {
    fn facts(&self) -> &Facts;
    fn warnings(&self) -> &[String];
    fn next_block(&mut self) -> Result<Option<&[f32]>>;
}

/// What is known of a stream; see the functions of [`AudioStream`].
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub name: PathBuf,
    pub sample_rate: u32,
    pub source_sample_rate: u32,
    pub source_channels: usize,
    pub resampling_latency_s: f64,
    pub duration_s: Option<f64>,
}

impl AudioStream {
    pub(super) fn of(blocks: impl Blocks + 'static) -> Self {
        Self(Box::new(blocks))
    }

    pub(super) fn facts(&self) -> &Facts {
        self.0.facts()
    }

    /// Opens a file (or a named pipe) to be read at `sample_rate` Hz, and decodes its first block.
    ///
    /// Errors say whether the file is missing, empty, not audio, in a format that is not supported, or damaged beyond use.
    pub fn open(path: impl AsRef<Path>, sample_rate: u32) -> Result<Self> {
        Decoder::open_file(path.as_ref(), Some(sample_rate)).map(Self::of)
    }

    /// As [`open`](Self::open), at the rate of the recording.
    pub fn open_at_source_rate(path: impl AsRef<Path>) -> Result<Self> {
        Decoder::open_file(path.as_ref(), None).map(Self::of)
    }

    /// Reads from something that cannot seek, such as standard input. `name` is what errors call it.
    ///
    /// M4A, MP4, AIFF and CAF may keep their index at the end; such a stream is first copied to a temporary file. All others are decoded as they arrive.
    pub fn from_reader(
        reader: impl Read + Send + Sync + 'static,
        name: &str,
        sample_rate: u32,
    ) -> Result<Self> {
        Decoder::open_reader(reader, name, Some(sample_rate)).map(Self::of)
    }

    /// As [`from_reader`](Self::from_reader), at the rate of the recording.
    pub fn from_reader_at_source_rate(
        reader: impl Read + Send + Sync + 'static,
        name: &str,
    ) -> Result<Self> {
        Decoder::open_reader(reader, name, None).map(Self::of)
    }

    /// What errors call the recording.
    pub fn name(&self) -> &Path {
        &self.facts().name
    }

    /// The rate of what [`next_block`](Self::next_block) yields, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.facts().sample_rate
    }

    /// The rate of the recording, in Hz; in a chained stream that of the part being read.
    pub fn source_sample_rate(&self) -> u32 {
        self.facts().source_sample_rate
    }

    pub fn source_channels(&self) -> usize {
        self.facts().source_channels
    }

    /// See [`Resampler::latency_s`](super::Resampler::latency_s).
    pub fn resampling_latency_s(&self) -> f64 {
        self.facts().resampling_latency_s
    }

    /// The duration that the container states, for showing progress: the stream may turn out shorter or longer.
    pub fn duration_s(&self) -> Option<f64> {
        self.facts().duration_s
    }

    /// What was wrong with the recording so far though it could be read, in words for its owner: damaged packets, a missing end.
    /// A share of a reading leaves that to the reading.
    pub fn warnings(&self) -> &[String] {
        self.0.warnings()
    }

    /// The next samples, never none; `None` at the end.
    ///
    /// A sample that is not a finite number is an error, as is a stream that states audio of which nothing can be decoded. After an error the stream has ended.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>> {
        self.0.next_block()
    }
}

/// A whole recording as mono samples at `sample_rate` Hz; as [`AudioStream`], collected. Its warnings go to the log.
pub fn read_mono(path: impl AsRef<Path>, sample_rate: u32) -> Result<Vec<f32>> {
    let path = path.as_ref();
    let mut stream = AudioStream::open(path, sample_rate)?;
    let mut samples = Vec::new();
    while let Some(block) = stream.next_block()? {
        samples.extend_from_slice(block);
    }
    for warning in stream.warnings() {
        log::warn!("{}: {warning}", path.display());
    }
    Ok(samples)
}

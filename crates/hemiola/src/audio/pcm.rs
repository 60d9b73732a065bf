//! Sound as it comes out of a recorder through a pipe: pulse-code modulation, bare or behind a WAV header.
//!
//! What a read gives is handed on at once, so that a live stream is heard as it comes; [`AudioStream`](super::AudioStream)
//! reads files of all formats.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::Resampler;
use super::decode::LARGEST_SAMPLE;
use super::wav_header::read_header;
use crate::{Error, Result};

/// The most bytes that are waited for at once.
const READ_LEN: usize = 1 << 13;

/// How a sample is written; all are little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PcmEncoding {
    S16Le,
    S24Le,
    S32Le,
    F32Le,
}

impl PcmEncoding {
    pub fn bytes(self) -> usize {
        match self {
            Self::S16Le => 2,
            Self::S24Le => 3,
            Self::S32Le | Self::F32Le => 4,
        }
    }

    /// In ±1; `bytes` are those of one sample.
    fn sample(self, bytes: &[u8]) -> f32 {
        match *bytes {
            [a, b] => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            [a, b, c] => i32::from_le_bytes([0, a, b, c]) as f32 / 2_147_483_648.0,
            [a, b, c, d] if self == Self::F32Le => f32::from_le_bytes([a, b, c, d]),
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]) as f32 / 2_147_483_648.0,
            _ => 0.0,
        }
    }
}

impl fmt::Display for PcmEncoding {
    /// As ffmpeg calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S16Le => "s16le",
            Self::S24Le => "s24le",
            Self::S32Le => "s32le",
            Self::F32Le => "f32le",
        })
    }
}

/// What bytes of sound mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmFormat {
    pub encoding: PcmEncoding,
    /// Hz.
    pub sample_rate: u32,
    /// Interleaved.
    pub channels: u16,
}

impl PcmFormat {
    /// Bytes of one moment: a sample of every channel.
    pub fn frame_bytes(&self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }
}

impl fmt::Display for PcmFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.channels == 1 { "" } else { "s" };
        let (encoding, rate, channels) = (self.encoding, self.sample_rate, self.channels);
        write!(f, "{encoding}, {rate} Hz, {channels} channel{plural}")
    }
}

/// Live sound, mixed to mono (the mean of its channels) and resampled, block by block as it comes.
pub struct PcmStream {
    name: PathBuf,
    reader: Box<dyn Read + Send>,
    format: PcmFormat,
    /// Bytes that a header states and that have not come yet; `None` where nobody knows.
    left: Option<u64>,
    missing: u64,
    n_bytes: u64,
    /// Bytes of a frame that is not complete.
    bytes: Vec<u8>,
    mono: Vec<f32>,
    block: Vec<f32>,
    resampler: Resampler,
    ended: bool,
}

impl PcmStream {
    /// Bare samples of a known format, to be read at `sample_rate` Hz. `name` is what errors call the stream.
    ///
    /// # Errors
    /// The format has no channel, or a rate that cannot be resampled.
    pub fn raw(
        reader: impl Read + Send + 'static,
        name: impl AsRef<Path>,
        format: PcmFormat,
        sample_rate: u32,
    ) -> Result<Self> {
        Self::new(Box::new(reader), name.as_ref(), format, None, sample_rate)
    }

    /// Samples behind a WAV header, which is read here.
    ///
    /// # Errors
    /// The header is damaged, or states an encoding other than integers of 16, 24 or 32 bits or floats of 32.
    pub fn wav(
        mut reader: impl Read + Send + 'static,
        name: impl AsRef<Path>,
        sample_rate: u32,
    ) -> Result<Self> {
        let name = name.as_ref();
        let (format, len) = read_header(&mut reader).map_err(|fault| fault.of(name))?;
        Self::new(Box::new(reader), name, format, len, sample_rate)
    }

    fn new(
        reader: Box<dyn Read + Send>,
        name: &Path,
        format: PcmFormat,
        left: Option<u64>,
        sample_rate: u32,
    ) -> Result<Self> {
        if format.channels == 0 {
            return Err(Error::input(name, "PCM of 0 channels; expected at least 1"));
        }
        let resampler = Resampler::new(format.sample_rate, sample_rate)
            .map_err(|error| Error::input(name, error.to_string()))?;
        Ok(Self {
            name: name.to_path_buf(),
            reader,
            format,
            left,
            missing: 0,
            n_bytes: 0,
            bytes: Vec::new(),
            mono: Vec::new(),
            block: Vec::new(),
            resampler,
            ended: false,
        })
    }

    /// What comes in.
    pub fn format(&self) -> PcmFormat {
        self.format
    }

    /// See [`Resampler::latency_s`].
    pub fn resampling_latency_s(&self) -> f64 {
        self.resampler.latency_s()
    }

    /// Seconds by which the stream has ended before the end that its header states.
    pub fn missing_s(&self) -> f64 {
        let bytes_a_second = self.format.frame_bytes() as f64 * f64::from(self.format.sample_rate);
        self.missing as f64 / bytes_a_second
    }

    /// The next samples, never none; `None` at the end. Waits until some have come.
    ///
    /// # Errors
    /// The stream cannot be read, has a sample that is not a finite number, or ends within a frame, as PCM of another
    /// width does; what came before has been handed out by then. After an error the stream has ended.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>> {
        self.block.clear();
        while self.block.is_empty() && !self.ended {
            if let Err(error) = self.fill() {
                self.ended = true;
                return Err(error);
            }
        }
        Ok((!self.block.is_empty()).then_some(&self.block))
    }

    fn fill(&mut self) -> Result<()> {
        let wanted = self.left.map_or(READ_LEN, |left| {
            usize::try_from(left).map_or(READ_LEN, |left| left.min(READ_LEN))
        });
        let held = self.bytes.len();
        self.bytes.resize(held + wanted, 0);
        let count = loop {
            match self.reader.read(&mut self.bytes[held..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.name, error)),
                Ok(count) => break count,
            }
        };
        self.bytes.truncate(held + count);
        self.n_bytes += count as u64;
        self.left = self.left.map(|left| left - count as u64);
        if count > 0 {
            return self.decode();
        }
        self.missing = self.left.unwrap_or(0);
        // Who is cut off before its time may be so anywhere.
        if !self.bytes.is_empty() && self.missing == 0 {
            return Err(self.left_over());
        }
        self.ended = true;
        self.resampler.finish(&mut self.block)
    }

    fn decode(&mut self) -> Result<()> {
        let PcmFormat {
            encoding, channels, ..
        } = self.format;
        let before = self.n_bytes - self.bytes.len() as u64;
        let frames = self.bytes.chunks_exact(self.format.frame_bytes());
        let used = self.bytes.len() - frames.remainder().len();
        self.mono.clear();
        self.mono.extend(frames.map(|frame| {
            let samples = frame.chunks_exact(encoding.bytes());
            let sum: f32 = samples.map(|bytes| encoding.sample(bytes)).sum();
            sum / f32::from(channels)
        }));
        self.bytes.drain(..used);
        if let Some(at) = self
            .mono
            .iter()
            .position(|sample| sample.is_nan() || sample.abs() > LARGEST_SAMPLE)
        {
            let frame = before / self.format.frame_bytes() as u64 + at as u64;
            return Err(Error::input(
                &self.name,
                format!(
                    "the sample at {:.6} s is {}; expected finite numbers around ±1. Is it {} at all?",
                    frame as f64 / f64::from(self.format.sample_rate),
                    self.mono[at],
                    self.format
                ),
            ));
        }
        self.resampler.push(&self.mono, &mut self.block)
    }

    fn left_over(&self) -> Error {
        let (left_over, frame) = (self.bytes.len(), self.format.frame_bytes());
        Error::input(
            &self.name,
            format!(
                "{} bytes are no whole number of frames of {frame} bytes ({}): {left_over} left over. Samples of another \
                 width, or another number of channels, sound as noise; or the recorder was cut off",
                self.n_bytes, self.format
            ),
        )
    }
}

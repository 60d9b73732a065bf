//! WAV files that appear whole or not at all.

use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::{Error, Result};

/// The longest sample data a WAV file can state, less room for its header, in bytes.
const MAX_DATA_BYTES: u64 = u32::MAX as u64 - 1024;

/// How a WAV file stores one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WavFormat {
    Int16,
    Int24,
    Float32,
}

impl WavFormat {
    fn bits(self) -> u16 {
        match self {
            Self::Int16 => 16,
            Self::Int24 => 24,
            Self::Float32 => 32,
        }
    }
}

/// Writes a WAV file.
///
/// `samples` are interleaved with full scale at ±1; the integer formats clip beyond it.
/// The file is written beside its destination under a temporary name and then renamed, replacing what stood there.
/// A sample that is not finite is an error, as is a file of more than 4 GiB.
pub fn write_wav(
    path: impl AsRef<Path>,
    samples: &[f32],
    channels: u16,
    sample_rate: u32,
    format: WavFormat,
) -> Result<()> {
    let mut file = WavFile::create(path, channels, sample_rate, format)?;
    file.write(samples)?;
    file.finish()
}

/// A WAV file that is written in blocks, and appears as a whole with [`finish`](Self::finish) or not at all; as
/// [`write_wav`].
pub struct WavFile {
    path: PathBuf,
    destination: PathBuf,
    temporary: tempfile::NamedTempFile,
    writer: WavWriter<BufWriter<fs::File>>,
    format: WavFormat,
    written: u64,
}

impl WavFile {
    pub fn create(
        path: impl AsRef<Path>,
        channels: u16,
        sample_rate: u32,
        format: WavFormat,
    ) -> Result<Self> {
        let path = path.as_ref();
        if channels == 0 || sample_rate == 0 {
            return Err(Error::input(
                path,
                format!(
                    "cannot write {channels} channels at {sample_rate} Hz: both must be at least 1"
                ),
            ));
        }
        let destination = destination(path)?;
        let folder = match destination.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let io = |error| Error::io(path, error);
        let temporary = temporary_file(folder).map_err(io)?;
        let spec = WavSpec {
            channels,
            sample_rate,
            bits_per_sample: format.bits(),
            sample_format: match format {
                WavFormat::Int16 | WavFormat::Int24 => SampleFormat::Int,
                WavFormat::Float32 => SampleFormat::Float,
            },
        };
        let file = temporary.as_file().try_clone().map_err(io)?;
        let writer = WavWriter::new(BufWriter::new(file), spec).map_err(|e| wav_error(path, e))?;
        Ok(Self {
            path: path.to_path_buf(),
            destination,
            temporary,
            writer,
            format,
            written: 0,
        })
    }

    /// Appends interleaved samples, a whole number of frames.
    pub fn write(&mut self, samples: &[f32]) -> Result<()> {
        self.check(samples)?;
        encode(&mut self.writer, samples, self.format).map_err(|e| wav_error(&self.path, e))?;
        self.written += samples.len() as u64;
        Ok(())
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        self.writer.finalize().map_err(|e| wav_error(&path, e))?;
        self.temporary
            .persist(&self.destination)
            .map_err(|error| Error::io(&path, error.error))?;
        Ok(())
    }

    fn check(&self, samples: &[f32]) -> Result<()> {
        let path = &self.path;
        let WavSpec {
            channels,
            sample_rate,
            ..
        } = self.writer.spec();
        if !samples.len().is_multiple_of(usize::from(channels)) {
            return Err(Error::input(
                path,
                format!(
                    "{} interleaved samples are not a whole number of frames of {channels} channels",
                    samples.len()
                ),
            ));
        }
        if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
            let frame = (self.written + at as u64) / u64::from(channels);
            let time_s = frame as f64 / f64::from(sample_rate);
            return Err(Error::input(
                path,
                format!(
                    "not written: the sample at {time_s:.6} s is {}, not a finite number",
                    samples[at]
                ),
            ));
        }
        let bytes = (self.written + samples.len() as u64) * u64::from(self.format.bits() / 8);
        if bytes > MAX_DATA_BYTES {
            return Err(Error::input(
                path,
                format!(
                    "{bytes} bytes of samples do not fit a WAV file, which ends at 4 GiB; write it in parts"
                ),
            ));
        }
        Ok(())
    }
}

fn wav_error(path: &Path, error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(error) => Error::io(path, error),
        other => Error::input(path, format!("cannot write this as WAV: {other}")),
    }
}

/// Where the file shall be: behind a symbolic link, not in its place; and never in the place of a folder or a device.
fn destination(path: &Path) -> Result<PathBuf> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {
            fs::canonicalize(path).map_err(|error| Error::io(path, error))
        }
        Ok(_) => Err(Error::input(
            path,
            "is not a regular file; give the name of a WAV file to write",
        )),
        Err(_) => Ok(path.to_path_buf()),
    }
}

fn temporary_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".hemiola-").suffix(".wav");
    // A temporary file is private by default; the result shall have the permissions of any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn encode(
    writer: &mut WavWriter<BufWriter<fs::File>>,
    samples: &[f32],
    format: WavFormat,
) -> std::result::Result<(), hound::Error> {
    match format {
        WavFormat::Float32 => {
            for &sample in samples {
                writer.write_sample(sample)?;
            }
        }
        WavFormat::Int16 | WavFormat::Int24 => {
            let scale = f64::from(1_u32 << (format.bits() - 1));
            for &sample in samples {
                let scaled = (f64::from(sample) * scale).round();
                writer.write_sample(scaled.clamp(-scale, scale - 1.0) as i32)?;
            }
        }
    }
    Ok(())
}

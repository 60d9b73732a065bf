//! Where audio comes from, and what container it is in.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use super::{AudioStream, mp4};
use crate::{Error, Result};

/// Endings of the files that a folder is searched for.
pub const AUDIO_EXTENSIONS: [&str; 14] = [
    "wav", "wave", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac", "aif", "aiff", "aifc", "caf",
    "mka",
];

/// What an error lists when a file is none of it.
pub(super) const FORMATS: &str = "WAV, AIFF, CAF, FLAC, MP3, MP2, AAC, M4A (AAC, ALAC), Ogg (Vorbis, FLAC), MKV and WebM (Vorbis, FLAC, AAC)";

/// Bytes from the start of a stream that tell which container it is.
const HEAD_LEN: usize = 12;

/// Where audio comes from. `-` on a command line is standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    Stdin,
}

impl Source {
    /// Opens the source; see [`AudioStream::open`].
    pub fn open(&self, sample_rate: u32) -> Result<AudioStream> {
        match self {
            Self::File(path) => AudioStream::open(path, sample_rate),
            Self::Stdin => AudioStream::from_reader(io::stdin(), &self.to_string(), sample_rate),
        }
    }

    /// Opens the source at its own rate; see [`AudioStream::open_at_source_rate`].
    pub fn open_at_source_rate(&self) -> Result<AudioStream> {
        match self {
            Self::File(path) => AudioStream::open_at_source_rate(path),
            Self::Stdin => AudioStream::from_reader_at_source_rate(io::stdin(), &self.to_string()),
        }
    }
}

impl<P: AsRef<Path>> From<P> for Source {
    fn from(path: P) -> Self {
        let path = path.as_ref();
        if path.as_os_str() == "-" {
            Self::Stdin
        } else {
            Self::File(path.to_path_buf())
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// An opened container, ready to yield packets.
pub(super) struct Container {
    pub(super) reader: Box<dyn FormatReader>,
    /// What is to be dropped from the start of the decoded audio, beyond what Symphonia drops, in seconds.
    pub(super) delay_s: f64,
}

/// Opens a file. Pipes and devices are read as streams.
pub(super) fn open_file(path: &Path) -> Result<Container> {
    let io = |error| Error::io(path, error);
    let found = fs::metadata(path).map_err(io)?;
    if found.is_dir() {
        return Err(Error::input(
            path,
            "is a folder; expected an audio file. Name the files in it",
        ));
    }
    let file = File::open(path).map_err(io)?;
    if !found.is_file() {
        return open_stream(path, file);
    }
    if found.len() == 0 {
        return Err(Error::input(
            path,
            "is empty (0 bytes); expected an audio file",
        ));
    }
    open_seekable(path, file)
}

/// Opens a regular file from its start only: the way into a truncated file whose end is sought in vain.
pub(super) fn open_from_start(path: &Path) -> Result<Container> {
    let io = |error| Error::io(path, error);
    if !fs::metadata(path).map_err(io)?.is_file() {
        return Err(Error::input(path, "is not a regular file"));
    }
    let mut file = File::open(path).map_err(io)?;
    Ok(Container {
        delay_s: mp4::encoder_delay_s(&mut file).map_err(io)?,
        reader: probe(path, Box::new(ReadOnlySource::new(file)))?,
    })
}

/// Opens a stream that cannot seek. Containers that may keep their index at the end are first copied to a temporary file.
pub(super) fn open_stream(
    name: &Path,
    mut reader: impl Read + Send + Sync + 'static,
) -> Result<Container> {
    let io = |error| Error::io(name, error);
    let mut head = Vec::with_capacity(HEAD_LEN);
    let mut start = reader.by_ref().take(HEAD_LEN as u64);
    start.read_to_end(&mut head).map_err(io)?;
    if head.is_empty() {
        return Err(Error::input(name, "is empty (0 bytes); expected audio"));
    }
    let seeks = needs_seeking(&head);
    let mut whole = Cursor::new(head).chain(reader);
    if seeks {
        let mut file = tempfile::tempfile().map_err(io)?;
        io::copy(&mut whole, &mut file).map_err(io)?;
        file.rewind().map_err(io)?;
        return open_seekable(name, file);
    }
    Ok(Container {
        reader: probe(name, Box::new(ReadOnlySource::new(whole)))?,
        delay_s: 0.0,
    })
}

fn open_seekable(name: &Path, mut file: File) -> Result<Container> {
    let delay_s = mp4::encoder_delay_s(&mut file).map_err(|error| Error::io(name, error))?;
    Ok(Container {
        reader: probe(name, Box::new(file))?,
        delay_s,
    })
}

fn needs_seeking(head: &[u8]) -> bool {
    let mp4 = head.get(4..8) == Some(b"ftyp");
    let aiff = head.starts_with(b"FORM");
    let caf = head.starts_with(b"caff");
    mp4 || aiff || caf
}

/// Finds out which container the source is.
fn probe(name: &Path, source: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>> {
    let stream = MediaSourceStream::new(source, Default::default());
    symphonia::default::get_probe()
        .probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|error| match error {
            SymphoniaError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Error::io(name, error)
            }
            SymphoniaError::IoError(_) => Error::input(
                name,
                "ends before any audio begins; is it a truncated download or copy?",
            ),
            SymphoniaError::Unsupported(what) if what.contains("no suitable format reader") => {
                Error::input(
                    name,
                    format!("is not audio that hemiola can decode. It reads {FORMATS}"),
                )
            }
            other => Error::input(
                name,
                format!(
                    "cannot be read as audio ({other}). It may be truncated; if other programs play it, convert it to FLAC or WAV"
                ),
            ),
        })
}

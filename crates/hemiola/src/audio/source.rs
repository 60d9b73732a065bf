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

use super::AudioStream;
use crate::{Error, Result};

/// What an error lists when a file is none of it.
pub(super) const FORMATS: &str = "WAV, AIFF, CAF, FLAC, MP3 (also MP1 and MP2), Ogg Vorbis, AAC, and AAC, ALAC, FLAC, MP3 or Vorbis in M4A, MP4, MKV or WebM";

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

/// A file that can be read, or an error that says why not. Pipes and devices become streams.
pub(super) fn open_file(path: &Path) -> Result<Box<dyn MediaSource>> {
    let found = fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if found.is_dir() {
        return Err(Error::input(
            path,
            "is a folder; expected an audio file. Name the files in it",
        ));
    }
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    if !found.is_file() {
        return open_stream(path, file);
    }
    if found.len() == 0 {
        return Err(Error::input(
            path,
            "is empty (0 bytes); expected an audio file",
        ));
    }
    Ok(Box::new(file))
}

/// A stream that cannot seek. Containers that keep their index at the end are first copied to a temporary file.
pub(super) fn open_stream(
    name: &Path,
    mut reader: impl Read + Send + Sync + 'static,
) -> Result<Box<dyn MediaSource>> {
    let mut head = Vec::with_capacity(HEAD_LEN);
    reader
        .by_ref()
        .take(HEAD_LEN as u64)
        .read_to_end(&mut head)
        .map_err(|error| Error::io(name, error))?;
    if head.is_empty() {
        return Err(Error::input(name, "is empty (0 bytes); expected audio"));
    }
    let seeks = needs_seeking(&head);
    let mut whole = Cursor::new(head).chain(reader);
    if !seeks {
        return Ok(Box::new(ReadOnlySource::new(whole)));
    }
    let copy = copy_to_temporary_file(&mut whole).map_err(|error| Error::io(name, error))?;
    Ok(Box::new(copy))
}

fn copy_to_temporary_file(reader: &mut impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(reader, &mut file)?;
    file.rewind()?;
    Ok(file)
}

fn needs_seeking(head: &[u8]) -> bool {
    let mp4 = head.get(4..8) == Some(b"ftyp");
    let aiff = head.starts_with(b"FORM");
    let caf = head.starts_with(b"caff");
    mp4 || aiff || caf
}

/// Finds out which container the source is.
pub(super) fn probe(name: &Path, source: Box<dyn MediaSource>) -> Result<Box<dyn FormatReader>> {
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
                format!("its header cannot be read ({other}). If other programs play it, convert it to FLAC or WAV"),
            ),
        })
}

//! The header of a WAV file that comes through a pipe.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::pcm::{PcmEncoding, PcmFormat};
use crate::Error;

/// Lengths from here on stand in the headers of recorders that cannot know how long they will record; arecord writes 2³¹.
const UNKNOWN_LEN: u32 = 0x7fff_ff00;

/// The longest `fmt ` chunk that makes sense, in bytes: that of the extensible format has 40.
const MAX_FMT_LEN: u32 = 1 << 10;

/// What is wrong with a header.
pub(super) enum Fault {
    Io(io::Error),
    Header(String),
}

impl Fault {
    /// As an error of the stream of that name.
    pub fn of(self, name: &Path) -> Error {
        match self {
            Self::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Error::input(name, "ends within its WAV header")
            }
            Self::Io(error) => Error::io(name, error),
            Self::Header(message) => Error::input(name, message),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The format, and the bytes of sound that follow, where the header knows it.
///
/// Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0" (1991), and
/// `WAVEFORMATEXTENSIBLE`.
pub(super) fn read_header(
    reader: &mut impl Read,
) -> std::result::Result<(PcmFormat, Option<u64>), Fault> {
    let mut head = [0; 12];
    reader.read_exact(&mut head)?;
    if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        return Err(Fault::Header(
            "does not begin as a WAV file does (RIFF … WAVE)".to_owned(),
        ));
    }
    let mut format = None;
    loop {
        let mut chunk = [0; 8];
        reader.read_exact(&mut chunk)?;
        let len = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        match &chunk[..4] {
            b"fmt " if len <= MAX_FMT_LEN => {
                let mut body = vec![0; padded(len) as usize];
                reader.read_exact(&mut body)?;
                format = Some(read_format(&body)?);
            }
            b"data" => {
                let Some(format) = format else {
                    return Err(Fault::Header(
                        "its WAV header tells no format before the sound (no chunk \"fmt \")"
                            .to_owned(),
                    ));
                };
                let known = len > 0 && len < UNKNOWN_LEN;
                return Ok((format, known.then_some(len.into())));
            }
            _ => {
                let body = padded(len);
                let skipped = io::copy(&mut reader.take(body), &mut io::sink())?;
                if skipped < body {
                    return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
                }
            }
        }
    }
}

/// Chunks begin at even bytes.
fn padded(len: u32) -> u64 {
    u64::from(len) + u64::from(len % 2)
}

fn read_format(body: &[u8]) -> std::result::Result<PcmFormat, Fault> {
    const INTEGERS: u16 = 1;
    const FLOATS: u16 = 3;
    const EXTENSIBLE: u16 = 0xfffe;
    let short = |at: usize| match body.get(at..at + 2) {
        Some(&[a, b]) => u16::from_le_bytes([a, b]),
        _ => 0,
    };
    let kind = match short(0) {
        // The first bytes of its identifier of the kind.
        EXTENSIBLE => short(24),
        kind => kind,
    };
    let bits = short(14);
    let encoding = match (kind, bits) {
        (INTEGERS, 16) => PcmEncoding::S16Le,
        (INTEGERS, 24) => PcmEncoding::S24Le,
        (INTEGERS, 32) => PcmEncoding::S32Le,
        (FLOATS, 32) => PcmEncoding::F32Le,
        _ => {
            return Err(Fault::Header(format!(
                "WAV of kind {kind} with {bits} bits to the sample; expected integers (kind 1) of 16, 24 or 32 bits, or \
                 floats (kind 3) of 32"
            )));
        }
    };
    Ok(PcmFormat {
        encoding,
        sample_rate: u32::from(short(4)) | u32::from(short(6)) << 16,
        channels: short(2),
    })
}

//! The sound of a report, and its coarse picture.

use std::path::Path;

use anyhow::Result;
use hemiola::analysis::{Overview, OverviewBuilder};
use hemiola::report::{PageAudio, playable_mime};

/// Hz, of the stream that is gathered.
pub const SAMPLE_RATE: u32 = 22_050;
/// The largest file that is put into a page as it is, and the largest sound made for one; a page is larger by a third.
const MOST_BYTES: usize = 24 << 20;

/// What is gathered of a recording while it is heard.
pub struct Gathered {
    overview: OverviewBuilder,
    /// The file itself, where browsers play it.
    file: Option<(&'static str, Vec<u8>)>,
    /// Samples for a sound of our own; none once there are too many.
    samples: Option<Vec<i16>>,
}

/// The sound of a page.
pub enum PageBytes {
    None,
    Sound(&'static str, Vec<u8>),
}

impl PageBytes {
    pub fn as_page(&self) -> PageAudio<'_> {
        match self {
            Self::None => PageAudio::None,
            Self::Sound(mime, bytes) => PageAudio::Embedded { mime, bytes },
        }
    }
}

impl Gathered {
    pub fn new(path: &Path) -> Result<Self> {
        let file = played(path)?;
        Ok(Self {
            overview: OverviewBuilder::new(SAMPLE_RATE)?,
            samples: file.is_none().then(Vec::new),
            file,
        })
    }

    pub fn push(&mut self, block: &[f32]) {
        self.overview.push(block);
        if let Some(samples) = &mut self.samples {
            if 2 * (samples.len() + block.len()) > MOST_BYTES {
                self.samples = None;
                return;
            }
            let sample = |&x: &f32| (x.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
            samples.extend(block.iter().map(sample));
        }
    }

    pub fn finish(self) -> Result<(Overview, PageBytes)> {
        let sound = match (self.file, self.samples) {
            (Some((mime, bytes)), _) => PageBytes::Sound(mime, bytes),
            (None, Some(samples)) => PageBytes::Sound("audio/wav", wav(&samples)?),
            (None, None) => PageBytes::None,
        };
        Ok((self.overview.finish(), sound))
    }
}

/// A file small enough that browsers play.
fn played(path: &Path) -> Result<Option<(&'static str, Vec<u8>)>> {
    let small = std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.len() <= MOST_BYTES as u64);
    if !small {
        return Ok(None);
    }
    let Some(mime) = playable_mime(path) else {
        return Ok(None);
    };
    let bytes = std::fs::read(path).map_err(|error| hemiola::Error::io(path, error))?;
    Ok(Some((mime, bytes)))
}

/// 16 bits, mono, at [`SAMPLE_RATE`].
fn wav(samples: &[i16]) -> Result<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut bytes, format)?;
    for &sample in samples {
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(bytes.into_inner())
}

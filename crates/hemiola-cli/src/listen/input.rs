//! Where the sound comes from: a pipe, a recording, a microphone.

use std::fs::File;
use std::io::{Cursor, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hemiola::audio::AudioStream;
use hemiola::audio::pcm::{PcmEncoding, PcmFormat, PcmStream};

use super::queue::SampleQueue;
use crate::wrong_use;

/// Bytes that tell what a stream is.
const HEAD_LEN: usize = 12;

/// The most samples that are handed over at once.
const PART: usize = 512;

/// What raw PCM is said to be.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct PcmArgs {
    /// Sample rate of raw PCM in Hz [default: the model's]
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(1000..=768_000))]
    rate: Option<u32>,
    /// Channels of raw PCM, interleaved [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    channels: Option<u16>,
    /// How a sample of raw PCM is written, as ffmpeg calls it [default: s16le]
    #[arg(long)]
    encoding: Option<EncodingArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EncodingArg {
    S16le,
    S24le,
    S32le,
    F32le,
}

impl From<EncodingArg> for PcmEncoding {
    fn from(encoding: EncodingArg) -> Self {
        match encoding {
            EncodingArg::S16le => Self::S16Le,
            EncodingArg::S24le => Self::S24Le,
            EncodingArg::S32le => Self::S32Le,
            EncodingArg::F32le => Self::F32Le,
        }
    }
}

impl PcmArgs {
    pub fn any(&self) -> bool {
        self.rate.is_some() || self.channels.is_some() || self.encoding.is_some()
    }

    fn format(&self, model_rate: u32) -> PcmFormat {
        PcmFormat {
            encoding: self.encoding.map_or(PcmEncoding::S16Le, Into::into),
            sample_rate: self.rate.unwrap_or(model_rate),
            channels: self.channels.unwrap_or(1),
        }
    }

    /// Refuses a header that says otherwise.
    fn check(&self, name: &str, found: PcmFormat) -> Result<()> {
        let said = self.format(found.sample_rate);
        let agree = self
            .encoding
            .is_none_or(|_| said.encoding == found.encoding)
            && said.sample_rate == found.sample_rate
            && self.channels.is_none_or(|n| n == found.channels);
        if !agree {
            return Err(wrong_use(format!(
                "{name} is WAV, {found}, which is not what --rate, --channels and --encoding say; drop them"
            )));
        }
        Ok(())
    }
}

/// Sound at the model's rate, block by block.
pub enum Sound {
    Pcm(Box<PcmStream>),
    Recording(Box<AudioStream>),
    #[cfg(feature = "microphone")]
    Microphone(Box<super::microphone::Received>),
}

impl Sound {
    /// Standard input: WAV, another format that is recognised, or raw PCM.
    pub fn stdin(pcm: PcmArgs, sample_rate: u32) -> Result<Self> {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return Err(wrong_use(
                "nothing comes in: standard input is a terminal. Name a recording, or pipe sound in, such as: arecord -q -f \
                 S16_LE -r 22050 -c 1 | hemiola listen -",
            ));
        }
        Self::piped(stdin, "standard input", pcm, sample_rate)
    }

    /// A recording of any format; where something is said about PCM, raw PCM or WAV.
    pub fn file(path: &Path, pcm: PcmArgs, sample_rate: u32) -> Result<Self> {
        if !pcm.any() {
            let stream = AudioStream::open(path, sample_rate)?;
            return Ok(Self::Recording(Box::new(stream)));
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| name.clone())?;
        Self::piped(file, &name, pcm, sample_rate)
    }

    fn piped(
        mut reader: impl Read + Send + Sync + 'static,
        name: &str,
        pcm: PcmArgs,
        sample_rate: u32,
    ) -> Result<Self> {
        let mut head = Vec::with_capacity(HEAD_LEN);
        let mut start = reader.by_ref().take(HEAD_LEN as u64);
        start
            .read_to_end(&mut head)
            .with_context(|| name.to_owned())?;
        if head.is_empty() {
            bail!("{name}: is empty (0 bytes); expected sound");
        }
        let kind = Kind::of(&head);
        let whole = Cursor::new(head).chain(reader);
        match kind {
            Kind::Wav => {
                let stream = PcmStream::wav(whole, name, sample_rate)?;
                pcm.check(name, stream.format())?;
                Ok(Self::Pcm(Box::new(stream)))
            }
            Kind::Container if !pcm.any() => {
                let stream = AudioStream::from_reader(whole, name, sample_rate)?;
                Ok(Self::Recording(Box::new(stream)))
            }
            _ => {
                let format = pcm.format(sample_rate);
                if !pcm.any() {
                    eprintln!("note: {name} has no header; taken for raw PCM: {format}");
                }
                let stream = PcmStream::raw(whole, name, format, sample_rate)?;
                Ok(Self::Pcm(Box::new(stream)))
            }
        }
    }

    /// The next samples, never none; `None` at the end.
    fn next_block(
        &mut self,
        #[cfg_attr(not(feature = "microphone"), allow(unused_variables))] queue: &SampleQueue,
    ) -> Result<Option<&[f32]>> {
        Ok(match self {
            Self::Pcm(stream) => stream.next_block()?,
            Self::Recording(stream) => stream.next_block()?,
            #[cfg(feature = "microphone")]
            Self::Microphone(received) => received.next_block(queue)?,
        })
    }

    /// Seconds that the change of the sample rate adds to the latency.
    pub fn resampling_latency_s(&self) -> f64 {
        match self {
            Self::Pcm(stream) => stream.resampling_latency_s(),
            Self::Recording(stream) => stream.resampling_latency_s(),
            #[cfg(feature = "microphone")]
            Self::Microphone(received) => received.resampling_latency_s(),
        }
    }

    /// What was wrong though it could be heard.
    fn warnings(&self) -> Vec<String> {
        match self {
            Self::Pcm(stream) if stream.missing_s() > 0.0 => vec![format!(
                "the recording is truncated: it ends {:.3} s before the end its header states",
                stream.missing_s()
            )],
            Self::Pcm(_) => Vec::new(),
            Self::Recording(stream) => stream.warnings().to_vec(),
            #[cfg(feature = "microphone")]
            Self::Microphone(_) => Vec::new(),
        }
    }
}

/// What a stream begins as.
#[derive(Debug, PartialEq)]
enum Kind {
    Wav,
    /// Another format with a signature.
    Container,
    /// None that has one.
    Bare,
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        const SIGNATURES: [&[u8]; 7] = [
            b"fLaC",
            b"OggS",
            b"ID3",
            b"FORM",
            b"caff",
            b"RF64",
            b"\x1a\x45\xdf\xa3",
        ];
        if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE") {
            return Self::Wav;
        }
        let mp4 = head.get(4..8) == Some(b"ftyp");
        // A frame of MPEG audio, layer III, with a bit rate and a sample rate.
        let mp3 = matches!(*head, [0xff, version, rates, ..]
            if version & 0xe6 == 0xe2 && !matches!(rates >> 4, 0 | 15) && rates & 0x0c != 0x0c);
        if mp4 || mp3 || SIGNATURES.iter().any(|start| head.starts_with(start)) {
            return Self::Container;
        }
        Self::Bare
    }
}

/// Receives sound on a thread of its own and hands it over; with a pace in Hz, no earlier than it would sound.
pub fn receive(mut sound: Sound, pace: Option<u32>, queue: Arc<SampleQueue>) {
    std::thread::spawn(move || {
        let ending = Ending(&queue);
        let result = (|| {
            let begun = Instant::now();
            let mut n_samples = 0;
            while let Some(block) = sound.next_block(&queue)? {
                for part in block.chunks(PART) {
                    n_samples += part.len();
                    if let Some(rate) = pace {
                        let due_s = n_samples as f64 / f64::from(rate);
                        let due = begun + Duration::from_secs_f64(due_s);
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                    if !queue.push(part) {
                        return Ok(());
                    }
                }
            }
            sound
                .warnings()
                .into_iter()
                .for_each(|note| queue.note(note));
            Ok(())
        })();
        queue.end(result);
        drop(ending);
    });
}

/// Whoever waits for sound learns that its receiver has gone, however it went.
struct Ending<'a>(&'a SampleQueue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end(Err(anyhow::anyhow!(
            "the sound could not be received any further"
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        for (head, kind) in [
            (&b"RIFF\x24\0\0\x80WAVE"[..], Kind::Wav),
            (b"RIFF\x24\0\0\x80AVI ", Kind::Bare),
            (b"fLaC\0\0\0\x22\x10\0\x10\0", Kind::Container),
            (b"\0\0\0\x20ftypM4A ", Kind::Container),
            // 128 kbit/s at 44.1 kHz.
            (b"\xff\xfb\x90\x64\0\0\0\0\0\0\0\0", Kind::Container),
            // Near silence in s16le, and in f32le.
            (b"\xff\xff\xfe\xff\0\0\x01\0\xff\xff\0\0", Kind::Bare),
            (&[0; 12], Kind::Bare),
            (b"\x01", Kind::Bare),
        ] {
            assert_eq!(Kind::of(head), kind, "{head:?}");
        }
    }
}

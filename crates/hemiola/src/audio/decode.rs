//! Recordings of any format, decoded packet by packet.

use std::io::{ErrorKind, Read};
use std::path::Path;

use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::FormatReader;
use symphonia::core::formats::well_known::FORMAT_ID_OGG;
use symphonia::core::packet::Packet;

use super::Resampler;
use super::codec::{Codec, stated_duration_s};
use super::damage::Damage;
use super::source::{Container, open_file, open_from_start, open_stream};
use super::stream::{Blocks, Facts};
use crate::{Error, Result};

/// Samples beyond this magnitude (full scale is 1) are taken for damage, as NaN is: sums of their squares would overflow.
pub(super) const LARGEST_SAMPLE: f32 = 1e12;

/// The rate at which a recording is read that shall be read at its own and does not state one before its first packet.
const UNSTATED_RATE_HZ: u32 = 44_100;

/// After this many failures in a row to find a next packet, the stream is taken to have ended.
const MAX_FAILURES_IN_A_ROW: usize = 64;

/// The longest stretch of lost packets that is replaced by silence, in seconds; a longer one is more likely a damaged time stamp.
const MAX_SILENCE_S: u64 = 60;

/// No MP3 encoder pads a recording by more than this, in samples: a LAME tag has 12 bits for it, and a frame holds 1152.
const MAX_PADDING: usize = 4096 + 1152;

/// A stream that ends this much before what its container states is called truncated, in seconds. Containers round, and encoders pad.
const TRUNCATION_TOLERANCE_S: f64 = 0.1;

/// A container on its way to mono blocks; see [`AudioStream`](super::AudioStream).
pub(super) struct Decoder {
    facts: Facts,
    container: Box<dyn FormatReader>,
    codec: Codec,
    resampler: Resampler,
    /// Whether `block` holds samples that `next_block` has not yet handed out.
    ready: bool,
    ended: bool,
    block: Vec<f32>,
    planes: Vec<Vec<f32>>,
    mono: Vec<f32>,
    /// Source frames of encoder delay still to drop.
    delay_left: usize,
    /// Decoded samples beyond the end that an MP3's header states.
    padding: Vec<f32>,
    /// Source frames since the sample rate last changed, and the seconds before that.
    frames: u64,
    seconds_before: f64,
    damage: Damage,
}

impl Blocks for Decoder {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn warnings(&self) -> &[String] {
        &self.damage.warnings
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>> {
        if !std::mem::take(&mut self.ready) && !self.advance()? {
            return Ok(None);
        }
        Ok(Some(&self.block))
    }
}

impl Decoder {
    pub fn open_file(path: &Path, sample_rate: Option<u32>) -> Result<Self> {
        let start = |container| Self::start(path, container, sample_rate);
        open_file(path)
            .and_then(start)
            .or_else(|error| open_from_start(path).and_then(start).map_err(|_| error))
    }

    pub fn open_reader(
        reader: impl Read + Send + Sync + 'static,
        name: &str,
        sample_rate: Option<u32>,
    ) -> Result<Self> {
        let name = Path::new(name);
        Self::start(name, open_stream(name, reader)?, sample_rate)
    }

    /// Without a rate, that of the recording.
    fn start(name: &Path, container: Container, sample_rate: Option<u32>) -> Result<Self> {
        if sample_rate == Some(0) {
            return Err(Error::config(
                "audio cannot be read at 0 Hz; ask for the rate a model expects, such as 16000",
            ));
        }
        let Container { reader, delay_s } = container;
        let (codec, parameters) = Codec::new(name, reader.as_ref())?;
        let stated = parameters.sample_rate.filter(|rate| *rate > 0);
        let sample_rate = sample_rate.or(stated).unwrap_or(UNSTATED_RATE_HZ);
        let source_sample_rate = stated.unwrap_or(sample_rate);
        let delay_left = codec.delay + (delay_s * f64::from(source_sample_rate)).round() as usize;
        let resampler = new_resampler(name, source_sample_rate, sample_rate)?;
        let mut stream = Self {
            facts: Facts {
                name: name.to_path_buf(),
                sample_rate,
                source_sample_rate,
                source_channels: parameters.channels.map_or(1, |channels| channels.count()),
                resampling_latency_s: resampler.latency_s(),
                duration_s: stated_duration_s(reader.as_ref(), codec.track),
            },
            resampler,
            container: reader,
            codec,
            ready: false,
            ended: false,
            block: Vec::new(),
            planes: Vec::new(),
            mono: Vec::new(),
            delay_left,
            padding: Vec::new(),
            frames: 0,
            seconds_before: 0.0,
            damage: Damage::default(),
        };
        stream.ready = stream.advance()?;
        Ok(stream)
    }

    /// Fills `block`; false when there is nothing more to fill it with.
    fn advance(&mut self) -> Result<bool> {
        let filled = self.fill();
        if filled.is_err() {
            self.ended = true;
        }
        filled
    }

    fn fill(&mut self) -> Result<bool> {
        self.block.clear();
        while self.block.is_empty() && !self.ended {
            match self.next_packet()? {
                Some(packet) => self.decode(&packet)?,
                None => self.end()?,
            }
        }
        Ok(!self.block.is_empty())
    }

    /// The next packet of the track; `None` at the end of the stream, be it sound or damaged.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        let mut failures = 0;
        loop {
            match self.container.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.codec.track => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(SymphoniaError::ResetRequired) => self.start_next_link()?,
                Err(SymphoniaError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    // Only Ogg marks its last page; elsewhere this is how a stream of unknown length ends.
                    self.damage.truncated = self.container.format_info().format == FORMAT_ID_OGG;
                    return Ok(None);
                }
                Err(SymphoniaError::IoError(error)) => {
                    return Err(Error::io(&self.facts.name, error));
                }
                Err(error) => {
                    let time_s = self.time_s();
                    self.damage.packet(time_s, &error);
                    failures += 1;
                    if failures == MAX_FAILURES_IN_A_ROW {
                        self.damage.truncated = true;
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The next of several streams chained in one file, each with a header of its own.
    fn start_next_link(&mut self) -> Result<()> {
        let decoded_frames = self.codec.decoded_frames;
        self.codec = Codec::new(&self.facts.name, self.container.as_ref())?.0;
        self.codec.decoded_frames = decoded_frames;
        // What a container states is the length of its first link.
        self.codec.stated_frames = None;
        Ok(())
    }

    fn decode(&mut self, packet: &Packet) -> Result<()> {
        let time_s = self.time_s();
        let start = packet.pts.get();
        let expected = *self.codec.expected.get_or_insert(start);
        let decoded = match self.codec.decoder.decode(packet) {
            Ok(decoded) => decoded,
            Err(error) => {
                self.damage.packet(time_s, &error);
                return Ok(());
            }
        };
        let rate = decoded.spec().rate();
        decoded.copy_to_vecs_planar(&mut self.planes);
        let frames = self.planes.first().map_or(0, Vec::len);
        if rate != self.facts.source_sample_rate && frames > 0 {
            self.change_rate(rate)?;
        }
        if self.codec.counts_frames {
            let lost = u64::try_from(start.saturating_sub(expected)).unwrap_or(0);
            self.fill_gap(lost)?;
            let end = start.saturating_add_unsigned(packet.block_dur().get());
            self.codec.expected = Some(end.max(expected));
        }
        if frames == 0 {
            return Ok(());
        }
        self.facts.source_channels = self.planes.len();
        mix_to_mono(&self.planes, &mut self.mono);
        self.codec.decoded_frames += frames as u64;
        let dropped = self.delay_left.min(frames);
        self.delay_left -= dropped;
        self.mono.drain(..dropped);
        self.hold_padding_back();
        self.check_finite()?;
        self.frames += self.mono.len() as u64;
        self.resampler.push(&self.mono, &mut self.block)
    }

    /// Keeps back what lies beyond the end that an MP3's header states, until it is clear whether that is padding or, in joined files, more music.
    fn hold_padding_back(&mut self) {
        let Some(end) = self.codec.padding_from else {
            return;
        };
        let beyond = self.codec.decoded_frames.saturating_sub(end);
        let beyond = usize::try_from(beyond).unwrap_or(usize::MAX);
        let kept = self.mono.len().saturating_sub(beyond);
        self.padding.extend(self.mono.drain(kept..));
        if self.padding.len() > MAX_PADDING {
            self.mono.append(&mut self.padding);
            self.codec.padding_from = None;
        }
    }

    fn fill_gap(&mut self, lost: u64) -> Result<()> {
        if lost == 0 || lost > MAX_SILENCE_S * u64::from(self.facts.source_sample_rate) {
            return Ok(());
        }
        self.damage.gap(
            self.time_s(),
            lost as f64 / f64::from(self.facts.source_sample_rate),
        );
        const SILENCE: [f32; 4096] = [0.0; 4096];
        let mut left = lost;
        while left > 0 {
            let now = left.min(SILENCE.len() as u64);
            self.resampler
                .push(&SILENCE[..now as usize], &mut self.block)?;
            left -= now;
        }
        self.frames += lost;
        self.codec.decoded_frames += lost;
        Ok(())
    }

    fn change_rate(&mut self, rate: u32) -> Result<()> {
        let resampler = new_resampler(&self.facts.name, rate, self.facts.sample_rate)?;
        let mut before = std::mem::replace(&mut self.resampler, resampler);
        before.finish(&mut self.block)?;
        self.facts.resampling_latency_s = self.resampler.latency_s();
        self.seconds_before = self.time_s();
        if self.frames > 0 {
            self.damage.warnings.push(format!(
                "the sample rate changes from {} to {rate} Hz at {:.3} s; both parts are read at {} Hz",
                self.facts.source_sample_rate, self.seconds_before, self.facts.sample_rate
            ));
        }
        self.frames = 0;
        self.facts.source_sample_rate = rate;
        Ok(())
    }

    fn check_finite(&self) -> Result<()> {
        let sound = |sample: &f32| sample.abs() <= LARGEST_SAMPLE;
        // One pass without a branch; the place is looked for only when it is needed.
        if self
            .mono
            .iter()
            .fold(true, |all, sample| all & sound(sample))
        {
            return Ok(());
        }
        let at = self.mono.iter().position(|sample| !sound(sample));
        let at = at.unwrap_or(0);
        let time_s = self.time_s() + at as f64 / f64::from(self.facts.source_sample_rate);
        Err(Error::input(
            &self.facts.name,
            format!(
                "the sample at {time_s:.6} s is {}; expected finite numbers around ±1. Repair or export the recording again, for example as 16-bit or 24-bit",
                self.mono.get(at).copied().unwrap_or(f32::NAN)
            ),
        ))
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        let decoded = self.codec.decoded_frames;
        let stated = self.codec.stated_frames.unwrap_or(0);
        if decoded == 0 && (stated > 0 || self.damage.truncated || self.damage.packets > 0) {
            return Err(Error::input(
                &self.facts.name,
                self.damage.nothing_decoded(),
            ));
        }
        let missing_s =
            stated.saturating_sub(decoded) as f64 / f64::from(self.facts.source_sample_rate);
        if self.damage.truncated || missing_s > TRUNCATION_TOLERANCE_S {
            let mut warning = format!(
                "the recording is truncated: it ends at {:.3} s",
                self.time_s()
            );
            if missing_s > 0.0 {
                warning += &format!(", {missing_s:.3} s before the end its header states");
            }
            self.damage.warnings.push(warning);
        }
        self.resampler.finish(&mut self.block)
    }

    /// Where in the recording the next sample is.
    fn time_s(&self) -> f64 {
        self.seconds_before + self.frames as f64 / f64::from(self.facts.source_sample_rate)
    }
}

fn new_resampler(name: &Path, from: u32, to: u32) -> Result<Resampler> {
    Resampler::new(from, to).map_err(|error| Error::input(name, error.to_string()))
}

/// The mean of the channels. `planes` holds one vector per channel, all of one length.
fn mix_to_mono(planes: &[Vec<f32>], mono: &mut Vec<f32>) {
    mono.clear();
    let Some((first, others)) = planes.split_first() else {
        return;
    };
    mono.extend_from_slice(first);
    if others.is_empty() {
        return;
    }
    for plane in others {
        for (sum, sample) in mono.iter_mut().zip(plane) {
            *sum += sample;
        }
    }
    let scale = 1.0 / planes.len() as f32;
    for sum in mono {
        *sum *= scale;
    }
}

//! The track of a container that is decoded, and what the container says about it.

use std::path::Path;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS,
};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::formats::well_known::FORMAT_ID_ADTS;
use symphonia::core::formats::{FormatReader, Track, TrackType};

use super::source::FORMATS;
use crate::{Error, Result};

pub(super) struct Codec {
    pub(super) decoder: Box<dyn AudioDecoder>,
    pub(super) track: u32,
    /// Whether time stamps count frames, so that a lost packet shows as a gap.
    pub(super) counts_frames: bool,
    /// The time stamp at which the next packet should start.
    pub(super) expected: Option<i64>,
    /// Frames that the container states exactly.
    pub(super) stated_frames: Option<u64>,
    /// Frames to drop from the start, where the decoder does not do it.
    pub(super) delay: usize,
    /// The frame after which only padding should follow, where the decoder does not drop that.
    pub(super) padding_from: Option<u64>,
    pub(super) decoded_frames: u64,
}

impl Codec {
    pub(super) fn new(
        name: &Path,
        container: &dyn FormatReader,
    ) -> Result<(Self, AudioCodecParameters)> {
        let no_audio = || {
            Error::input(
                name,
                format!("holds no audio track that hemiola can decode. It reads {FORMATS}"),
            )
        };
        let track = container
            .default_track(TrackType::Audio)
            .ok_or_else(no_audio)?;
        let parameters = track.codec_params.as_ref().and_then(|codec| codec.audio());
        let parameters = parameters.ok_or_else(no_audio)?;
        let mpeg = [CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3].contains(&parameters.codec);
        // Without an encoder's tag the length of a bare stream is a guess from its bit rate.
        let guessed =
            mpeg && track.delay.is_none() || container.format_info().format == FORMAT_ID_ADTS;
        let stated_frames = track.num_frames.filter(|_| !guessed);
        let delay = track.delay.filter(|_| mpeg).unwrap_or(0);
        // Symphonia would drop all beyond the stated length, be it guessed or, in joined MP3s, that of the first.
        let options = AudioDecoderOptions::default().gapless(!mpeg && !guessed);
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &options)
            .map_err(|error| {
                let codec = if parameters.codec == CODEC_ID_OPUS {
                    "Opus"
                } else {
                    "its audio codec"
                };
                Error::input(
                    name,
                    format!(
                        "{codec} cannot be decoded ({error}). Convert it, for example to FLAC; hemiola reads {FORMATS}"
                    ),
                )
            })?;
        let codec = Self {
            decoder,
            track: track.id,
            counts_frames: counts_frames(track, parameters),
            expected: None,
            stated_frames,
            delay: delay as usize,
            padding_from: stated_frames
                .filter(|_| mpeg)
                .map(|frames| frames.saturating_add(u64::from(delay))),
            decoded_frames: 0,
        };
        Ok((codec, parameters.clone()))
    }
}

fn counts_frames(track: &Track, parameters: &AudioCodecParameters) -> bool {
    track.time_base.is_some_and(|base| {
        base.numer.get() == 1 && Some(base.denom.get()) == parameters.sample_rate
    })
}

/// The duration of a track as its container states it.
pub(super) fn stated_duration_s(container: &dyn FormatReader, id: u32) -> Option<f64> {
    let track = container.tracks().iter().find(|track| track.id == id)?;
    let base = track.time_base?;
    let ticks = track.duration?.get();
    Some(ticks as f64 * f64::from(base.numer.get()) / f64::from(base.denom.get()))
}

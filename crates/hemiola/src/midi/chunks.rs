//! From bytes to events.

use std::path::Path;

use midly::{EventIter, MetaMessage, TrackEventKind};

use crate::{Error, Result};

const HEADER_ID: &[u8] = b"MThd";
const TRACK_ID: &[u8] = b"MTrk";
/// How far into a file the header may lie: RIFF wrappers and old Macintosh files put a little before it.
const HEADER_WITHIN_BYTES: usize = 4096;

pub(super) enum Timing {
    TicksPerQuarter(u16),
    TicksPerSecond(f64),
}

pub(super) struct Header {
    /// Type 2: tracks are independent pieces.
    pub(super) sequential: bool,
    pub(super) track_count: u16,
    pub(super) timing: Timing,
    /// The timing as it stands in the file.
    pub(super) division: u16,
}

impl Header {
    /// The header and all that follows it.
    pub(super) fn read<'a>(
        bytes: &'a [u8],
        name: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<(Self, &'a [u8])> {
        if bytes.is_empty() {
            return Err(Error::input(
                name,
                "expected a MIDI file, found no bytes at all",
            ));
        }
        let head = &bytes[..bytes.len().min(HEADER_WITHIN_BYTES)];
        let start = find(head, HEADER_ID).ok_or_else(|| {
            let found: String = bytes.iter().take(8).map(|b| format!("{b:02x} ")).collect();
            Error::input(
                name,
                format!(
                    "expected a standard MIDI file, which begins with MThd; found {} bytes that begin with {}",
                    bytes.len(),
                    found.trim_end()
                ),
            )
        })?;
        if start > 0 && !bytes.starts_with(b"RIFF") {
            warnings.push(format!(
                "{start} bytes before the MIDI header were left out"
            ));
        }
        let cut = || Error::input(name, "ends within its MIDI header; the file is cut off");
        let (length, body) = split_u32(&bytes[start + HEADER_ID.len()..]).ok_or_else(cut)?;
        let fields: &[u8; 6] = body.first_chunk().ok_or_else(cut)?;
        let [format, track_count, division] =
            [0, 2, 4].map(|at| u16::from_be_bytes([fields[at], fields[at + 1]]));
        if format > 2 {
            warnings.push(format!(
                "MIDI file type {format} is unknown; read as type 1"
            ));
        }
        let [high, low] = division.to_be_bytes();
        let timing = if division == 0 || (high >= 0x80 && low == 0) {
            return Err(Error::input(
                name,
                "its header gives 0 ticks per beat, so that no event has a time",
            ));
        } else if high < 0x80 {
            Timing::TicksPerQuarter(division)
        } else {
            let frames_per_second = match high.wrapping_neg() {
                // Drop-frame NTSC video, called 29 in the format.
                29 => 30.0 / 1.001,
                fps @ (24 | 25 | 30) => f64::from(fps),
                other => {
                    return Err(Error::input(
                        name,
                        format!(
                            "its header gives SMPTE timing of {other} frames a second; expected 24, 25, 29 or 30"
                        ),
                    ));
                }
            };
            Timing::TicksPerSecond(frames_per_second * f64::from(low))
        };
        let header = Self {
            sequential: format == 2,
            track_count,
            timing,
            division,
        };
        // Whoever declares a shorter header than the fields just read is not believed.
        let length = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .clamp(fields.len(), body.len());
        Ok((header, &body[length..]))
    }

    pub(super) fn resolution(&self) -> u16 {
        match self.timing {
            Timing::TicksPerQuarter(ticks) => ticks,
            Timing::TicksPerSecond(ticks) => (ticks / 2.0).round() as u16,
        }
    }
}

pub(super) struct Event<'a> {
    pub(super) tick: u64,
    pub(super) kind: TrackEventKind<'a>,
}

#[derive(Default)]
pub(super) struct Track<'a> {
    pub(super) start_tick: u64,
    pub(super) events: Vec<Event<'a>>,
    /// Where and why reading stopped before the end of the track's bytes.
    pub(super) unreadable: Option<String>,
}

impl<'a> Track<'a> {
    pub(super) fn end_tick(&self) -> u64 {
        self.events
            .last()
            .map_or(self.start_tick, |event| event.tick)
    }

    /// The events up to the end of the track or the first unreadable one, and the bytes that remain.
    fn read(bytes: &'a [u8], number: usize, warnings: &mut Vec<String>) -> (Self, &'a [u8]) {
        let mut track = Self::default();
        let mut tick = 0_u64;
        let mut events = EventIter::new(bytes);
        loop {
            let unread = events.unread();
            let status = events.running_status();
            let Some(Ok(event)) = events.next() else {
                if unread.is_empty() {
                    warnings.push(format!(
                        "track {number} has no end; the file may be cut off"
                    ));
                    return (track, unread);
                }
                if let Some((delta, kind, rest)) = foreign_event(unread) {
                    tick += u64::from(delta);
                    track.events.extend(kind.map(|kind| Event { tick, kind }));
                    events = EventIter::new(rest);
                    *events.running_status_mut() = status;
                    continue;
                }
                let fault = format!(
                    "track {number}: no MIDI event is readable at byte {} of {}",
                    bytes.len() - unread.len(),
                    bytes.len()
                );
                warnings.push(format!("{fault}; the rest of the track is left out"));
                track.unreadable = Some(fault);
                return (track, unread);
            };
            tick += u64::from(event.delta.as_int());
            track.events.push(Event {
                tick,
                kind: event.kind,
            });
            match event.kind {
                TrackEventKind::Meta(MetaMessage::EndOfTrack) => {
                    let left = events.unread();
                    if !left.is_empty() {
                        warnings.push(format!(
                            "track {number} goes on for {} bytes after its end; they are left out",
                            left.len()
                        ));
                    }
                    return (track, left);
                }
                // Many writers rely on running status across meta events, against the letter of the standard.
                TrackEventKind::Meta(_) => *events.running_status_mut() = status,
                _ => {}
            }
        }
    }
}

/// What follows a file's header.
#[derive(Default)]
pub(super) struct Chunks<'a> {
    pub(super) tracks: Vec<Track<'a>>,
    /// Chunks of other kinds, whole.
    pub(super) others: Vec<&'a [u8]>,
}

/// The chunks behind a file's header; bytes that are no chunk are searched for the next track.
pub(super) fn read_chunks<'a>(
    mut bytes: &'a [u8],
    declared: u16,
    warnings: &mut Vec<String>,
) -> Chunks<'a> {
    let mut chunks = Chunks::default();
    while !bytes.is_empty() {
        let is_track = bytes.starts_with(TRACK_ID);
        let number = chunks.tracks.len() + 1;
        let Some((length, body)) = bytes.get(4..).and_then(split_u32) else {
            warnings.push(format!("the last {} bytes are no chunk", bytes.len()));
            break;
        };
        let length = length as usize;
        if !is_track && length <= body.len() {
            let (chunk, rest) = bytes.split_at(bytes.len() - body.len() + length);
            chunks.others.push(chunk);
            bytes = rest;
            continue;
        }
        if !is_track {
            let skipped =
                find(body, TRACK_ID).map_or(bytes.len(), |at| bytes.len() - body.len() + at);
            warnings.push(format!(
                "{skipped} bytes before track {number} are no chunk"
            ));
            bytes = &bytes[skipped..];
            continue;
        }
        if length > body.len() {
            warnings.push(format!(
                "track {number} should have {length} bytes, but the file ends after {}",
                body.len()
            ));
        }
        let end = length.min(body.len());
        let (track, left) = Track::read(&body[..end], number, warnings);
        chunks.tracks.push(track);
        // A track that declares too many bytes swallows those behind it.
        bytes = match find(left, TRACK_ID) {
            Some(at) => &body[end - left.len() + at..],
            None => &body[end..],
        };
    }
    if chunks.tracks.len() != usize::from(declared) {
        warnings.push(format!(
            "the header declares {declared} tracks; found {}",
            chunks.tracks.len()
        ));
    }
    chunks
}

/// An event that the standard does not allow, but whose length is plain: a meta event with other data than its kind has,
/// kept as it is, or a message of the wire (F8 to FE), which has no place in a file. Its delta time, it, and what follows.
fn foreign_event(bytes: &[u8]) -> Option<(u32, Option<TrackEventKind<'_>>, &[u8])> {
    let (delta, rest) = variable_length(bytes)?;
    match rest {
        [0xf8..=0xfe, rest @ ..] => Some((delta, None, rest)),
        [0xff, kind @ (0..=0x2e | 0x30..=0x7f), rest @ ..] => {
            let (length, rest) = variable_length(rest)?;
            let (data, rest) = rest.split_at_checked(length as usize)?;
            let meta = MetaMessage::Unknown(*kind, data);
            Some((delta, Some(TrackEventKind::Meta(meta)), rest))
        }
        _ => None,
    }
}

/// A number of seven bits a byte, the last with its highest bit clear, of four bytes at most.
fn variable_length(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let length = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    let (number, rest) = bytes.split_at(length);
    let number = number
        .iter()
        .fold(0, |sum, byte| sum << 7 | u32::from(byte & 0x7f));
    Some((number, rest))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

//! From bytes to a score.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use midly::{EventIter, MetaMessage, MidiMessage, TrackEventKind};

use super::LONGEST_S;
use super::score::{Instrument, PedalEvent, Score, TimeSignature, sort_notes};
use super::tempo::{DEFAULT_MICROSECONDS_PER_QUARTER, TempoMap};
use crate::music::Note;
use crate::{Error, Result};

const HEADER_ID: &[u8] = b"MThd";
const TRACK_ID: &[u8] = b"MTrk";
/// How far into a file the header may lie: RIFF wrappers and old Macintosh files put a little before it.
const HEADER_WITHIN_BYTES: usize = 4096;
/// The sustain pedal's controller number.
pub(super) const SUSTAIN_CONTROLLER: u8 = 64;
const DRUM_CHANNEL: u8 = 9;

pub(super) fn score(bytes: &[u8], name: &Path) -> Result<Score> {
    let mut warnings = Vec::new();
    let (header, chunks) = Header::read(bytes, name, &mut warnings)?;
    let mut tracks = read_tracks(chunks, header.track_count, &mut warnings);
    if tracks.iter().all(|track| track.events.is_empty()) {
        let message = if tracks.is_empty() {
            "has a MIDI header but no track (MTrk); the file is cut off or damaged".to_owned()
        } else {
            format!("no event is readable in its {} tracks", tracks.len())
        };
        return Err(Error::input(name, message));
    }
    if header.sequential {
        one_after_the_other(&mut tracks, &mut warnings);
    }

    let tempo_map = match header.timing {
        Timing::TicksPerQuarter(ticks) => {
            TempoMap::metrical(ticks, tempo_events(&tracks, &header, &mut warnings))
        }
        Timing::TicksPerSecond(ticks) => TempoMap::timecode(ticks),
    };
    let tempo_changes = tempo_map.changes();
    let mut score = Score {
        resolution: header.resolution(),
        end_time_s: tempo_changes.last().map_or(0.0, |change| change.time_s),
        tempo_changes,
        ..Score::default()
    };
    for (index, track) in tracks.iter().enumerate() {
        let mut reader = TrackReader::new(index + 1, index == 0 || header.sequential);
        for event in &track.events {
            let time_s = tempo_map.seconds(event.tick);
            if time_s > LONGEST_S {
                warnings.push(format!(
                    "track {}: an event lies {:.0} hours after the start; the rest of the track is left out",
                    index + 1,
                    time_s / 3600.0
                ));
                break;
            }
            reader.event(event.tick, time_s, event.kind, &mut score);
        }
        reader.finish(&mut score, &mut warnings);
    }
    score.warnings = warnings;
    Ok(score)
}

enum Timing {
    TicksPerQuarter(u16),
    TicksPerSecond(f64),
}

struct Header {
    /// Type 2: tracks are independent pieces.
    sequential: bool,
    track_count: u16,
    timing: Timing,
}

impl Header {
    /// The header and all that follows it.
    fn read<'a>(
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
        };
        // Whoever declares a shorter header than the fields just read is not believed.
        let length = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .clamp(fields.len(), body.len());
        Ok((header, &body[length..]))
    }

    fn resolution(&self) -> u16 {
        match self.timing {
            Timing::TicksPerQuarter(ticks) => ticks,
            Timing::TicksPerSecond(ticks) => (ticks / 2.0).round() as u16,
        }
    }
}

struct Event<'a> {
    tick: u64,
    kind: TrackEventKind<'a>,
}

#[derive(Default)]
struct Track<'a> {
    start_tick: u64,
    events: Vec<Event<'a>>,
}

impl<'a> Track<'a> {
    fn end_tick(&self) -> u64 {
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
                warnings.push(if unread.is_empty() {
                    format!("track {number} has no end; the file may be cut off")
                } else {
                    let at = bytes.len() - unread.len();
                    format!(
                        "track {number}: no MIDI event is readable at byte {at} of {}; the rest of the track is left out",
                        bytes.len()
                    )
                });
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

/// The tracks of a file's chunks. Other chunks are skipped; bytes that are no chunk are searched for the next track.
fn read_tracks<'a>(
    mut bytes: &'a [u8],
    declared: u16,
    warnings: &mut Vec<String>,
) -> Vec<Track<'a>> {
    let mut tracks = Vec::new();
    while !bytes.is_empty() {
        let is_track = bytes.starts_with(TRACK_ID);
        let number = tracks.len() + 1;
        let Some((length, body)) = bytes.get(4..).and_then(split_u32) else {
            warnings.push(format!("the last {} bytes are no chunk", bytes.len()));
            break;
        };
        let length = length as usize;
        if !is_track && length <= body.len() {
            bytes = &body[length..];
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
        tracks.push(track);
        // A track that declares too many bytes swallows those behind it.
        bytes = match find(left, TRACK_ID) {
            Some(at) => &body[end - left.len() + at..],
            None => &body[end..],
        };
    }
    if tracks.len() != usize::from(declared) {
        warnings.push(format!(
            "the header declares {declared} tracks; found {}",
            tracks.len()
        ));
    }
    tracks
}

/// Shifts each track of a type 2 file behind the one before.
fn one_after_the_other(tracks: &mut [Track], warnings: &mut Vec<String>) {
    if tracks.len() > 1 {
        warnings.push(format!(
            "MIDI file type 2: its {} tracks are read as pieces played one after the other",
            tracks.len()
        ));
    }
    let mut start = 0;
    for track in tracks {
        track.start_tick = start;
        for event in &mut track.events {
            event.tick += start;
        }
        start = track.end_tick();
    }
}

/// The tempo changes that count: (tick, microseconds per quarter note).
fn tempo_events(tracks: &[Track], header: &Header, warnings: &mut Vec<String>) -> Vec<(u64, u32)> {
    let mut changes = Vec::new();
    for (index, track) in tracks.iter().enumerate() {
        let counts = index == 0 || header.sequential;
        if index > 0 && counts {
            changes.push((track.start_tick, DEFAULT_MICROSECONDS_PER_QUARTER));
        }
        let tempi = track.events.iter().filter_map(|event| match event.kind {
            TrackEventKind::Meta(MetaMessage::Tempo(tempo)) => Some((event.tick, tempo.as_int())),
            _ => None,
        });
        let mut ignored = 0;
        for (tick, microseconds) in tempi {
            if microseconds == 0 {
                warnings.push(format!(
                    "track {}: a tempo of 0 microseconds a beat at tick {tick} is left out",
                    index + 1
                ));
            } else if counts {
                changes.push((tick, microseconds));
            } else {
                ignored += 1;
            }
        }
        if ignored > 0 {
            warnings.push(format!(
                "track {} has {ignored} tempo changes; only those of the first track count",
                index + 1
            ));
        }
    }
    changes
}

/// A note that has begun.
struct Sounding {
    tick: u64,
    onset_s: f64,
    velocity: u8,
}

/// Follows the events of one track and adds to the score what they mean.
struct TrackReader {
    number: usize,
    /// Whether signatures of this track count.
    conducts: bool,
    name: String,
    tick: u64,
    time_s: f64,
    programs: [u8; 16],
    /// By channel and pitch.
    sounding: BTreeMap<(u8, u8), Vec<Sounding>>,
    /// By program and channel: index into the score's instruments.
    instruments: HashMap<(u8, u8), usize>,
    pedals: [Vec<PedalEvent>; 16],
    last_control_s: [f64; 16],
}

impl TrackReader {
    fn new(number: usize, conducts: bool) -> Self {
        Self {
            number,
            conducts,
            name: String::new(),
            tick: 0,
            time_s: 0.0,
            programs: [0; 16],
            sounding: BTreeMap::new(),
            instruments: HashMap::new(),
            pedals: Default::default(),
            last_control_s: [0.0; 16],
        }
    }

    fn event(&mut self, tick: u64, time_s: f64, kind: TrackEventKind, score: &mut Score) {
        (self.tick, self.time_s) = (tick, time_s);
        match kind {
            TrackEventKind::Midi { channel, message } => {
                self.message(channel.as_int(), message, score);
            }
            TrackEventKind::Meta(MetaMessage::TrackName(name)) => self.name = text(name),
            TrackEventKind::Meta(MetaMessage::Text(_) | MetaMessage::Lyric(_)) => {
                score.end_time_s = score.end_time_s.max(time_s);
            }
            TrackEventKind::Meta(MetaMessage::KeySignature(..)) if self.conducts => {
                score.end_time_s = score.end_time_s.max(time_s);
            }
            TrackEventKind::Meta(MetaMessage::TimeSignature(numerator, power, ..))
                if self.conducts =>
            {
                if let Some(denominator) = 1_u32.checked_shl(power.into()) {
                    score.time_signatures.push(TimeSignature {
                        time_s,
                        numerator,
                        denominator,
                    });
                    score.end_time_s = score.end_time_s.max(time_s);
                }
            }
            _ => {}
        }
    }

    fn message(&mut self, channel: u8, message: MidiMessage, score: &mut Score) {
        let of_channel = usize::from(channel & 0x0f);
        match message {
            MidiMessage::NoteOn { key, vel } if vel > 0 => {
                let sounding = self.sounding.entry((channel, key.as_int())).or_default();
                sounding.push(Sounding {
                    tick: self.tick,
                    onset_s: self.time_s,
                    velocity: vel.as_int(),
                });
            }
            MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
                self.end_notes(channel, key.as_int(), score);
            }
            MidiMessage::ProgramChange { program } => {
                self.programs[of_channel] = program.as_int();
            }
            MidiMessage::Controller { controller, value } => {
                self.last_control_s[of_channel] = self.time_s;
                if controller == SUSTAIN_CONTROLLER {
                    self.pedals[of_channel].push(PedalEvent {
                        time_s: self.time_s,
                        value: value.as_int(),
                    });
                }
            }
            MidiMessage::PitchBend { .. } => self.last_control_s[of_channel] = self.time_s,
            MidiMessage::Aftertouch { .. } | MidiMessage::ChannelAftertouch { .. } => {}
        }
    }

    /// Ends every note of a channel and pitch, but where there are older ones, not those that begin right now:
    /// writers give the end of one note and the start of the next at one tick in either order.
    fn end_notes(&mut self, channel: u8, pitch: u8, score: &mut Score) {
        let Some(sounding) = self.sounding.remove(&(channel, pitch)) else {
            return;
        };
        let (now, older): (Vec<_>, Vec<_>) = sounding
            .into_iter()
            .partition(|note| note.tick == self.tick);
        if older.is_empty() {
            return;
        }
        if !now.is_empty() {
            self.sounding.insert((channel, pitch), now);
        }
        let program = self.programs[usize::from(channel & 0x0f)];
        let index = *self
            .instruments
            .entry((program, channel))
            .or_insert_with(|| {
                score.instruments.push(Instrument {
                    program,
                    is_drum: channel == DRUM_CHANNEL,
                    name: self.name.clone(),
                    ..Instrument::default()
                });
                score.instruments.len() - 1
            });
        score.end_time_s = score.end_time_s.max(self.time_s);
        score.instruments[index]
            .notes
            .extend(older.iter().map(|note| Note {
                onset_s: note.onset_s,
                offset_s: self.time_s,
                pitch,
                velocity: note.velocity,
            }));
    }

    fn finish(mut self, score: &mut Score, warnings: &mut Vec<String>) {
        let unended: Vec<(u8, u8)> = self.sounding.keys().copied().collect();
        if !unended.is_empty() {
            warnings.push(format!(
                "track {}: {} pitches are never ended; they last until the end of the track",
                self.number,
                unended.len()
            ));
        }
        for (channel, pitch) in unended {
            self.end_notes(channel, pitch, score);
        }
        for ((_, channel), index) in self.instruments {
            let channel = usize::from(channel & 0x0f);
            let instrument = &mut score.instruments[index];
            instrument.pedal.clone_from(&self.pedals[channel]);
            sort_notes(&mut instrument.notes);
            score.end_time_s = score.end_time_s.max(self.last_control_s[channel]);
        }
    }
}

/// UTF-8, or else Latin-1, which older files use.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(
        |_| bytes.iter().copied().map(char::from).collect(),
        str::to_owned,
    )
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

//! From events to a score.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use midly::{MetaMessage, MidiMessage, TrackEventKind};

use super::LONGEST_S;
use super::chunks::{Header, Timing, Track, read_chunks};
use super::score::{Instrument, PedalEvent, Score, TimeSignature, sort_notes};
use super::tempo::{DEFAULT_MICROSECONDS_PER_QUARTER, TempoMap};
use crate::music::Note;
use crate::{Error, Result};

/// The sustain pedal's controller number.
pub(super) const SUSTAIN_CONTROLLER: u8 = 64;
pub(super) const DRUM_CHANNEL: u8 = 9;

pub(super) fn score(bytes: &[u8], name: &Path) -> Result<Score> {
    let mut warnings = Vec::new();
    let (header, chunks) = Header::read(bytes, name, &mut warnings)?;
    let mut tracks = read_chunks(chunks, header.track_count, &mut warnings).tracks;
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

    let tempo_map = tempo_map(&tracks, &header, &mut warnings);
    Ok(score_of(&tracks, &header, &tempo_map, &mut warnings))
}

pub(super) fn tempo_map(tracks: &[Track], header: &Header, warnings: &mut Vec<String>) -> TempoMap {
    match header.timing {
        Timing::TicksPerQuarter(ticks) => {
            TempoMap::metrical(ticks, tempo_events(tracks, header, warnings))
        }
        Timing::TicksPerSecond(ticks) => TempoMap::timecode(ticks),
    }
}

/// What tracks say; takes the warnings, and adds some.
pub(super) fn score_of(
    tracks: &[Track],
    header: &Header,
    tempo_map: &TempoMap,
    warnings: &mut Vec<String>,
) -> Score {
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
        reader.finish(&mut score, warnings);
    }
    score.warnings = std::mem::take(warnings);
    score
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

//! Notes put into a file and taken out of it, while all else stays.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use midly::num::{u4, u7, u15, u28};
use midly::{Format, Fps, MetaMessage, MidiMessage, Smf, TrackEvent, TrackEventKind};

use super::LONGEST_S;
use super::chunks::{Chunks, Event, Header, Timing, Track, read_chunks};
use super::read::{DRUM_CHANNEL, SUSTAIN_CONTROLLER, score_of, tempo_map};
use super::score::{PEDAL_DOWN, Score};
use super::tempo::TempoMap;
use super::write::note_events;
use crate::music::Note;
use crate::{Error, Result};

/// A MIDI file of type 0 or 1 that can be changed without losing what it holds.
///
/// ```
/// use hemiola::midi::{MidiFile, WriteOptions, encode_midi};
/// use hemiola::music::Note;
///
/// let note = |onset_s, pitch| Note { onset_s, offset_s: onset_s + 0.5, pitch, velocity: 80 };
/// let bytes = encode_midi(&[note(0.0, 60), note(1.0, 62)], &WriteOptions::default())?;
/// let mut file = MidiFile::parse(&bytes, "memory")?;
/// file.remove_notes(0.9..1.5);
/// file.add_track("new", "by hand", &[note(1.0, 64)])?;
/// assert_eq!(file.score().notes(), [note(0.0, 60), note(1.0, 64)]);
/// # Ok::<(), hemiola::Error>(())
/// ```
pub struct MidiFile<'a> {
    tracks: Vec<Track<'a>>,
    /// Chunks that are no tracks, as they stood in the file.
    others: Vec<&'a [u8]>,
    timing: midly::Timing,
    tempo: TempoMap,
    header: Header,
    /// What was wrong with the file and how it was understood; empty for a sound file.
    pub warnings: Vec<String>,
    name: std::path::PathBuf,
}

impl<'a> MidiFile<'a> {
    /// Notes that never end are given an end where their track ends; `name` stands for the file in messages.
    ///
    /// # Errors
    /// The bytes are no MIDI file, hold no readable track, a track of which a part is unreadable, or several pieces (type 2).
    pub fn parse(bytes: &'a [u8], name: impl AsRef<Path>) -> Result<Self> {
        let name = name.as_ref();
        let mut warnings = Vec::new();
        let (mut header, chunks) = Header::read(bytes, name, &mut warnings)?;
        let Chunks { mut tracks, others } = read_chunks(chunks, header.track_count, &mut warnings);
        if header.sequential && tracks.len() > 1 {
            return Err(Error::input(
                name,
                "a MIDI file of type 2 holds pieces that do not belong together; expected type 0 or 1, so save \
                 the piece that you want as one of its own",
            ));
        }
        header.sequential = false;
        let said = |warnings: &[String]| match warnings.last() {
            Some(warning) => format!(" ({warning})"),
            None => String::new(),
        };
        if tracks.iter().all(|track| track.events.is_empty()) {
            return Err(Error::input(
                name,
                format!(
                    "no event is readable in it; the file is cut off or damaged{}",
                    said(&warnings)
                ),
            ));
        }
        if let Some(lost) = tracks.iter().find_map(|track| track.unreadable.as_ref()) {
            return Err(Error::input(
                name,
                format!("{lost}; to be changed without loss, a file must be readable to its end"),
            ));
        }
        let tempo = tempo_map(&tracks, &header, &mut warnings);
        let warnings = score_of(&tracks, &header, &tempo, &mut warnings).warnings;
        tracks.iter_mut().for_each(close);
        Ok(Self {
            timing: timing(&header),
            tempo,
            tracks,
            others,
            header,
            warnings,
            name: name.to_owned(),
        })
    }

    /// What the file says as it stands, with its warnings.
    pub fn score(&self) -> Score {
        let mut score = score_of(&self.tracks, &self.header, &self.tempo, &mut Vec::new());
        score.warnings.clone_from(&self.warnings);
        score
    }

    /// Takes out the notes that begin in a stretch of time, in seconds, but no percussion; others stay, even where they
    /// sound on into it.
    pub fn remove_notes(&mut self, stretch: Range<f64>) {
        self.remove(&stretch, false);
    }

    /// Takes out all that begins from a time on, in seconds; notes from before sound on to their end, where pedals that are
    /// still down are let go.
    pub fn truncate(&mut self, end_s: f64) {
        self.remove(&(end_s..f64::INFINITY), true);
        let end = self.last_tick(|event| key_of(&event.kind).is_some());
        for track in &mut self.tracks {
            track
                .events
                .retain(|event| event.tick <= end && !is_end(event));
            close(track);
        }
        // The tempi that went do not count any more.
        self.tempo = tempo_map(&self.tracks, &self.header, &mut Vec::new());
        self.release_pedals();
    }

    /// Lets go of the sustain pedals that are down at the end, when the last note ends or the last pedal moves, so that
    /// what is added behind it does not ring on.
    pub fn release_pedals(&mut self) {
        let end = self
            .last_tick(|event| key_of(&event.kind).is_some() || pedal_of(&event.kind).is_some());
        for track in &mut self.tracks {
            let moves = track
                .events
                .iter()
                .filter_map(|event| pedal_of(&event.kind));
            let down: BTreeMap<u8, bool> = moves.collect();
            let down = down.into_iter().filter(|(_, down)| *down);
            let up: Vec<Event> = down
                .map(|(channel, _)| Event {
                    tick: end,
                    kind: TrackEventKind::Midi {
                        channel: u4::new(channel),
                        message: MidiMessage::Controller {
                            controller: u7::new(SUSTAIN_CONTROLLER),
                            value: u7::new(0),
                        },
                    },
                })
                .collect();
            if !up.is_empty() {
                let last = end_of_track(track.end_tick().max(end));
                track.events.retain(|event| !is_end(event));
                let at = track.events.partition_point(|event| event.tick <= end);
                track.events.splice(at..at, up);
                track.events.push(last);
            }
        }
    }

    /// The tick of the last of some events; 0 without any.
    fn last_tick(&self, is_one: impl Fn(&Event) -> bool) -> u64 {
        let events = self.tracks.iter().flat_map(|track| &track.events);
        let ticks = events.filter(|event| is_one(event)).map(|event| event.tick);
        ticks.max().unwrap_or(0)
    }

    fn remove(&mut self, stretch: &Range<f64>, drums: bool) {
        for track in &mut self.tracks {
            let removed = notes_within(track, &self.tempo, stretch, drums);
            let mut index = 0;
            track.events.retain(|_| {
                index += 1;
                !removed.contains(&(index - 1))
            });
        }
    }

    /// Adds a track with notes that sound like the instrument with the most notes, on a channel of its own where one is
    /// left; `text`, such as which model made them, stands at its start.
    ///
    /// Times are rounded to the file's ticks; otherwise notes are written as [`encode_midi`](super::encode_midi) writes them.
    ///
    /// # Errors
    /// A note is impossible, or lies later than the format can say.
    pub fn add_track(&mut self, name: &'a str, text: &'a str, notes: &[Note]) -> Result<()> {
        let score = self.score();
        let pitched = score.instruments.iter().filter(|i| !i.is_drum);
        let program = pitched
            .max_by_key(|i| i.notes.len())
            .map_or(0, |i| i.program);
        let mut moves = note_events(notes, |time_s| {
            let tick = (0.0..=LONGEST_S)
                .contains(&time_s)
                .then(|| self.tempo.tick(time_s));
            tick.and_then(|tick| u32::try_from(tick).ok())
        })?;
        moves.sort_by_key(|&(tick, message)| (tick, message.order()));
        let (channel, is_free) = self.channel();
        let midi = |message| TrackEventKind::Midi {
            channel: u4::new(channel),
            message,
        };
        let end = moves.last().map_or(0, |(tick, _)| *tick);
        let program = u7::new(program);
        let mut head = vec![
            TrackEventKind::Meta(MetaMessage::TrackName(name.as_bytes())),
            TrackEventKind::Meta(MetaMessage::Text(text.as_bytes())),
        ];
        // A channel that others use has its program.
        head.extend(is_free.then(|| midi(MidiMessage::ProgramChange { program })));
        let head = head.into_iter().map(|kind| (0, kind));
        let moves = moves
            .into_iter()
            .map(|(tick, message)| (tick, midi(message.midi())));
        let last = [(end, TrackEventKind::Meta(MetaMessage::EndOfTrack))];
        let events = head.chain(moves).chain(last).map(|(tick, kind)| Event {
            tick: u64::from(tick),
            kind,
        });
        self.tracks.push(Track {
            events: events.collect(),
            ..Track::default()
        });
        Ok(())
    }

    /// The file's bytes, of type 0 if it has one track and 1 otherwise.
    ///
    /// # Errors
    /// Two events lie further apart than the format can say.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let format = match self.tracks.len() {
            1 => Format::SingleTrack,
            _ => Format::Parallel,
        };
        let tracks = self.tracks.iter().map(|track| self.deltas(track));
        let file = Smf {
            header: midly::Header::new(format, self.timing),
            tracks: tracks.collect::<Result<_>>()?,
        };
        let mut bytes = Vec::new();
        file.write_std(&mut bytes)
            .map_err(|fault| self.unwritable(&fault.to_string()))?;
        bytes.extend(self.others.concat());
        Ok(bytes)
    }

    fn deltas(&self, track: &Track<'a>) -> Result<Vec<TrackEvent<'a>>> {
        let mut now = 0;
        let events = track.events.iter().map(|event| {
            let delta = u32::try_from(event.tick - now).ok().and_then(u28::try_from);
            now = event.tick;
            delta
                .map(|delta| TrackEvent {
                    delta,
                    kind: event.kind,
                })
                .ok_or_else(|| self.unwritable("two events lie too far apart"))
        });
        events.collect()
    }

    fn unwritable(&self, fault: &str) -> Error {
        Error::input(&self.name, format!("cannot be written as MIDI: {fault}"))
    }

    /// A channel for notes, not that of percussion, and whether it is free: one that no event uses, or else the one with
    /// the most notes.
    fn channel(&self) -> (u8, bool) {
        let mut notes = [None; 16];
        for event in self.tracks.iter().flat_map(|track| &track.events) {
            if let TrackEventKind::Midi { channel, .. } = event.kind {
                let begins = key_of(&event.kind).is_some_and(|(_, begins)| begins);
                *notes[usize::from(channel.as_int())].get_or_insert(0) += usize::from(begins);
            }
        }
        let channels = || (0..16).filter(|channel| *channel != DRUM_CHANNEL);
        let of = |channel: u8| notes[usize::from(channel)];
        match channels().find(|&channel| of(channel).is_none()) {
            Some(free) => (free, true),
            None => (
                channels().max_by_key(|&channel| of(channel)).unwrap_or(0),
                false,
            ),
        }
    }
}

fn timing(header: &Header) -> midly::Timing {
    match header.timing {
        Timing::TicksPerQuarter(ticks) => midly::Timing::Metrical(u15::new(ticks)),
        Timing::TicksPerSecond(_) => {
            let [high, low] = header.division.to_be_bytes();
            let fps = Fps::from_int(high.wrapping_neg()).unwrap_or(Fps::Fps25);
            midly::Timing::Timecode(fps, low)
        }
    }
}

/// A note-on or note-off, and whether it begins a note.
fn key_of(kind: &TrackEventKind) -> Option<((u8, u8), bool)> {
    let TrackEventKind::Midi { channel, message } = kind else {
        return None;
    };
    match message {
        MidiMessage::NoteOn { key, vel } => {
            Some(((channel.as_int(), key.as_int()), vel.as_int() > 0))
        }
        MidiMessage::NoteOff { key, .. } => Some(((channel.as_int(), key.as_int()), false)),
        _ => None,
    }
}

/// The channel of a move of the sustain pedal, and whether it goes down.
fn pedal_of(kind: &TrackEventKind) -> Option<(u8, bool)> {
    match kind {
        TrackEventKind::Midi {
            channel,
            message: MidiMessage::Controller { controller, value },
        } if controller.as_int() == SUSTAIN_CONTROLLER => {
            Some((channel.as_int(), value.as_int() >= PEDAL_DOWN))
        }
        _ => None,
    }
}

fn is_end(event: &Event) -> bool {
    matches!(event.kind, TrackEventKind::Meta(MetaMessage::EndOfTrack))
}

fn end_of_track<'a>(tick: u64) -> Event<'a> {
    Event {
        tick,
        kind: TrackEventKind::Meta(MetaMessage::EndOfTrack),
    }
}

/// Ends the notes that sound where a track ends, and the track.
fn close(track: &mut Track) {
    let mut sounding: HashMap<(u8, u8), Vec<u64>> = HashMap::new();
    for event in &track.events {
        match key_of(&event.kind) {
            Some((key, true)) => sounding.entry(key).or_default().push(event.tick),
            Some((key, false)) => {
                if let Some(begun) = sounding.get_mut(&key) {
                    end_notes(begun, event.tick, |tick| *tick);
                }
            }
            None => {}
        }
    }
    sounding.retain(|_, begun| !begun.is_empty());
    if track.events.last().is_some_and(is_end) && sounding.is_empty() {
        return;
    }
    let mut end = track.end_tick();
    track.events.retain(|event| !is_end(event));
    let mut open: Vec<_> = sounding.into_iter().collect();
    open.sort_unstable();
    for ((channel, key), begun) in open {
        end = end.max(begun.into_iter().max().unwrap_or(0) + 1);
        track.events.push(Event {
            tick: end,
            kind: TrackEventKind::Midi {
                channel: u4::new(channel),
                message: MidiMessage::NoteOff {
                    key: u7::new(key),
                    vel: u7::new(0),
                },
            },
        });
    }
    track.events.push(end_of_track(end));
}

/// Of the notes of a key, takes out and gives those that a note-off ends. As in reading, where there are older ones, those
/// that begin right there go on.
fn end_notes<T>(sounding: &mut Vec<T>, now: u64, begun: impl Fn(&T) -> u64) -> Vec<T> {
    let (older, new): (Vec<T>, Vec<T>) = sounding.drain(..).partition(|note| begun(note) < now);
    if older.is_empty() {
        return new;
    }
    *sounding = new;
    older
}

/// The indices of the events of notes that begin in a stretch, and of note-offs in it that end nothing; a note-off that also
/// ends a note from before is none.
fn notes_within(
    track: &Track,
    tempo: &TempoMap,
    stretch: &Range<f64>,
    drums: bool,
) -> HashSet<usize> {
    let mut removed = HashSet::new();
    // By channel and pitch: when each sounding note began, and whether it goes.
    let mut sounding: HashMap<(u8, u8), Vec<(u64, bool)>> = HashMap::new();
    for (index, event) in track.events.iter().enumerate() {
        let Some((key, begins)) = key_of(&event.kind) else {
            continue;
        };
        if key.0 == DRUM_CHANNEL && !drums {
            continue;
        }
        let notes = sounding.entry(key).or_default();
        if begins {
            let goes = stretch.contains(&tempo.seconds(event.tick));
            notes.push((event.tick, goes));
            if goes {
                removed.insert(index);
            }
            continue;
        }
        let ended = end_notes(notes, event.tick, |(tick, _)| *tick);
        let goes = match ended.is_empty() {
            true => stretch.contains(&tempo.seconds(event.tick)),
            false => ended.iter().all(|(_, goes)| *goes),
        };
        if goes {
            removed.insert(index);
        }
    }
    removed
}

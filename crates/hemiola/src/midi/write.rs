//! From notes to bytes.

use std::path::Path;

use midly::num::{u4, u7, u15, u24, u28};
use midly::{
    Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track, TrackEvent, TrackEventKind,
};

use super::clock::Clock;
use super::read::SUSTAIN_CONTROLLER;
use super::{PedalEvent, TempoChange, note_fault};
use crate::formats::write_atomically;
use crate::music::{BeatTrack, Note};
use crate::{Error, Result};

/// How to write a MIDI file.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOptions<'a> {
    /// General MIDI program, 0–127.
    pub program: u8,
    /// Quarter notes per minute, 4–1000: sets the bar lines others see, not when notes sound.
    pub tempo_bpm: f64,
    /// Tempi that follow, in order of time.
    pub tempo_changes: &'a [TempoChange],
    /// Where quarter notes lie instead, and with the numbers of these beats bars, too: the tempi are then those of the beats.
    pub beats: Option<&'a BeatTrack>,
    /// The name of the track.
    pub name: String,
    /// A text at the start of the file, such as which model made it.
    pub text: Option<String>,
    /// Moves of the sustain pedal, in any order.
    pub pedal: &'a [PedalEvent],
}

impl Default for WriteOptions<'_> {
    /// A piano at 120 BPM.
    fn default() -> Self {
        Self {
            program: 0,
            tempo_bpm: 120.0,
            tempo_changes: &[],
            beats: None,
            name: String::new(),
            text: None,
            pedal: &[],
        }
    }
}

/// Writes notes as a MIDI file, which appears whole or not at all; see [`encode_midi`].
///
/// # Errors
/// As [`encode_midi`], or the file cannot be written.
pub fn write_midi(path: impl AsRef<Path>, notes: &[Note], options: &WriteOptions) -> Result<()> {
    let bytes = encode_midi(notes, options)?;
    write_atomically(path, |out| std::io::Write::write_all(out, &bytes))
}

/// The bytes of a MIDI file of type 1 with the notes, in any order, on one track; the same for the same notes.
///
/// Times are rounded to ticks of 1 ms or less, lengths to a tick at least.
/// A note still sounding when its pitch begins again ends there; of notes that begin at the same tick and pitch, one remains, as long and as loud as the longest and the loudest.
///
/// # Errors
/// A note, pedal event or option is out of its range.
///
/// ```
/// use hemiola::midi::{Score, WriteOptions, encode_midi};
/// use hemiola::music::Note;
///
/// let notes = [Note { onset_s: 0.5, offset_s: 1.25, pitch: 60, velocity: 80 }];
/// let bytes = encode_midi(&notes, &WriteOptions::default())?;
/// assert_eq!(Score::from_bytes(&bytes, "memory")?.notes(), notes);
/// # Ok::<(), hemiola::Error>(())
/// ```
pub fn encode_midi(notes: &[Note], options: &WriteOptions) -> Result<Vec<u8>> {
    let clock = match options.beats {
        Some(track) if !track.beats.is_empty() => Clock::of_beats(&track.beats)?,
        _ => Clock::of_tempi(options.tempo_bpm, options.tempo_changes)?,
    };
    if options.program > 127 {
        return Err(Error::config(format!(
            "MIDI program {}; expected 0 to 127",
            options.program
        )));
    }
    let mut events = note_events(notes, |time_s| clock.tick(time_s))?;
    for (index, pedal) in options.pedal.iter().enumerate() {
        let tick = (pedal.value <= 127)
            .then(|| clock.tick(pedal.time_s))
            .flatten();
        let tick = tick.ok_or_else(|| {
            Error::config(format!(
                "pedal event {} has the time {} s and the value {}; expected 0 s to a day and 0 to 127",
                index + 1,
                pedal.time_s,
                pedal.value
            ))
        })?;
        events.push((tick, Message::Pedal(pedal.value)));
    }
    events.sort_by_key(|&(tick, message)| (tick, message.order()));

    let track_of_tempi = conductor(&clock, options.text.as_deref());

    let mut track = Vec::with_capacity(events.len() + 3);
    if !options.name.is_empty() {
        track.push(meta(0, MetaMessage::TrackName(options.name.as_bytes())));
    }
    let program = u7::new(options.program);
    track.push(event(0, MidiMessage::ProgramChange { program }));
    let mut now = 0;
    for (tick, message) in events {
        track.push(event(tick - now, message.midi()));
        now = tick;
    }
    track.push(meta(0, MetaMessage::EndOfTrack));
    encode(&clock, vec![track_of_tempi, track])
}

/// The first track: tempi, time signatures and a text.
fn conductor<'a>(clock: &Clock, text: Option<&'a str>) -> Track<'a> {
    let mut events = Vec::with_capacity(clock.stretches.len() + clock.bars.len() + 1);
    for stretch in &clock.stretches {
        let tempo = MetaMessage::Tempo(u24::new(stretch.microseconds_per_quarter));
        events.push((stretch.start, tempo));
    }
    if let Some(text) = text {
        events.insert(1, (0, MetaMessage::Text(text.as_bytes())));
    }
    for bar in &clock.bars {
        // 2² is the quarter note; a click of a metronome each, and 8 thirty-second notes.
        let signature = MetaMessage::TimeSignature(bar.n_quarters, 2, 24, 8);
        events.push((bar.start, signature));
    }
    events.sort_by_key(|&(tick, _)| tick);
    let mut now = 0;
    let mut track = Track::with_capacity(events.len() + 1);
    for (tick, message) in events {
        track.push(meta(tick - now, message));
        now = tick;
    }
    track.push(meta(0, MetaMessage::EndOfTrack));
    track
}

fn encode(clock: &Clock, tracks: Vec<Track>) -> Result<Vec<u8>> {
    let file = Smf {
        header: Header::new(
            Format::Parallel,
            Timing::Metrical(u15::new(clock.resolution)),
        ),
        tracks,
    };
    let mut bytes = Vec::new();
    file.write_std(&mut bytes).map_err(|fault| {
        Error::config(format!("the notes do not fit into a MIDI file: {fault}"))
    })?;
    Ok(bytes)
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Message {
    Pedal(u8),
    Off { pitch: u8 },
    On { pitch: u8, velocity: u8 },
}

impl Message {
    /// At one tick the pedal moves first, so that it holds notes that end there, and notes end before others begin.
    pub(super) fn order(self) -> (u8, u8) {
        match self {
            Self::Pedal(_) => (0, 0),
            Self::Off { pitch } => (1, pitch),
            Self::On { pitch, .. } => (2, pitch),
        }
    }

    pub(super) fn midi(self) -> MidiMessage {
        match self {
            Self::Pedal(value) => MidiMessage::Controller {
                controller: u7::new(SUSTAIN_CONTROLLER),
                value: u7::new(value),
            },
            Self::Off { pitch } => MidiMessage::NoteOff {
                key: u7::new(pitch),
                vel: u7::new(0),
            },
            Self::On { pitch, velocity } => MidiMessage::NoteOn {
                key: u7::new(pitch),
                vel: u7::new(velocity),
            },
        }
    }
}

struct Ticked {
    pitch: u8,
    start: u32,
    end: u32,
    velocity: u8,
}

/// The begin and end of each note, by tick, in no order; `tick` has none for times that cannot be written.
///
/// A note is a tick long at least, and ends where its pitch begins again; of notes that begin at the same tick and pitch,
/// one remains, as long and as loud as the longest and the loudest.
///
/// # Errors
/// A note is impossible, or `tick` has none for it.
pub(super) fn note_events(
    notes: &[Note],
    tick: impl Fn(f64) -> Option<u32>,
) -> Result<Vec<(u32, Message)>> {
    let mut ticked = Vec::with_capacity(notes.len());
    for (index, note) in notes.iter().enumerate() {
        let fault = |what| Error::config(format!("note {} cannot be written: {what}", index + 1));
        if let Some(what) = note_fault(note) {
            return Err(fault(what));
        }
        let (Some(start), Some(end)) = (tick(note.onset_s), tick(note.offset_s)) else {
            return Err(fault(format!(
                "it ends at {} s; expected within a day",
                note.offset_s
            )));
        };
        ticked.push(Ticked {
            pitch: note.pitch,
            start,
            end: end.max(start + 1),
            velocity: note.velocity,
        });
    }
    ticked.sort_by_key(|note| (note.pitch, note.start));
    ticked.dedup_by(|later, earlier| {
        let same = (later.pitch, later.start) == (earlier.pitch, earlier.start);
        if same {
            earlier.end = earlier.end.max(later.end);
            earlier.velocity = earlier.velocity.max(later.velocity);
        }
        same
    });

    let mut events = Vec::with_capacity(2 * ticked.len());
    for (index, note) in ticked.iter().enumerate() {
        let next = ticked
            .get(index + 1)
            .filter(|next| next.pitch == note.pitch);
        let end = next.map_or(note.end, |next| note.end.min(next.start));
        let (pitch, velocity) = (note.pitch, note.velocity);
        events.push((note.start, Message::On { pitch, velocity }));
        events.push((end, Message::Off { pitch }));
    }
    Ok(events)
}

fn meta(delta: u32, message: MetaMessage) -> TrackEvent {
    TrackEvent {
        delta: u28::new(delta),
        kind: TrackEventKind::Meta(message),
    }
}

fn event(delta: u32, message: MidiMessage) -> TrackEvent<'static> {
    TrackEvent {
        delta: u28::new(delta),
        kind: TrackEventKind::Midi {
            channel: u4::new(0),
            message,
        },
    }
}

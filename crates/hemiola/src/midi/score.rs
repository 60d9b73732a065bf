use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::music::Note;
use crate::{Error, Result};

/// The value from which the sustain pedal counts as down (General MIDI).
pub(crate) const PEDAL_DOWN: u8 = 64;

/// A tempo and when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TempoChange {
    pub time_s: f64,
    /// Quarter notes per minute.
    pub bpm: f64,
}

/// A time signature and when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeSignature {
    pub time_s: f64,
    pub numerator: u8,
    /// 4 for quarter notes, 8 for eighths.
    pub denominator: u32,
}

/// A move of the sustain pedal (controller 64).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PedalEvent {
    pub time_s: f64,
    /// 0–127; down from 64.
    pub value: u8,
}

/// The notes that one program plays on one channel of one track.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Instrument {
    /// General MIDI program, 0–127.
    pub program: u8,
    /// Whether it plays on channel 10, where pitches are percussion sounds.
    pub is_drum: bool,
    /// The name of the track.
    pub name: String,
    /// Sorted by onset, then pitch; the pedal is not applied.
    pub notes: Vec<Note>,
    /// The pedal of the track and channel, in order of time.
    pub pedal: Vec<PedalEvent>,
}

/// What a MIDI file says, in seconds.
///
/// Read as pretty_midi 0.2.11 reads: a note-off ends every sounding note of its channel and pitch that did not begin at the same tick,
/// notes without length are dropped, and tempi and time signatures are those of the first track.
/// Other than pretty_midi, notes that are never ended last until the end of their track.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Ticks per quarter note; in files with SMPTE timing, ticks per half second.
    pub resolution: u16,
    /// The first is at 0 s.
    pub tempo_changes: Vec<TempoChange>,
    pub time_signatures: Vec<TimeSignature>,
    /// In order of their first note's end.
    pub instruments: Vec<Instrument>,
    /// What was wrong with the file and how it was understood; empty for a sound file.
    pub warnings: Vec<String>,
    /// The last event's time: notes, controllers, pitch bends, tempi, signatures, lyrics, texts.
    pub end_time_s: f64,
}

impl Score {
    /// In words that nothing is heard, when nothing is: `drums` says whether percussion would be.
    pub fn silence(&self, drums: bool) -> &'static str {
        match !drums && self.instruments.iter().any(|i| i.is_drum) {
            true => "there is no note in it besides percussion",
            false => "there is no note in it",
        }
    }

    /// Reads a standard MIDI file of type 0, 1 or 2 (whose tracks are played one after the other).
    ///
    /// Damaged files give what is readable, and `warnings`.
    ///
    /// # Errors
    /// The file cannot be read, is no MIDI file, or holds no readable track.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
        Self::from_bytes(&bytes, path)
    }

    /// The same from memory; `name` stands for the file in messages.
    ///
    /// # Errors
    /// The bytes are no MIDI file or hold no readable track.
    pub fn from_bytes(bytes: &[u8], name: impl AsRef<Path>) -> Result<Self> {
        super::read::score(bytes, name.as_ref())
    }

    /// The notes of all instruments but drums as they were played, sorted by onset, then pitch; the pedal is not applied.
    pub fn notes(&self) -> Vec<Note> {
        let pitched = self.instruments.iter().filter(|i| !i.is_drum);
        let mut notes: Vec<Note> = pitched.flat_map(|i| i.notes.iter().copied()).collect();
        sort_notes(&mut notes);
        notes
    }

    /// The notes of all instruments but drums as they sounded, sorted by onset, then pitch.
    ///
    /// A note whose offset falls while the sustain pedal is down (64 or more) lasts until the pedal is released or the same pitch begins again;
    /// under a pedal that is never released, until the instrument's last event.
    pub fn notes_with_pedal(&self) -> Vec<Note> {
        let pitched = self.instruments.iter().filter(|i| !i.is_drum);
        let mut notes: Vec<Note> = pitched.flat_map(Instrument::notes_with_pedal).collect();
        sort_notes(&mut notes);
        notes
    }
}

impl Instrument {
    fn notes_with_pedal(&self) -> Vec<Note> {
        let mut onsets: HashMap<u8, Vec<f64>> = HashMap::new();
        for note in &self.notes {
            onsets.entry(note.pitch).or_default().push(note.onset_s);
        }
        for times in onsets.values_mut() {
            times.sort_by(f64::total_cmp);
        }
        let note_ends = self.notes.iter().map(|n| n.offset_s);
        let last_event_s = note_ends
            .chain(self.pedal.iter().map(|p| p.time_s))
            .fold(0.0, f64::max);

        let extended = |note: &Note| {
            let after = self.pedal.partition_point(|p| p.time_s <= note.offset_s);
            let (before, after) = self.pedal.split_at(after);
            if before.last().is_none_or(|p| p.value < PEDAL_DOWN) {
                return *note;
            }
            let released_s = after
                .iter()
                .find(|p| p.value < PEDAL_DOWN)
                .map_or(last_event_s, |p| p.time_s);
            let same_pitch = onsets.get(&note.pitch).map_or(&[][..], Vec::as_slice);
            let again = same_pitch.partition_point(|&onset| onset <= note.onset_s);
            let again_s = same_pitch.get(again).copied().unwrap_or(f64::INFINITY);
            Note {
                offset_s: released_s.min(again_s).max(note.offset_s),
                ..*note
            }
        };
        self.notes.iter().map(extended).collect()
    }
}

/// Sorts by onset, then pitch.
pub(crate) fn sort_notes(notes: &mut [Note]) {
    notes.sort_by(|a, b| {
        (a.onset_s.total_cmp(&b.onset_s))
            .then(a.pitch.cmp(&b.pitch))
            .then(a.offset_s.total_cmp(&b.offset_s))
            .then(a.velocity.cmp(&b.velocity))
    });
}

/// What makes a note impossible to write down, if anything.
pub(crate) fn note_fault(note: &Note) -> Option<String> {
    let Note {
        onset_s,
        offset_s,
        pitch,
        velocity,
    } = *note;
    if !onset_s.is_finite() || onset_s < 0.0 {
        return Some(format!("its onset is {onset_s} s; expected 0 or more"));
    }
    if !offset_s.is_finite() || offset_s < onset_s {
        return Some(format!(
            "its offset is {offset_s} s; expected no less than its onset, {onset_s} s"
        ));
    }
    if pitch > 127 {
        return Some(format!("its pitch is {pitch}; expected 0 to 127"));
    }
    if !(1..=127).contains(&velocity) {
        return Some(format!("its velocity is {velocity}; expected 1 to 127"));
    }
    None
}

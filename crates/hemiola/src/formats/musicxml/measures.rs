//! What stands in each bar.

use std::collections::{HashMap, HashSet};

use super::DIVISIONS;
use super::bars::Bar;
use super::harmony::write_harmony;
use super::voices::{Chord, Voice, value_name, values};
use super::write::{divisions, signature, spelled};
use super::xml::Xml;
use crate::music::chord::ChordLabel;
use crate::music::key::{Key, Mode};

/// How far the tempo of a bar may be from the one before without being written.
const SAME_TEMPO: f64 = 5e-4;
/// The loudness that MusicXML counts from, in MIDI velocities.
const FORTE_VELOCITY: f64 = 90.0;
/// Divisions of a whole note.
const WHOLE: u32 = 4 * DIVISIONS;
/// Letters in the order in which signatures sharpen them.
const SHARPENED: [char; 7] = ['F', 'C', 'G', 'D', 'A', 'E', 'B'];

pub(super) struct Measures<'a> {
    key: Key,
    staves: &'a [Vec<Voice>; 2],
    symbols: &'a [(u32, &'a ChordLabel)],
    /// Of each voice of each staff, how many chords lie wholly before the bar.
    done: [Vec<usize>; 2],
}

impl<'a> Measures<'a> {
    pub(super) fn new(
        key: Key,
        staves: &'a [Vec<Voice>; 2],
        symbols: &'a [(u32, &'a ChordLabel)],
    ) -> Self {
        let none = |voices: &Vec<Voice>| vec![0; voices.len()];
        Self {
            key,
            staves,
            symbols,
            done: [none(&staves[0]), none(&staves[1])],
        }
    }

    pub(super) fn write(mut self, xml: &mut Xml, bars: &[Bar]) {
        let partial_start = bars.first().is_some_and(|bar| bar.is_partial);
        let first_number = if partial_start { 0 } else { 1 };
        let (mut beats, mut tempo_bpm) = (0, 0.0);
        for (index, bar) in bars.iter().enumerate() {
            let number = index + first_number;
            let implicit = if number == 0 { " implicit=\"yes\"" } else { "" };
            xml.open("measure", &format!("number=\"{number}\"{implicit}"));
            // A pick-up has the signature of the bar that it leads to.
            let whole = match bars.get(index + 1) {
                Some(next) if bar.is_partial => next.beats.max(bar.beats),
                _ => bar.beats,
            };
            self.attributes(xml, index == 0, (whole != beats).then_some(whole));
            beats = whole;
            if (bar.tempo_bpm / tempo_bpm - 1.0).abs() > SAME_TEMPO || index == 0 {
                tempo_bpm = bar.tempo_bpm;
                tempo(xml, tempo_bpm, index == 0);
            }
            self.chord_symbols(xml, bar);
            self.notes(xml, bar);
            if index + 1 == bars.len() {
                xml.open("barline", "location=\"right\"");
                xml.text("bar-style", "light-heavy");
                xml.close();
            }
            xml.close();
        }
    }

    fn attributes(&self, xml: &mut Xml, is_first: bool, beats: Option<u32>) {
        if !is_first && beats.is_none() {
            return;
        }
        xml.open("attributes", "");
        if is_first {
            xml.text("divisions", DIVISIONS);
            xml.open("key", "");
            xml.text("fifths", signature(&self.key));
            match self.key.mode {
                Mode::Other => {}
                mode => xml.text("mode", mode.as_str()),
            }
            xml.close();
        }
        if let Some(beats) = beats {
            xml.open("time", "");
            xml.text("beats", beats);
            xml.text("beat-type", 4);
            xml.close();
        }
        if is_first {
            xml.text("staves", 2);
            for (number, sign, line) in [(1, "G", 2), (2, "F", 4)] {
                xml.open("clef", &format!("number=\"{number}\""));
                xml.text("sign", sign);
                xml.text("line", line);
                xml.close();
            }
        }
        xml.close();
    }

    /// Of those at one place, the last.
    fn chord_symbols(&self, xml: &mut Xml, bar: &Bar) {
        let from = self.symbols.partition_point(|(at, _)| *at < bar.start);
        let to = self.symbols.partition_point(|(at, _)| *at < bar.end());
        let here = self.symbols.get(from..to).unwrap_or_default();
        for (index, (at, label)) in here.iter().enumerate() {
            if here.get(index + 1).is_none_or(|(next, _)| next > at) {
                write_harmony(xml, label, at - bar.start);
            }
        }
    }

    fn notes(&mut self, xml: &mut Xml, bar: &Bar) {
        let mut here: Vec<(usize, usize, Vec<&Chord>)> = Vec::new();
        for staff in 0..2 {
            for (index, voice) in self.staves[staff].iter().enumerate() {
                let done = &mut self.done[staff][index];
                while voice.get(*done).is_some_and(|chord| chord.end <= bar.start) {
                    *done += 1;
                }
                let rest = voice.get(*done..).unwrap_or_default();
                let chords: Vec<&Chord> = rest
                    .iter()
                    .take_while(|chord| chord.start < bar.end())
                    .collect();
                if index == 0 || !chords.is_empty() {
                    here.push((staff, index, chords));
                }
            }
        }
        let accidentals = self.accidentals(bar, &here);
        for (index, (staff, voice, chords)) in here.iter().enumerate() {
            if index > 0 {
                xml.open("backup", "");
                xml.text("duration", divisions(bar.beats));
                xml.close();
            }
            let place = Place {
                staff: *staff,
                voice: *voice,
            };
            self.voice(xml, bar, place, chords, &accidentals);
        }
    }

    /// Which tones that begin in a bar differ from the signature, and from what stood before at the same place of the staff.
    fn accidentals(
        &self,
        bar: &Bar,
        here: &[(usize, usize, Vec<&Chord>)],
    ) -> HashSet<(usize, u32, u8)> {
        let mut tones: Vec<(u32, usize, u8)> = Vec::new();
        for (staff, _, chords) in here {
            for chord in chords.iter().filter(|chord| chord.start >= bar.start) {
                let pitches = chord.pitches.iter();
                tones.extend(pitches.map(|pitch| (chord.start, *staff, *pitch)));
            }
        }
        tones.sort_unstable();
        let mut state: HashMap<(usize, char, i32), i32> = HashMap::new();
        let mut shown = HashSet::new();
        for (start, staff, pitch) in tones {
            let (letter, alter, octave) = spelled(&self.key, pitch);
            let usual = signed(signature(&self.key), letter);
            let now = state.entry((staff, letter, octave)).or_insert(usual);
            if *now != alter {
                *now = alter;
                shown.insert((staff, start, pitch));
            }
        }
        shown
    }

    fn voice(
        &self,
        xml: &mut Xml,
        bar: &Bar,
        place: Place,
        chords: &[&Chord],
        accidentals: &HashSet<(usize, u32, u8)>,
    ) {
        // A rest of the whole bar would fill up a pick-up.
        if chords.is_empty() && !bar.is_partial {
            xml.open("note", "");
            xml.empty("rest", "measure=\"yes\"");
            xml.text("duration", divisions(bar.beats));
            place.write(xml, None);
            return xml.close();
        }
        let mut at = bar.start;
        for chord in chords {
            let (start, end) = (chord.start.max(bar.start), chord.end.min(bar.end()));
            place.rest(xml, at, start);
            for (value_start, length) in values(start, end) {
                for (index, &pitch) in chord.pitches.iter().enumerate() {
                    let tone = Tone {
                        pitch,
                        velocity: chord.velocity,
                        in_chord: index > 0,
                        is_tied_on: value_start > chord.start,
                        goes_on: value_start + length < chord.end,
                        shows_accidental: value_start == chord.start
                            && accidentals.contains(&(place.staff, chord.start, pitch)),
                    };
                    tone.write(xml, &self.key, place, length);
                }
            }
            at = end;
        }
        place.rest(xml, at, bar.end());
    }
}

/// What a signature makes of a letter: a sharp, a flat where negative, or nothing.
fn signed(fifths: i16, letter: char) -> i32 {
    let sharps = SHARPENED.iter().position(|one| *one == letter).unwrap_or(0) as i16;
    let is_sharp = sharps < fifths;
    let is_flat = 6 - sharps < -fifths;
    i32::from(is_sharp) - i32::from(is_flat)
}

fn tempo(xml: &mut Xml, bpm: f64, is_shown: bool) {
    if is_shown {
        xml.open("direction", "placement=\"above\"");
        xml.open("direction-type", "");
        xml.open("metronome", "");
        xml.text("beat-unit", "quarter");
        xml.text("per-minute", format!("{bpm:.0}"));
        xml.close();
        xml.close();
        xml.text("staff", 1);
    }
    xml.empty("sound", &format!("tempo=\"{bpm:.4}\""));
    if is_shown {
        xml.close();
    }
}

/// Where a note is written.
#[derive(Debug, Clone, Copy)]
struct Place {
    staff: usize,
    /// Of the staff, from 0.
    voice: usize,
}

impl Place {
    /// A number of its own for each voice of both staves: 1 to 4 above, 5 to 8 below, as most programs have them.
    fn number(self) -> usize {
        match self.voice {
            0..4 => 4 * self.staff + self.voice + 1,
            further => 2 * further + self.staff + 1,
        }
    }

    /// The voice, the value and the staff.
    fn write(self, xml: &mut Xml, length: Option<u32>) {
        xml.text("voice", self.number());
        self.value(xml, length, None);
    }

    fn value(self, xml: &mut Xml, length: Option<u32>, accidental: Option<&str>) {
        let named = length.map(value_name);
        if let Some((name, dots, _)) = named {
            xml.text("type", name);
            for _ in 0..dots {
                xml.empty("dot", "");
            }
        }
        if let Some(accidental) = accidental {
            xml.text("accidental", accidental);
        }
        if named.is_some_and(|(.., is_triplet)| is_triplet) {
            xml.open("time-modification", "");
            xml.text("actual-notes", 3);
            xml.text("normal-notes", 2);
            xml.close();
        }
        xml.text("staff", self.staff + 1);
    }

    /// Silence; of voices besides the first, a gap.
    fn rest(self, xml: &mut Xml, start: u32, end: u32) {
        if start >= end {
            return;
        }
        if self.voice > 0 {
            xml.open("forward", "");
            xml.text("duration", end - start);
            xml.text("voice", self.number());
            xml.text("staff", self.staff + 1);
            return xml.close();
        }
        for (_, length) in values(start, end) {
            // A whole rest would be read as one of the whole bar.
            let halves = if length == WHOLE { 2 } else { 1 };
            for _ in 0..halves {
                let length = length / halves;
                xml.open("note", "");
                xml.empty("rest", "");
                xml.text("duration", length);
                self.write(xml, Some(length));
                xml.close();
            }
        }
    }
}

/// A note, or a part of one that is tied to the others.
struct Tone {
    pitch: u8,
    velocity: u8,
    in_chord: bool,
    is_tied_on: bool,
    goes_on: bool,
    shows_accidental: bool,
}

impl Tone {
    fn write(&self, xml: &mut Xml, key: &Key, place: Place, length: u32) {
        let loudness = f64::from(self.velocity) / FORTE_VELOCITY * 100.0;
        xml.open("note", &format!("dynamics=\"{loudness:.2}\""));
        if self.in_chord {
            xml.empty("chord", "");
        }
        let (letter, alter, octave) = spelled(key, self.pitch);
        xml.open("pitch", "");
        xml.text("step", letter);
        if alter != 0 {
            xml.text("alter", alter);
        }
        xml.text("octave", octave);
        xml.close();
        xml.text("duration", length);
        let ties = [(self.is_tied_on, "stop"), (self.goes_on, "start")];
        let ties = ties.into_iter().filter(|(is_there, _)| *is_there);
        for (_, kind) in ties.clone() {
            xml.empty("tie", &format!("type=\"{kind}\""));
        }
        xml.text("voice", place.number());
        let accidental = self.shows_accidental.then_some(match alter {
            ..=-2 => "flat-flat",
            -1 => "flat",
            0 => "natural",
            1 => "sharp",
            2.. => "double-sharp",
        });
        place.value(xml, Some(length), accidental);
        if self.is_tied_on || self.goes_on {
            xml.open("notations", "");
            for (_, kind) in ties {
                xml.empty("tied", &format!("type=\"{kind}\""));
            }
            xml.close();
        }
        xml.close();
    }
}

//! What the parts of a score say, at positions in quarter notes.

use roxmltree::Node;

use super::harmony::read_harmony;
use crate::music::chord::ChordLabel;
use crate::music::key::{Key, KeyLabel, Mode};
use crate::music::{Letter, NoteName};

/// Quarter notes; a longer bar comes from a damaged duration.
const LONGEST_BAR: f64 = 1000.0;

/// A note as written, with its transposition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) position: f64,
    pub(super) length: f64,
    pub(super) pitch: u8,
    /// Per cent of forte.
    pub(super) dynamics: Option<f64>,
    /// Whether it is tied to what follows; scores leave out the other end now and then.
    pub(super) goes_on: bool,
}

/// A bar of one part; positions count from its beginning.
#[derive(Debug, Default)]
pub(super) struct Measure {
    pub(super) length: f64,
    pub(super) notes: Vec<Written>,
    pub(super) tempi: Vec<(f64, f64)>,
    pub(super) symbols: Vec<(f64, ChordLabel)>,
    pub(super) keys: Vec<(f64, KeyLabel)>,
    /// Beats and their unit, such as 6 and 8.
    pub(super) time: Option<(u32, u32)>,
}

/// What was left out or guessed.
#[derive(Debug, Default)]
pub(super) struct Lacks {
    pub(super) graces: usize,
    pub(super) unpitched: usize,
    pub(super) repeats: usize,
    pub(super) microtones: usize,
    pub(super) keys_without_mode: usize,
}

pub(super) struct PartReader<'a> {
    pub(super) lacks: &'a mut Lacks,
    divisions: f64,
    transposition: i32,
    /// Beginning of the last note that is no further one of a chord.
    chord_start: f64,
}

impl<'a> PartReader<'a> {
    pub(super) fn new(lacks: &'a mut Lacks) -> Self {
        Self {
            lacks,
            divisions: 1.0,
            transposition: 0,
            chord_start: 0.0,
        }
    }

    /// # Errors
    /// A duration or pitch is missing or impossible.
    pub(super) fn measure(&mut self, node: Node) -> Result<Measure, String> {
        let mut measure = Measure::default();
        let mut now = 0.0;
        for element in node.children().filter(Node::is_element) {
            match element.tag_name().name() {
                "attributes" => self.attributes(element, now, &mut measure)?,
                "note" => now = self.note(element, now, &mut measure)?,
                "backup" => now = (now - self.duration(element)?).max(0.0),
                "forward" => now += self.duration(element)?,
                "direction" => {
                    let at = (now + self.offset(element)).max(0.0);
                    tempo(element, at, &mut measure);
                }
                "sound" => {
                    let bpm = element
                        .attribute("tempo")
                        .and_then(|text| text.parse().ok());
                    measure.tempi.extend(bpm.map(|bpm| (now, bpm)));
                }
                "harmony" => {
                    let at = (now + self.offset(element)).max(0.0);
                    measure
                        .symbols
                        .extend(read_harmony(element).map(|label| (at, label)));
                }
                "barline" => {
                    let repeats = element
                        .children()
                        .filter(|child| child.has_tag_name("repeat"));
                    self.lacks.repeats += repeats.count();
                }
                _ => {}
            }
            measure.length = measure.length.max(now);
            if measure.length > LONGEST_BAR {
                return Err(format!(
                    "expected at most {LONGEST_BAR} quarter notes, found {}",
                    measure.length
                ));
            }
        }
        Ok(measure)
    }

    fn attributes(&mut self, node: Node, now: f64, measure: &mut Measure) -> Result<(), String> {
        for child in node.children().filter(Node::is_element) {
            match child.tag_name().name() {
                "divisions" => {
                    let divisions = number(child).filter(|divisions| *divisions > 0.0);
                    self.divisions = divisions.ok_or_else(|| {
                        let found = child.text().unwrap_or_default();
                        format!("expected divisions above 0, found {found:?}")
                    })?;
                }
                "key" => measure.keys.extend(self.key(child).map(|key| (now, key))),
                "time" => {
                    let beats = text(child, "beats").unwrap_or_default();
                    // Such as 3+2.
                    let beats = beats
                        .split('+')
                        .map(|beats| beats.trim().parse::<u32>().ok());
                    let beats = beats.sum::<Option<u32>>().filter(|beats| *beats > 0);
                    let unit = text(child, "beat-type").and_then(|unit| unit.parse().ok());
                    let unit = unit.filter(|unit: &u32| *unit > 0);
                    measure.time = measure.time.or(beats.zip(unit));
                }
                "transpose" => {
                    let value = |name| {
                        child_number(child, name)
                            .unwrap_or(0.0)
                            .clamp(-128.0, 128.0)
                    };
                    self.transposition =
                        (value("chromatic") + 12.0 * value("octave-change")) as i32;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn key(&mut self, node: Node) -> Option<KeyLabel> {
        let fifths = child_number(node, "fifths")?.clamp(-14.0, 14.0) as i16;
        let mode = text(node, "mode");
        self.lacks.keys_without_mode += usize::from(mode.is_none());
        let (mode, above) = match mode.unwrap_or("major") {
            "major" | "ionian" => (Mode::Major, 0),
            "minor" | "aeolian" => (Mode::Minor, 3),
            "dorian" => (Mode::Other, 2),
            "phrygian" => (Mode::Other, 4),
            "lydian" => (Mode::Other, -1),
            "mixolydian" => (Mode::Other, 1),
            "locrian" => (Mode::Other, 5),
            _ => return None,
        };
        let tonic = NoteName::from_fifths(fifths + above);
        Some(KeyLabel::Key(Key { tonic, mode }))
    }

    /// Where the music goes on after the note.
    fn note(&mut self, node: Node, now: f64, measure: &mut Measure) -> Result<f64, String> {
        let has = |name: &str| node.children().any(|child| child.has_tag_name(name));
        if has("grace") || has("cue") {
            self.lacks.graces += 1;
            return Ok(now);
        }
        let length = self.duration(node)?;
        let (start, end) = match has("chord") {
            true => (self.chord_start, now),
            false => (now, now + length),
        };
        self.chord_start = start;
        if has("rest") {
            return Ok(end);
        }
        let Some(pitch) = node.children().find(|child| child.has_tag_name("pitch")) else {
            self.lacks.unpitched += 1;
            return Ok(end);
        };
        let mut children = node.children();
        let goes_on = children
            .any(|child| child.has_tag_name("tie") && child.attribute("type") == Some("start"));
        let dynamics = node
            .attribute("dynamics")
            .and_then(|text| text.parse().ok());
        measure.notes.push(Written {
            position: start,
            length,
            pitch: self.pitch(pitch)?,
            dynamics,
            goes_on,
        });
        Ok(end)
    }

    fn pitch(&mut self, node: Node) -> Result<u8, String> {
        let step = text(node, "step").unwrap_or_default();
        let letter = step.chars().next().and_then(Letter::from_char);
        let letter =
            letter.ok_or_else(|| format!("expected a step from A to G, found {step:?}"))?;
        let octave = child_number(node, "octave").ok_or("expected the octave of a pitch")?;
        let alter = child_number(node, "alter").unwrap_or(0.0);
        self.lacks.microtones += usize::from(alter.fract() != 0.0);
        let natural = f64::from(NoteName::new(letter, 0).pitch_class());
        let pitch = 12.0 * (octave + 1.0) + natural + alter.round();
        let pitch = pitch + f64::from(self.transposition);
        match (0.0..=127.0).contains(&pitch) {
            true => Ok(pitch as u8),
            false => Err(format!(
                "expected a pitch within those of MIDI, 0 to 127, found {pitch}"
            )),
        }
    }

    /// In quarter notes.
    fn duration(&self, node: Node) -> Result<f64, String> {
        let duration = child_number(node, "duration").filter(|duration| *duration >= 0.0);
        let duration = duration.ok_or_else(|| {
            let found = text(node, "duration").unwrap_or("none");
            format!("expected a duration of 0 or more, found {found}")
        })?;
        Ok(duration / self.divisions)
    }

    fn offset(&self, node: Node) -> f64 {
        child_number(node, "offset").unwrap_or(0.0) / self.divisions
    }
}

/// What a direction plays, or else shows.
fn tempo(direction: Node, at: f64, measure: &mut Measure) {
    let mut children = direction.children();
    let played = children.find_map(|child| child.attribute("tempo")?.parse::<f64>().ok());
    let shown = || {
        let mut nodes = direction.descendants();
        let metronome = nodes.find(|node| node.has_tag_name("metronome"))?;
        let unit = match text(metronome, "beat-unit")? {
            "whole" => 4.0,
            "half" => 2.0,
            "quarter" => 1.0,
            "eighth" => 0.5,
            "16th" => 0.25,
            _ => return None,
        };
        let is_dotted = metronome
            .children()
            .any(|child| child.has_tag_name("beat-unit-dot"));
        let unit = if is_dotted { 1.5 * unit } else { unit };
        child_number(metronome, "per-minute").map(|per_minute| per_minute * unit)
    };
    measure
        .tempi
        .extend(played.or_else(shown).map(|bpm| (at, bpm)));
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = node.children().find(|child| child.has_tag_name(name))?;
    child.text().map(str::trim)
}

fn child_number(node: Node, name: &str) -> Option<f64> {
    let child = node.children().find(|child| child.has_tag_name(name))?;
    number(child)
}

fn number(node: Node) -> Option<f64> {
    let number = node.text()?.trim().parse().ok();
    number.filter(|number: &f64| number.is_finite())
}

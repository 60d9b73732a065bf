//! Scores in.

use std::collections::HashMap;
use std::path::Path;

use roxmltree::{Document, ParsingOptions};

use super::mxl;
use super::score::{Lacks, Measure, PartReader};
use crate::formats::notes::UNKNOWN_VELOCITY;
use crate::formats::{Annotations, Recording};
use crate::midi::sort_notes;
use crate::music::{Beat, BeatTrack, Note, Segment};
use crate::{Error, Result};

/// Elements and texts of a score; more come from no music.
const MOST_NODES: u32 = 20_000_000;
/// Quarter notes per minute, until a score says others.
const USUAL_BPM: f64 = 120.0;
/// Tempi that mean something.
const TEMPI_BPM: std::ops::RangeInclusive<f64> = 1.0..=2000.0;
/// What MusicXML counts dynamics from, a MIDI velocity.
const FORTE_VELOCITY: f64 = 90.0;
/// Quarter notes that positions may differ by because of rounding.
const SAME: f64 = 1e-6;

/// Notes, beats, chord symbols and keys of a partwise score, compressed or not; `name` stands for the file in messages.
///
/// Times are by the tempi that the score plays, or else shows, at 120 BPM where there are none; notes tied to one another are
/// one, and parts are transposed to what sounds. Beats are quarter notes, in bars of a fractional number of quarter notes the
/// units of the time signature. Repeats are not carried out; grace notes, cues and percussion are left out; the warnings say so.
///
/// # Errors
/// The bytes are no partwise MusicXML, or a bar holds something impossible; the message names part and bar.
pub fn music_xml_from(bytes: &[u8], name: impl AsRef<Path>) -> Result<Annotations> {
    let name = name.as_ref();
    let unpacked = match mxl::is_archive(bytes) {
        true => Some(mxl::unpack(bytes, name)?),
        false => None,
    };
    let text = text_of(unpacked.as_deref().unwrap_or(bytes));
    let text = text.ok_or_else(|| {
        Error::input(
            name,
            "expected MusicXML in UTF-8 or UTF-16; found other bytes",
        )
    })?;
    let options = ParsingOptions {
        allow_dtd: true,
        nodes_limit: MOST_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(&text, options)
        .map_err(|fault| Error::input(name, format!("expected MusicXML, found {fault}")))?;
    let root = document.root_element();
    match root.tag_name().name() {
        "score-partwise" => {}
        other => {
            let fault = format!(
                "expected a partwise score, <score-partwise>, found <{other}>; other programs export such"
            );
            return Err(Error::input(name, fault));
        }
    }
    let mut lacks = Lacks::default();
    let mut parts = Vec::new();
    for (number, part) in (1..).zip(root.children().filter(|node| node.has_tag_name("part"))) {
        let mut reader = PartReader::new(&mut lacks);
        let mut measures = Vec::new();
        for measure in part.children().filter(|node| node.has_tag_name("measure")) {
            let bar = measure.attribute("number").unwrap_or("?");
            let read = reader.measure(measure).map_err(|fault| {
                Error::input(name, format!("part {number}, bar {bar}: {fault}"))
            })?;
            measures.push(read);
        }
        parts.push(measures);
    }
    let title = ["work-title", "movement-title"]
        .into_iter()
        .find_map(|element| {
            let mut nodes = root.descendants();
            let node = nodes.find(|node| node.has_tag_name(element))?;
            node.text().map(|title| title.trim().to_owned())
        });
    let mut found = Score::new(parts).annotations();
    found.recording.title = title.filter(|title| !title.is_empty());
    found.warnings.extend(told(&lacks));
    Ok(found)
}

/// UTF-8, or UTF-16 with its mark.
fn text_of(bytes: &[u8]) -> Option<String> {
    let units = |from: fn([u8; 2]) -> u16| {
        let pairs = bytes.get(2..)?.as_chunks().0.iter();
        String::from_utf16(&pairs.map(|pair| from(*pair)).collect::<Vec<u16>>()).ok()
    };
    match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        _ => {
            let text = std::str::from_utf8(bytes).ok()?;
            Some(text.trim_start_matches('\u{feff}').to_owned())
        }
    }
}

fn told(lacks: &Lacks) -> Vec<String> {
    let mut told = Vec::new();
    let mut tell = |count: usize, what: &str| {
        if count > 0 {
            told.push(format!("{count} {what}"));
        }
    };
    tell(lacks.repeats, "repeat signs are not carried out");
    tell(lacks.graces, "grace notes and cues are left out");
    tell(lacks.unpitched, "notes of percussion are left out");
    tell(lacks.microtones, "microtones are rounded to semitones");
    tell(
        lacks.keys_without_mode,
        "key signatures tell no mode and are taken for major",
    );
    told
}

struct Score {
    parts: Vec<Vec<Measure>>,
    /// Where each bar begins, and the end; in quarter notes.
    starts: Vec<f64>,
    /// Positions, the time there, and the tempo from there on; rising.
    tempi: Vec<(f64, f64, f64)>,
}

impl Score {
    fn new(parts: Vec<Vec<Measure>>) -> Self {
        let count = parts.iter().map(Vec::len).max().unwrap_or(0);
        let mut starts = vec![0.0];
        let mut end = 0.0;
        for bar in 0..count {
            let lengths = parts.iter().filter_map(|part| part.get(bar));
            end += lengths.map(|measure| measure.length).fold(0.0, f64::max);
            starts.push(end);
        }
        let mut score = Self {
            parts,
            starts,
            tempi: Vec::new(),
        };
        score.tempi = score.tempo_map();
        score
    }

    /// What `items` gives of each bar of a part, at its position in the score.
    fn placed<'a, T: Clone + 'a>(
        &self,
        part: &'a [Measure],
        items: impl Fn(&'a Measure) -> &'a [(f64, T)],
    ) -> Vec<(f64, T)> {
        let bars = part.iter().zip(&self.starts);
        let mut placed: Vec<(f64, T)> = bars
            .flat_map(|(measure, start)| {
                let items = items(measure).iter();
                items.map(move |(at, item)| (start + at, item.clone()))
            })
            .collect();
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        placed
    }

    fn tempo_map(&self) -> Vec<(f64, f64, f64)> {
        let parts = self.parts.iter();
        let mut changes: Vec<(f64, f64)> = parts
            .flat_map(|part| self.placed(part, |measure| &measure.tempi))
            .collect();
        changes.retain(|(_, bpm)| TEMPI_BPM.contains(bpm));
        changes.sort_by(|a, b| a.0.total_cmp(&b.0));
        // What is said first of the tempo holds from the beginning.
        let first = changes.first().map_or(USUAL_BPM, |change| change.1);
        let mut map = vec![(0.0, 0.0, first)];
        for (at, bpm) in changes {
            if let Some(&(from, from_s, before)) = map.last() {
                map.push((at, from_s + (at - from) * 60.0 / before, bpm));
            }
        }
        map
    }

    fn time_s(&self, position: f64) -> f64 {
        let after = self.tempi.partition_point(|tempo| tempo.0 <= position);
        let tempo = self.tempi.get(after.saturating_sub(1));
        tempo.map_or(0.0, |(from, from_s, bpm)| {
            from_s + (position - from) * 60.0 / bpm
        })
    }

    fn end(&self) -> f64 {
        self.starts.last().copied().unwrap_or(0.0)
    }

    fn annotations(&self) -> Annotations {
        let mut notes: Vec<Note> = self
            .parts
            .iter()
            .flat_map(|part| self.notes(part))
            .collect();
        sort_notes(&mut notes);
        let symbols = self
            .parts
            .iter()
            .map(|part| self.placed(part, |measure| &measure.symbols));
        let symbols = symbols.into_iter().find(|symbols| !symbols.is_empty());
        let keys = self
            .parts
            .iter()
            .map(|part| self.placed(part, |measure| &measure.keys));
        let keys = keys.into_iter().find(|keys| !keys.is_empty());
        let beats = self.beats();
        Annotations {
            recording: Recording {
                duration_s: Some(self.time_s(self.end())),
                ..Recording::default()
            },
            notes: Some(notes),
            beats: (!beats.is_empty()).then(|| BeatTrack::of(beats)),
            chords: symbols.map(|symbols| self.segments(symbols)),
            keys: keys.map(|keys| self.segments(keys)),
            ..Annotations::default()
        }
    }

    /// Each until the next; of those at one place, the last.
    fn segments<L>(&self, placed: Vec<(f64, L)>) -> Vec<Segment<L>> {
        let mut segments: Vec<Segment<L>> = Vec::new();
        for (at, label) in placed {
            let start_s = self.time_s(at);
            if let Some(last) = segments.last_mut() {
                last.end_s = start_s;
            }
            segments.push(Segment {
                start_s,
                end_s: self.time_s(self.end()).max(start_s),
                label,
            });
        }
        segments.retain(|segment| segment.end_s > segment.start_s);
        segments
    }

    fn notes(&self, part: &[Measure]) -> Vec<Note> {
        // Positions of the beginning and the end, pitch, velocity.
        let mut found: Vec<(f64, f64, u8, u8)> = Vec::new();
        let mut open: HashMap<u8, Vec<usize>> = HashMap::new();
        for (measure, start) in part.iter().zip(&self.starts) {
            for note in &measure.notes {
                let (from, to) = (start + note.position, start + note.position + note.length);
                let waiting = open.entry(note.pitch).or_default();
                let ends_here = |index: &usize| {
                    let end = found.get(*index).map_or(f64::NAN, |tied| tied.1);
                    (end - from).abs() < SAME
                };
                let tied = waiting.iter().position(ends_here);
                let index = match tied.map(|at| waiting.swap_remove(at)) {
                    Some(index) => {
                        if let Some(first) = found.get_mut(index) {
                            first.1 = to;
                        }
                        index
                    }
                    None => {
                        let velocity = note.dynamics.map(|per_cent| {
                            let velocity = (per_cent / 100.0 * FORTE_VELOCITY).round();
                            velocity.clamp(1.0, 127.0) as u8
                        });
                        found.push((from, to, note.pitch, velocity.unwrap_or(UNKNOWN_VELOCITY)));
                        found.len() - 1
                    }
                };
                if note.goes_on {
                    waiting.push(index);
                }
            }
        }
        let note = |(from, to, pitch, velocity)| Note {
            onset_s: self.time_s(from),
            offset_s: self.time_s(to),
            pitch,
            velocity,
        };
        found.into_iter().map(note).collect()
    }

    fn beats(&self) -> Vec<Beat> {
        let (mut beats, mut time) = (Vec::new(), (4u32, 4u32));
        for (bar, pair) in self.starts.windows(2).enumerate() {
            let mut parts = self.parts.iter();
            time = parts.find_map(|part| part.get(bar)?.time).unwrap_or(time);
            let nominal = 4.0 * f64::from(time.0) / f64::from(time.1);
            let unit = match nominal.fract() < SAME {
                true => 1.0,
                false => 4.0 / f64::from(time.1),
            };
            let beats_here = (pair[1] - pair[0]) / unit;
            let whole = (nominal / unit).round();
            // A pick-up counts up to the first full bar, and its beats lie before that.
            let is_partial = bar == 0 && beats_here < whole - SAME;
            let (count, first) = match is_partial {
                true => {
                    let count = (beats_here + SAME).floor();
                    (count, pair[1] - count * unit)
                }
                false => ((beats_here - SAME).ceil().max(0.0), pair[0]),
            };
            let before = if is_partial { whole - count } else { 0.0 };
            for index in 0..count as u32 {
                beats.push(Beat {
                    time_s: self.time_s(first + f64::from(index) * unit),
                    number: (before + f64::from(index) + 1.0).min(255.0) as u8,
                });
            }
        }
        beats
    }
}

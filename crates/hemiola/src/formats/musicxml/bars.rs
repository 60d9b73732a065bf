//! Beats as the bars of a score, and times as positions in it.

use super::DIVISIONS;
use crate::music::{Beat, BeatTrack, Note};
use crate::{Error, Result};

/// Of music without beats: 120 BPM.
const USUAL_BEAT_S: f64 = 0.5;
/// A score has no more beats than this.
const MOST_BEATS: usize = 200_000;
/// Into how many equal parts a beat can be divided, in the order in which they are tried, and how far, in beats, an onset may
/// be off: sixteenths, triplets of eighths and of sixteenths, thirty-seconds.
const DIVISIONS_OF_BEATS: [(u32, f64); 4] = [(4, 0.08), (3, 0.06), (6, 0.03), (8, 0.03)];

/// A bar of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bar {
    /// Where it begins, in divisions.
    pub(super) start: u32,
    /// Quarter notes.
    pub(super) beats: u32,
    /// Whether it is a pick-up.
    pub(super) is_partial: bool,
    /// Quarter notes per minute.
    pub(super) tempo_bpm: f64,
}

impl Bar {
    pub(super) fn end(&self) -> u32 {
        self.start + self.beats * DIVISIONS
    }
}

/// The beats of a score, which go on before the first and after the last that was heard.
#[derive(Debug)]
pub(super) struct Grid {
    beats: Vec<Beat>,
    /// Into how many equal parts each beat is divided.
    parts: Vec<u32>,
}

impl Grid {
    /// The beats of all notes; where there is no track, four quarter notes a bar at 120 BPM from 0 s on.
    ///
    /// # Errors
    /// There are more than 200 000, or their times do not rise.
    pub(super) fn new(track: Option<&BeatTrack>, notes: &[Note]) -> Result<Self> {
        let beats = track.map(|track| track.beats.clone()).unwrap_or_default();
        let rises = |pair: &[Beat]| pair[1].time_s > pair[0].time_s;
        if !beats.windows(2).all(rises) || beats.iter().any(|beat| !beat.time_s.is_finite()) {
            return Err(Error::config(
                "the beats are not in the order of time, one after another; a score cannot be written by them",
            ));
        }
        let per_bar = track.map_or(4, |track| track.beats_per_bar).max(1);
        let mut grid = Self {
            parts: Vec::new(),
            beats,
        };
        if grid.beats.is_empty() {
            grid.beats.push(Beat {
                time_s: 0.0,
                number: 1,
            });
        }
        let first_s = notes
            .iter()
            .map(|note| note.onset_s)
            .fold(f64::INFINITY, f64::min);
        grid.extend(first_s, crate::music::end_s(notes), per_bar)?;
        grid.parts = grid.choose_divisions(notes);
        Ok(grid)
    }

    fn extend(&mut self, first_s: f64, last_s: f64, per_bar: u8) -> Result<()> {
        let distance = |pair: Option<&[Beat]>| {
            let length_s = pair.map(|pair| pair[1].time_s - pair[0].time_s);
            length_s.unwrap_or(USUAL_BEAT_S)
        };
        let before_s = distance(self.beats.get(..2));
        let after_s = distance(
            self.beats
                .len()
                .checked_sub(2)
                .and_then(|at| self.beats.get(at..)),
        );
        let (Some(first), Some(last)) = (self.beats.first(), self.beats.last()) else {
            return Ok(());
        };
        // Half a sixteenth early is still on the beat.
        let missing = ((first.time_s - first_s) / before_s - 0.125)
            .ceil()
            .max(0.0);
        // At least to the end of the bar.
        let further = ((last_s - last.time_s) / after_s).ceil().max(1.0);
        if missing + further + self.beats.len() as f64 > MOST_BEATS as f64 {
            return Err(Error::config(format!(
                "a score of these beats and notes has more than {MOST_BEATS} beats"
            )));
        }
        let (mut number, start_s) = (first.number, first.time_s);
        let mut early = Vec::new();
        for index in 1..=missing as usize {
            number = if number <= 1 { per_bar } else { number - 1 };
            let time_s = start_s - index as f64 * before_s;
            early.push(Beat { time_s, number });
        }
        let (mut number, end_s) = (last.number, last.time_s);
        let mut index = 0;
        // The last of them begins a bar, and ends the one before.
        loop {
            index += 1;
            number = if number >= per_bar { 1 } else { number + 1 };
            let time_s = end_s + f64::from(index) * after_s;
            self.beats.push(Beat { time_s, number });
            if f64::from(index) >= further && number == 1 {
                break;
            }
        }
        early.reverse();
        early.append(&mut self.beats);
        self.beats = early;
        Ok(())
    }

    /// Of each beat the first division that all its onsets are close to; where none is, sixteenths or triplets, whichever the
    /// farthest onset is closer to.
    fn choose_divisions(&self, notes: &[Note]) -> Vec<u32> {
        let off = |part: f64, steps: f64| ((part * steps).round() / steps - part).abs();
        let mut farthest = vec![[0.0f64; DIVISIONS_OF_BEATS.len()]; self.beats.len()];
        for note in notes {
            let (beat, part) = self.place(note.onset_s);
            let here = farthest.get_mut(beat).into_iter().flatten();
            for (farthest, (parts, _)) in here.zip(DIVISIONS_OF_BEATS) {
                *farthest = farthest.max(off(part, f64::from(parts)));
            }
        }
        let choose = |farthest: [f64; DIVISIONS_OF_BEATS.len()]| {
            let mut tried = DIVISIONS_OF_BEATS.into_iter().zip(farthest);
            let close = tried.find(|((_, most), farthest)| farthest <= most);
            let [sixteenths, triplets, ..] = farthest;
            match close {
                Some(((parts, _), _)) => parts,
                None if triplets < sixteenths => 3,
                None => 4,
            }
        };
        farthest.into_iter().map(choose).collect()
    }

    /// The beat that a time lies in, and which part of it has passed.
    fn place(&self, time_s: f64) -> (usize, f64) {
        let after = self.beats.partition_point(|beat| beat.time_s <= time_s);
        let beat = after
            .saturating_sub(1)
            .min(self.beats.len().saturating_sub(2));
        match self.beats.get(beat..=beat + 1) {
            Some([from, to]) => {
                let part = (time_s - from.time_s) / (to.time_s - from.time_s);
                (beat, part.clamp(0.0, 1.0))
            }
            _ => (0, 0.0),
        }
    }

    /// The nearest position, in divisions, that has a note value.
    pub(super) fn position(&self, time_s: f64) -> u32 {
        let (beat, part) = self.place(time_s);
        beat as u32 * DIVISIONS
            + (part * f64::from(DIVISIONS / self.step(beat))).round() as u32 * self.step(beat)
    }

    /// The shortest note value at a position, in divisions.
    pub(super) fn shortest(&self, position: u32) -> u32 {
        self.step((position / DIVISIONS) as usize)
    }

    fn step(&self, beat: usize) -> u32 {
        DIVISIONS / self.parts.get(beat).copied().unwrap_or(4)
    }

    /// From the first beat to the last.
    pub(super) fn bars(&self) -> Vec<Bar> {
        let starts = self.beats.iter().enumerate();
        let starts = starts.filter(|(index, beat)| *index == 0 || beat.number == 1);
        let starts: Vec<usize> = starts.map(|(index, _)| index).collect();
        let bar = |pair: &[usize]| {
            let beats = pair[1] - pair[0];
            let time_s = |beat: usize| self.beats.get(beat).map_or(0.0, |beat| beat.time_s);
            Bar {
                start: pair[0] as u32 * DIVISIONS,
                beats: beats as u32,
                is_partial: self.beats.get(pair[0]).is_some_and(|beat| beat.number != 1),
                tempo_bpm: 60.0 * beats as f64 / (time_s(pair[1]) - time_s(pair[0])),
            }
        };
        starts.windows(2).map(bar).collect()
    }
}

//! Piano rolls: what sounds in each frame on each key.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Note, QuantizedNote, separated};
use crate::{Error, Result};

/// The velocity of notes that are read from a binary roll.
pub const BINARY_VELOCITY: u8 = 64;

/// A roll has no more values than this: 1 GiB of them.
const MOST_VALUES: usize = 1 << 28;

/// When frames begin.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameGrid(Frames);

#[derive(Debug, Clone, PartialEq)]
enum Frames {
    PerSecond(f64),
    /// Ascending, at least two.
    At(Vec<f64>),
}

impl FrameGrid {
    /// Frames of equal length from 0 s on.
    ///
    /// # Errors
    /// `fps`, frames per second, is no positive number.
    pub fn per_second(fps: f64) -> Result<Self> {
        if fps.is_finite() && fps > 0.0 {
            return Ok(Self(Frames::PerSecond(fps)));
        }
        Err(Error::config(format!(
            "{fps} frames per second; expected a number above 0"
        )))
    }

    /// Frames that begin at these times in seconds; after the last they go on as long as the one before it.
    ///
    /// # Errors
    /// There are fewer than two times, or they do not rise.
    pub fn at(times_s: Vec<f64>) -> Result<Self> {
        if let Some(index) = times_s
            .windows(2)
            .position(|pair| !(pair[0] < pair[1] && pair[1].is_finite()))
        {
            return Err(Error::config(format!(
                "frame {index} of a piano roll begins at {} s and the next at {} s; expected rising times",
                times_s[index],
                times_s[index + 1]
            )));
        }
        if times_s.len() < 2 || !times_s[0].is_finite() {
            return Err(Error::config(format!(
                "a piano roll with frames at {times_s:?}; expected two times or more"
            )));
        }
        Ok(Self(Frames::At(times_s)))
    }

    /// Each beat, given by its time in seconds, divided into `steps` frames of equal length.
    ///
    /// # Errors
    /// `steps` is 0, there are fewer than two beats, or their times do not rise.
    pub fn beats(beats_s: &[f64], steps: usize) -> Result<Self> {
        if steps == 0 {
            return Err(Error::config("0 frames a beat; expected 1 or more"));
        }
        let mut times_s = Vec::new();
        for pair in beats_s.windows(2) {
            let step_s = (pair[1] - pair[0]) / steps as f64;
            times_s.extend((0..steps).map(|step| pair[0] + step as f64 * step_s));
        }
        times_s.extend(beats_s.last());
        Self::at(times_s)
    }

    /// When a frame begins, in seconds.
    pub fn start_s(&self, frame: usize) -> f64 {
        match &self.0 {
            Frames::PerSecond(fps) => frame as f64 / fps,
            Frames::At(times_s) => times_s.get(frame).copied().unwrap_or_else(|| {
                let (last_s, length_s) = Self::end_of(times_s);
                last_s + (frame + 1 - times_s.len()) as f64 * length_s
            }),
        }
    }

    /// The frame whose start is nearest to a time, halves up; 0 for times before the first.
    pub fn nearest(&self, time_s: f64) -> usize {
        match &self.0 {
            Frames::PerSecond(fps) => (time_s * fps + 0.5) as usize,
            Frames::At(times_s) => {
                let (last_s, length_s) = Self::end_of(times_s);
                if time_s >= last_s {
                    return (times_s.len() - 1)
                        .saturating_add(((time_s - last_s) / length_s + 0.5) as usize);
                }
                let after = times_s.partition_point(|&start_s| start_s <= time_s);
                let Some(before) = after.checked_sub(1) else {
                    return 0;
                };
                let middle_s = (times_s[before] + times_s[after]) / 2.0;
                if time_s < middle_s { before } else { after }
            }
        }
    }

    /// The last start and the length of the frame before it.
    fn end_of(times_s: &[f64]) -> (f64, f64) {
        match *times_s {
            [.., before_s, last_s] => (last_s, last_s - before_s),
            _ => (0.0, 1.0),
        }
    }
}

/// Which keys a roll has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keys {
    /// The 88 of a piano: pitches 21–108.
    #[default]
    Piano,
    /// All 128 pitches of MIDI.
    Midi,
}

impl Keys {
    pub fn count(self) -> usize {
        match self {
            Self::Piano => 88,
            Self::Midi => 128,
        }
    }

    /// The MIDI pitch of the first key.
    pub fn lowest(self) -> u8 {
        match self {
            Self::Piano => 21,
            Self::Midi => 0,
        }
    }

    fn key(self, pitch: u8) -> Option<usize> {
        let key = usize::from(pitch.checked_sub(self.lowest())?);
        (key < self.count()).then_some(key)
    }
}

/// What a roll holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RollOptions {
    pub keys: Keys,
    /// Whether sounding keys have velocity / 127 instead of 1.
    pub velocity: bool,
    /// Whether there is a second roll that is 1 where notes begin; without it, notes of one key that follow one another
    /// without a gap are one.
    pub onsets: bool,
}

impl RollOptions {
    /// Numbers of a frame: one for each key, and one more where there are onsets.
    pub fn features(&self) -> usize {
        self.keys.count() * (1 + usize::from(self.onsets))
    }
}

/// What sounds in each frame on each key.
#[derive(Debug, Clone, PartialEq)]
pub struct PianoRoll {
    /// `[frames, keys]`, 0–1, key after key of the first frame, then of the second.
    pub values: Vec<f32>,
    /// The same shape: where notes begin.
    pub onsets: Option<Vec<f32>>,
    pub keys: Keys,
    /// Whether `values` are velocities.
    pub velocity: bool,
    pub grid: FrameGrid,
    /// Notes on other keys than those of the roll, or before its first frame, which are not in it.
    pub left_out: usize,
}

/// Stretches of equal length into which a roll is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhraseShape {
    pub segments: usize,
    /// Frames of a segment.
    pub frames: usize,
    /// Frames from the start of a phrase to that of the next.
    pub hop: usize,
}

impl PianoRoll {
    /// The roll of notes, from the grid's first frame to the last end.
    ///
    /// A note sounds from the frame nearest to its onset up to the one nearest to its offset, and for one frame at
    /// least; notes of one pitch are [`separated`].
    ///
    /// # Errors
    /// A note's times are no numbers or not in order, or the roll would be larger than 1 GiB.
    pub fn from_notes(notes: &[Note], grid: FrameGrid, options: &RollOptions) -> Result<Self> {
        let keys = options.keys;
        let first_s = grid.start_s(0);
        let mut left_out = 0;
        let mut placed = Vec::with_capacity(notes.len());
        for note in notes {
            if !(note.onset_s <= note.offset_s && note.offset_s.is_finite()) {
                return Err(Error::config(format!(
                    "the note {note:?} has no place in a piano roll: expected an offset no earlier than its onset"
                )));
            }
            if keys.key(note.pitch).is_none() || note.offset_s <= first_s {
                left_out += 1;
                continue;
            }
            let [start, end] = [note.onset_s, note.offset_s]
                .map(|time_s| u32::try_from(grid.nearest(time_s)).unwrap_or(u32::MAX));
            placed.push(QuantizedNote {
                start,
                end: end.max(start.saturating_add(1)),
                pitch: note.pitch,
                velocity: note.velocity,
            });
        }
        let placed = separated(placed);
        let frames = placed.iter().map(|note| note.end).max().unwrap_or(0) as usize;
        let size = frames
            .checked_mul(keys.count())
            .filter(|&size| size <= MOST_VALUES)
            .ok_or_else(|| {
                Error::config(format!(
                    "a piano roll of {frames} frames is too large; take fewer frames per second or an excerpt"
                ))
            })?;

        let mut values = vec![0.0; size];
        let mut onsets = options.onsets.then(|| vec![0.0; size]);
        for note in &placed {
            let value = if options.velocity {
                f32::from(note.velocity) / 127.0
            } else {
                1.0
            };
            let key = usize::from(note.pitch - keys.lowest());
            let at = |step: u32| step as usize * keys.count() + key;
            for step in note.start..note.end {
                values[at(step)] = value;
            }
            if let Some(onsets) = &mut onsets {
                onsets[at(note.start)] = 1.0;
            }
        }
        Ok(Self {
            values,
            onsets,
            keys,
            velocity: options.velocity,
            grid,
            left_out,
        })
    }

    /// A roll of values `[frames, keys]` such as a model puts out.
    ///
    /// # Errors
    /// The values, or the onsets, are no whole number of frames, or not as many as each other.
    pub fn from_values(
        values: Vec<f32>,
        onsets: Option<Vec<f32>>,
        grid: FrameGrid,
        options: &RollOptions,
    ) -> Result<Self> {
        let keys = options.keys;
        let onset_count = onsets.as_ref().map_or(values.len(), Vec::len);
        if !values.len().is_multiple_of(keys.count()) || onset_count != values.len() {
            return Err(Error::config(format!(
                "{} values and {onset_count} onsets for a piano roll; expected as many of both, a multiple of {}",
                values.len(),
                keys.count()
            )));
        }
        Ok(Self {
            values,
            onsets,
            keys,
            velocity: options.velocity,
            grid,
            left_out: 0,
        })
    }

    /// The number of frames.
    pub fn frames(&self) -> usize {
        self.values.len() / self.keys.count()
    }

    /// The notes of a roll, sorted by onset, then pitch.
    ///
    /// A key sounds while its value is `threshold` or more. Where there are onsets, one of `threshold` or more begins
    /// another note on a key that sounds. The velocity is that of a note's first frame, or [`BINARY_VELOCITY`].
    pub fn to_notes(&self, threshold: f32) -> Vec<Note> {
        let count = self.keys.count();
        let mut notes = Vec::new();
        for key in 0..count {
            let mut begun = None;
            for frame in 0..=self.frames() {
                let at = frame * count + key;
                let value = self.values.get(at).copied().unwrap_or(0.0);
                let sounds = frame < self.frames() && value >= threshold;
                let begins = self
                    .onsets
                    .as_ref()
                    .and_then(|onsets| onsets.get(at))
                    .is_some_and(|&onset| onset >= threshold);
                if let Some((start, velocity)) = begun
                    && (!sounds || begins)
                {
                    notes.push(Note {
                        onset_s: self.grid.start_s(start),
                        offset_s: self.grid.start_s(frame),
                        pitch: self.keys.lowest() + key as u8,
                        velocity,
                    });
                    begun = None;
                }
                if sounds && begun.is_none() {
                    let velocity = if self.velocity {
                        (value * 127.0).round().clamp(1.0, 127.0) as u8
                    } else {
                        BINARY_VELOCITY
                    };
                    begun = Some((frame, velocity));
                }
            }
        }
        notes.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then(a.pitch.cmp(&b.pitch)));
        notes
    }

    /// Numbers of a frame: one for each key, and one more where there are onsets.
    pub fn features(&self) -> usize {
        self.keys.count() * (1 + usize::from(self.onsets.is_some()))
    }

    /// Frame after frame its values and then, where there are, its onsets, `[frames, features]`.
    pub fn rows(&self) -> Cow<'_, [f32]> {
        let Some(onsets) = &self.onsets else {
            return Cow::Borrowed(&self.values);
        };
        let count = self.keys.count();
        let frames = self.values.chunks(count).zip(onsets.chunks(count));
        Cow::Owned(frames.flat_map(|(v, o)| [v, o].concat()).collect())
    }

    /// The inverse of [`Self::rows`].
    ///
    /// # Errors
    /// The rows are no whole number of frames.
    pub fn from_rows(rows: &[f32], grid: FrameGrid, options: &RollOptions) -> Result<Self> {
        if !options.onsets {
            return Self::from_values(rows.to_vec(), None, grid, options);
        }
        let half = |first: usize| -> Vec<f32> {
            let halves = rows.chunks(options.keys.count()).skip(first).step_by(2);
            halves.flatten().copied().collect()
        };
        let (values, onsets) = (half(0), half(1));
        Self::from_values(values, Some(onsets), grid, options)
    }

    /// The roll's [rows](Self::rows) in phrases `[segments, frames, features]`, the last one filled up with silence.
    ///
    /// # Errors
    /// A number of the shape is 0, or a phrase would be larger than 1 GiB.
    pub fn phrases(&self, shape: PhraseShape) -> Result<impl Iterator<Item = Vec<f32>> + '_> {
        let length = shape
            .segments
            .checked_mul(shape.frames)
            .and_then(|frames| frames.checked_mul(self.features()))
            .filter(|&length| length > 0 && length <= MOST_VALUES && shape.hop > 0)
            .ok_or_else(|| {
                Error::config(format!(
                    "phrases of {} segments of {} frames every {} frames; expected numbers above 0 and below 1 GiB a phrase",
                    shape.segments, shape.frames, shape.hop
                ))
            })?;
        let rows = self.rows();
        let hop = shape.hop.saturating_mul(self.features());
        let beyond_first = rows.len().saturating_sub(length).div_ceil(hop);
        let count = usize::from(!rows.is_empty()) + beyond_first;
        Ok((0..count).map(move |phrase| {
            let rest = &rows[(phrase * hop).min(rows.len())..];
            let mut phrase = rest[..length.min(rest.len())].to_vec();
            phrase.resize(length, 0.0);
            phrase
        }))
    }
}

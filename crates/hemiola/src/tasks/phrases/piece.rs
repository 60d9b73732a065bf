//! A piece as phrases, and music made of phrases.

use crate::datasets::midi_folder::{FolderRolls, RollFrames};
use crate::error::{Error, Result};
use crate::midi::{Score, TEMPI_BPM, TempoChange, WriteOptions, encode_midi};
use crate::music::{BINARY_VELOCITY, FrameGrid, Note, QuantizedNote};

/// The phrases of a piece, one after the other from the beginning of the first bar with notes.
#[derive(Debug, Clone)]
pub struct Piece {
    /// `[frames, features]` each, the last one filled up with silence.
    pub phrases: Vec<Vec<f32>>,
    /// Notes on keys that the model does not know.
    pub left_out: usize,
    /// Frames until its last note has ended.
    pub(super) frames: usize,
    pub(super) timing: Timing,
    /// The mean of its notes.
    pub(super) velocity: f64,
}

/// When the frames of phrases are.
#[derive(Debug, Clone)]
pub(super) struct Timing {
    grid: FrameGrid,
    /// Where the first phrase begins in the grid.
    first_frame: usize,
    tempi: Vec<TempoChange>,
}

/// Music that came out of the latent space.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Sorted by onset, then pitch.
    pub notes: Vec<Note>,
    /// When its first phrase begins and its last one ends, in seconds.
    pub start_s: f64,
    pub end_s: f64,
    /// The first is at 0 s; within what MIDI files can say.
    pub tempi: Vec<TempoChange>,
}

impl Piece {
    /// Reads a score into phrases of `length` frames.
    ///
    /// # Errors
    /// When there is no note to be read, or the roll is too large.
    pub(super) fn read(score: &Score, rolls: &FolderRolls, length: usize) -> Result<Self> {
        let roll = rolls.roll(score)?;
        let keys = roll.keys.count();
        let Some(cell) = roll.values.iter().position(|value| *value > 0.0) else {
            let lowest = roll.keys.lowest();
            return Err(Error::config(match roll.left_out {
                0 => score.silence(rolls.drums).to_owned(),
                _ => format!(
                    "there is no note in it that the model knows: expected pitches from {lowest} to {}",
                    usize::from(lowest) + keys - 1
                ),
            }));
        };
        let first_sounding = cell / keys;
        let bar_s = score.bar_start_s(roll.grid.start_s(first_sounding))?;
        let first_frame = roll.grid.nearest(bar_s).min(first_sounding);
        let features = roll.features();
        let rows = roll.rows();
        let frames = roll.frames() - first_frame;
        let phrases = rows[first_frame * features..].chunks(length * features);
        let mut phrases: Vec<Vec<f32>> = phrases.map(<[f32]>::to_vec).collect();
        if let Some(last) = phrases.last_mut() {
            last.resize(length * features, 0.0);
        }
        let velocities: Vec<f64> = (score.instruments.iter())
            .filter(|instrument| rolls.drums || !instrument.is_drum)
            .flat_map(|instrument| &instrument.notes)
            .map(|note| f64::from(note.velocity))
            .collect();
        Ok(Self {
            phrases,
            frames,
            left_out: roll.left_out,
            velocity: match velocities.len() {
                0 => f64::from(BINARY_VELOCITY),
                count => velocities.iter().sum::<f64>() / count as f64,
            },
            timing: Timing {
                first_frame,
                tempi: score.tempo_changes.iter().map(writable).collect(),
                grid: roll.grid,
            },
        })
    }

    /// When a phrase of `length` frames begins, in seconds.
    pub(super) fn start_s(&self, phrase: usize, length: usize) -> f64 {
        self.timing.start_s(phrase * length)
    }
}

impl Passage {
    /// Passages one after the other from 0 s on, each from its first phrase to the end of its last.
    pub fn joined(passages: &[Self]) -> Self {
        let mut joined = Self {
            notes: Vec::new(),
            start_s: 0.0,
            end_s: 0.0,
            tempi: Vec::new(),
        };
        for passage in passages {
            let later_s = joined.end_s - passage.start_s;
            joined.notes.extend(passage.notes.iter().map(|note| Note {
                onset_s: note.onset_s + later_s,
                offset_s: note.offset_s + later_s,
                ..*note
            }));
            let tempi = passage.tempi.iter().map(|tempo| TempoChange {
                // One that began before the first phrase holds at its start.
                time_s: (tempo.time_s + later_s).max(joined.end_s),
                ..*tempo
            });
            joined.tempi.extend(tempi);
            joined.end_s += passage.end_s - passage.start_s;
        }
        joined
    }

    /// The bytes of a MIDI file with its tempi; `text` stands at its start.
    ///
    /// # Errors
    /// When the notes do not fit into a MIDI file, as after a day.
    pub fn to_midi(&self, text: Option<String>) -> Result<Vec<u8>> {
        let default = WriteOptions::default();
        let (tempo_bpm, tempo_changes) = match self.tempi.split_first() {
            Some((first, changes)) => (first.bpm, changes),
            None => (default.tempo_bpm, &[][..]),
        };
        let options = WriteOptions {
            tempo_bpm,
            tempo_changes,
            text,
            ..default
        };
        encode_midi(&self.notes, &options)
    }
}

impl Timing {
    /// When a frame of the phrases begins, in seconds.
    fn start_s(&self, frame: usize) -> f64 {
        self.grid.start_s(self.first_frame + frame)
    }

    /// Notes whose times are in frames of phrases that have so many together.
    pub fn passage(&self, notes: &[QuantizedNote], frames: usize) -> Passage {
        let note = |note: &QuantizedNote| Note {
            onset_s: self.start_s(note.start as usize),
            offset_s: self.start_s(note.end as usize),
            pitch: note.pitch,
            velocity: note.velocity,
        };
        Passage {
            notes: notes.iter().map(note).collect(),
            start_s: self.start_s(0),
            end_s: self.start_s(frames),
            tempi: self.tempi.clone(),
        }
    }

    /// From 0 s on, each of so many frames as long as `share` of the way from its length here to that in `other`, the
    /// whole way in equal ratios, as tempi are heard.
    ///
    /// # Errors
    /// When frames have no length.
    pub fn towards(
        &self,
        other: &Self,
        share: f64,
        frames: usize,
        rolls: &FolderRolls,
    ) -> Result<Self> {
        let length = |timing: &Self, frame| timing.start_s(frame + 1) - timing.start_s(frame);
        let mut starts_s = vec![0.0];
        for frame in 0..frames.max(1) {
            let (from_s, to_s) = (length(self, frame), length(other, frame));
            starts_s.push(starts_s[frame] + from_s.powf(1.0 - share) * to_s.powf(share));
        }
        let tempi = match rolls.frames {
            RollFrames::PerSecond(_) => vec![TempoChange {
                time_s: 0.0,
                bpm: 120.0,
            }],
            RollFrames::PerQuarter(steps) => tempi(&starts_s, steps),
        };
        Ok(Self {
            grid: FrameGrid::at(starts_s)?,
            first_frame: 0,
            tempi,
        })
    }
}

/// The tempi of frames of which so many make a quarter note, by the starts of the frames, two at least.
fn tempi(starts_s: &[f64], steps: usize) -> Vec<TempoChange> {
    /// Smaller changes are those of rounding.
    const SAME_BPM: f64 = 0.01;
    let mut quarters_s: Vec<f64> = starts_s.iter().copied().step_by(steps).collect();
    if quarters_s.len() == 1 {
        quarters_s.push(steps as f64 * starts_s[1]);
    }
    let mut tempi: Vec<TempoChange> = Vec::new();
    for pair in quarters_s.windows(2) {
        let change = writable(&TempoChange {
            time_s: pair[0],
            bpm: 60.0 / (pair[1] - pair[0]),
        });
        let same = |last: &TempoChange| (last.bpm - change.bpm).abs() < SAME_BPM;
        if !tempi.last().is_some_and(same) {
            tempi.push(change);
        }
    }
    tempi
}

fn writable(change: &TempoChange) -> TempoChange {
    TempoChange {
        bpm: change.bpm.clamp(*TEMPI_BPM.start(), *TEMPI_BPM.end()),
        ..*change
    }
}

//! The vocabulary.

use crate::music::pitch_name;

/// Ids of performance events: 0–387.
pub const EVENTS: usize = 388;
/// Ids of performance events and special tokens: 0–393.
pub const VOCABULARY: usize = 394;
/// Fills sequences up to a common length.
pub const PAD: u16 = 388;
/// Begins a piece.
pub const BOS: u16 = 389;
/// Ends a piece.
pub const EOS: u16 = 390;
/// Begins an input whose first state stands for the whole.
pub const CLS: u16 = 391;
/// Ends a phrase.
pub const SEP: u16 = 392;
/// Hides an event.
pub const MASK: u16 = 393;

/// Special tokens of a [`pair`].
pub const PAIR_TOKENS: usize = 3;

/// Two phrases as a model of both sides reads them: `[CLS] first [SEP] second [SEP]`.
pub fn pair(first: &[u16], second: &[u16]) -> Vec<u16> {
    [&[CLS], first, &[SEP], second, &[SEP]].concat()
}

/// Steps of the time grid in a second.
pub const STEPS_PER_SECOND: u32 = 100;
/// Steps of the longest single time shift: a second.
pub const LONGEST_SHIFT: u8 = 100;
/// Velocity bins of four velocities each; the last has three.
pub const VELOCITY_BINS: u8 = 32;

pub(super) const NOTE_OFFS: u16 = 128;
pub(super) const TIME_SHIFTS: u16 = 256;
pub(super) const VELOCITIES: u16 = 356;

/// A performance event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A pitch, 0–127, begins, as loud as the last velocity says: ids 0–127.
    NoteOn(u8),
    /// A pitch, 0–127, ends: ids 128–255.
    NoteOff(u8),
    /// Time passes: 1–100 steps of 10 ms: ids 256–355.
    TimeShift(u8),
    /// From here on notes have the velocities of this bin, 1–32: ids 356–387.
    Velocity(u8),
}

impl Event {
    /// `None` for special tokens and ids beyond the vocabulary.
    pub fn from_id(id: u16) -> Option<Self> {
        let within = |start: u16| (id - start) as u8;
        match id {
            0..NOTE_OFFS => Some(Self::NoteOn(within(0))),
            NOTE_OFFS..TIME_SHIFTS => Some(Self::NoteOff(within(NOTE_OFFS))),
            TIME_SHIFTS..VELOCITIES => Some(Self::TimeShift(within(TIME_SHIFTS) + 1)),
            VELOCITIES..PAD => Some(Self::Velocity(within(VELOCITIES) + 1)),
            _ => None,
        }
    }

    /// The id, below [`EVENTS`]; a value out of its range counts as the nearest within.
    pub fn id(self) -> u16 {
        match self {
            Self::NoteOn(pitch) => u16::from(pitch.min(127)),
            Self::NoteOff(pitch) => NOTE_OFFS + u16::from(pitch.min(127)),
            Self::TimeShift(steps) => TIME_SHIFTS + u16::from(steps.clamp(1, LONGEST_SHIFT)) - 1,
            Self::Velocity(bin) => VELOCITIES + u16::from(bin.clamp(1, VELOCITY_BINS)) - 1,
        }
    }
}

impl std::fmt::Display for Event {
    /// In the words of a musician: `C4 on`, `C4 off`, `250 ms`, `velocity 20`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::NoteOn(pitch) => write!(f, "{} on", pitch_name(pitch)),
            Self::NoteOff(pitch) => write!(f, "{} off", pitch_name(pitch)),
            Self::TimeShift(steps) => {
                write!(f, "{} ms", u32::from(steps) * 1000 / STEPS_PER_SECOND)
            }
            Self::Velocity(bin) => write!(f, "velocity {bin}"),
        }
    }
}

/// The bin of a velocity: 1–4 is 1, 125–127 is 32.
pub(super) fn velocity_bin(velocity: u8) -> u8 {
    (velocity.clamp(1, 127) - 1) / 4 + 1
}

/// A velocity in the middle of its bin, off by 2 at most.
pub(super) fn velocity_of_bin(bin: u8) -> u8 {
    4 * bin.clamp(1, VELOCITY_BINS) - 2
}

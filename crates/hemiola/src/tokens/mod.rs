//! Music as a sequence of performance events, the language of the sequence models.
//!
//! A [`Score`] becomes [`sounding_notes`], those become [`QuantizedNote`](crate::music::QuantizedNote)s on a grid of 10 ms, and those become
//! event ids; [`decode`] goes back. The ids are those of note-seq's `PerformanceOneHotEncoding` with 32 velocity bins
//! (Oore et al., "This Time with Feeling", 2018; Huang et al., "Music Transformer", 2019).
//!
//! ```
//! use hemiola::music::Note;
//! use hemiola::tokens::{Event, decode, encode, quantize};
//!
//! let notes = [Note { onset_s: 0.1, offset_s: 0.3, pitch: 60, velocity: 78 }];
//! let ids = encode(&quantize(&notes)?);
//! assert_eq!(ids, [265, 375, 60, 275, 188]);
//! assert_eq!(Event::from_id(375), Some(Event::Velocity(20)));
//! assert_eq!(decode(&ids).to_notes(), notes);
//! # Ok::<(), hemiola::Error>(())
//! ```

mod attributes;
mod codec;
mod event;
mod grammar;
mod quantize;
mod sustain;
mod variation;

use serde::{Deserialize, Serialize};

pub use attributes::{
    DURATION_BINS, DYNAMICS_BINS, NextNote, duration_bin, duration_of_bin_s, dynamics_bin,
    next_notes,
};
pub use codec::{Decoded, Repairs, decode, encode, last_velocity};
pub use event::{
    BOS, CLS, EOS, EVENTS, Event, LONGEST_SHIFT, MASK, PAD, PAIR_TOKENS, SEP, STEPS_PER_SECOND,
    VELOCITY_BINS, VOCABULARY, pair,
};
pub use grammar::{EventSet, EventState};
pub use quantize::quantize;
pub use sustain::sounding_notes;
pub use variation::{events_at_tempo, notes_at_tempo, transposed_events, transposed_notes};

use crate::Result;
use crate::midi::Score;
use crate::music::separated;

/// Which notes of a score become events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenOptions {
    /// Whether the sustain pedal lengthens notes, since events know no pedal.
    pub sustain: bool,
    /// Whether percussion (channel 10) is merged in, each instrument as its pitch; all other tracks always are.
    pub drums: bool,
    /// What becomes of notes that sound together at one pitch.
    pub overlaps: Overlaps,
}

/// What becomes of notes that sound together at one pitch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlaps {
    /// They stay, as in note-seq: two note-ons in a row, and a note-off ends the earlier of the two.
    Keep,
    /// See [`separated`]: what [`EventState`] allows, and therefore what a model that generates should learn from.
    #[default]
    Separate,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            sustain: true,
            drums: false,
            overlaps: Overlaps::default(),
        }
    }
}

impl TokenOptions {
    /// The ids that note-seq gives, but for strokes of one key at one tick, whose order a [`Score`] does not keep.
    pub const NOTE_SEQ: Self = Self {
        sustain: true,
        drums: false,
        overlaps: Overlaps::Keep,
    };
}

/// The event ids of a score, all its tracks merged; empty where no note remains.
///
/// # Errors
/// A note is impossible or ends after a day, which scores that were read from files never have.
pub fn tokenize(score: &Score, options: &TokenOptions) -> Result<Vec<u16>> {
    let notes = sounding_notes(score, options.sustain, options.drums);
    let mut notes = quantize(&notes)?;
    if options.overlaps == Overlaps::Separate {
        notes = separated(notes);
    }
    Ok(encode(&notes))
}

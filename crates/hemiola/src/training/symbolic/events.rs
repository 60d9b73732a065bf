//! Pieces as sequences of performance events, and excerpts of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::source::{self, MidiSource};
use crate::datasets::Split;
use crate::error::{Error, Result};
use crate::tokens::{
    BOS, EOS, NextNote, Overlaps, TokenOptions, VOCABULARY, events_at_tempo, next_notes,
    transposed_events,
};

/// Where the pieces are, and how they are varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventData {
    pub sources: Vec<MidiSource>,
    /// The list of titles that stay out of training.
    #[serde(default)]
    pub reserved: Option<PathBuf>,
    /// The share of pieces that is kept for evaluation.
    #[serde(default = "default_dev_share")]
    pub dev_share: f64,
    /// Events of an example.
    #[serde(default = "default_window")]
    pub window: usize,
    /// Examples of the dev set at most; they are spread evenly over its pieces.
    #[serde(default = "default_dev_windows")]
    pub dev_windows: usize,
    /// Examples are moved by up to so many semitones either way.
    #[serde(default)]
    pub transpose: i8,
    /// Examples are up to this share slower or faster.
    #[serde(default)]
    pub tempo: f64,
    /// The share of examples in which notes of one pitch are separated even where `tokens` keeps them, since generated
    /// events never overlap.
    #[serde(default)]
    pub separated: f64,
    /// How much more often pieces of a style are drawn than their length asks for; 1 where none is given.
    #[serde(default)]
    pub style_weights: BTreeMap<String, f64>,
    /// The share of steps whose pieces do not tell their style, so that the model also does without.
    #[serde(default)]
    pub unstyled: f64,
    #[serde(default)]
    pub tokens: TokenOptions,
}

fn default_dev_share() -> f64 {
    0.1
}

fn default_window() -> usize {
    512
}

fn default_dev_windows() -> usize {
    64
}

impl EventData {
    /// Refuses impossible values; files are not looked at.
    pub(super) fn validate(&self) -> Result<()> {
        let fail = |message: String| Err(Error::config(format!("data.{message}")));
        source::validate(&self.sources, self.dev_share)?;
        if self.window < 8 {
            return fail(format!(
                "window is {}; it must be at least 8 events",
                self.window
            ));
        }
        if !(0..=12).contains(&self.transpose) {
            return fail(format!(
                "transpose is {}; it must be from 0 to 12 semitones",
                self.transpose
            ));
        }
        if !(0.0..=0.5).contains(&self.tempo) {
            return fail(format!("tempo is {}; it must be in [0, 0.5]", self.tempo));
        }
        for (name, share) in [("unstyled", self.unstyled), ("separated", self.separated)] {
            if !(0.0..=1.0).contains(&share) {
                return fail(format!("{name} is {share}; it must be in [0, 1]"));
            }
        }
        let weights = self.style_weights.iter();
        if let Some((style, weight)) = weights
            .clone()
            .find(|(_, weight)| !(**weight > 0.0 && weight.is_finite()))
        {
            return fail(format!(
                "style_weights.{style} is {weight}; it must be above 0"
            ));
        }
        Ok(())
    }

    /// Reads the pieces of both sides; those that cannot be read are named on the log and passed over.
    ///
    /// With `framed`, a piece begins with BOS and ends with EOS.
    pub(super) fn read(&self, framed: bool, styles: Styles<'_>) -> Result<Pieces> {
        let reserved = source::reserved(self.reserved.as_deref())?;
        let mut pieces = Pieces::default();
        for source in &self.sources {
            let folder = source.open(reserved.as_ref(), self.dev_share)?;
            for (split, to) in [
                (Split::Train, &mut pieces.train),
                (Split::Dev, &mut pieces.dev),
            ] {
                let reading = folder.events(split, &self.tokens);
                for skipped in &reading.skipped {
                    log::warn!("{skipped}; it is left out");
                }
                for (name, ids) in reading.pieces {
                    let style = source.style(&folder, &name);
                    let weight = style.and_then(|style| self.style_weights.get(style));
                    let Some(index) = styles.index(style)? else {
                        continue;
                    };
                    let mut piece = Piece::new(ids, index, framed);
                    piece.weight = weight.unwrap_or(&1.0) * piece.ids.len() as f64;
                    to.push(piece);
                }
            }
        }
        if pieces.train.is_empty() {
            return Err(Error::config(
                "data.sources: no piece is left to learn from; name more folders or lower data.dev_share",
            ));
        }
        if pieces.dev.is_empty() {
            // The score of a tiny set is better than none.
            pieces.dev.clone_from(&pieces.train);
        }
        Ok(pieces)
    }

    /// A piece of `pieces` by chance, longer ones more often, varied by chance.
    pub(super) fn draw<'a>(&self, pieces: &'a [Piece], rng: &mut ChaCha8Rng) -> Varied<'a> {
        let total: f64 = pieces.iter().map(|piece| piece.weight).sum();
        let mut at = rng.random::<f64>() * total;
        let piece = pieces.iter().find(|piece| {
            at -= piece.weight;
            at < 0.0
        });
        let piece = piece.unwrap_or(&pieces[0]);
        let factor = 1.0 + self.tempo * rng.random_range(-1.0..=1.0);
        let semitones = rng.random_range(-self.transpose..=self.transpose);
        let mut varied = Varied {
            piece: std::borrow::Cow::Borrowed(piece),
        };
        let overlaps = match rng.random_bool(self.separated) {
            true => Overlaps::Separate,
            false => self.tokens.overlaps,
        };
        if (factor != 1.0 || overlaps != self.tokens.overlaps)
            && let Ok(ids) = events_at_tempo(piece.events(), factor, overlaps)
            && !ids.is_empty()
        {
            varied.piece = std::borrow::Cow::Owned(Piece::new(ids, piece.style, piece.framed));
        }
        if semitones != 0
            && let Some(ids) = transposed_events(&varied.piece.ids, semitones)
        {
            let mut piece = varied.piece.into_owned();
            piece.ids = ids;
            for note in piece.next.iter_mut().flatten() {
                note.pitch = note.pitch.saturating_add_signed(semitones).min(127);
            }
            varied.piece = std::borrow::Cow::Owned(piece);
        }
        varied
    }

    /// Excerpts of `length` ids of the dev pieces, at most `dev_windows`, spread evenly.
    pub(super) fn dev_excerpts<'a>(&self, pieces: &'a [Piece], length: usize) -> Vec<Excerpt<'a>> {
        let all: Vec<Excerpt<'a>> = pieces
            .iter()
            .flat_map(|piece| {
                let starts = (0..piece.ids.len().saturating_sub(1)).step_by(length - 1);
                starts.map(move |start| piece.excerpt(start, length))
            })
            .collect();
        let n = self.dev_windows.min(all.len());
        (0..n).map(|i| all[i * all.len() / n]).collect()
    }
}

/// The pieces to learn from and to be measured by.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    pub train: Vec<Piece>,
    pub dev: Vec<Piece>,
}

/// One piece.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub ids: Vec<u16>,
    /// For every id, the note that begins there or next.
    pub next: Vec<Option<NextNote>>,
    pub style: Option<usize>,
    /// How often it is drawn.
    weight: f64,
    framed: bool,
}

/// A piece as it was drawn.
#[derive(Debug, Clone)]
pub(super) struct Varied<'a> {
    piece: std::borrow::Cow<'a, Piece>,
}

impl Varied<'_> {
    /// An excerpt of at most `length` ids that begins anywhere.
    pub fn excerpt(&self, length: usize, rng: &mut ChaCha8Rng) -> Excerpt<'_> {
        let latest = self.piece.ids.len().saturating_sub(length);
        self.piece.excerpt(rng.random_range(0..=latest), length)
    }
}

/// Part of a piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Excerpt<'a> {
    pub ids: &'a [u16],
    pub next: &'a [Option<NextNote>],
    pub style: Option<usize>,
}

impl Piece {
    fn new(events: Vec<u16>, style: Option<usize>, framed: bool) -> Self {
        let ids = if framed {
            let ends = ([BOS], [EOS]);
            [&ends.0[..], &events, &ends.1].concat()
        } else {
            events
        };
        Self {
            next: next_notes(&ids),
            weight: ids.len() as f64,
            ids,
            style,
            framed,
        }
    }

    /// Its ids without BOS and EOS.
    pub fn events(&self) -> &[u16] {
        if self.framed {
            &self.ids[1..self.ids.len() - 1]
        } else {
            &self.ids
        }
    }

    fn excerpt(&self, start: usize, length: usize) -> Excerpt<'_> {
        let end = (start + length).min(self.ids.len());
        Excerpt {
            ids: &self.ids[start..end],
            next: &self.next[start..end],
            style: self.style,
        }
    }
}

/// Which styles pieces may have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Styles<'a> {
    /// Any; it is not told.
    Untold,
    /// None, or one of these.
    NoneOr(&'a [String]),
    /// One of these; other pieces are left out.
    Only(&'a [String]),
}

impl Styles<'_> {
    /// The style of a piece that is said to have this one, and whether it is taken at all.
    fn index(self, style: Option<&str>) -> Result<Option<Option<usize>>> {
        let known = match self {
            Self::Untold => return Ok(Some(None)),
            Self::NoneOr(known) | Self::Only(known) => known,
        };
        let index = style.and_then(|style| known.iter().position(|name| name == style));
        match (self, style) {
            (Self::NoneOr(_), Some(style)) if index.is_none() && !known.is_empty() => {
                Err(Error::config(format!(
                    "data.sources has the style {style:?}; styles has only {}",
                    known.join(", ")
                )))
            }
            (Self::Only(_), _) if index.is_none() => Ok(None),
            _ => Ok(Some(index)),
        }
    }
}

/// Whether a vocabulary has the special tokens.
pub(super) fn has_special_tokens(vocab_size: usize) -> bool {
    vocab_size >= VOCABULARY
}

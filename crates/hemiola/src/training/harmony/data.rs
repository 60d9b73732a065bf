//! Where labelled progressions come from.

use std::path::PathBuf;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::datasets::Split;
use crate::datasets::billboard::Billboard;
use crate::datasets::made_progressions;
use crate::datasets::progression::{
    DiatonicMode, LabelledChord, LabelledProgression, Progressions,
};
use crate::datasets::reserved::Reserved;
use crate::datasets::when_in_rome::{Selection, WhenInRome};
use crate::error::{Error, Result};

/// What a harmony model learns from and is measured by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarmonyData {
    /// Their training sides.
    pub train: Vec<HarmonySource>,
    /// Their dev sides.
    pub dev: Vec<HarmonySource>,
    /// A list of works that stay out; see [`Reserved::read`].
    #[serde(default)]
    pub reserved: Option<PathBuf>,
    /// Chords of an excerpt to learn from, at most.
    #[serde(default = "excerpt_length")]
    pub max_chords: usize,
    /// How often all chords of an excerpt are exchanged for chords that other pieces of its source have in keys of the
    /// same mode; of the others, any share up to all is. The less a chord's neighbours can be relied on, the more is
    /// learned of the chord itself. 0 for no exchange at all.
    #[serde(default)]
    pub exchanged: f64,
    /// Whether excerpts are moved to any of the twelve keys by chance: of use where the model is asked once for all keys.
    #[serde(default)]
    pub transpose: bool,
}

fn excerpt_length() -> usize {
    48
}

/// One source of progressions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarmonySource {
    pub set: HarmonySet,
    /// Of the data set; none for progressions that are made.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// How many progressions are made.
    #[serde(default)]
    pub pieces: u64,
    /// From which they are made.
    #[serde(default)]
    pub seed: u64,
    /// How often excerpts are drawn from it, relative to the others.
    #[serde(default = "once")]
    pub weight: f64,
    /// The licences that are taken, as the index states them; all when empty.
    #[serde(default)]
    pub licences: Vec<String>,
    /// Beginnings of paths that are left out.
    #[serde(default)]
    pub leave_out: Vec<String>,
}

fn once() -> f64 {
    1.0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HarmonySet {
    MadeProgressions,
    Billboard,
    WhenInRome,
}

impl HarmonySource {
    fn validate(&self) -> Result<()> {
        let made = self.set == HarmonySet::MadeProgressions;
        let fail = |message: &str| Err(Error::config(format!("data: {:?}: {message}", self.set)));
        if made && self.pieces == 0 {
            return fail("pieces is 0; say how many progressions to make");
        }
        if !made && self.folder.is_none() {
            return fail("folder is missing");
        }
        if self.set != HarmonySet::WhenInRome
            && !(self.licences.is_empty() && self.leave_out.is_empty())
        {
            return fail("licences and leave_out are of when-in-rome only");
        }
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return fail("weight must be above 0");
        }
        Ok(())
    }

    fn read(&self, split: Split, reserved: Option<&Reserved>) -> Result<Progressions> {
        let folder = self.folder.as_deref();
        let missing = || Error::config(format!("data: {:?}: folder is missing", self.set));
        match self.set {
            HarmonySet::MadeProgressions => Ok(Progressions {
                progressions: (0..self.pieces)
                    .into_par_iter()
                    .map(|number| made_progressions::make(self.seed, number))
                    .collect(),
                ..Progressions::default()
            }),
            HarmonySet::Billboard => {
                let set = Billboard::open(folder.ok_or_else(missing)?)?;
                Ok(set.progressions(Some(split)))
            }
            HarmonySet::WhenInRome => {
                let set = WhenInRome::open(folder.ok_or_else(missing)?)?;
                Ok(set.progressions(&Selection {
                    split: Some(split),
                    licences: &self.licences,
                    leave_out: &self.leave_out,
                    reserved,
                }))
            }
        }
    }
}

impl HarmonyData {
    pub fn validate(&self) -> Result<()> {
        for (name, sources) in [("train", &self.train), ("dev", &self.dev)] {
            if sources.is_empty() {
                return Err(Error::config(format!(
                    "data.{name} is empty; name at least one source"
                )));
            }
            sources.iter().try_for_each(HarmonySource::validate)?;
        }
        if !(0.0..=1.0).contains(&self.exchanged) {
            return Err(Error::config(format!(
                "data.exchanged is {}; it must be from 0 to 1",
                self.exchanged
            )));
        }
        if self.max_chords == 0 {
            return Err(Error::config("data.max_chords is 0; it must be at least 1"));
        }
        Ok(())
    }

    /// The progressions of one side, by source, each with its weight; `note` is told what was found and left out.
    pub(super) fn read(&self, split: Split, note: &dyn Fn(&str)) -> Result<Vec<Weighted>> {
        let reserved = self.reserved.as_deref().map(Reserved::read).transpose()?;
        let sources = match split {
            Split::Train => &self.train,
            Split::Dev => &self.dev,
        };
        let mut all = Vec::new();
        for source in sources {
            let mut found = source.read(split, reserved.as_ref())?;
            found.progressions.retain(|piece| !piece.chords.is_empty());
            let mut text = format!(
                "{split:?}, {:?}: {} progressions, {} chords",
                source.set,
                found.progressions.len(),
                found.chords()
            );
            for (reason, count) in &found.left_out {
                text.push_str(&format!("; {count} {reason}"));
            }
            note(&text);
            found.skipped.iter().for_each(|skipped| note(skipped));
            if found.progressions.is_empty() {
                return Err(Error::config(format!(
                    "data: {:?} has no progression on the {split:?} side",
                    source.set
                )));
            }
            all.push(Weighted {
                progressions: found.progressions,
                weight: source.weight,
            });
        }
        Ok(all)
    }

    /// An excerpt of a piece, each of which is as likely as any other of its source.
    pub(super) fn draw(&self, sources: &[Weighted], rng: &mut ChaCha8Rng) -> LabelledProgression {
        let total: f64 = sources.iter().map(|source| source.weight).sum();
        let mut at = rng.random_range(0.0..total);
        let chosen = sources.iter().find(|source| {
            at -= source.weight;
            at < 0.0
        });
        let source = chosen.unwrap_or(&sources[sources.len() - 1]);
        let piece = source.choose(rng);
        let length = piece.chords.len().min(self.max_chords);
        let first = rng.random_range(0..=piece.chords.len() - length);
        let semitones = match self.transpose {
            true => rng.random_range(0..12),
            false => 0,
        };
        let mut excerpt = excerpt(piece, first, length, semitones);
        if self.exchanged > 0.0 {
            let share = match rng.random_bool(self.exchanged) {
                true => 1.0,
                false => rng.random_range(0.0..1.0),
            };
            exchange(&mut excerpt, share, source, rng);
        }
        excerpt
    }
}

/// Progressions of one source.
#[derive(Debug)]
pub(super) struct Weighted {
    pub progressions: Vec<LabelledProgression>,
    pub weight: f64,
}

impl Weighted {
    /// A piece, each of which is as likely as any other.
    fn choose(&self, rng: &mut ChaCha8Rng) -> &LabelledProgression {
        &self.progressions[rng.random_range(0..self.progressions.len())]
    }
}

/// Where a source has a mode so rarely that no chord was found, the chord stays.
const MOST_TRIES: usize = 50;

/// Puts chords of other pieces of the source, in keys of the same mode, in the places of a share of the chords.
fn exchange(
    excerpt: &mut LabelledProgression,
    share: f64,
    source: &Weighted,
    rng: &mut ChaCha8Rng,
) {
    for chord in &mut excerpt.chords {
        if !rng.random_bool(share) {
            continue;
        }
        let others = (0..MOST_TRIES).map(|_| {
            let chords = &source.choose(rng).chords;
            chords[rng.random_range(0..chords.len())]
        });
        let mut fitting = others.filter(|other| other.key.mode() == chord.key.mode());
        if let Some(other) = fitting.next() {
            let semitones = i32::from(chord.key.tonic()) - i32::from(other.key.tonic());
            *chord = LabelledChord {
                onset: chord.onset,
                key: chord.key,
                ..moved(other, semitones)
            };
        }
    }
}

/// Some chords of a piece, moved up; its mode is the piece's where the excerpt's main key has the same third.
fn excerpt(
    piece: &LabelledProgression,
    first: usize,
    length: usize,
    semitones: i32,
) -> LabelledProgression {
    let chords = piece.chords[first..first + length].iter();
    let chords = chords.map(|&chord| moved(chord, semitones));
    let mut excerpt = LabelledProgression {
        name: piece.name.clone(),
        chords: chords.collect(),
        mode: piece.mode,
    };
    if let Some(key) = excerpt.main_key()
        && key.mode() != piece.mode.key_mode()
    {
        excerpt.mode = DiatonicMode::of_key_mode(key.mode());
    }
    excerpt
}

/// A chord and its key, moved up.
fn moved(chord: LabelledChord, semitones: i32) -> LabelledChord {
    LabelledChord {
        onset: chord.onset,
        chord: chord.chord.transposed(semitones),
        root: (i32::from(chord.root) + semitones).rem_euclid(12) as u8,
        key: chord.key.transposed(semitones),
        degree: chord.degree,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn exchanged_chords_are_known_by_the_same_degrees_in_the_same_keys() {
        let progressions: Vec<_> = (0..50).map(|n| made_progressions::make(4, n)).collect();
        let known: std::collections::HashSet<_> = (progressions.iter())
            .flat_map(|piece| &piece.chords)
            .map(|chord| {
                let seen = moved(*chord, -i32::from(chord.key.tonic()));
                (seen.chord, seen.root, seen.key, seen.degree)
            })
            .collect();
        let mut piece = progressions[0].clone();
        let before = piece.chords.clone();
        let source = Weighted {
            progressions,
            weight: 1.0,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        exchange(&mut piece, 1.0, &source, &mut rng);
        assert_ne!(piece.chords, before);
        for (chord, before) in piece.chords.iter().zip(&before) {
            assert_eq!((chord.key, chord.onset), (before.key, before.onset));
            let seen = moved(*chord, -i32::from(chord.key.tonic()));
            assert!(known.contains(&(seen.chord, seen.root, seen.key, seen.degree)));
        }
    }
}

//! Which excerpts of which data sets are rendered with which pianos.

use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{DataSet, Item, Split};
use crate::error::{Error, Result};
use crate::formats::parse_toml;

/// What to render, as a section of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderRecipe {
    /// Everything random follows from it.
    pub seed: u64,
    /// Hz.
    pub sample_rate: u32,
    /// Works that are never rendered: composer, tab, title.
    pub reserved: Option<PathBuf>,
    pub pianos: Vec<Piano>,
    pub sources: Vec<Source>,
    #[serde(default)]
    pub variation: Variation,
}

/// A preset of a SoundFont.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piano {
    pub name: String,
    pub soundfont: PathBuf,
    pub bank: u8,
    pub program: u8,
    /// How often it is chosen against the others.
    pub weight: f64,
}

/// How much of which data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// As [`super::open`] knows it.
    pub set: String,
    #[serde(default)]
    pub folder: PathBuf,
    pub train_hours: f64,
    pub dev_hours: f64,
    /// Shortest and longest excerpt in seconds, after the change of tempo; shorter pieces are taken whole.
    pub excerpt_s: [f64; 2],
    /// Whether a pass takes the pieces from end to end in excerpts, or one excerpt of each.
    pub whole: bool,
}

/// How renditions differ; every value is drawn evenly from its range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Variation {
    /// Semitones.
    pub transpose: [i8; 2],
    /// Factor of the tempo: 1.1 is faster.
    pub tempo: [f64; 2],
    /// Tuning in cents, either way.
    pub detune_cents: f64,
    /// The same for the badly tuned ones, and their share.
    pub wide_detune_cents: f64,
    pub wide_detune_share: f64,
    /// Semitones, either way, by which another string than the written one is struck and tuned back, which moves
    /// body and hammer against the pitch like a smaller or larger instrument; and the share so treated.
    pub body_semitones: i8,
    pub body_share: f64,
    /// 127·(v/127)^exponent is what the piano is struck with.
    pub velocity_exponent: [f64; 2],
    /// Share of renditions without any pedal.
    pub without_pedal: f64,
    /// Where the music has no pedal of its own, the share of the others that is given one.
    pub added_pedal: f64,
    /// Share of the left channel, 0–1.
    pub left_share: [f64; 2],
    /// The highest sample, of 1.
    pub peak: [f64; 2],
}

impl Default for Variation {
    fn default() -> Self {
        Self {
            transpose: [-5, 6],
            tempo: [0.85, 1.15],
            detune_cents: 12.0,
            wide_detune_cents: 30.0,
            wide_detune_share: 0.15,
            body_semitones: 3,
            body_share: 0.5,
            velocity_exponent: [0.7, 1.4],
            without_pedal: 0.2,
            added_pedal: 0.5,
            left_share: [0.25, 0.75],
            peak: [0.2, 0.9],
        }
    }
}

/// One excerpt and how it is played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rendition {
    /// Six digits; names the files.
    pub id: String,
    pub set: String,
    /// The item's name in its data set.
    pub item: String,
    pub split: Split,
    pub licence: String,
    /// Where the excerpt begins in the source and how long it is, in seconds of the source.
    pub start_s: f64,
    pub length_s: f64,
    pub piano: String,
    pub transpose: i8,
    pub tempo: f64,
    pub detune_cents: f64,
    pub body_semitones: i8,
    pub velocity_exponent: f64,
    pub pedal: bool,
    pub left_share: f64,
    pub peak: f64,
    /// Of everything else that is random in this rendition.
    pub seed: u64,
}

impl RenderRecipe {
    /// Reads a recipe in TOML. Relative paths stay relative to the working folder.
    ///
    /// # Errors
    /// When the file cannot be read, lacks a key, has an unknown one, or has an impossible value; the message names it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        let recipe: Self = parse_toml(&text).map_err(|message| Error::input(path, message))?;
        recipe
            .check()
            .map_err(|error| Error::input(path, error.to_string()))?;
        Ok(recipe)
    }

    /// # Errors
    /// When a value is impossible; the message names it.
    pub fn check(&self) -> Result<()> {
        match self.fault() {
            Some(message) => Err(Error::config(format!("render recipe: {message}"))),
            None => Ok(()),
        }
    }

    fn fault(&self) -> Option<String> {
        let v = &self.variation;
        if self.sample_rate == 0 {
            return Some("sample_rate is 0 Hz".into());
        }
        if self.pianos.is_empty() {
            return Some("there is no piano".into());
        }
        if self.sources.is_empty() {
            return Some("there is no source".into());
        }
        if let Some(piano) = self
            .pianos
            .iter()
            .find(|piano| !(piano.weight.is_finite() && piano.weight > 0.0))
        {
            return Some(format!(
                "the weight of the piano {} is {}; expected a number above 0",
                piano.name, piano.weight
            ));
        }
        for source in &self.sources {
            let hours = [
                ("train_hours", source.train_hours),
                ("dev_hours", source.dev_hours),
            ];
            for (name, value) in hours {
                if !(value.is_finite() && value >= 0.0) {
                    return Some(format!(
                        "{name} of the source {} is {value}; expected a number of 0 or more",
                        source.set
                    ));
                }
            }
        }
        if v.transpose[0] > v.transpose[1] {
            return Some(format!("transpose {:?} goes from high to low", v.transpose));
        }
        if v.body_semitones < 0 {
            return Some("body_semitones is a distance and cannot be negative".into());
        }
        let excerpts = self.sources.iter().map(|source| source.excerpt_s);
        let above_0 = [
            ("tempo", v.tempo),
            ("velocity_exponent", v.velocity_exponent),
            ("peak", v.peak),
        ];
        let mut above_0 = above_0
            .into_iter()
            .chain(excerpts.map(|range| ("excerpt_s", range)));
        if let Some((name, range)) =
            above_0.find(|(_, [low, high])| !(*low > 0.0 && low <= high && high.is_finite()))
        {
            return Some(format!(
                "{name} is {range:?}; expected two numbers above 0, the lower first"
            ));
        }
        let shares = [
            ("wide_detune_share", [v.wide_detune_share; 2]),
            ("body_share", [v.body_share; 2]),
            ("without_pedal", [v.without_pedal; 2]),
            ("added_pedal", [v.added_pedal; 2]),
            ("left_share", v.left_share),
        ];
        for (name, [low, high]) in shares {
            if !(0.0 <= low && low <= high && high <= 1.0) {
                return Some(format!(
                    "{name} is {low} to {high}; expected shares from 0 to 1, the lower first"
                ));
            }
        }
        let detune = [
            ("detune_cents", v.detune_cents),
            ("wide_detune_cents", v.wide_detune_cents),
        ];
        detune
            .into_iter()
            .find(|(_, cents)| !cents.is_finite())
            .map(|(name, cents)| format!("{name} is {cents}; expected a number of cents"))
    }

    /// All renditions, mixed, so that any beginning of the list is a fair sample of the whole.
    ///
    /// `sets` belong to `sources`, one by one.
    ///
    /// # Errors
    /// When the recipe is impossible, a set must not be trained on, or a piece cannot be read.
    pub fn plan(&self, sets: &[Box<dyn DataSet>]) -> Result<Vec<Rendition>> {
        self.check()?;
        let mut all = Vec::new();
        for (number, (source, set)) in self.sources.iter().zip(sets).enumerate() {
            if source.train_hours > 0.0 && !set.may_train() {
                return Err(Error::config(format!(
                    "{} ({}) must not be trained on; set its train_hours to 0",
                    set.name(),
                    set.licence()
                )));
            }
            for (split, hours) in [
                (Split::Train, source.train_hours),
                (Split::Dev, source.dev_hours),
            ] {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(2 * number as u64 + u64::from(split == Split::Dev) + 1);
                all.extend(self.plan_split(source, set.as_ref(), split, hours, &mut rng)?);
            }
        }
        all.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        for (number, rendition) in all.iter_mut().enumerate() {
            rendition.id = format!("{number:06}");
        }
        Ok(all)
    }

    fn plan_split(
        &self,
        source: &Source,
        set: &dyn DataSet,
        split: Split,
        hours: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Rendition>> {
        let mut pieces: Vec<(&Item, f64)> = Vec::new();
        if hours > 0.0 {
            for item in set.items().iter().filter(|item| item.split == split) {
                let end_s = set.read(item)?.end_s();
                if end_s > 1.0 {
                    pieces.push((item, end_s));
                }
            }
        }
        let mut planned = Vec::new();
        let mut left_s = hours * 3600.0;
        while left_s > 0.0 && !pieces.is_empty() {
            pieces.shuffle(rng);
            for &(item, end_s) in &pieces {
                if left_s <= 0.0 {
                    break;
                }
                for rendition in self.excerpts(source, set, item, end_s, rng) {
                    left_s -= rendition.length_s / rendition.tempo;
                    planned.push(rendition);
                }
            }
        }
        Ok(planned)
    }

    fn excerpts(
        &self,
        source: &Source,
        set: &dyn DataSet,
        item: &Item,
        end_s: f64,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Rendition> {
        let mut drawn = Vec::new();
        let mut start_s = 0.0;
        loop {
            let mut rendition = self.variation_of(set, item, rng);
            let [shortest, longest] = source.excerpt_s;
            let mut length_s = rng.random_range(shortest..=longest) * rendition.tempo;
            let room_s = end_s - start_s;
            if length_s > room_s - shortest * rendition.tempo {
                // What would remain is too short for another excerpt.
                length_s = length_s
                    .max(room_s)
                    .min(room_s.min(longest * rendition.tempo));
            }
            if !source.whole && end_s > length_s {
                start_s = rng.random_range(0.0..end_s - length_s);
            }
            rendition.start_s = micro(start_s);
            rendition.length_s = micro(length_s);
            drawn.push(rendition);
            start_s += length_s;
            if !source.whole || end_s - start_s < shortest {
                return drawn;
            }
        }
    }

    fn variation_of(&self, set: &dyn DataSet, item: &Item, rng: &mut ChaCha8Rng) -> Rendition {
        let v = &self.variation;
        let [low, high] = v.transpose;
        let cents = if rng.random_bool(v.wide_detune_share.clamp(0.0, 1.0)) {
            v.wide_detune_cents
        } else {
            v.detune_cents
        };
        let body_semitones = if rng.random_bool(v.body_share.clamp(0.0, 1.0)) {
            rng.random_range(-v.body_semitones..=v.body_semitones)
        } else {
            0
        };
        Rendition {
            id: String::new(),
            set: set.name().to_string(),
            item: item.name.clone(),
            split: item.split,
            licence: set.licence().to_string(),
            start_s: 0.0,
            length_s: 0.0,
            piano: self.draw_piano(rng),
            transpose: rng.random_range(low..=high),
            tempo: micro(rng.random_range(v.tempo[0]..=v.tempo[1])),
            detune_cents: micro(rng.random_range(-1.0..=1.0) * cents),
            body_semitones,
            velocity_exponent: micro(
                rng.random_range(v.velocity_exponent[0]..=v.velocity_exponent[1]),
            ),
            pedal: !rng.random_bool(v.without_pedal.clamp(0.0, 1.0)),
            left_share: micro(rng.random_range(v.left_share[0]..=v.left_share[1])),
            peak: micro(rng.random_range(v.peak[0]..=v.peak[1])),
            seed: rng.random(),
        }
    }

    fn draw_piano(&self, rng: &mut ChaCha8Rng) -> String {
        let total: f64 = self.pianos.iter().map(|piano| piano.weight).sum();
        let mut left = rng.random_range(0.0..total);
        for piano in &self.pianos {
            left -= piano.weight;
            if left < 0.0 {
                return piano.name.clone();
            }
        }
        self.pianos
            .last()
            .map(|piano| piano.name.clone())
            .unwrap_or_default()
    }
}

/// Six decimals: numbers that an index in JSON gives back exactly.
fn micro(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

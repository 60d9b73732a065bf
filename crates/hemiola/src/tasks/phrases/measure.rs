//! How good a latent space is: what it remembers, and how evenly one gets from phrase to phrase.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, Serializer};

use super::attributes::key_clarity;
use super::calibration::spread;
use super::decoding::{CERTAIN, Hits, distance, sounding_cells};
use super::effects::{MOST_MOVED, effects};
use super::{LatentPhrase, MOST_STEPS, PathScores, PhraseSpace, Piece, is_silent};
use crate::error::{Error, Result};
use crate::models::music_vae::Interpolation;
use crate::music::QuantizedNote;

/// Latent dimensions whose mean varies more than this over the phrases are active: Burda, Grosse and Salakhutdinov,
/// "Importance Weighted Autoencoders" (ICLR 2016), section 5.2.
const ACTIVE_VARIANCE: f64 = 0.01;
/// More pairs than this tell no more.
pub const MOST_PAIRS: usize = 100_000;

/// Which interpolations are measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasureOptions {
    /// Random pairs of phrases, each of two pieces.
    pub pairs: usize,
    /// Steps of each, both ends included.
    pub steps: usize,
    pub interpolation: Interpolation,
    pub seed: u64,
}

impl Default for MeasureOptions {
    fn default() -> Self {
        Self {
            pairs: 50,
            steps: 8,
            interpolation: Interpolation::Linear,
            seed: 1,
        }
    }
}

/// What [`measure`] finds. Serialised flat: the fields of the three interpolations begin with `interpolation_`,
/// `crossfade_` and `average_`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhraseScores {
    pub pieces: usize,
    /// Those with notes; only they are measured.
    pub phrases: usize,
    /// F1 of the cells that sound, of those where notes begin (0 of models without onsets), and of decoded notes of the
    /// same frame and pitch; of all phrases together.
    pub sounding_f1: f64,
    pub onset_f1: f64,
    pub note_f1: f64,
    /// Divergence of a phrase from the standard normal distribution, in nats.
    pub kl_nats: f64,
    /// Latent dimensions whose mean varies over the phrases with more than 0.01.
    pub active_units: usize,
    pub latent_units: usize,
    /// Of the ways between phrases; nothing where no pair was measured.
    #[serde(flatten)]
    pub ways: Option<WayScores>,
    /// What attribute vectors do: for +1 along `density`, say, `density_change` is the mean change of the density and
    /// `density_on_register` that of the register, in standard deviations of the training phrases, and `density_right` the
    /// share of phrases whose density moved the right way; −1 counts as well, the other way round.
    #[serde(flatten)]
    pub attributes: BTreeMap<String, f64>,
}

/// What is found of the ways between pairs of phrases: through the latent space, by cross-fading, by averaging.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WayScores {
    /// Those whose ends decode to different cells; only they are measured.
    pub pairs: usize,
    pub steps: usize,
    /// Through the latent space; distances are 1 − F1 of the cells that sound, to the decoded ends.
    #[serde(flatten, serialize_with = "interpolation")]
    pub interpolation: PathScores,
    /// The notes of the first end go one after the other and those of the second come, in an order drawn by chance.
    #[serde(flatten, serialize_with = "crossfade")]
    pub crossfade: PathScores,
    /// The cells of which the weighted mean of both ends is a half or more.
    #[serde(flatten, serialize_with = "average")]
    pub average: PathScores,
    #[serde(flatten)]
    pub key_clarity: KeyClarity,
}

/// How well what sounds fits one key: the best correlation of the pitch classes, each as long as it sounds, with the
/// profile of a major or minor key (Krumhansl and Kessler 1982); mean over pairs and steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct KeyClarity {
    /// Of the two ends.
    #[serde(rename = "ends_key_clarity")]
    pub ends: f64,
    /// Of the steps between them, by each way.
    #[serde(rename = "interpolation_key_clarity")]
    pub interpolation: f64,
    #[serde(rename = "crossfade_key_clarity")]
    pub crossfade: f64,
    #[serde(rename = "average_key_clarity")]
    pub average: f64,
}

macro_rules! prefixed {
    ($name:ident, $prefix:literal) => {
        fn $name<S: Serializer>(
            scores: &PathScores,
            to: S,
        ) -> std::result::Result<S::Ok, S::Error> {
            to.collect_map([
                (concat!($prefix, "_monotone_share"), scores.monotone_share),
                (concat!($prefix, "_spearman"), scores.spearman),
                (concat!($prefix, "_reversals"), scores.reversals),
                (concat!($prefix, "_largest_step"), scores.largest_step),
            ])
        }
    };
}

prefixed!(interpolation, "interpolation");
prefixed!(crossfade, "crossfade");
prefixed!(average, "average");

/// Measures a space on the phrases of pieces.
///
/// # Errors
/// When there are fewer than two pieces with notes for pairs, or an option is impossible.
pub fn measure(
    space: &PhraseSpace,
    pieces: &[Piece],
    options: &MeasureOptions,
) -> Result<PhraseScores> {
    if !(2..=MOST_STEPS).contains(&options.steps) {
        return Err(Error::config(format!(
            "interpolation in {} steps; expected from 2, the two ends, to {MOST_STEPS}",
            options.steps
        )));
    }
    if options.pairs > MOST_PAIRS {
        return Err(Error::config(format!(
            "{} pairs; expected {MOST_PAIRS} at most",
            options.pairs
        )));
    }
    let mut phrases: Vec<&[f32]> = Vec::new();
    let mut piece_of = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        for phrase in piece.phrases.iter().filter(|phrase| !is_silent(phrase)) {
            phrases.push(phrase);
            piece_of.push(index);
        }
    }
    if options.pairs > 0 && piece_of.first() == piece_of.last() {
        return Err(Error::config(format!(
            "pairs of phrases of two pieces, but {} of {} pieces have notes; expected two or more, or 0 pairs",
            piece_of.len().min(1),
            pieces.len()
        )));
    }
    let latents = space.encode_phrases(&phrases)?;
    let [sounding, onsets, notes] = reconstruction(space, &phrases, &latents)?;
    let pairs = draw_pairs(&piece_of, options);
    let vectors = &space.config.attributes;
    let attributes = effects(space, vectors, &spread(&latents, MOST_MOVED))?.figures(vectors);
    Ok(PhraseScores {
        pieces: pieces.len(),
        phrases: phrases.len(),
        sounding_f1: sounding.f1(),
        onset_f1: onsets.f1(),
        note_f1: notes.f1(),
        kl_nats: divergence(&latents),
        active_units: active_units(&latents),
        latent_units: space.model.latent_dim(),
        ways: ways(space, &latents, &pairs, options)?,
        attributes,
    })
}

/// Hits of sounding cells, of onset cells and of notes.
fn reconstruction(
    space: &PhraseSpace,
    phrases: &[&[f32]],
    latents: &[LatentPhrase],
) -> Result<[Hits; 3]> {
    let roll = &space.rolls.roll;
    let thresholds = space.config.thresholds;
    let keys = roll.keys.count();
    let mut hits = [Hits::default(); 3];
    // A few at a time: their probabilities take room.
    for (phrases, latents) in phrases.chunks(512).zip(latents.chunks(512)) {
        let means: Vec<&[f32]> = latents.iter().map(|latent| &latent.mean[..]).collect();
        for (made, given) in space.probabilities(&means)?.iter().zip(phrases) {
            let cells = |rows: &[f32], half: usize, threshold: f32| -> Vec<bool> {
                let halves = rows.chunks(keys).skip(half).step_by(roll.features() / keys);
                halves.flatten().map(|value| *value >= threshold).collect()
            };
            let of_half = |half, made_from, given_from| {
                Hits::of_cells(
                    &cells(made, half, made_from),
                    &cells(given, half, given_from),
                )
            };
            hits[0] += of_half(0, thresholds.sounding, CERTAIN.sounding);
            if roll.onsets {
                hits[1] += of_half(1, thresholds.onset, CERTAIN.onset);
            }
            let given = CERTAIN.plain_notes(given, roll);
            hits[2] += Hits::of_notes(&thresholds.plain_notes(made, roll), &given);
        }
    }
    Ok(hits)
}

fn divergence(latents: &[LatentPhrase]) -> f64 {
    let each = latents.iter().flat_map(|latent| {
        let dimensions = latent.mean.iter().zip(&latent.log_variance);
        dimensions.map(|(mean, log_variance)| {
            let (mean, log_variance) = (f64::from(*mean), f64::from(*log_variance));
            (mean * mean + log_variance.exp() - log_variance - 1.0) / 2.0
        })
    });
    each.sum::<f64>() / latents.len().max(1) as f64
}

fn active_units(latents: &[LatentPhrase]) -> usize {
    let n = latents.len().max(1) as f64;
    let units = latents.first().map_or(0, |latent| latent.mean.len());
    let variance = |unit: usize| {
        let values = || latents.iter().map(|latent| f64::from(latent.mean[unit]));
        let mean = values().sum::<f64>() / n;
        values().map(|value| (value - mean).powi(2)).sum::<f64>() / n
    };
    (0..units)
        .filter(|&unit| variance(unit) > ACTIVE_VARIANCE)
        .count()
}

/// Phrases of two pieces each, by their indices.
fn draw_pairs(piece_of: &[usize], options: &MeasureOptions) -> Vec<[usize; 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut pairs = Vec::with_capacity(options.pairs);
    while pairs.len() < options.pairs {
        let pair = [(); 2].map(|()| rng.random_range(0..piece_of.len()));
        if piece_of[pair[0]] != piece_of[pair[1]] {
            pairs.push(pair);
        }
    }
    pairs
}

/// `None` if there is no pair whose ends decode to different cells.
fn ways(
    space: &PhraseSpace,
    latents: &[LatentPhrase],
    pairs: &[[usize; 2]],
    options: &MeasureOptions,
) -> Result<Option<WayScores>> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed ^ 0xfade);
    let frames = space.frames();
    let roll = &space.rolls.roll;
    let mut scores = [const { Vec::new() }; 3];
    let mut clarity = [const { Vec::new() }; 4];
    for pair in pairs {
        let [from, to] = pair.map(|index| &latents[index].mean[..]);
        let path = space.path(from, to, options.steps, options.interpolation)?;
        let notes: Vec<Vec<QuantizedNote>> = space
            .probabilities(&path)?
            .iter()
            .map(|rows| space.config.thresholds.plain_notes(rows, roll))
            .collect();
        let ends = [&notes[0], &notes[options.steps - 1]];
        let end_cells = ends.map(|notes| sounding_cells(notes, frames));
        if end_cells[0] == end_cells[1] {
            continue;
        }
        let turns = ends.map(|notes| notes.iter().map(|_| rng.random()).collect::<Vec<f64>>());
        let shares = (0..options.steps).map(|step| step as f64 / (options.steps - 1) as f64);
        let through = notes.iter().map(|notes| sounding_cells(notes, frames));
        let faded = shares.clone().map(|share| {
            let kept = |end: usize, share: f64| {
                let notes = ends[end].iter().zip(&turns[end]);
                notes
                    .filter(move |(_, turn)| **turn < share)
                    .map(|(note, _)| *note)
            };
            let both: Vec<QuantizedNote> = kept(0, 1.0 - share).chain(kept(1, share)).collect();
            sounding_cells(&both, frames)
        });
        let averaged = shares.map(|share| {
            let cells = end_cells[0].iter().zip(&end_cells[1]);
            let weight = |set: &bool, share| if *set { share } else { 0.0 };
            cells
                .map(|(a, b)| weight(a, 1.0 - share) + weight(b, share) >= 0.5)
                .collect()
        });
        let ways: [Vec<Vec<bool>>; 3] = [through.collect(), faded.collect(), averaged.collect()];
        clarity[3].extend(end_cells.iter().filter_map(|cells| key_clarity(cells)));
        for (index, way) in ways.iter().enumerate() {
            let to_end = |end: &Vec<bool>| -> Vec<f64> {
                way.iter().map(|cells| distance(cells, end)).collect()
            };
            scores[index].push(PathScores::of(
                &to_end(&end_cells[0]),
                &to_end(&end_cells[1]),
            ));
            let between = &way[1..options.steps - 1];
            clarity[index].extend(between.iter().filter_map(|cells| key_clarity(cells)));
        }
    }
    if scores[0].is_empty() {
        return Ok(None);
    }
    let pairs = scores[0].len();
    let means = clarity.map(|values| values.iter().sum::<f64>() / values.len().max(1) as f64);
    let [interpolation, crossfade, average] = scores.map(|rows| PathScores::mean(&rows));
    Ok(Some(WayScores {
        pairs,
        steps: options.steps,
        interpolation,
        crossfade,
        average,
        key_clarity: KeyClarity {
            interpolation: means[0],
            crossfade: means[1],
            average: means[2],
            ends: means[3],
        },
    }))
}

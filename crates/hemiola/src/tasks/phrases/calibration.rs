//! Thresholds and attribute vectors of a trained model.

use std::collections::BTreeMap;

use super::decoding::{CERTAIN, Hits};
use super::effects::{Effects, MOST_MOVED, effects};
use super::{
    Attribute, AttributeVector, LatentPhrase, PhraseSpace, PhraseSpaceConfig, PhraseThresholds,
};
use crate::error::Result;
use crate::models::music_vae::MusicVae;
use crate::music::RollOptions;

/// Thresholds are tried in steps of this.
const THRESHOLD_STEP: f32 = 0.025;
const THRESHOLDS: std::ops::RangeInclusive<usize> = 2..=36;
/// An attribute gets no vector where +1 along the corrected one moves it by less, in standard deviations, or moves a
/// smaller share of the phrases the right way.
const LEAST_CHANGE: f64 = 0.5;
const LEAST_RIGHT: f64 = 0.6;
/// Corrections of the vectors by what they do.
const CORRECTIONS: usize = 4;

/// What [`calibrate`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    pub config: PhraseSpaceConfig,
    /// Of dev phrases, by name: F1 of cells, onsets and notes; what attribute vectors do.
    pub figures: BTreeMap<String, f64>,
}

/// Tunes thresholds on dev phrases and computes attribute vectors from training phrases, `[frames, features]` each.
///
/// The latent means are regressed on the standardised attributes of their phrases, all attributes together, so that a
/// vector is how the mean moves with one attribute while the others stay. Decoding answers less, and not to one attribute
/// alone; the vectors are therefore multiplied by the inverse of what a step of one standard deviation was measured to do,
/// until it does one. An attribute in which phrases hardly differ, or to which decoding hardly answers, gets no vector.
///
/// # Errors
/// When the configuration does not fit the model or a phrase has another length than the model's.
pub fn calibrate<P: AsRef<[f32]>>(
    model: &MusicVae,
    config: &PhraseSpaceConfig,
    train: &[P],
    dev: &[P],
) -> Result<Calibration> {
    let mut space = PhraseSpace::new(
        model.clone(),
        PhraseSpaceConfig {
            attributes: Vec::new(),
            ..config.clone()
        },
    )?;
    let dev_latents = space.encode_phrases(dev)?;
    let mut figures = tune(&mut space, dev, &dev_latents)?;

    let latents = space.encode_phrases(train)?;
    let mut vectors = regress(&space, train, &latents)?;
    answering(&space, &mut vectors, &spread(&latents, MOST_MOVED))?;
    let moved = effects(&space, &vectors, &spread(&dev_latents, MOST_MOVED))?;
    figures.extend(moved.figures(&vectors));
    let mut config = space.config;
    config.attributes = vectors;
    Ok(Calibration { config, figures })
}

/// So many items, evenly spread.
pub(crate) fn spread<T>(items: &[T], most: usize) -> Vec<&T> {
    let count = items.len().min(most);
    let indices = (0..count).map(|index| index * items.len() / count);
    indices.map(|index| &items[index]).collect()
}

/// Sets the space's thresholds, each to the best F1 of its own, and returns what they reach.
fn tune<P: AsRef<[f32]>>(
    space: &mut PhraseSpace,
    dev: &[P],
    latents: &[LatentPhrase],
) -> Result<BTreeMap<String, f64>> {
    let roll = space.rolls.roll;
    let means: Vec<&[f32]> = latents.iter().map(|latent| &latent.mean[..]).collect();
    let made = space.probabilities(&means)?;
    let mut figures = BTreeMap::new();
    let mut thresholds = space.config.thresholds;
    let (sounding, f1) = best_threshold(&made, dev, &roll, 0);
    thresholds.sounding = sounding;
    figures.insert("sounding_f1".to_owned(), f1);
    if roll.onsets {
        let (onset, f1) = best_threshold(&made, dev, &roll, 1);
        thresholds.onset = onset;
        figures.insert("onset_f1".to_owned(), f1);
    }
    let mut best = f64::NEG_INFINITY;
    for sounding_begins in [true, false] {
        let tried = PhraseThresholds {
            sounding_begins,
            ..thresholds
        };
        let mut hits = Hits::default();
        for (made, given) in made.iter().zip(dev) {
            let given = CERTAIN.plain_notes(given.as_ref(), &roll);
            hits += Hits::of_notes(&tried.plain_notes(made, &roll), &given);
        }
        if hits.f1() > best {
            best = hits.f1();
            space.config.thresholds = tried;
        }
    }
    figures.insert("note_f1".to_owned(), best);
    Ok(figures)
}

/// The threshold with the best F1 of one half of the features, 0 for sounding and 1 for onsets, and that F1.
fn best_threshold<P: AsRef<[f32]>>(
    made: &[Vec<f32>],
    given: &[P],
    roll: &RollOptions,
    half: usize,
) -> (f32, f64) {
    let last = *THRESHOLDS.end();
    // By the highest threshold that a probability reaches: all cells, and those that are right.
    let mut reached = vec![[0usize; 2]; last + 1];
    for (made, given) in made.iter().zip(given) {
        let keys = roll.keys.count();
        let cells = made.chunks(keys).zip(given.as_ref().chunks(keys));
        for (made, given) in cells.skip(half).step_by(roll.features() / keys) {
            for (made, given) in made.iter().zip(given) {
                let step = ((made / THRESHOLD_STEP) as usize).min(last);
                reached[step][0] += 1;
                reached[step][1] += usize::from(*given > 0.0);
            }
        }
    }
    let there = reached.iter().map(|counts| counts[1]).sum();
    let scores = THRESHOLDS.map(|step| {
        let above = &reached[step..];
        let hits = Hits {
            found: above.iter().map(|counts| counts[0]).sum(),
            both: above.iter().map(|counts| counts[1]).sum(),
            there,
        };
        (step as f32 * THRESHOLD_STEP, hits.f1())
    });
    let better = |a: (f32, f64), b: (f32, f64)| if b.1 > a.1 { b } else { a };
    scores.reduce(better).unwrap_or((0.5, 0.0))
}

/// The vectors of all attributes in which the phrases differ.
fn regress<P: AsRef<[f32]>>(
    space: &PhraseSpace,
    phrases: &[P],
    latents: &[LatentPhrase],
) -> Result<Vec<AttributeVector>> {
    let attributes: Vec<&Attribute> = Attribute::of_phrases(space.frames()).collect();
    let mut values: Vec<Vec<f64>> = Vec::new();
    let mut means: Vec<&[f32]> = Vec::new();
    for (phrase, latent) in phrases.iter().zip(latents) {
        let notes = CERTAIN.plain_notes(phrase.as_ref(), &space.rolls.roll);
        let measured = attributes
            .iter()
            .map(|attribute| attribute.measure(&notes, space.frames(), space.frames_per_beat()));
        if let Some(measured) = measured.collect::<Option<Vec<f64>>>() {
            values.push(measured);
            means.push(&latent.mean);
        }
    }
    let n = values.len() as f64;
    let columns = (0..attributes.len()).map(|column| {
        let mean = values.iter().map(|row| row[column]).sum::<f64>() / n;
        let squares = values.iter().map(|row| (row[column] - mean).powi(2));
        (column, mean, (squares.sum::<f64>() / n).sqrt())
    });
    let used: Vec<(usize, f64, f64)> = columns.filter(|(_, _, scale)| *scale > 1e-6).collect();

    // Least squares: the attributes' own products, and their products with every latent dimension.
    let mut products = vec![vec![0.0; used.len()]; used.len()];
    let mut with_latents = vec![vec![0.0; space.model.latent_dim()]; used.len()];
    for (row, mean) in values.iter().zip(&means) {
        let standard: Vec<f64> = used
            .iter()
            .map(|(column, mean, scale)| (row[*column] - mean) / scale)
            .collect();
        for (i, a) in standard.iter().enumerate() {
            for (product, b) in products[i].iter_mut().zip(&standard) {
                *product += a * b;
            }
            for (product, z) in with_latents[i].iter_mut().zip(*mean) {
                *product += a * f64::from(*z);
            }
        }
    }
    let Some(inverse) = inverse(&products) else {
        return Ok(Vec::new());
    };
    let vectors = used.iter().zip(&inverse).map(|((column, _, scale), row)| {
        let attribute = attributes[*column];
        AttributeVector {
            name: attribute.name.to_owned(),
            direction: attribute.direction.to_owned(),
            vector: combined(row, &with_latents),
            scale: *scale,
        }
    });
    Ok(vectors.collect())
}

/// Corrects the vectors, without those to which decoding hardly answers.
fn answering(
    space: &PhraseSpace,
    vectors: &mut Vec<AttributeVector>,
    latents: &[&LatentPhrase],
) -> Result<()> {
    let mut left = vectors.clone();
    loop {
        *vectors = left.clone();
        correct(space, vectors, latents)?;
        let Effects { changes, right, .. } = effects(space, vectors, latents)?;
        // How far short of the least; the worst goes first, since it spoils the others.
        let short = |index: usize| {
            let change = changes[index][index] / LEAST_CHANGE;
            change.min(right[index] / LEAST_RIGHT)
        };
        let worst = (0..left.len()).min_by(|&a, &b| short(a).total_cmp(&short(b)));
        match worst.filter(|&worst| short(worst) < 1.0) {
            Some(worst) => drop(left.remove(worst)),
            None => return Ok(()),
        }
    }
}

/// Makes each vector do one standard deviation of its attribute and little of the others.
fn correct(
    space: &PhraseSpace,
    vectors: &mut [AttributeVector],
    latents: &[&LatentPhrase],
) -> Result<()> {
    let mut best: Option<(f64, Vec<Vec<f64>>)> = None;
    for _ in 0..=CORRECTIONS {
        let now: Vec<Vec<f64>> = vectors.iter().map(|v| v.vector.clone()).collect();
        let Effects { changes, .. } = effects(space, vectors, latents)?;
        let distance = |(i, row): (usize, &Vec<f64>)| -> f64 {
            let wanted = |j| f64::from(u8::from(i == j));
            let cells = row.iter().enumerate();
            cells.map(|(j, change)| (change - wanted(j)).powi(2)).sum()
        };
        let off: f64 = changes.iter().enumerate().map(distance).sum();
        if best.as_ref().is_none_or(|(before, _)| off < *before) {
            best = Some((off, now.clone()));
        }
        let Some(inverse) = inverse(&changes) else {
            break;
        };
        for (j, vector) in vectors.iter_mut().enumerate() {
            let column: Vec<f64> = inverse.iter().map(|row| row[j]).collect();
            vector.vector = combined(&column, &now);
        }
    }
    for (vector, best) in vectors.iter_mut().zip(best.into_iter().flat_map(|b| b.1)) {
        vector.vector = best;
    }
    Ok(())
}

/// The sum of rows, each with its weight, in ten-thousandths: more digits say nothing and make long configurations.
fn combined(weights: &[f64], rows: &[Vec<f64>]) -> Vec<f64> {
    let length = rows.first().map_or(0, Vec::len);
    let at = |index: usize| -> f64 {
        let rows = weights.iter().zip(rows);
        rows.map(|(weight, row)| weight * row[index]).sum()
    };
    (0..length)
        .map(|index| (at(index) * 1e4).round() / 1e4)
        .collect()
}

/// The inverse of a square matrix (Gauss and Jordan, with pivots); `None` where there is none to speak of.
fn inverse(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let n = matrix.len();
    let largest = matrix
        .iter()
        .flatten()
        .fold(0.0, |m: f64, v| m.max(v.abs()));
    let mut rows: Vec<Vec<f64>> = matrix
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let unit = (0..n).map(|j| f64::from(u8::from(i == j)));
            row.iter().copied().chain(unit).collect()
        })
        .collect();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|&a, &b| (rows[a][column].abs()).total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, pivot);
        let value = rows[column][column];
        if !value.is_finite() || value.abs() <= 1e-9 * largest {
            return None;
        }
        rows[column].iter_mut().for_each(|cell| *cell /= value);
        let pivot_row = rows[column].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != column) {
            let factor = row[column];
            for (cell, pivot) in row.iter_mut().zip(&pivot_row) {
                *cell -= factor * pivot;
            }
        }
    }
    Some(rows.into_iter().map(|row| row[n..].to_vec()).collect())
}

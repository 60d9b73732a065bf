//! What moving along attribute vectors does to the music.

use std::collections::BTreeMap;

use super::{Attribute, AttributeVector, LatentPhrase, PhraseSpace};
use crate::error::Result;

/// Phrases that are moved to see what vectors do.
pub(super) const MOST_MOVED: usize = 512;

/// Attributes before and after a step of +1 and of −1 along each vector.
#[derive(Debug, Clone)]
pub(super) struct Effects {
    /// `[measured][moved]`: mean change for +1, in standard deviations of the training phrases.
    pub changes: Vec<Vec<f64>>,
    /// By the vector that was moved along: the share of phrases whose attribute moved the right way.
    pub right: Vec<f64>,
    /// The share of phrases that had notes and have none there; they did not move the right way and have no change.
    pub silenced: Vec<f64>,
}

impl Effects {
    /// By name: `density_change`, `density_right`, `density_silenced`, and for every other attribute `density_on_register`.
    pub fn figures(&self, vectors: &[AttributeVector]) -> BTreeMap<String, f64> {
        let mut figures = BTreeMap::new();
        for (moved, vector) in vectors.iter().enumerate() {
            let name = &vector.name;
            figures.insert(format!("{name}_right"), self.right[moved]);
            figures.insert(format!("{name}_silenced"), self.silenced[moved]);
            for (measured, other) in vectors.iter().enumerate() {
                let key = match measured == moved {
                    true => format!("{name}_change"),
                    false => format!("{name}_on_{}", other.name),
                };
                figures.insert(key, self.changes[measured][moved]);
            }
        }
        figures
    }
}

/// The attributes of what latent vectors decode to, `[phrase][attribute]`.
fn measured(
    space: &PhraseSpace,
    latents: &[Vec<f32>],
    attributes: &[&Attribute],
) -> Result<Vec<Vec<Option<f64>>>> {
    let roll = &space.rolls.roll;
    let phrases = space.probabilities(latents)?;
    let measured = phrases.iter().map(|rows| {
        let notes = space.config.thresholds.plain_notes(rows, roll);
        let values = attributes
            .iter()
            .map(|attribute| attribute.measure(&notes, space.frames(), space.frames_per_beat()));
        values.collect()
    });
    Ok(measured.collect())
}

pub(super) fn effects(
    space: &PhraseSpace,
    vectors: &[AttributeVector],
    latents: &[&LatentPhrase],
) -> Result<Effects> {
    let attributes: Vec<&Attribute> = vectors
        .iter()
        .filter_map(|vector| Attribute::named(&vector.name))
        .collect();
    let means: Vec<Vec<f32>> = latents.iter().map(|latent| latent.mean.clone()).collect();
    let before = measured(space, &means, &attributes)?;
    let count = vectors.len();
    let mut effects = Effects {
        changes: vec![vec![0.0; count]; count],
        right: vec![0.0; count],
        silenced: vec![0.0; count],
    };
    for (moved, vector) in vectors.iter().enumerate() {
        let mut sums = vec![(0.0, 0usize); count];
        let [mut right, mut silenced] = [0, 0];
        for sign in [1.0, -1.0] {
            let mut there = means.clone();
            for z in &mut there {
                for (value, part) in z.iter_mut().zip(&vector.vector) {
                    *value += (sign * part) as f32;
                }
            }
            let after = measured(space, &there, &attributes)?;
            for (before, after) in before.iter().zip(&after) {
                for (index, values) in before.iter().zip(after).enumerate() {
                    let (Some(before), Some(after)) = values else {
                        silenced += usize::from(index == moved && values.0.is_some());
                        continue;
                    };
                    let change = sign * (after - before);
                    sums[index].0 += change / vectors[index].scale;
                    sums[index].1 += 1;
                    right += usize::from(index == moved && change > 0.0);
                }
            }
        }
        for (index, (sum, count)) in sums.iter().enumerate() {
            effects.changes[index][moved] = sum / (*count).max(1) as f64;
        }
        let all = (sums[moved].1 + silenced).max(1) as f64;
        effects.right[moved] = right as f64 / all;
        effects.silenced[moved] = silenced as f64 / all;
    }
    Ok(effects)
}

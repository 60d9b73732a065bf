//! Recordings that are the same sound: encoded anew, trimmed, louder.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::alignment::{Alignment, Grid, align};
use super::passages::Passages;
use super::similarity::TrackVectors;
use super::{Index, TrackId};
use crate::error::{Error, Result};

/// When two recordings are the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DuplicateConfig {
    /// The least mean agreement of passages at one constant offset: 1 for the same sound, 0 for what passages of the two have in
    /// common at any offset. Measured: 0.84 and more for copies at 96 kbit/s, trimmed, softer; 0.71 and less for different music.
    pub agreement: f64,
    /// How many of the tracks nearest to each are looked at passage by passage.
    pub candidates: usize,
    /// Tracks further apart than this, as squared distance in units of the mean between passages, are not looked at.
    pub reach: f64,
}

impl Default for DuplicateConfig {
    fn default() -> Self {
        Self {
            agreement: 0.8,
            candidates: 20,
            reach: 0.6,
        }
    }
}

/// Recordings of the same sound.
#[derive(Debug, Clone, PartialEq)]
pub struct DuplicateGroup {
    /// The longest first; at least one, and more than one unless its track has several files.
    pub twins: Vec<Twin>,
}

/// One of several recordings of the same sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Twin {
    pub track: TrackId,
    /// What is at t seconds in this recording is at t + this in the first of the group.
    pub offset_s: f64,
    /// With the recording of the group that it was compared with; 1 for the first.
    pub agreement: f64,
}

/// All groups of tracks that are the same sound, in the order of their first tracks.
///
/// Files with the same bytes are one track already; [`Index::tracks`] tells them.
///
/// # Errors
/// When the agreement is none between 0 and 1; when the index cannot be read, or is damaged.
pub fn duplicates(index: &Index, config: &DuplicateConfig) -> Result<Vec<DuplicateGroup>> {
    if !(config.agreement > 0.0 && config.agreement <= 1.0) {
        return Err(Error::config(format!(
            "an agreement of {}: expected more than 0 and at most 1",
            config.agreement
        )));
    }
    let tracks = index.vectors()?;
    let spread = spread(index, &tracks)?;
    let hop_s = index.model().hop_s;
    let mut pairs: Vec<(TrackId, TrackId, Alignment)> = Vec::new();
    for (first, others) in candidates(&tracks, config, spread) {
        let passages = index.passages(first)?;
        let grid = Grid::new(&passages, hop_s);
        let others: Vec<(TrackId, Passages)> = others
            .into_iter()
            .map(|other| Ok((other, index.passages(other)?)))
            .collect::<Result<_>>()?;
        let found = others.par_iter().filter_map(|(other, passages)| {
            let alignment = align(&grid, &Grid::new(passages, hop_s), hop_s, spread)?;
            let same = alignment.agreement >= config.agreement;
            same.then_some((first, *other, alignment))
        });
        pairs.par_extend(found);
    }
    let durations = index.tracks()?.into_iter();
    let durations = durations
        .map(|track| (track.id, track.duration_s))
        .collect();
    Ok(groups(&pairs, &durations))
}

/// The mean squared distance between passages of all recordings, each recording counting the same.
fn spread(index: &Index, tracks: &TrackVectors) -> Result<f64> {
    let mut mean = vec![0.0; tracks.width()];
    for &track in tracks.ids() {
        let passages = index.passages(track)?;
        let weight = 1.0 / (passages.len().max(1) * tracks.len()) as f64;
        for row in passages.vectors().chunks_exact(tracks.width()) {
            for (sum, &value) in mean.iter_mut().zip(row) {
                *sum += weight * f64::from(value);
            }
        }
    }
    // Of vectors of unit length, the mean of |a − b|² over all pairs is 2 (1 − |mean|²).
    let spread = 2.0 * (1.0 - mean.iter().map(|v| v * v).sum::<f64>());
    Ok(spread.max(LEAST_SPREAD))
}

/// Below this, vectors differ by the rounding of their numbers.
const LEAST_SPREAD: f64 = 1e-6;

/// Pairs of tracks of which one is among the nearest of the other, by the first of them.
fn candidates(
    tracks: &TrackVectors,
    config: &DuplicateConfig,
    spread: f64,
) -> BTreeMap<TrackId, Vec<TrackId>> {
    // Of vectors of unit length, |a − b|² = 2 (1 − a·b).
    let least = 1.0 - config.reach * spread / 2.0;
    let near = tracks.nearest_of_each(config.candidates, least as f32);
    let mut pairs: Vec<(TrackId, TrackId)> = near
        .iter()
        .flat_map(|(track, others)| {
            let both = |other: &(TrackId, f32)| (*track.min(&other.0), *track.max(&other.0));
            others.iter().map(both)
        })
        .collect();
    pairs.par_sort_unstable();
    pairs.dedup();
    let mut candidates: BTreeMap<TrackId, Vec<TrackId>> = BTreeMap::new();
    for (first, second) in pairs {
        candidates.entry(first).or_default().push(second);
    }
    candidates
}

/// Tracks that pairs connect, each with its offset to the longest of its group, told along the surest pairs.
fn groups(
    pairs: &[(TrackId, TrackId, Alignment)],
    durations: &BTreeMap<TrackId, f64>,
) -> Vec<DuplicateGroup> {
    let mut neighbours: BTreeMap<TrackId, Vec<Twin>> = BTreeMap::new();
    for &(
        first,
        second,
        Alignment {
            offset_s,
            agreement,
        },
    ) in pairs
    {
        for (from, track, offset_s) in [(first, second, offset_s), (second, first, -offset_s)] {
            let twin = Twin {
                track,
                offset_s,
                agreement,
            };
            neighbours.entry(from).or_default().push(twin);
        }
    }
    let duration = |track: TrackId| durations.get(&track).copied().unwrap_or(0.0);
    // The longest first, so that each group begins with its longest.
    let mut order: Vec<TrackId> = neighbours.keys().copied().collect();
    order.sort_by(|&a, &b| duration(b).total_cmp(&duration(a)).then(a.cmp(&b)));
    let mut groups = Vec::new();
    for start in order {
        if neighbours.contains_key(&start) {
            groups.push(group(start, &mut neighbours));
        }
    }
    for DuplicateGroup { twins } in &mut groups {
        twins[1..].sort_by(|a, b| {
            let longer = duration(b.track).total_cmp(&duration(a.track));
            longer.then(a.track.cmp(&b.track))
        });
    }
    groups.sort_by_key(|group: &DuplicateGroup| group.twins[0].track);
    groups
}

/// Takes a track and all that are connected with it.
fn group(start: TrackId, neighbours: &mut BTreeMap<TrackId, Vec<Twin>>) -> DuplicateGroup {
    let mut twins = vec![Twin {
        track: start,
        offset_s: 0.0,
        agreement: 1.0,
    }];
    let mut reachable = neighbours.remove(&start).unwrap_or_default();
    while let Some(surest) = (0..reachable.len())
        .max_by(|&a, &b| reachable[a].agreement.total_cmp(&reachable[b].agreement))
    {
        let twin = reachable.swap_remove(surest);
        let Some(beyond) = neighbours.remove(&twin.track) else {
            continue;
        };
        twins.push(twin);
        reachable.extend(beyond.into_iter().map(|next| Twin {
            offset_s: next.offset_s + twin.offset_s,
            ..next
        }));
    }
    DuplicateGroup { twins }
}

//! Where sections begin and end (Turnbull et al., "A supervised approach for detecting boundaries in music using
//! difference features and boosting", ISMIR 2007).

use crate::evaluation::onset;
use crate::music::Segment;

/// Starts and ends in seconds, in order and each once, to the hundredth of a millisecond.
pub(super) fn boundaries(segments: &[Segment<String>]) -> Vec<f64> {
    const PER_SECOND: f64 = 1e5;
    let ends = segments.iter().flat_map(|s| [s.start_s, s.end_s]);
    let mut boundaries: Vec<f64> = ends
        .map(|time_s| (time_s * PER_SECOND).round_ties_even() / PER_SECOND)
        .collect();
    boundaries.sort_by(f64::total_cmp);
    boundaries.dedup();
    boundaries
}

/// Boundaries as events of which as many as possible are matched.
pub(super) fn detection(reference: &[f64], estimate: &[f64], window_s: f64) -> onset::Scores {
    onset::evaluate_within(reference, estimate, window_s)
}

/// The median time in seconds from a boundary to the nearest of the others, both in order; `None` where there are none.
pub(super) fn median_deviation(boundaries: &[f64], others: &[f64]) -> Option<f64> {
    let mut nearest: Vec<f64> = Vec::with_capacity(boundaries.len());
    for &time_s in boundaries {
        let after = others.partition_point(|&other| other < time_s);
        let beside = others[after.saturating_sub(1)..].iter().take(2);
        let distances = beside.map(|other| (other - time_s).abs());
        nearest.push(distances.reduce(f64::min)?);
    }
    nearest.sort_by(f64::total_cmp);
    let middle = nearest.len() / 2;
    let upper = *nearest.get(middle)?;
    Some(match nearest.len() % 2 {
        1 => upper,
        _ => (nearest[middle - 1] + upper) / 2.0,
    })
}

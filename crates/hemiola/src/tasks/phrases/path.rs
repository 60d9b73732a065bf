//! How evenly a row of pieces goes from one end to the other.

use serde::Serialize;

/// Means over rows of pieces, by their distances to the first and to the last of their row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PathScores {
    /// Share of the rows in which the distance to the first never falls and that to the last never rises.
    pub monotone_share: f64,
    /// Spearman's correlation of the step with the distance to the first and with the nearness to the last, their mean.
    pub spearman: f64,
    /// Steps at which a distance went the wrong way, of both together.
    pub reversals: f64,
    /// The largest change of a distance from one step to the next over the whole way; 1 where all changes at once.
    pub largest_step: f64,
}

/// Differences that are rounding.
const ROUNDING: f64 = 1e-9;

impl PathScores {
    /// Of one row: the distances of every step, the ends included, to the first and to the last.
    pub fn of(to_first: &[f64], to_last: &[f64]) -> Self {
        let nearness: Vec<f64> = to_last.iter().map(|distance| -distance).collect();
        let mut scores = Self::default();
        let mut reversals = 0;
        for rising in [to_first, &nearness] {
            scores.spearman += spearman_with_order(rising) / 2.0;
            let whole = rising.last().unwrap_or(&0.0) - rising.first().unwrap_or(&0.0);
            for pair in rising.windows(2) {
                reversals += usize::from(pair[1] < pair[0] - ROUNDING);
                let share = (pair[1] - pair[0]).abs() / whole.max(ROUNDING);
                scores.largest_step = scores.largest_step.max(share);
            }
        }
        scores.reversals = reversals as f64;
        scores.monotone_share = f64::from(u8::from(reversals == 0));
        scores
    }

    /// All zero without rows.
    pub fn mean(rows: &[Self]) -> Self {
        let of = |value: fn(&Self) -> f64| {
            rows.iter().map(value).sum::<f64>() / rows.len().max(1) as f64
        };
        Self {
            monotone_share: of(|row| row.monotone_share),
            spearman: of(|row| row.spearman),
            reversals: of(|row| row.reversals),
            largest_step: of(|row| row.largest_step),
        }
    }
}

/// Spearman's correlation of values with their indices, ties sharing the mean of their ranks; 0 where all are equal.
fn spearman_with_order(values: &[f64]) -> f64 {
    let rank = |value: f64| {
        let below = values.iter().filter(|other| **other < value - ROUNDING);
        let level = values
            .iter()
            .filter(|other| (**other - value).abs() <= ROUNDING);
        below.count() as f64 + (level.count() as f64 - 1.0) / 2.0
    };
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let [mut both, mut orders, mut ranks] = [0.0; 3];
    for (index, value) in values.iter().enumerate() {
        let (order, rank) = (index as f64 - middle, rank(*value) - middle);
        both += order * rank;
        orders += order * order;
        ranks += rank * rank;
    }
    match ranks > 0.0 {
        true => both / f64::sqrt(orders * ranks),
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_way_is_perfect() {
        let scores = PathScores::of(&[0.0, 0.25, 0.5, 0.75, 1.0], &[1.0, 0.75, 0.5, 0.25, 0.0]);
        assert_eq!((scores.monotone_share, scores.reversals), (1.0, 0.0));
        assert!((scores.spearman - 1.0).abs() < 1e-12);
        assert!((scores.largest_step - 0.25).abs() < 1e-12);
    }

    #[test]
    fn a_leap_is_monotone_but_not_even() {
        let scores = PathScores::of(&[0.0, 0.0, 0.8, 0.8], &[0.8, 0.8, 0.0, 0.0]);
        assert_eq!((scores.monotone_share, scores.largest_step), (1.0, 1.0));
        // Ranks ½, ½, 2½, 2½ with 0, 1, 2, 3: Pearson's correlation 4 / √(5 · 4).
        assert!((scores.spearman - 4.0 / 20.0f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn ways_back_are_counted() {
        let scores = PathScores::of(&[0.0, 0.5, 0.4, 0.9], &[0.9, 0.4, 0.5, 0.0]);
        assert_eq!((scores.monotone_share, scores.reversals), (0.0, 2.0));
        assert!((scores.spearman - 0.8).abs() < 1e-12);
        let both = [scores, PathScores::of(&[0.0, 1.0], &[1.0, 0.0])];
        assert_eq!(PathScores::mean(&both).monotone_share, 0.5);
    }
}

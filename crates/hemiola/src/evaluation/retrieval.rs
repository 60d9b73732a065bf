//! How well vectors find what belongs to them.

use std::cmp::Ordering;

use serde::Serialize;

/// What became of a set of queries, each with one right answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RetrievalScores {
    /// The share of queries whose answer comes first.
    pub recall_at_1: f64,
    /// The share of queries whose answer is among the first ten.
    pub recall_at_10: f64,
    /// The mean of 1 / the answer's place.
    pub mean_reciprocal_rank: f64,
}

impl RetrievalScores {
    /// Of the places, from 1, that the answers came at; see [`ranks`].
    pub fn of(ranks: &[usize]) -> Self {
        let sum: f64 = ranks.iter().map(|&rank| 1.0 / rank as f64).sum();
        Self {
            recall_at_1: recall(ranks, 1),
            recall_at_10: recall(ranks, 10),
            mean_reciprocal_rank: sum / ranks.len().max(1) as f64,
        }
    }
}

/// For each of `queries` the place, from 1, of the answer with its number among all `answers` by cosine similarity. One that
/// shares a place with others has the last of theirs.
///
/// # Panics
/// When there are fewer answers than queries.
pub fn ranks(queries: &[Vec<f64>], answers: &[Vec<f64>]) -> Vec<usize> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let length = |a: &[f64]| dot(a, a).sqrt().max(f64::MIN_POSITIVE);
    let lengths: Vec<f64> = answers.iter().map(|answer| length(answer)).collect();
    // The length of the query is the same for all of its answers.
    let similarity = |query: &[f64], i: usize| dot(query, &answers[i]) / lengths[i];
    let rank = |(i, query): (usize, &Vec<f64>)| {
        let own = similarity(query, i);
        let others = (0..answers.len()).filter(|j| *j != i);
        // What is no number comes before.
        let is_before = |&j: &usize| similarity(query, j).partial_cmp(&own) != Some(Ordering::Less);
        1 + others.filter(is_before).count()
    };
    queries.iter().enumerate().map(rank).collect()
}

/// The share of ranks up to `k`.
pub fn recall(ranks: &[usize], k: usize) -> f64 {
    ranks.iter().filter(|rank| **rank <= k).count() as f64 / ranks.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_counts_queries_whose_own_answer_is_among_the_nearest_in_angle() {
        let answers = [vec![1.0, 0.0], vec![0.0, 9.0], vec![-1.0, -1.0]];
        // The second is nearer in angle to the first answer, however long the others are.
        let queries = [vec![5.0, 1.0], vec![3.0, 2.0], vec![-1.0, -2.0]];
        let found = ranks(&queries, &answers);
        assert_eq!(found, [1, 2, 1]);
        assert!((recall(&found, 1) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(recall(&found, 2), 1.0);
        // An model that says the same of everything finds nothing.
        let same = vec![vec![1.0, 2.0]; 3];
        assert_eq!(ranks(&same, &same), [3; 3]);
        assert_eq!(ranks(&[vec![f64::NAN; 2]], &answers[..1]), [1]);
        let nothing = [vec![f64::NAN; 2], vec![f64::NAN; 2]];
        assert_eq!(ranks(&nothing, &answers[..2]), [2; 2]);
    }

    #[test]
    fn scores_are_shares_and_a_mean() {
        let scores = RetrievalScores::of(&[1, 4, 20, 10]);
        assert_eq!((scores.recall_at_1, scores.recall_at_10), (0.25, 0.75));
        assert!((scores.mean_reciprocal_rank - 0.35).abs() < 1e-12);
        assert_eq!(RetrievalScores::of(&[]).mean_reciprocal_rank, 0.0);
    }
}

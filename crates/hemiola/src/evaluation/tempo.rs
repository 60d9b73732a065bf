//! Tempo estimation, as `mir_eval.tempo` (McKinney et al., "Evaluation of audio beat tracking and music tempo extraction
//! algorithms", Journal of New Music Research 36(1), 2007).

use serde::{Deserialize, Serialize};

use crate::music::Tempi;

/// How far a correct tempo may lie from the reference, as a share of it.
pub const TOLERANCE: f64 = 0.08;

/// `mir_eval.tempo.evaluate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    #[serde(rename = "P-score")]
    pub p_score: f64,
    #[serde(rename = "One-correct")]
    pub one_correct: bool,
    #[serde(rename = "Both-correct")]
    pub both_correct: bool,
}

/// Scores two tempi within [`TOLERANCE`]; a reference tempo of 0 is never found.
///
/// ```
/// use hemiola::evaluation::tempo;
/// use hemiola::music::Tempi;
///
/// let reference = Tempi { bpm: [60.0, 120.0], weight: 0.25 };
/// let scores = tempo::evaluate(&reference, [120.0, 180.0]);
/// assert_eq!((scores.p_score, scores.one_correct, scores.both_correct), (0.75, true, false));
/// ```
pub fn evaluate(reference: &Tempi, estimate_bpm: [f64; 2]) -> Scores {
    let found = reference.bpm.map(|tempo| {
        let near = |bpm: f64| (tempo - bpm).abs() / tempo <= TOLERANCE;
        tempo > 0.0 && estimate_bpm.into_iter().any(near)
    });
    let share = |found: bool, share: f64| if found { share } else { 0.0 };
    Scores {
        p_score: share(found[0], reference.weight) + share(found[1], 1.0 - reference.weight),
        one_correct: found[0] || found[1],
        both_correct: found[0] && found[1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tempi_are_found_within_the_tolerance() {
        let reference = Tempi {
            bpm: [50.0, 100.0],
            weight: 0.4,
        };
        let score = |estimate| evaluate(&reference, estimate);
        assert_eq!(score([100.0, 50.0]).p_score, 1.0);
        assert!(score([108.0, 54.0]).both_correct);
        assert_eq!(score([108.1, 45.9]), Scores::default());
        assert_eq!(score([0.0, 100.0]).p_score, 0.6);
        assert_eq!(score([f64::NAN, 0.0]), Scores::default());
        let one = Tempi {
            bpm: [0.0, 100.0],
            weight: 0.0,
        };
        let scores = evaluate(&one, [0.0, 100.0]);
        assert_eq!((scores.p_score, scores.both_correct), (1.0, false));
    }
}

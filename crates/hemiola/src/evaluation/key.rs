//! Key detection, as `mir_eval.key` (MIREX, Audio Key Detection).

use serde::{Deserialize, Serialize};

use crate::music::key::{KeyLabel, Mode};

/// `mir_eval.key.evaluate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    #[serde(rename = "Weighted Score")]
    pub weighted: f64,
}

/// Scores a key by how it is related to the reference: 1 for the same, 0.5 a fifth above it in the same mode, 0.3 for the
/// relative key, 0.2 for the parallel key, 0 otherwise.
///
/// Keys are compared by pitch class, so that C# major is Db major; `X` is like nothing but itself.
///
/// ```
/// use hemiola::evaluation::key;
///
/// let score = |reference: &str, estimate: &str| -> hemiola::Result<f64> {
///     Ok(key::evaluate(reference.parse()?, estimate.parse()?).weighted)
/// };
/// assert_eq!(score("C major", "G major")?, 0.5);
/// assert_eq!(score("C major", "A minor")?, 0.3);
/// assert_eq!(score("C major", "C minor")?, 0.2);
/// assert_eq!(score("C major", "F major")?, 0.0);
/// # Ok::<(), hemiola::Error>(())
/// ```
pub fn evaluate(reference: KeyLabel, estimate: KeyLabel) -> Scores {
    let weighted = match (reference, estimate) {
        (KeyLabel::Unknown, KeyLabel::Unknown) => 1.0,
        (KeyLabel::Key(reference), KeyLabel::Key(estimate)) => {
            let (from, to) = (reference.tonic.pitch_class(), estimate.tonic.pitch_class());
            let same_mode = reference.mode == estimate.mode;
            // A relative key's mode need only be another than the reference's.
            match ((to + 12 - from) % 12, same_mode, reference.mode) {
                (0, true, _) => 1.0,
                (7, true, _) => 0.5,
                (9, false, Mode::Major) | (3, false, Mode::Minor) => 0.3,
                (0, false, _) => 0.2,
                _ => 0.0,
            }
        }
        _ => 0.0,
    };
    Scores { weighted }
}

use serde::{Deserialize, Serialize};

/// A moment at which something begins to sound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Onset {
    /// Seconds.
    pub time_s: f64,
    /// How sure whoever found it is, 0–1.
    pub strength: f32,
}

/// How close notes of a chord begin, in seconds, that are heard as one onset (Böck, Krebs and Schedl, "Evaluating the
/// Online Capabilities of Onset Detection Methods", ISMIR 2012).
pub const SAME_ONSET_S: f64 = 0.03;

/// Times in order; the first and all that follow within `within_s` of it become one, their mean, and so on.
///
/// ```
/// use hemiola::music::{SAME_ONSET_S, joined_onsets};
///
/// let chord_and_note = [0.5, 0.52, 0.53, 0.54];
/// assert_eq!(joined_onsets(&chord_and_note, SAME_ONSET_S), [(0.5 + 0.52 + 0.53) / 3.0, 0.54]);
/// ```
pub fn joined_onsets(times_s: &[f64], within_s: f64) -> Vec<f64> {
    let mut sorted = times_s.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut joined = Vec::new();
    let mut rest = sorted.as_slice();
    while let Some(&first) = rest.first() {
        let (one, later) = rest.split_at(rest.partition_point(|&time| time <= first + within_s));
        joined.push(one.iter().sum::<f64>() / one.len() as f64);
        rest = later;
    }
    joined
}

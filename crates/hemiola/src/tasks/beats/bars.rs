//! Where bars begin among beats.

use super::BarConfig;

/// Strengths further from the mean than this, in standard deviations, say no more than it.
const FARTHEST: f64 = 2.0;
/// The share of beats at which chords change is taken for no less than this, and no more than 1 minus this.
const RAREST: f64 = 0.02;

/// What is known of the beats of a recording.
pub(super) struct Beats<'a> {
    /// How strong the onset at each is.
    pub strengths: &'a [f64],
    /// Whether the chord changes at each.
    pub changes: Option<&'a [bool]>,
}

impl Beats<'_> {
    /// The number of each beat in its bar, from 1; bars are as long as the likeliest of `config.beats_per_bar`.
    pub(super) fn numbers(&self, config: &BarConfig) -> Vec<u8> {
        let evidence = self.standard_scores();
        let lengths = config.beats_per_bar.iter();
        let decoded = lengths.map(|&length| {
            let (score, numbers) = self.decode(&evidence, length, config);
            let prior = if length == USUAL {
                0.0
            } else {
                config.unusual_cost
            };
            (score - prior, numbers)
        });
        let best = decoded.max_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, numbers)| numbers).unwrap_or_default()
    }

    /// Strengths with mean 0 and standard deviation 1.
    fn standard_scores(&self) -> Vec<f64> {
        let count = self.strengths.len().max(1) as f64;
        let mean = self.strengths.iter().sum::<f64>() / count;
        let squares: f64 = self.strengths.iter().map(|s| (s - mean).powi(2)).sum();
        let deviation = (squares / count).sqrt().max(1e-6);
        let scores = self.strengths.iter().map(|s| (s - mean) / deviation);
        scores
            .map(|score| score.clamp(-FARTHEST, FARTHEST))
            .collect()
    }

    /// The likeliest numbers in bars of one length, and how much likelier they make what is known, in nats.
    fn decode(&self, evidence: &[f64], length: u8, config: &BarConfig) -> (f64, Vec<u8>) {
        let n = usize::from(length.max(1));
        let share = self.share_of_changes();
        let said = |beat: usize, place: usize| {
            let expected = match place {
                0 => config.accent,
                _ => -config.accent / (n as f64 - 1.0),
            };
            let by_strength = expected * evidence[beat] - 0.5 * expected * expected;
            let by_change = self.changes.map_or(0.0, |changes| {
                let likely = change_probability(place, n);
                match changes[beat] {
                    true => (likely / share).ln(),
                    false => ((1.0 - likely) / (1.0 - share)).ln(),
                }
            });
            by_strength + by_change
        };
        let mut scores: Vec<f64> = (0..n)
            .map(|place| if place == 0 { 0.0 } else { -config.pickup_cost })
            .collect();
        let mut steps: Vec<Vec<usize>> = Vec::with_capacity(evidence.len());
        for beat in 0..evidence.len() {
            if beat > 0 {
                let best = (0..n)
                    .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
                    .unwrap_or(0);
                let step = |place: usize| {
                    let usual = (place + n - 1) % n;
                    match scores[usual] >= scores[best] - config.slip_cost {
                        true => (usual, scores[usual]),
                        false => (best, scores[best] - config.slip_cost),
                    }
                };
                let (from, moved): (Vec<usize>, Vec<f64>) = (0..n).map(step).unzip();
                scores = moved;
                steps.push(from);
            }
            for (place, score) in scores.iter_mut().enumerate() {
                *score += said(beat, place);
            }
        }
        let last = (0..n)
            .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
            .unwrap_or(0);
        let mut places = vec![last];
        for from in steps.iter().rev() {
            places.push(from[places[places.len() - 1]]);
        }
        places.reverse();
        let numbers = places
            .into_iter()
            .take(evidence.len())
            .map(|place| place as u8 + 1);
        (scores[last], numbers.collect())
    }

    fn share_of_changes(&self) -> f64 {
        let changes = self.changes.unwrap_or_default();
        let count = changes.iter().filter(|&&change| change).count() as f64;
        (count / changes.len().max(1) as f64).clamp(RAREST, 1.0 - RAREST)
    }
}

/// The length of bars that needs no other evidence.
const USUAL: u8 = 4;

/// How often chords change at a place in the bar, counted in popular songs.
fn change_probability(place: usize, length: usize) -> f64 {
    match place {
        0 => 0.8,
        _ if length > 2 && 2 * place == length => 0.4,
        _ => 0.08,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accented(length: usize, count: usize, first: usize) -> Vec<f64> {
        let place = |beat: usize| (beat + length - first) % length;
        (0..count)
            .map(|beat| {
                if place(beat) == 0 {
                    1.0
                } else {
                    0.7 + 0.05 * (beat % 2) as f64
                }
            })
            .collect()
    }

    #[test]
    fn accents_tell_length_and_phase() {
        for (length, first) in [(3, 0), (3, 2), (4, 0), (4, 3)] {
            let strengths = accented(length, 40, first);
            let beats = Beats {
                strengths: &strengths,
                changes: None,
            };
            let numbers = beats.numbers(&BarConfig::default());
            let firsts: Vec<usize> = (0..40).filter(|&beat| numbers[beat] == 1).collect();
            let expected: Vec<usize> = (first..40).step_by(length).collect();
            assert_eq!(firsts, expected, "{length} {first}");
        }
    }

    #[test]
    fn chords_outdo_accents() {
        let strengths = accented(4, 48, 0);
        let changes: Vec<bool> = (0..48).map(|beat| beat % 4 == 2).collect();
        let beats = Beats {
            strengths: &strengths,
            changes: Some(&changes),
        };
        let numbers = beats.numbers(&BarConfig::default());
        assert_eq!(numbers[..5], [3, 4, 1, 2, 3]);
    }

    #[test]
    fn a_bar_that_is_too_short_moves_those_after_it() {
        let strengths = vec![0.5; 41];
        let changes: Vec<bool> = (0..41)
            .map(|beat| {
                if beat < 20 {
                    beat % 4 == 0
                } else {
                    beat % 4 == 2
                }
            })
            .collect();
        let beats = Beats {
            strengths: &strengths,
            changes: Some(&changes),
        };
        let numbers = beats.numbers(&BarConfig::default());
        assert_eq!((numbers[16], numbers[22], numbers[38]), (1, 1, 1));
    }

    #[test]
    fn few_beats_have_numbers() {
        for count in 0..4 {
            let strengths = vec![0.5; count];
            let beats = Beats {
                strengths: &strengths,
                changes: None,
            };
            assert_eq!(beats.numbers(&BarConfig::default()).len(), count);
        }
    }
}

//! Beat tracking, as `mir_eval.beat` (Davies, Degara and Plumbley, "Evaluation Methods for Musical Audio Beat Tracking
//! Algorithms", Technical Report C4DM-TR-09-06, Queen Mary University of London, 2009).

use serde::{Deserialize, Serialize};

use super::onset::count_matched;
use super::{f_measure, share};

/// Beats before it are not scored: a listener needs a while to find the pulse.
pub const FIRST_S: f64 = 5.0;
/// How far a correct beat may lie from the reference, for the F-measure.
pub const WINDOW_S: f64 = 0.07;
/// The standard deviation of Cemgil's Gaussian.
const CEMGIL_SIGMA_S: f64 = 0.04;
/// Goto's bounds, in halves of a distance between beats: of a correct beat, and of mean and deviation of a stretch of them.
const GOTO_ERROR: f64 = 0.35;
const GOTO_MEAN: f64 = 0.2;
const GOTO_DEVIATION: f64 = 0.2;
/// The share of the beats that Goto's stretch is longer than.
const GOTO_SHARE: f64 = 0.25;
/// Impulses a second of the P-score, and its window as a share of the median distance between beats.
const P_SCORE_RATE: f64 = 100.0;
const P_SCORE_WINDOW: f64 = 0.2;
/// How far phase and period of a continuous beat may be off, as a share of the distance between beats.
const CONTINUITY: f64 = 0.175;
/// Bins of the histogram of errors, for the information gain.
const BINS: usize = 41;

/// `mir_eval.beat.evaluate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    #[serde(rename = "F-measure")]
    pub f_measure: f64,
    #[serde(rename = "Cemgil")]
    pub cemgil: f64,
    /// The best of all metrical levels.
    #[serde(rename = "Cemgil Best Metric Level")]
    pub cemgil_best: f64,
    /// 0 or 1.
    #[serde(rename = "Goto")]
    pub goto: f64,
    #[serde(rename = "P-score")]
    pub p_score: f64,
    #[serde(rename = "Correct Metric Level Continuous")]
    pub cml_continuous: f64,
    #[serde(rename = "Correct Metric Level Total")]
    pub cml_total: f64,
    #[serde(rename = "Any Metric Level Continuous")]
    pub aml_continuous: f64,
    #[serde(rename = "Any Metric Level Total")]
    pub aml_total: f64,
    #[serde(rename = "Information gain")]
    pub information_gain: f64,
}

/// Scores beats, in seconds and in any order; those before [`FIRST_S`] are left out.
///
/// ```
/// use hemiola::evaluation::beat;
///
/// let reference: Vec<f64> = (0..40).map(|k| 0.5 * f64::from(k)).collect();
/// let scores = beat::evaluate(&reference, &reference);
/// assert_eq!((scores.f_measure, scores.cml_total), (1.0, 1.0));
/// // Twice as fast, every second beat is one too many, but the pulse is one a listener may tap.
/// let double: Vec<f64> = (0..80).map(|k| 0.25 * f64::from(k)).collect();
/// let scores = beat::evaluate(&reference, &double);
/// assert!(scores.f_measure < 0.7 && scores.cml_total == 0.0 && scores.aml_total > 0.95);
/// ```
pub fn evaluate(reference_s: &[f64], estimate_s: &[f64]) -> Scores {
    let reference = scored(reference_s);
    let estimate = scored(estimate_s);
    if reference.is_empty() || estimate.is_empty() {
        return Scores::default();
    }
    let hits = count_matched(&reference, &estimate, WINDOW_S);
    let variations = variations(&reference);
    let cemgil = variations.each_ref().map(|beats| cemgil(beats, &estimate));
    let mut scores = Scores {
        f_measure: f_measure(share(hits, estimate.len()), share(hits, reference.len())),
        cemgil: cemgil[0],
        cemgil_best: cemgil.into_iter().fold(0.0, f64::max),
        goto: goto(&reference, &estimate),
        ..Scores::default()
    };
    if reference.len() > 1 && estimate.len() > 1 {
        let continuity = variations
            .each_ref()
            .map(|beats| continuity(beats, &estimate));
        scores.p_score = p_score(&reference, &estimate);
        (scores.cml_continuous, scores.cml_total) = continuity[0];
        scores.aml_continuous = continuity.iter().map(|c| c.0).fold(0.0, f64::max);
        scores.aml_total = continuity.iter().map(|c| c.1).fold(0.0, f64::max);
        scores.information_gain = information_gain(&reference, &estimate);
    }
    scores
}

fn scored(times_s: &[f64]) -> Vec<f64> {
    let scored = times_s.iter().copied();
    let mut scored: Vec<f64> = scored
        .filter(|time| *time >= FIRST_S && time.is_finite())
        .collect();
    scored.sort_by(f64::total_cmp);
    scored
}

/// The reference itself, off the beat, twice as fast, and half as fast from its first and from its second beat.
fn variations(reference: &[f64]) -> [Vec<f64>; 5] {
    let between = reference
        .windows(2)
        .map(|pair| pair[0] + 0.5 * (pair[1] - pair[0]));
    let off_beat: Vec<f64> = between.collect();
    let mut double = Vec::with_capacity(2 * reference.len());
    for (index, &beat) in reference.iter().enumerate() {
        double.push(beat);
        double.extend(off_beat.get(index));
    }
    let every_other = |from: usize| reference.iter().copied().skip(from).step_by(2).collect();
    [
        reference.to_vec(),
        off_beat,
        double,
        every_other(0),
        every_other(1),
    ]
}

/// The nearest of beats in order, the first of equals; none of none.
fn nearest(beats: &[f64], time: f64) -> Option<usize> {
    let after = beats.partition_point(|&beat| beat < time);
    let closest = match (after.checked_sub(1), beats.get(after)) {
        (Some(before), Some(&next)) if time - beats[before] <= next - time => before,
        (Some(before), None) => before,
        (_, Some(_)) => after,
        (None, None) => return None,
    };
    Some(beats.partition_point(|&beat| beat < beats[closest]))
}

fn cemgil(reference: &[f64], estimate: &[f64]) -> f64 {
    let closeness = |&beat: &f64| {
        let error = beat - estimate[nearest(estimate, beat)?];
        Some((-error.powi(2) / (2.0 * CEMGIL_SIGMA_S.powi(2))).exp())
    };
    let sum: f64 = reference.iter().filter_map(closeness).sum();
    sum / (0.5 * (reference.len() + estimate.len()) as f64)
}

/// Goto and Muraoka, "Issues in evaluating beat tracking systems" (IJCAI workshop on AI and music, 1997).
fn goto(reference: &[f64], estimate: &[f64]) -> f64 {
    // Of each beat, in halves of the distance to its neighbour; 1 where there is not one estimate just there.
    let mut errors = vec![1.0; reference.len()];
    for (index, around) in reference.windows(3).enumerate() {
        let before = 0.5 * (around[1] - around[0]);
        let after = 0.5 * (around[2] - around[1]);
        let from = estimate.partition_point(|&beat| beat < around[1] - before);
        let to = estimate.partition_point(|&beat| beat < around[1] + after);
        if let Some([one]) = estimate.get(from..to) {
            let offset = one - around[1];
            errors[index + 1] = offset / if offset < 0.0 { before } else { after };
        }
    }
    let wrong: Vec<usize> = (0..errors.len())
        .filter(|&index| errors[index].abs() > GOTO_ERROR)
        .collect();
    let stretch = if wrong.len() < 3 {
        match (wrong.first(), wrong.last()) {
            (Some(first), Some(last)) => errors.get(first + 1..last.saturating_sub(1)),
            _ => None,
        }
    } else {
        let mut longest = (0, 0);
        for pair in wrong.windows(2) {
            if pair[1] - pair[0] > longest.1 - longest.0 {
                longest = (pair[0], pair[1]);
            }
        }
        let long = (longest.1 - longest.0) as f64 - 1.0;
        let enough = long > GOTO_SHARE * (reference.len() as f64 - 2.0);
        errors.get(longest.0..=longest.1).filter(|_| enough)
    };
    let Some(stretch) = stretch.filter(|errors| errors.len() > 1) else {
        return 0.0;
    };
    let count = stretch.len() as f64;
    let mean = stretch.iter().sum::<f64>() / count;
    let mean_error = stretch.iter().map(|error| error.abs()).sum::<f64>() / count;
    let squares: f64 = stretch.iter().map(|error| (error - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0)).sqrt();
    f64::from(u8::from(
        mean_error < GOTO_MEAN && deviation < GOTO_DEVIATION,
    ))
}

/// McKinney et al., "Evaluation of audio beat tracking and music tempo extraction algorithms" (Journal of New Music
/// Research 36(1), 2007).
fn p_score(reference: &[f64], estimate: &[f64]) -> f64 {
    let start = reference[0].min(estimate[0]);
    let impulses = |beats: &[f64]| {
        let at = beats
            .iter()
            .map(|beat| ((beat - start) * P_SCORE_RATE).ceil() as i64);
        let mut at: Vec<i64> = at.collect();
        at.dedup();
        at
    };
    let (r, e) = (impulses(reference), impulses(estimate));
    let mut distances: Vec<i64> = r.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances.sort_unstable();
    let middle = distances.len() / 2;
    let median = match (distances.len() % 2, distances.get(middle)) {
        (_, None) => return 0.0,
        (1, Some(&middle)) => middle as f64,
        (_, Some(&upper)) => 0.5 * (distances[middle - 1] + upper) as f64,
    };
    let window = (P_SCORE_WINDOW * median).round_ties_even() as i64;
    let near = |&at: &i64| {
        e.partition_point(|&other| other <= at + window)
            - e.partition_point(|&other| other < at - window)
    };
    let pairs: usize = r.iter().map(near).sum();
    share(pairs, reference.len().max(estimate.len()))
}

/// The longest run of correct beats and the share of all correct ones (Hainsworth, "Techniques for the automated analysis
/// of musical audio", PhD thesis, Cambridge, 2003).
fn continuity(reference: &[f64], estimate: &[f64]) -> (f64, f64) {
    let n_beats = reference.len().max(estimate.len());
    let mut used = vec![false; reference.len()];
    let (mut total, mut run, mut longest) = (0, 0, 0);
    for (m, &beat) in estimate.iter().enumerate() {
        let correct = nearest(reference, beat)
            .filter(|&at| !used[at] && is_correct(reference, at, estimate, m));
        match correct {
            Some(at) => {
                used[at] = true;
                total += 1;
                run += 1;
                longest = longest.max(run);
            }
            None => run = 0,
        }
    }
    (share(longest, n_beats), share(total, n_beats))
}

/// Whether estimate `m` continues the pulse of the reference at beat `at`: of the first beats, towards the next one.
fn is_correct(reference: &[f64], at: usize, estimate: &[f64], m: usize) -> bool {
    let back = |beats: &[f64], at: usize| at.checked_sub(1).map_or(0.0, |b| beats[at] - beats[b]);
    let on = |beats: &[f64], at: usize| match beats.get(at + 1) {
        Some(next) => next - beats[at],
        None => back(beats, at),
    };
    let (between_reference, between_estimate) = match m == 0 || at == 0 {
        true => (on(reference, at), on(estimate, m)),
        false => (back(reference, at), back(estimate, m)),
    };
    // A distance of nothing has neither phase nor period: the quotients are no numbers, or infinite.
    let phase = ((estimate[m] - reference[at]) / between_reference).abs();
    let period = (1.0 - between_estimate / between_reference).abs();
    phase < CONTINUITY && period < CONTINUITY
}

/// How far the errors of beats are from being spread evenly, 0–1.
fn information_gain(reference: &[f64], estimate: &[f64]) -> f64 {
    let evenly = (BINS as f64).log2();
    let worse = entropy(reference, estimate).max(entropy(estimate, reference));
    (evenly - worse) / evenly
}

/// In bits, of the histogram of the errors against the nearest reference, in distances between beats.
fn entropy(reference: &[f64], estimate: &[f64]) -> f64 {
    let last = reference.len() - 1;
    let mut histogram = [0_usize; BINS];
    for &beat in estimate {
        let Some(at) = nearest(reference, beat) else {
            continue;
        };
        let error = beat - reference[at];
        // mir_eval measures a beat before the first reference against the whole length, backwards.
        let between = match at {
            _ if at == last => reference[last] - reference[last - 1],
            0 if error < 0.0 => reference[0] - reference[last],
            _ if error < 0.0 => reference[at] - reference[at - 1],
            _ => reference[at + 1] - reference[at],
        };
        let rest = (error / between + 0.5) % 1.0;
        let wrapped = if rest > 0.0 { rest - 0.5 } else { rest + 0.5 };
        if wrapped.is_finite() {
            let edge = |bin: usize| bin as f64 * (1.0 / BINS as f64) - 0.5;
            let bin = (1..BINS).take_while(|&bin| edge(bin) <= wrapped).count();
            histogram[bin] += 1;
        }
    }
    let count: usize = histogram.iter().sum();
    let shares = histogram
        .iter()
        .filter(|&&n| n > 0)
        .map(|&n| share(n, count));
    -shares.map(|p| p * p.log2()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(from_s: f64, every_s: f64, count: u32) -> Vec<f64> {
        (0..count)
            .map(|k| from_s + every_s * f64::from(k))
            .collect()
    }

    #[test]
    fn beats_in_the_right_place_score_one() {
        let beats = pulse(5.0, 0.5, 41);
        let scores = evaluate(&beats, &beats);
        let all = serde_json::to_value(scores).unwrap();
        let all = all.as_object().unwrap();
        assert_eq!(all.len(), 10);
        for (name, value) in all {
            assert!(
                (value.as_f64().unwrap() - 1.0).abs() < 1e-12,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn a_shift_costs_what_the_gaussian_says() {
        let reference = pulse(5.0, 0.5, 40);
        let estimate = pulse(5.04, 0.5, 40);
        let scores = evaluate(&reference, &estimate);
        assert!((scores.cemgil - (-0.5_f64).exp()).abs() < 1e-9);
        assert_eq!(scores.f_measure, 1.0);
        // 0.08 s are beyond the window of 0.07 s, but within 0.175 · 0.5 s.
        let scores = evaluate(&reference, &pulse(5.08, 0.5, 40));
        assert_eq!((scores.f_measure, scores.cml_total), (0.0, 1.0));
    }

    #[test]
    fn off_the_beat_is_right_at_another_level() {
        let reference = pulse(5.0, 0.5, 40);
        let scores = evaluate(&reference, &pulse(5.25, 0.5, 39));
        assert_eq!((scores.cml_total, scores.aml_total), (0.0, 1.0));
        assert_eq!((scores.cemgil_best, scores.goto), (1.0, 0.0));
    }

    #[test]
    fn what_comes_early_is_not_scored() {
        let reference = pulse(0.0, 0.5, 40);
        let mut estimate = pulse(5.0, 0.5, 30);
        estimate.extend([0.1, 0.7, 4.9]);
        assert_eq!(evaluate(&reference, &estimate).f_measure, 1.0);
    }

    #[test]
    fn a_break_halves_the_longest_run() {
        let reference = pulse(5.0, 0.5, 41);
        let mut estimate = reference.clone();
        estimate[20] += 0.2;
        let scores = evaluate(&reference, &estimate);
        // The beat after the late one comes too soon after it.
        assert_eq!(scores.cml_continuous, 20.0 / 41.0);
        assert_eq!(scores.cml_total, 39.0 / 41.0);
    }

    #[test]
    fn few_and_odd_beats_are_scored_without_a_panic() {
        let lists: [&[f64]; 6] = [
            &[],
            &[6.0],
            &[6.0, 6.0],
            &[6.0, 6.5],
            &[f64::NAN, f64::INFINITY, 7.0, 6.0, 6.0],
            &[6.0, 6.0, 6.0, 7.0],
        ];
        for reference in lists {
            for estimate in lists {
                let scores = evaluate(reference, estimate);
                assert!(
                    (0.0..=1.0).contains(&scores.f_measure),
                    "{reference:?} {estimate:?}"
                );
            }
        }
        assert_eq!(evaluate(&[], &[6.0]), Scores::default());
        assert_eq!(evaluate(&[6.0], &[]), Scores::default());
    }
}

//! Note transcription where loudness counts, as `mir_eval.transcription_velocity` (Hawthorne et al., "Onsets and Frames", ISMIR 2018, section 3.3).

use serde::{Deserialize, Serialize};

use super::transcription::{
    NoteScores, Offsets, PitchedInterval, Tolerances, intervals, match_notes, note_scores,
};
use crate::music::Note;

/// How far a correct note's velocity may lie from the reference, as a share of the range of the reference's velocities.
pub const VELOCITY_TOLERANCE: f64 = 0.1;

/// `mir_eval.transcription_velocity.evaluate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    #[serde(rename = "Precision")]
    pub precision: f64,
    #[serde(rename = "Recall")]
    pub recall: f64,
    #[serde(rename = "F-measure")]
    pub f_measure: f64,
    #[serde(rename = "Average_Overlap_Ratio")]
    pub average_overlap_ratio: f64,
    #[serde(rename = "Precision_no_offset")]
    pub precision_no_offset: f64,
    #[serde(rename = "Recall_no_offset")]
    pub recall_no_offset: f64,
    #[serde(rename = "F-measure_no_offset")]
    pub f_measure_no_offset: f64,
    #[serde(rename = "Average_Overlap_Ratio_no_offset")]
    pub average_overlap_ratio_no_offset: f64,
}

/// A note by its frequency, with its velocity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StruckInterval {
    pub interval: PitchedInterval,
    pub velocity: f64,
}

/// Scores `estimate` with the default tolerances of [`super::transcription`] and [`VELOCITY_TOLERANCE`].
pub fn evaluate(reference: &[Note], estimate: &[Note]) -> Scores {
    let velocities = |notes: &[Note]| notes.iter().map(|n| n.velocity.into()).collect::<Vec<_>>();
    scores(
        (&intervals(reference), &velocities(reference)),
        (&intervals(estimate), &velocities(estimate)),
        &Tolerances::default(),
    )
}

/// The same for notes of any frequency and velocity, and with tolerances of one's own.
pub fn evaluate_intervals(
    reference: &[StruckInterval],
    estimate: &[StruckInterval],
    tolerances: &Tolerances,
) -> Scores {
    let apart = |notes: &[StruckInterval]| -> (Vec<_>, Vec<_>) {
        notes.iter().map(|n| (n.interval, n.velocity)).unzip()
    };
    let (reference, estimate) = (apart(reference), apart(estimate));
    scores(
        (&reference.0, &reference.1),
        (&estimate.0, &estimate.1),
        tolerances,
    )
}

fn scores(
    reference: (&[PitchedInterval], &[f64]),
    estimate: (&[PitchedInterval], &[f64]),
    tolerances: &Tolerances,
) -> Scores {
    let scores = |offsets| -> NoteScores {
        let mut matching = match_notes(reference.0, estimate.0, tolerances, offsets);
        keep_alike(&mut matching, reference.1, estimate.1);
        note_scores(reference.0, estimate.0, &matching)
    };
    let with = scores(Offsets::Matter);
    let without = scores(Offsets::Ignored);
    Scores {
        precision: with.precision,
        recall: with.recall,
        f_measure: with.f_measure,
        average_overlap_ratio: with.average_overlap_ratio,
        precision_no_offset: without.precision,
        recall_no_offset: without.recall,
        f_measure_no_offset: without.f_measure,
        average_overlap_ratio_no_offset: without.average_overlap_ratio,
    }
}

/// Keeps the pairs whose velocities agree once the line that fits best has brought the estimate's to the scale of the reference's.
fn keep_alike(matching: &mut Vec<(usize, usize)>, reference: &[f64], estimate: &[f64]) {
    let lowest = reference.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = reference.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = (highest - lowest).max(1.0);
    let normalised = |r: usize| (reference[r] - lowest) / range;

    let count = matching.len().max(1) as f64;
    let mean_x = matching.iter().map(|&(_, e)| estimate[e]).sum::<f64>() / count;
    let mean_y = matching.iter().map(|&(r, _)| normalised(r)).sum::<f64>() / count;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for &(r, e) in matching.iter() {
        covariance += (estimate[e] - mean_x) * (normalised(r) - mean_y);
        variance += (estimate[e] - mean_x).powi(2);
    }
    // Where all estimates are equal, the line that fits best goes through the mean, whatever its slope.
    let slope = if variance > 0.0 {
        covariance / variance
    } else {
        0.0
    };
    matching.retain(|&(r, e)| {
        let fitted = mean_y + slope * (estimate[e] - mean_x);
        (fitted - normalised(r)).abs() < VELOCITY_TOLERANCE
    });
}

//! Note transcription, as `mir_eval.transcription` (Bay, Ehmann and Downie, "Evaluation of multiple-F0 estimation and tracking systems", ISMIR 2009).

use serde::{Deserialize, Serialize};

use super::matching::Graph;
use super::{f_measure, share};
use crate::music::Note;

/// Distances in time are rounded to this fraction of a second, so that exactly 50 ms is within 50 ms.
const ROUNDED_TO_PER_SECOND: f64 = 1e4;

/// How far a correct note may lie from the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerances {
    pub onset_s: f64,
    pub pitch_cents: f64,
    /// Of offsets, as a share of the reference note's length.
    pub offset_ratio: f64,
    /// Of offsets, at least.
    pub offset_min_s: f64,
    /// Whether a distance equal to its tolerance is too far.
    pub strict: bool,
}

impl Default for Tolerances {
    fn default() -> Self {
        Self {
            onset_s: 0.05,
            pitch_cents: 50.0,
            offset_ratio: 0.2,
            offset_min_s: 0.05,
            strict: false,
        }
    }
}

impl Tolerances {
    fn within(&self, distance: f64, tolerance: f64) -> bool {
        distance < tolerance || (!self.strict && distance == tolerance)
    }

    fn onset_fits(&self, reference: &PitchedInterval, estimate: &PitchedInterval) -> bool {
        let distance = rounded(reference.onset_s - estimate.onset_s);
        self.within(distance, self.onset_s)
    }

    fn pitch_fits(&self, reference: &PitchedInterval, estimate: &PitchedInterval) -> bool {
        let octaves = reference.frequency_hz.log2() - estimate.frequency_hz.log2();
        self.within((1200.0 * octaves).abs(), self.pitch_cents)
    }

    fn offset_s(&self, reference: &PitchedInterval) -> f64 {
        let duration_s = (reference.offset_s - reference.onset_s).abs();
        (self.offset_ratio * duration_s).max(self.offset_min_s)
    }

    fn offset_fits(&self, reference: &PitchedInterval, estimate: &PitchedInterval) -> bool {
        let distance = rounded(reference.offset_s - estimate.offset_s);
        self.within(distance, self.offset_s(reference))
    }
}

/// A note by its frequency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PitchedInterval {
    pub onset_s: f64,
    pub offset_s: f64,
    pub frequency_hz: f64,
}

impl From<&Note> for PitchedInterval {
    fn from(note: &Note) -> Self {
        Self {
            onset_s: note.onset_s,
            offset_s: note.offset_s,
            frequency_hz: note.frequency_hz(),
        }
    }
}

/// What counts as a correct note, beside its pitch and onset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offsets {
    Matter,
    Ignored,
}

/// `mir_eval.transcription.evaluate`.
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
    #[serde(rename = "Onset_Precision")]
    pub onset_precision: f64,
    #[serde(rename = "Onset_Recall")]
    pub onset_recall: f64,
    #[serde(rename = "Onset_F-measure")]
    pub onset_f_measure: f64,
    #[serde(rename = "Offset_Precision")]
    pub offset_precision: f64,
    #[serde(rename = "Offset_Recall")]
    pub offset_recall: f64,
    #[serde(rename = "Offset_F-measure")]
    pub offset_f_measure: f64,
}

/// Precision, recall, F-measure and average overlap ratio of matched notes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NoteScores {
    pub precision: f64,
    pub recall: f64,
    pub f_measure: f64,
    pub average_overlap_ratio: f64,
}

/// Scores `estimate` with the default tolerances: onsets within 50 ms, offsets within 50 ms or a fifth of the note.
///
/// ```
/// use hemiola::evaluation::transcription;
/// use hemiola::music::Note;
///
/// let note = |onset_s, offset_s, pitch| Note { onset_s, offset_s, pitch, velocity: 64 };
/// let reference = [note(0.0, 1.0, 60), note(1.0, 2.0, 64)];
/// let estimate = [note(0.03, 1.5, 60), note(1.0, 2.1, 64), note(1.0, 2.0, 76)];
/// let scores = transcription::evaluate(&reference, &estimate);
/// assert_eq!(scores.recall_no_offset, 1.0);
/// assert_eq!(scores.recall, 0.5);
/// assert!((scores.precision_no_offset - 2.0 / 3.0).abs() < 1e-12);
/// ```
pub fn evaluate(reference: &[Note], estimate: &[Note]) -> Scores {
    evaluate_intervals(
        &intervals(reference),
        &intervals(estimate),
        &Tolerances::default(),
    )
}

/// The same for notes of any frequency, and with tolerances of one's own.
pub fn evaluate_intervals(
    reference: &[PitchedInterval],
    estimate: &[PitchedInterval],
    tolerances: &Tolerances,
) -> Scores {
    let scores = |offsets| {
        let matching = match_notes(reference, estimate, tolerances, offsets);
        note_scores(reference, estimate, &matching)
    };
    let with = scores(Offsets::Matter);
    let without = scores(Offsets::Ignored);
    let onsets = note_scores(
        reference,
        estimate,
        &match_onsets(reference, estimate, tolerances),
    );
    let offsets = note_scores(
        reference,
        estimate,
        &match_offsets(reference, estimate, tolerances),
    );
    Scores {
        precision: with.precision,
        recall: with.recall,
        f_measure: with.f_measure,
        average_overlap_ratio: with.average_overlap_ratio,
        precision_no_offset: without.precision,
        recall_no_offset: without.recall,
        f_measure_no_offset: without.f_measure,
        average_overlap_ratio_no_offset: without.average_overlap_ratio,
        onset_precision: onsets.precision,
        onset_recall: onsets.recall,
        onset_f_measure: onsets.f_measure,
        offset_precision: offsets.precision,
        offset_recall: offsets.recall,
        offset_f_measure: offsets.f_measure,
    }
}

/// Pairs (reference, estimate), by index, of notes that agree in pitch, onset and, where they matter, offset; as many as possible.
pub fn match_notes(
    reference: &[PitchedInterval],
    estimate: &[PitchedInterval],
    tolerances: &Tolerances,
    offsets: Offsets,
) -> Vec<(usize, usize)> {
    let near = Near::new(estimate, |note| note.onset_s);
    matched(reference, estimate.len(), |r, out| {
        let candidates = near.within(r.onset_s, tolerances.onset_s);
        out.extend(candidates.filter(|&index| {
            let e = &estimate[index as usize];
            tolerances.onset_fits(r, e)
                && tolerances.pitch_fits(r, e)
                && (offsets == Offsets::Ignored || tolerances.offset_fits(r, e))
        }));
    })
}

/// The same for onsets alone, whatever their pitch.
pub fn match_onsets(
    reference: &[PitchedInterval],
    estimate: &[PitchedInterval],
    tolerances: &Tolerances,
) -> Vec<(usize, usize)> {
    let near = Near::new(estimate, |note| note.onset_s);
    matched(reference, estimate.len(), |r, out| {
        let candidates = near.within(r.onset_s, tolerances.onset_s);
        out.extend(candidates.filter(|&e| tolerances.onset_fits(r, &estimate[e as usize])));
    })
}

/// The same for offsets alone.
pub fn match_offsets(
    reference: &[PitchedInterval],
    estimate: &[PitchedInterval],
    tolerances: &Tolerances,
) -> Vec<(usize, usize)> {
    let near = Near::new(estimate, |note| note.offset_s);
    matched(reference, estimate.len(), |r, out| {
        let candidates = near.within(r.offset_s, tolerances.offset_s(r));
        out.extend(candidates.filter(|&e| tolerances.offset_fits(r, &estimate[e as usize])));
    })
}

fn matched(
    reference: &[PitchedInterval],
    estimate_count: usize,
    mut candidates: impl FnMut(&PitchedInterval, &mut Vec<u32>),
) -> Vec<(usize, usize)> {
    Graph::new(reference.len(), estimate_count, |r, out| {
        candidates(&reference[r], out);
    })
    .maximum_matching()
}

/// Notes by one of their times.
struct Near {
    by_time: Vec<(f64, u32)>,
}

impl Near {
    fn new(notes: &[PitchedInterval], time_s: impl Fn(&PitchedInterval) -> f64) -> Self {
        let times = notes.iter().zip(0..);
        let mut by_time: Vec<(f64, u32)> = times.map(|(n, index)| (time_s(n), index)).collect();
        by_time.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { by_time }
    }

    /// The indices of all notes that may, once rounded, lie within `tolerance_s` of a time.
    fn within(&self, time_s: f64, tolerance_s: f64) -> impl Iterator<Item = u32> {
        let reach = tolerance_s + 1.0 / ROUNDED_TO_PER_SECOND;
        let from = self.by_time.partition_point(|&(t, _)| t < time_s - reach);
        let notes = self.by_time[from..].iter();
        notes
            .take_while(move |&&(t, _)| t <= time_s + reach)
            .map(|&(_, index)| index)
    }
}

fn rounded(difference_s: f64) -> f64 {
    (difference_s.abs() * ROUNDED_TO_PER_SECOND).round_ties_even() / ROUNDED_TO_PER_SECOND
}

pub(super) fn intervals(notes: &[Note]) -> Vec<PitchedInterval> {
    notes.iter().map(PitchedInterval::from).collect()
}

pub(super) fn note_scores(
    reference: &[PitchedInterval],
    estimate: &[PitchedInterval],
    matching: &[(usize, usize)],
) -> NoteScores {
    let precision = share(matching.len(), estimate.len());
    let recall = share(matching.len(), reference.len());
    let overlaps = matching
        .iter()
        .map(|&(r, e)| overlap_ratio(&reference[r], &estimate[e]));
    NoteScores {
        precision,
        recall,
        f_measure: f_measure(precision, recall),
        average_overlap_ratio: overlaps.sum::<f64>() / matching.len().max(1) as f64,
    }
}

/// What two notes share of the time they span together.
fn overlap_ratio(a: &PitchedInterval, b: &PitchedInterval) -> f64 {
    let shared = a.offset_s.min(b.offset_s) - a.onset_s.max(b.onset_s);
    let spanned = a.offset_s.max(b.offset_s) - a.onset_s.min(b.onset_s);
    if spanned > 0.0 { shared / spanned } else { 0.0 }
}

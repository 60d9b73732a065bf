//! Pitches frame by frame, as `mir_eval.multipitch` (Poliner and Ellis, "A discriminative model for polyphonic piano transcription", EURASIP Journal on Advances in Signal Processing, 2007).

use serde::{Deserialize, Serialize};

use super::matching::Graph;
use super::onset::count_matched;
use super::share;

/// How far a correct pitch may lie from the reference.
const WINDOW_SEMITONES: f64 = 0.5;
const SEMITONES_PER_OCTAVE: f64 = 12.0;

/// Which pitches sound at a time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frame {
    pub time_s: f64,
    /// Each above 0.
    pub frequencies_hz: Vec<f64>,
}

/// `mir_eval.multipitch.evaluate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    #[serde(rename = "Precision")]
    pub precision: f64,
    #[serde(rename = "Recall")]
    pub recall: f64,
    #[serde(rename = "Accuracy")]
    pub accuracy: f64,
    #[serde(rename = "Substitution Error")]
    pub substitution_error: f64,
    #[serde(rename = "Miss Error")]
    pub miss_error: f64,
    #[serde(rename = "False Alarm Error")]
    pub false_alarm_error: f64,
    #[serde(rename = "Total Error")]
    pub total_error: f64,
    #[serde(rename = "Chroma Precision")]
    pub chroma_precision: f64,
    #[serde(rename = "Chroma Recall")]
    pub chroma_recall: f64,
    #[serde(rename = "Chroma Accuracy")]
    pub chroma_accuracy: f64,
    #[serde(rename = "Chroma Substitution Error")]
    pub chroma_substitution_error: f64,
    #[serde(rename = "Chroma Miss Error")]
    pub chroma_miss_error: f64,
    #[serde(rename = "Chroma False Alarm Error")]
    pub chroma_false_alarm_error: f64,
    #[serde(rename = "Chroma Total Error")]
    pub chroma_total_error: f64,
}

/// Scores frames in order of time; where the times differ, the estimate's nearest frame counts for each of the reference's.
pub fn evaluate(reference: &[Frame], estimate: &[Frame]) -> Scores {
    let pitches = |frame: &Frame| -> Vec<f64> {
        let midi = |&hz: &f64| 69.0 + SEMITONES_PER_OCTAVE * (hz / 440.0).log2();
        frame.frequencies_hz.iter().map(midi).collect()
    };
    let aligned = Alignment::new(reference, estimate);
    let (mut exact, mut chroma) = (Counts::default(), Counts::default());
    for (index, frame) in reference.iter().enumerate() {
        let r = pitches(frame);
        let e = aligned
            .estimate_for(index)
            .map(|at| pitches(&estimate[at]))
            .unwrap_or_default();
        exact.add(count_matched(&r, &e, WINDOW_SEMITONES), r.len(), e.len());
        chroma.add(count_matched_chroma(&r, &e), r.len(), e.len());
    }
    Scores {
        precision: share(exact.hits, exact.estimate),
        recall: share(exact.hits, exact.reference),
        accuracy: exact.accuracy(),
        substitution_error: share(exact.substituted, exact.reference),
        miss_error: share(exact.missed, exact.reference),
        false_alarm_error: share(exact.false_alarms, exact.reference),
        total_error: share(exact.errors(), exact.reference),
        chroma_precision: share(chroma.hits, chroma.estimate),
        chroma_recall: share(chroma.hits, chroma.reference),
        chroma_accuracy: chroma.accuracy(),
        chroma_substitution_error: share(chroma.substituted, chroma.reference),
        chroma_miss_error: share(chroma.missed, chroma.reference),
        chroma_false_alarm_error: share(chroma.false_alarms, chroma.reference),
        chroma_total_error: share(chroma.errors(), chroma.reference),
    }
}

/// Sums over frames.
#[derive(Default)]
struct Counts {
    hits: usize,
    reference: usize,
    estimate: usize,
    substituted: usize,
    missed: usize,
    false_alarms: usize,
}

impl Counts {
    fn add(&mut self, hits: usize, reference: usize, estimate: usize) {
        self.hits += hits;
        self.reference += reference;
        self.estimate += estimate;
        self.substituted += reference.min(estimate) - hits;
        self.missed += reference.saturating_sub(estimate);
        self.false_alarms += estimate.saturating_sub(reference);
    }

    fn accuracy(&self) -> f64 {
        share(self.hits, self.reference + self.estimate - self.hits)
    }

    fn errors(&self) -> usize {
        self.substituted + self.missed + self.false_alarms
    }
}

/// Which frame of the estimate stands for a frame of the reference.
enum Alignment {
    ByIndex,
    Nearest(Vec<Option<usize>>),
}

impl Alignment {
    fn new(reference: &[Frame], estimate: &[Frame]) -> Self {
        // As NumPy's `allclose`.
        let close =
            |(r, e): (&Frame, &Frame)| (e.time_s - r.time_s).abs() <= 1e-8 + 1e-5 * r.time_s.abs();
        if reference.len() == estimate.len() && reference.iter().zip(estimate).all(close) {
            return Self::ByIndex;
        }
        let (Some(first), Some(last)) = (estimate.first(), estimate.last()) else {
            return Self::Nearest(vec![None; reference.len()]);
        };
        let halfways: Vec<f64> = estimate
            .windows(2)
            .map(|pair| pair[0].time_s / 2.0 + pair[1].time_s / 2.0)
            .collect();
        let nearest = |frame: &Frame| {
            let inside = frame.time_s >= first.time_s && frame.time_s <= last.time_s;
            inside.then(|| halfways.partition_point(|&halfway| halfway < frame.time_s))
        };
        Self::Nearest(reference.iter().map(nearest).collect())
    }

    fn estimate_for(&self, reference: usize) -> Option<usize> {
        match self {
            Self::ByIndex => Some(reference),
            Self::Nearest(frames) => frames.get(reference).copied().flatten(),
        }
    }
}

/// The most pairs of pitches that agree, whatever their octave.
fn count_matched_chroma(reference: &[f64], estimate: &[f64]) -> usize {
    let chroma = |pitch: f64| pitch.rem_euclid(SEMITONES_PER_OCTAVE);
    Graph::new(reference.len(), estimate.len(), |r, out| {
        let near = (0..).zip(estimate).filter(|&(_, &e)| {
            let distance = (chroma(reference[r]) - chroma(e)).abs();
            distance.min(SEMITONES_PER_OCTAVE - distance) <= WINDOW_SEMITONES
        });
        out.extend(near.map(|(index, _)| index));
    })
    .maximum_matching()
    .len()
}

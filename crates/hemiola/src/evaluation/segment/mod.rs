//! Structural segmentation, as `mir_eval.segment`: where sections begin, and which of them are alike.

mod boundaries;
mod clustering;

use serde::{Deserialize, Serialize};

use super::f_measure;
use super::intervals::{lasting, spanning};
use crate::music::Segment;
use boundaries::{boundaries, detection, median_deviation};
use clustering::{Contingency, frame_classes};

/// How far a correct boundary may lie from the reference, in seconds, by two habits.
const NARROW_S: f64 = 0.5;
const WIDE_S: f64 = 3.0;

/// `mir_eval.segment.evaluate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    #[serde(rename = "Precision@0.5")]
    pub precision_narrow: f64,
    #[serde(rename = "Recall@0.5")]
    pub recall_narrow: f64,
    #[serde(rename = "F-measure@0.5")]
    pub f_measure_narrow: f64,
    #[serde(rename = "Precision@3.0")]
    pub precision_wide: f64,
    #[serde(rename = "Recall@3.0")]
    pub recall_wide: f64,
    #[serde(rename = "F-measure@3.0")]
    pub f_measure_wide: f64,
    /// Median time in seconds from a boundary of the reference to the nearest of the estimate; `None` without boundaries.
    #[serde(rename = "Ref-to-est deviation")]
    pub reference_deviation_s: Option<f64>,
    /// The same from the estimate to the reference.
    #[serde(rename = "Est-to-ref deviation")]
    pub estimate_deviation_s: Option<f64>,
    #[serde(rename = "Pairwise Precision")]
    pub pairwise_precision: f64,
    #[serde(rename = "Pairwise Recall")]
    pub pairwise_recall: f64,
    #[serde(rename = "Pairwise F-measure")]
    pub pairwise_f_measure: f64,
    #[serde(rename = "Rand Index")]
    pub rand: f64,
    #[serde(rename = "Adjusted Rand Index")]
    pub adjusted_rand: f64,
    /// In nats.
    #[serde(rename = "Mutual Information")]
    pub mutual_information: f64,
    #[serde(rename = "Adjusted Mutual Information")]
    pub adjusted_mutual_information: f64,
    #[serde(rename = "Normalized Mutual Information")]
    pub normalized_mutual_information: f64,
    #[serde(rename = "NCE Over")]
    pub nce_over: f64,
    #[serde(rename = "NCE Under")]
    pub nce_under: f64,
    #[serde(rename = "NCE F-measure")]
    pub nce_f_measure: f64,
    #[serde(rename = "V Precision")]
    pub v_precision: f64,
    #[serde(rename = "V Recall")]
    pub v_recall: f64,
    #[serde(rename = "V-measure")]
    pub v_measure: f64,
}

/// Scores sections in order and without overlap; labels that differ in nothing but capital letters are the same.
///
/// Both count from 0 s to where the reference ends; what is not labelled before the first section, and of the estimate
/// after the last one, is a section of its own.
///
/// ```
/// use hemiola::evaluation::segment;
/// use hemiola::music::Segment;
///
/// let section = |start_s, end_s, label: &str| Segment { start_s, end_s, label: label.to_owned() };
/// let reference = [section(0.0, 10.0, "verse"), section(10.0, 20.0, "chorus")];
/// let estimate = [section(0.0, 11.0, "A"), section(11.0, 20.0, "B")];
/// let scores = segment::evaluate(&reference, &estimate);
/// assert_eq!(scores.f_measure_narrow, 2.0 / 3.0);
/// assert_eq!(scores.f_measure_wide, 1.0);
/// assert_eq!(scores.reference_deviation_s, Some(0.0));
/// ```
pub fn evaluate(reference: &[Segment<String>], estimate: &[Segment<String>]) -> Scores {
    let reference = lasting(reference);
    let Some(last) = reference.last() else {
        return Scores::default();
    };
    let (before, after) = ("__T_MIN".to_owned(), "__T_MAX".to_owned());
    let reference = spanning(&reference, 0.0, last.end_s, &before, &after);
    let estimate = spanning(estimate, 0.0, last.end_s, &before, &after);

    let (ours, theirs) = (boundaries(&reference), boundaries(&estimate));
    let narrow = detection(&ours, &theirs, NARROW_S);
    let wide = detection(&ours, &theirs, WIDE_S);
    let table = Contingency::new(&frame_classes(&reference), &frame_classes(&estimate));
    let (pairwise_precision, pairwise_recall) = table.pairwise();
    let (nce_over, nce_under) = table.conditional_entropy(false);
    let (v_precision, v_recall) = table.conditional_entropy(true);
    Scores {
        precision_narrow: narrow.precision,
        recall_narrow: narrow.recall,
        f_measure_narrow: narrow.f_measure,
        precision_wide: wide.precision,
        recall_wide: wide.recall,
        f_measure_wide: wide.f_measure,
        reference_deviation_s: median_deviation(&ours, &theirs),
        estimate_deviation_s: median_deviation(&theirs, &ours),
        pairwise_precision,
        pairwise_recall,
        pairwise_f_measure: f_measure(pairwise_precision, pairwise_recall),
        rand: table.rand(),
        adjusted_rand: table.adjusted_rand(),
        mutual_information: table.mutual_information(),
        adjusted_mutual_information: table.adjusted_mutual_information(),
        normalized_mutual_information: table.normalized_mutual_information(),
        nce_over,
        nce_under,
        nce_f_measure: f_measure(nce_over, nce_under),
        v_precision,
        v_recall,
        v_measure: f_measure(v_precision, v_recall),
    }
}

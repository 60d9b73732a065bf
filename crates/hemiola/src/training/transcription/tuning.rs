//! The decoder's thresholds, tuned on the dev set.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::segments::DevRecording;
use crate::evaluation;
use crate::music::Note;
use crate::tasks::note_decoding::{NoteDecodingConfig, NoteEnd};
use crate::tasks::transcribe::{Activations, Transcriber};

/// Frames a second at which frame scores are taken.
const FRAME_SCORE_FPS: f64 = 100.0;

/// The best thresholds of a grid, and the dev scores they reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    pub decoding: NoteDecodingConfig,
    /// Means over recordings.
    pub scores: BTreeMap<&'static str, f64>,
}

/// Tries thresholds in steps of 0.05: first the onset threshold for the best onset F1, then the frame
/// threshold for the best sum of the F1 with offsets and of the frame F1.
pub fn tune(transcriber: &Transcriber, dev: &[DevRecording]) -> Tuned {
    let activations: Vec<Activations> = dev
        .iter()
        .map(|recording| transcriber.activations(&recording.features))
        .collect();
    let fps = transcriber.config().features.frames_per_second();
    let start = transcriber.config().decoding.clone();
    let scores = |decoding: &NoteDecodingConfig| -> BTreeMap<&'static str, f64> {
        let each: Vec<BTreeMap<&'static str, f64>> = activations
            .par_iter()
            .zip(dev)
            .map(|(activations, recording)| {
                let notes = activations.decode(decoding, fps, NoteEnd::Sounding);
                score(&recording.notes, &notes)
            })
            .collect();
        let mut mean = BTreeMap::new();
        for scores in &each {
            for (&name, value) in scores {
                *mean.entry(name).or_insert(0.0) += value / each.len() as f64;
            }
        }
        mean
    };
    let grid = |from: usize, to: usize| (from..=to).map(|i| i as f32 * 0.05);
    let best = |candidates: Vec<NoteDecodingConfig>,
                value: &dyn Fn(&BTreeMap<&'static str, f64>) -> f64| {
        candidates
            .into_iter()
            .map(|decoding| (value(&scores(&decoding)), decoding))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map_or_else(|| start.clone(), |(_, decoding)| decoding)
    };
    let onset = best(
        grid(3, 16)
            .map(|onset_threshold| NoteDecodingConfig {
                onset_threshold,
                ..start.clone()
            })
            .collect(),
        &|scores| scores["onset_f1"],
    );
    let decoding = best(
        grid(2, 14)
            .map(|frame_threshold| NoteDecodingConfig {
                frame_threshold,
                ..onset.clone()
            })
            .collect(),
        &|scores| scores["offset_f1"] + scores["frame_f1"],
    );
    Tuned {
        scores: scores(&decoding),
        decoding,
    }
}

/// The scores that a run logs and a model card states.
pub(super) fn score(reference: &[Note], estimate: &[Note]) -> BTreeMap<&'static str, f64> {
    let notes = evaluation::transcription::evaluate(reference, estimate);
    let frames = evaluation::frames::evaluate(reference, estimate, FRAME_SCORE_FPS);
    [
        ("onset_f1", notes.f_measure_no_offset),
        ("onset_precision", notes.precision_no_offset),
        ("onset_recall", notes.recall_no_offset),
        ("offset_f1", notes.f_measure),
        ("frame_f1", frames.f_measure),
    ]
    .into()
}

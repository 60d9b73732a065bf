//! Which keys sound in which frame, compared as two piano rolls (Hawthorne et al., "Onsets and Frames", ISMIR 2018, section 3.3).

use serde::{Deserialize, Serialize};

use super::f_measure;
use crate::music::Note;

/// Of all pairs of a frame and a pitch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    #[serde(rename = "Precision")]
    pub precision: f64,
    #[serde(rename = "Recall")]
    pub recall: f64,
    #[serde(rename = "F-measure")]
    pub f_measure: f64,
}

/// Scores two lists of notes at `fps` frames a second (above 0).
///
/// Times are rounded to frames; a note sounds from the frame of its onset until before that of its offset, and for one frame at least.
///
/// ```
/// use hemiola::evaluation::frames;
/// use hemiola::music::Note;
///
/// let note = |onset_s, offset_s| Note { onset_s, offset_s, pitch: 60, velocity: 64 };
/// let scores = frames::evaluate(&[note(0.0, 1.0)], &[note(0.5, 1.5)], 100.0);
/// assert_eq!((scores.precision, scores.recall, scores.f_measure), (0.5, 0.5, 0.5));
/// ```
pub fn evaluate(reference: &[Note], estimate: &[Note], fps: f64) -> Scores {
    let (mut hits, mut reference_frames, mut estimate_frames) = (0.0, 0.0, 0.0);
    for (r, e) in stretches(reference, fps)
        .iter()
        .zip(&stretches(estimate, fps))
    {
        hits += shared_frames(r, e);
        reference_frames += r.iter().map(|s| s.end - s.start).sum::<f64>();
        estimate_frames += e.iter().map(|s| s.end - s.start).sum::<f64>();
    }
    let share = |whole: f64| if whole > 0.0 { hits / whole } else { 0.0 };
    let (precision, recall) = (share(estimate_frames), share(reference_frames));
    Scores {
        precision,
        recall,
        f_measure: f_measure(precision, recall),
    }
}

/// Frames in which a pitch sounds: whole numbers, `end` excluded.
#[derive(Clone, Copy)]
struct Stretch {
    start: f64,
    end: f64,
}

/// For each pitch, where it sounds: in order and without overlap.
fn stretches(notes: &[Note], fps: f64) -> Vec<Vec<Stretch>> {
    let mut by_pitch = vec![Vec::new(); usize::from(u8::MAX) + 1];
    for note in notes {
        let start = (note.onset_s * fps).round();
        let end = (note.offset_s * fps).round().max(start + 1.0);
        if start.is_finite() && end.is_finite() {
            by_pitch[usize::from(note.pitch)].push(Stretch { start, end });
        }
    }
    for stretches in &mut by_pitch {
        stretches.sort_by(|a, b| a.start.total_cmp(&b.start));
        stretches.dedup_by(|later, earlier| {
            let touches = later.start <= earlier.end;
            if touches {
                earlier.end = earlier.end.max(later.end);
            }
            touches
        });
    }
    by_pitch
}

fn shared_frames(a: &[Stretch], b: &[Stretch]) -> f64 {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut shared = 0.0;
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        shared += (x.end.min(y.end) - x.start.max(y.start)).max(0.0);
        if x.end < y.end {
            a.next();
        } else {
            b.next();
        }
    }
    shared
}

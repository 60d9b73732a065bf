//! What labels of points and stretches of time are about.

use super::lab::in_order;
use super::{Annotations, Kind};
use crate::music::chord::ChordLabel;
use crate::music::key::KeyLabel;
use crate::music::{Beat, BeatTrack, Onset, Segment};

/// Labels from a file that does not tell what they are about.
pub(super) struct Labelled {
    pub(super) segments: Vec<Segment<String>>,
    /// Whether the format has points alone.
    pub(super) are_points: bool,
}

/// The labels as `what`, or as what they seem to be: of points, beats where every label is a number, otherwise onsets; of
/// stretches of time, chords, keys, or sections of any words.
///
/// Points with numbers are onsets, too. A list of letters, such as A, B, A, are sections; chords have a colon or `N`
/// somewhere, or more than a letter.
///
/// # Errors
/// The labels are not `what`, or chords or keys overlap; the message names the first.
pub(super) fn labelled(source: Labelled, what: Option<Kind>) -> Result<Annotations, String> {
    let mut segments = source.segments;
    segments.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    let points = source.are_points || segments.iter().all(|each| each.end_s == each.start_s);
    let mut found = Annotations::default();
    match what {
        Some(Kind::Chords) => found.chords = Some(parsed(segments, "a chord")?),
        Some(Kind::Key) => found.keys = Some(parsed(segments, "a key")?),
        Some(Kind::Sections) => found.sections = Some(segments),
        Some(Kind::Onsets) => found.onsets = Some(onsets(&segments)),
        Some(Kind::Beats) => {
            let beats = beats(&segments).ok_or("expected the number of a beat in each label")?;
            found.beats = Some(beats);
        }
        _ if points => {
            found.beats = beats(&segments).filter(|track| !track.beats.is_empty());
            found.onsets = Some(onsets(&segments));
        }
        _ => {
            let labels = || segments.iter().map(|each| each.label.as_str());
            let is_chord = |label: &str| label.parse::<ChordLabel>().is_ok();
            let is_key = |label: &str| label.parse::<KeyLabel>().is_ok();
            let told = labels().any(|label| label.len() > 1 || label == "N");
            if told && labels().all(is_chord) {
                found.chords = Some(parsed(segments, "a chord")?);
            } else if told && labels().all(is_key) {
                found.keys = Some(parsed(segments, "a key")?);
            } else {
                found.sections = Some(segments);
            }
        }
    }
    Ok(found)
}

fn parsed<L: std::str::FromStr>(
    segments: Vec<Segment<String>>,
    expected: &str,
) -> Result<Vec<Segment<L>>, String> {
    let mut found = Vec::with_capacity(segments.len());
    for segment in segments {
        let Segment {
            start_s,
            end_s,
            label,
        } = segment;
        let label = label.parse().map_err(|_| {
            format!("the label at {start_s} s: expected {expected}, found {label:?}")
        })?;
        found.push(Segment {
            start_s,
            end_s,
            label,
        });
    }
    in_order(found).map_err(|fault| format!("segment {fault}"))
}

fn onsets(segments: &[Segment<String>]) -> Vec<Onset> {
    let onset = |segment: &Segment<String>| Onset {
        time_s: segment.start_s,
        strength: 1.0,
    };
    segments.iter().map(onset).collect()
}

/// `None` where a label is no number of a beat.
fn beats(segments: &[Segment<String>]) -> Option<BeatTrack> {
    let beat = |segment: &Segment<String>| {
        let number = segment
            .label
            .trim()
            .parse()
            .ok()
            .filter(|number| *number > 0)?;
        Some(Beat {
            time_s: segment.start_s,
            number,
        })
    };
    let beats = segments.iter().map(beat).collect::<Option<Vec<Beat>>>()?;
    Some(BeatTrack::of(beats))
}

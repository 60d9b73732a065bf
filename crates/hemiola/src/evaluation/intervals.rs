//! Segments brought to one span.

use crate::music::Segment;

/// The segments between two times, cut there; where they begin later or end earlier, `before` and `after` fill the
/// span, and where there are none, `before` does. Segments without length are left out.
pub(super) fn spanning<L: Clone>(
    segments: &[Segment<L>],
    start_s: f64,
    end_s: f64,
    before: &L,
    after: &L,
) -> Vec<Segment<L>> {
    let filling = |start_s, end_s, label: &L| Segment {
        start_s,
        end_s,
        label: label.clone(),
    };
    let mut within: Vec<Segment<L>> = (segments.iter())
        .map(|segment| Segment {
            start_s: segment.start_s.max(start_s),
            end_s: segment.end_s.min(end_s),
            label: segment.label.clone(),
        })
        .filter(|segment| segment.start_s < segment.end_s)
        .collect();
    let (first_s, last_s) = match (within.first(), within.last()) {
        (Some(first), Some(last)) => (first.start_s, last.end_s),
        _ => (end_s, end_s),
    };
    if start_s < first_s {
        within.insert(0, filling(start_s, first_s, before));
    }
    if last_s < end_s {
        within.push(filling(last_s, end_s, after));
    }
    within
}

/// Segments that have a length.
pub(super) fn lasting<L: Clone>(segments: &[Segment<L>]) -> Vec<Segment<L>> {
    let lasting = |segment: &&Segment<L>| segment.start_s < segment.end_s;
    segments.iter().filter(lasting).cloned().collect()
}

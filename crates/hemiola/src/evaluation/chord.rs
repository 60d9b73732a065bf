//! Chord estimation, as `mir_eval.chord` (Pauwels and Peeters, "Evaluating automatically estimated chord sequences",
//! ICASSP 2013; Harte, "Towards Automatic Extraction of Harmony Information from Music Signals", 2010, for the
//! segmentation).

use serde::{Deserialize, Serialize};

use super::intervals::{lasting, spanning};
use crate::music::chord::{ChordLabel, Encoding, Vocabulary};
use crate::music::{PitchClassSet, Segment};

/// Tones that chords must share for MIREX's oldest measure.
const MIREX_TONES: usize = 3;

/// Semitones above the root that hold a triad.
const TRIAD: usize = 8;

/// `mir_eval.chord.evaluate`: of the time in which the reference can be compared, the share in which the estimate
/// agrees. `_inv` compares the bass as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Root and third.
    pub thirds: f64,
    pub thirds_inv: f64,
    /// Root and what sounds up to the fifth.
    pub triads: f64,
    pub triads_inv: f64,
    /// Root and all that sounds within the octave.
    pub tetrads: f64,
    pub tetrads_inv: f64,
    pub root: f64,
    /// Three tones in common.
    pub mirex: f64,
    /// As `triads`, where the reference is in [`Vocabulary::MajMin`].
    pub majmin: f64,
    pub majmin_inv: f64,
    /// As `tetrads`, where the reference is in [`Vocabulary::Sevenths`].
    pub sevenths: f64,
    pub sevenths_inv: f64,
    /// 1 where every estimated chord lies within one of the reference.
    pub underseg: f64,
    /// 1 where every chord of the reference is one of the estimate's.
    pub overseg: f64,
    /// The lesser of the two.
    pub seg: f64,
}

/// Scores chords in order and without overlap.
///
/// The estimate counts from where the reference begins to where it ends; where it says nothing before its first chord
/// or after its last one, and where it has none, it says `N`. In a gap between two chords the first of them goes on.
///
/// ```
/// use hemiola::evaluation::chord;
/// use hemiola::music::Segment;
///
/// let segment = |start_s, end_s, label: &str| -> hemiola::Result<_> {
///     Ok(Segment { start_s, end_s, label: label.parse()? })
/// };
/// let reference = [segment(0.0, 3.0, "C:7")?, segment(3.0, 4.0, "A:min")?];
/// let estimate = [segment(0.0, 4.0, "C:maj")?];
/// let scores = chord::evaluate(&reference, &estimate);
/// assert_eq!((scores.majmin, scores.sevenths), (0.75, 0.0));
/// # Ok::<(), hemiola::Error>(())
/// ```
pub fn evaluate(reference: &[Segment<ChordLabel>], estimate: &[Segment<ChordLabel>]) -> Scores {
    let reference = lasting(reference);
    let (Some(first), Some(last)) = (reference.first(), reference.last()) else {
        return Scores::default();
    };
    let silence = ChordLabel::NoChord;
    let estimate = spanning(estimate, first.start_s, last.end_s, &silence, &silence);
    if estimate.is_empty() {
        return Scores::default();
    }
    let shares = Shares::of(&reference, &estimate);
    let share = |comparison: Comparison, with_bass: bool| shares.agreement(comparison, with_bass);
    let (ours, theirs) = (changes(&reference), changes(&estimate));
    let underseg = 1.0 - directional_hamming_distance(&theirs, &ours);
    let overseg = 1.0 - directional_hamming_distance(&ours, &theirs);
    Scores {
        thirds: share(Comparison::Thirds, false),
        thirds_inv: share(Comparison::Thirds, true),
        triads: share(Comparison::Triads, false),
        triads_inv: share(Comparison::Triads, true),
        tetrads: share(Comparison::Tetrads, false),
        tetrads_inv: share(Comparison::Tetrads, true),
        root: share(Comparison::Root, false),
        mirex: share(Comparison::Mirex, false),
        majmin: share(Comparison::Within(Vocabulary::MajMin), false),
        majmin_inv: share(Comparison::Within(Vocabulary::MajMin), true),
        sevenths: share(Comparison::Within(Vocabulary::Sevenths), false),
        sevenths_inv: share(Comparison::Within(Vocabulary::Sevenths), true),
        underseg,
        overseg,
        seg: underseg.min(overseg),
    }
}

/// What of two chords must agree.
#[derive(Clone, Copy)]
enum Comparison {
    Root,
    Thirds,
    Triads,
    Tetrads,
    Mirex,
    Within(Vocabulary),
}

/// A chord in the forms in which it is compared.
struct Compared {
    encoding: Encoding,
    /// Whether it is in MajMin and in Sevenths.
    in_vocabulary: [bool; 2],
}

impl Compared {
    fn of(segment: &Segment<ChordLabel>) -> Self {
        let within =
            |vocabulary: Vocabulary| vocabulary.reduce(&segment.label) != ChordLabel::Unknown;
        Self {
            encoding: segment.label.encode(false),
            in_vocabulary: [Vocabulary::MajMin, Vocabulary::Sevenths].map(within),
        }
    }

    /// Whether an estimate agrees with this chord of a reference; `None` where the comparison passes over it.
    fn agrees(&self, estimate: &Self, comparison: Comparison, with_bass: bool) -> Option<bool> {
        let (ours, theirs) = (&self.encoding, &estimate.encoding);
        if ours.is_unknown() {
            return None;
        }
        let agree = match comparison {
            Comparison::Root => true,
            Comparison::Thirds => ours.semitones[3] == theirs.semitones[3],
            Comparison::Triads => ours.semitones[..TRIAD] == theirs.semitones[..TRIAD],
            Comparison::Tetrads => ours.semitones == theirs.semitones,
            Comparison::Mirex => return mirex(ours, theirs),
            Comparison::Within(vocabulary) => {
                let (index, same) = match vocabulary {
                    Vocabulary::MajMin => (0, Comparison::Triads),
                    Vocabulary::Sevenths => (1, Comparison::Tetrads),
                };
                return match self.in_vocabulary[index] {
                    true => self.agrees(estimate, same, with_bass),
                    false => None,
                };
            }
        };
        Some(agree && ours.root == theirs.root && (!with_bass || ours.bass == theirs.bass))
    }
}

/// Whether enough tones are shared; `X` shares all, and is no chord where the reference has none.
fn mirex(reference: &Encoding, estimate: &Encoding) -> Option<bool> {
    let (ours, theirs) = (reference.tones(), estimate.tones());
    if reference.root < 0 {
        return Some(estimate.root < 0);
    }
    if ours.len() < MIREX_TONES {
        return None;
    }
    let shared = ours.iter().filter(|&tone| theirs.contains(tone)).count();
    Some(shared >= MIREX_TONES)
}

impl Encoding {
    fn is_unknown(&self) -> bool {
        self.semitones[0] < 0
    }

    /// Pitch classes; all of them for `X`.
    fn tones(&self) -> PitchClassSet {
        let semitones = (0..).zip(self.semitones);
        let sounding = semitones.filter_map(|(semitone, sounds)| (sounds != 0).then_some(semitone));
        PitchClassSet::of(sounding).transposed(self.root.into())
    }
}

/// Two sequences cut at the boundaries of both.
struct Shares {
    reference: Vec<Compared>,
    estimate: Vec<Compared>,
    /// How long which chord of the reference meets which one of the estimate.
    pieces: Vec<(f64, usize, usize)>,
}

impl Shares {
    /// Both have the same span.
    fn of(reference: &[Segment<ChordLabel>], estimate: &[Segment<ChordLabel>]) -> Self {
        let boundaries = boundaries(reference.iter().chain(estimate));
        let mut pieces = Vec::new();
        let (mut ours, mut theirs) = (0, 0);
        for piece in boundaries.windows(2) {
            let advance = |index: &mut usize, segments: &[Segment<ChordLabel>]| {
                while segments
                    .get(*index + 1)
                    .is_some_and(|next| next.start_s <= piece[0])
                {
                    *index += 1;
                }
            };
            advance(&mut ours, reference);
            advance(&mut theirs, estimate);
            pieces.push((piece[1] - piece[0], ours, theirs));
        }
        Self {
            reference: reference.iter().map(Compared::of).collect(),
            estimate: estimate.iter().map(Compared::of).collect(),
            pieces,
        }
    }

    /// Of the time in which chords can be compared, the share in which they agree; zero where there is none.
    fn agreement(&self, comparison: Comparison, with_bass: bool) -> f64 {
        let (mut agreed_s, mut compared_s) = (0.0, 0.0);
        for &(duration_s, ours, theirs) in &self.pieces {
            let estimate = &self.estimate[theirs];
            if let Some(agrees) = self.reference[ours].agrees(estimate, comparison, with_bass) {
                compared_s += duration_s;
                agreed_s += if agrees { duration_s } else { 0.0 };
            }
        }
        match compared_s > 0.0 {
            true => agreed_s / compared_s,
            false => 0.0,
        }
    }
}

/// Starts and ends, in order and each once.
fn boundaries<'a>(segments: impl IntoIterator<Item = &'a Segment<ChordLabel>>) -> Vec<f64> {
    let ends = segments.into_iter().flat_map(|s| [s.start_s, s.end_s]);
    let mut boundaries: Vec<f64> = ends.collect();
    boundaries.sort_by(f64::total_cmp);
    boundaries.dedup();
    boundaries
}

/// The stretches in which the chord stays the same.
fn changes(chords: &[Segment<ChordLabel>]) -> Vec<Segment<ChordLabel>> {
    let mut changes: Vec<(Encoding, Segment<ChordLabel>)> = Vec::new();
    for segment in chords {
        let encoding = segment.label.encode(true);
        match changes.last_mut() {
            Some((before, stretch)) if *before == encoding => stretch.end_s = segment.end_s,
            _ => changes.push((encoding, segment.clone())),
        }
    }
    changes.into_iter().map(|(_, stretch)| stretch).collect()
}

/// Of the time of one segmentation, the share that lies outside the longest piece into which the other cuts each segment.
fn directional_hamming_distance(
    segments: &[Segment<ChordLabel>],
    cutting: &[Segment<ChordLabel>],
) -> f64 {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return 0.0;
    };
    let cuts = boundaries(cutting);
    let outside = segments.iter().map(|segment| {
        let from = cuts.partition_point(|&cut| cut < segment.start_s);
        let within = cuts[from..].iter().copied();
        let within = within.take_while(|&cut| cut < segment.end_s);
        let (mut longest, mut before_s) = (0.0_f64, segment.start_s);
        for cut_s in within.chain([segment.end_s]) {
            longest = longest.max(cut_s - before_s);
            before_s = cut_s;
        }
        segment.duration_s() - longest
    });
    outside.sum::<f64>() / (last.end_s - first.start_s)
}

//! The pulse of a recording: beats and bars from how likely an onset is at every frame.

mod bars;
mod config;
mod pulse;

use std::path::Path;
use std::thread::ScopedJoinHandle;

use burn::tensor::Device;

use crate::audio::{AudioStream, Reading, SharedReading};
use crate::error::Result;
use crate::music::chord::{ChordLabel, Vocabulary};
use crate::music::{Beat, BeatTrack, Note, Segment};
use crate::tasks::chords::ChordReader;
use crate::tasks::chroma::ChromaExtractor;
use crate::tasks::onsets::OnsetDetector;

use bars::Beats;
pub use config::{BarConfig, BeatConfig, PlaceConfig};
use pulse::Evidence;

/// Tells beats and bars from activations.
#[derive(Debug, Clone, Default)]
pub struct BeatTracker {
    config: BeatConfig,
}

/// Fewer onsets than this are no pulse.
const FEWEST_ONSETS: usize = 4;
/// An activation counts from these log odds on, and no more than these, and a strength is one of these many.
const LEAST_LOG_ODDS: f32 = -0.7;
const MOST_LOG_ODDS: f32 = 4.0;
const LOG_ODDS_OF_STRENGTH: f32 = 2.3;
/// Frames of activation around a beat in which its onset is looked for, in seconds.
const NEAR_S: f64 = 0.03;
/// How far from a beat, in seconds, a chord may be heard to change there; never more than a third of the way to the next.
const CHANGE_NEAR_S: f64 = 0.15;
/// Beats are kept so far before the first onset and after the last, in seconds.
const MARGIN_S: f64 = 0.1;

impl BeatTracker {
    /// # Errors
    /// As [`BeatConfig::validate`].
    pub fn new(config: BeatConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self { config })
    }

    /// The beats of a recording from how likely an onset is at each frame, 0–1, the first of them at 0 s; `changes_s` are
    /// times at which chords begin, the first one too. Where there is no pulse, there is neither tempo nor beat.
    ///
    /// Memory and time grow with the number of frames: about 160 bytes each at 100 frames a second.
    ///
    /// ```
    /// use hemiola::tasks::beats::BeatTracker;
    ///
    /// // Ten seconds of an onset every half a second, at 100 frames a second.
    /// let near = |frame: usize| match frame % 50 { 25 => 0.9, 24 | 26 => 0.5, _ => 0.0 };
    /// let activations: Vec<f32> = (0..1000).map(near).collect();
    /// let track = BeatTracker::default().track(&activations, 100.0, None);
    /// assert!((track.tempo_bpm.unwrap() - 120.0).abs() < 0.1);
    /// assert_eq!((track.beats.len(), track.beats[0].time_s), (20, 0.25));
    /// ```
    pub fn track(&self, activations: &[f32], fps: f64, changes_s: Option<&[f64]>) -> BeatTrack {
        let Some((first, last)) = self
            .span(activations)
            .filter(|_| fps > 0.0 && fps.is_finite())
        else {
            return BeatTrack::default();
        };
        let strengths: Vec<f32> = activations.iter().map(|&a| strength(a)).collect();
        let mut evidence = Evidence::new(&strengths, fps, &self.config);
        if let Some(changes_s) = changes_s {
            let (weight, width_s) = (self.config.change_weight, self.config.change_width_s);
            evidence.add(changes_s, fps, weight, width_s);
        }
        let pulse = pulse::decode(&evidence, fps, &self.config);
        if pulse::clarity(&evidence, &strengths, &pulse) < self.config.least_clarity {
            return BeatTrack::default();
        }
        let times_s = pulse
            .beats
            .iter()
            .map(|&frame| refined(evidence.onset(), frame, fps) / fps);
        let span_s = first as f64 / fps - MARGIN_S..=last as f64 / fps + MARGIN_S;
        let times_s: Vec<f64> = times_s.filter(|time_s| span_s.contains(time_s)).collect();
        if times_s.len() < 2 {
            return BeatTrack::default();
        }
        let strongest = |&time_s: &f64| {
            let [from, to] = [time_s - NEAR_S, time_s + NEAR_S].map(|s| (s * fps).round().max(0.0));
            let to = (to as usize + 1).min(strengths.len());
            let near = strengths[(from as usize).min(to)..to].iter();
            f64::from(near.copied().fold(0.0, f32::max))
        };
        let strengths: Vec<f64> = times_s.iter().map(strongest).collect();
        let changes = changes_s.map(|changes_s| at_beats(&times_s, changes_s));
        let beats = Beats {
            strengths: &strengths,
            changes: changes.as_deref(),
        };
        let numbers = beats.numbers(&self.config.bars);
        let beats = times_s.into_iter().zip(numbers);
        BeatTrack::of(
            beats
                .map(|(time_s, number)| Beat { time_s, number })
                .collect(),
        )
    }

    /// The beats of notes that are written down; see [`Self::track`].
    pub fn track_notes(&self, notes: &[Note], changes_s: Option<&[f64]>) -> BeatTrack {
        self.track(&note_activations(notes), NOTE_FPS, changes_s)
    }

    /// The first and the last frame with an onset; none where there are too few onsets.
    fn span(&self, activations: &[f32]) -> Option<(usize, usize)> {
        let sounds = |frame: usize| {
            activations
                .get(frame)
                .is_some_and(|&a| a >= self.config.threshold)
        };
        let begins = |&frame: &usize| sounds(frame) && !(frame > 0 && sounds(frame - 1));
        let onsets = (0..activations.len()).filter(begins);
        let (mut first, mut last, mut count) = (None, None, 0);
        for onset in onsets {
            first = first.or(Some(onset));
            last = Some(onset);
            count += 1;
        }
        first.zip(last).filter(|_| count >= FEWEST_ONSETS)
    }
}

/// How strong an onset an activation tells; what is no number tells none.
fn strength(activation: f32) -> f32 {
    if !activation.is_finite() {
        return 0.0;
    }
    let activation = activation.clamp(1e-4, 1.0 - 1e-4);
    let log_odds = (activation / (1.0 - activation)).ln();
    (log_odds.min(MOST_LOG_ODDS) - LEAST_LOG_ODDS).max(0.0) / LOG_ODDS_OF_STRENGTH
}

/// The peak near a frame, between frames by a parabola; the frame itself where none is near.
fn refined(curve: &[f32], frame: usize, fps: f64) -> f64 {
    let near = (NEAR_S * fps).round() as usize;
    let (from, to) = (
        frame.saturating_sub(near),
        (frame + near + 1).min(curve.len()),
    );
    let highest = (from..to)
        .max_by(|&a, &b| curve[a].total_cmp(&curve[b]))
        .unwrap_or(frame);
    let value = |frame: usize| curve.get(frame).copied().map(f64::from);
    let (Some(before), Some(peak), Some(after)) = (
        highest.checked_sub(1).and_then(value),
        value(highest),
        value(highest + 1),
    ) else {
        return frame as f64;
    };
    let curvature = before - 2.0 * peak + after;
    match peak > 0.0 && peak >= before && peak >= after && curvature < 0.0 {
        true => highest as f64 + (0.5 * (before - after) / curvature).clamp(-0.5, 0.5),
        false => frame as f64,
    }
}

/// Whether a chord changes at each beat.
fn at_beats(times_s: &[f64], changes_s: &[f64]) -> Vec<bool> {
    let mut changes_s: Vec<f64> = changes_s.to_vec();
    changes_s.sort_by(f64::total_cmp);
    let changes = |index: usize| {
        let time_s = times_s[index];
        let before = index.checked_sub(1).map(|before| time_s - times_s[before]);
        let after = times_s.get(index + 1).map(|after| after - time_s);
        let distance = before.into_iter().chain(after).fold(f64::MAX, f64::min);
        let near = CHANGE_NEAR_S.min(distance / 3.0);
        let next = changes_s.partition_point(|&change| change < time_s - near);
        changes_s
            .get(next)
            .is_some_and(|&change| change <= time_s + near)
    };
    (0..times_s.len()).map(changes).collect()
}

/// Frames a second of [`note_activations`].
pub const NOTE_FPS: f64 = 100.0;
/// The latest onset that is looked at, in seconds: later ones come from damaged times.
const LATEST_NOTE_S: f64 = 24.0 * 3600.0;

/// The odds of an onset at a note as loud as can be.
const ODDS_OF_LOUDEST: f64 = 6.0;

/// What an onset detector would hear of notes, [`NOTE_FPS`] frames a second: the louder a note and the more notes begin at
/// once, the likelier is an onset.
pub fn note_activations(notes: &[Note]) -> Vec<f32> {
    let onsets = notes
        .iter()
        .filter(|note| (0.0..=LATEST_NOTE_S).contains(&note.onset_s));
    let last_s = onsets
        .clone()
        .map(|note| note.onset_s)
        .fold(f64::NEG_INFINITY, f64::max);
    if last_s < 0.0 {
        return Vec::new();
    }
    let n_frames = (last_s * NOTE_FPS) as usize + 3;
    // The log odds grow with the sum of velocities, and fall off to both sides.
    let mut loudness = vec![0.0_f64; n_frames];
    for note in onsets {
        let at = note.onset_s * NOTE_FPS;
        let frame = at.round() as usize;
        let from = frame.saturating_sub(1);
        let to = (frame + 2).min(n_frames);
        for (near, sum) in (from..to).zip(&mut loudness[from..to]) {
            let off = near as f64 - at;
            *sum += f64::from(note.velocity) / 127.0 * (-0.5 * off * off).exp();
        }
    }
    let odds = loudness.into_iter().map(|sum| ODDS_OF_LOUDEST * sum);
    odds.map(|odds| (odds / (1.0 + odds)) as f32).collect()
}

/// Hears onsets in recordings, and their pulse.
#[derive(Debug, Clone)]
pub struct BeatDetector {
    onsets: OnsetDetector,
    chords: Option<(ChromaExtractor, ChordReader)>,
    tracker: BeatTracker,
}

impl BeatDetector {
    pub fn new(onsets: OnsetDetector, tracker: BeatTracker) -> Self {
        Self {
            onsets,
            chords: None,
            tracker,
        }
    }

    /// Hears chords as well: beats, and bars above all, begin where they change.
    #[must_use]
    pub fn with_chords(mut self, chroma: ChromaExtractor, chords: ChordReader) -> Self {
        self.chords = Some((chroma, chords));
        self
    }

    /// Whether [`Self::detect_with_chords`] hears any.
    pub fn hears_chords(&self) -> bool {
        self.chords.is_some()
    }

    /// The built-in model of onsets of that name, on the processor.
    ///
    /// # Errors
    /// There is no such model.
    pub fn bundled(name: &str) -> Result<Self> {
        Ok(Self::new(
            OnsetDetector::bundled(name)?,
            BeatTracker::default(),
        ))
    }

    /// The model of onsets of a checkpoint folder.
    ///
    /// # Errors
    /// As [`OnsetDetector::open`].
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        Ok(Self::new(
            OnsetDetector::open(folder, device)?,
            BeatTracker::default(),
        ))
    }

    pub fn tracker(&self) -> &BeatTracker {
        &self.tracker
    }

    /// The sample rate in Hz that [`Self::detect`] expects of its stream.
    pub fn sample_rate(&self) -> u32 {
        self.onsets.sample_rate()
    }

    /// The beats of a stream, read to its end block by block; `progress` is told the seconds read. `changes_s` as in
    /// [`BeatTracker::track`].
    ///
    /// # Errors
    /// When the stream cannot be decoded.
    pub fn detect(
        &self,
        stream: &mut AudioStream,
        changes_s: Option<&[f64]>,
        progress: impl FnMut(f64),
    ) -> Result<BeatTrack> {
        let activations = self.onsets.activations(stream, progress)?;
        let fps = self.onsets.frames_per_second();
        Ok(self.tracker.track(&activations, fps, changes_s))
    }

    /// The beats of a recording in which onsets and chords are heard at once, each on a thread of its own; `progress` is told
    /// the seconds decoded.
    ///
    /// # Errors
    /// When the recording cannot be decoded.
    pub fn detect_with_chords(
        &self,
        mut reading: SharedReading,
        progress: impl FnMut(f64),
    ) -> Result<(BeatTrack, Reading)> {
        let mut to_onsets = reading.listen(self.onsets.sample_rate())?;
        let chords = self.chords.as_ref();
        let rate = chords.map(|(chroma, _)| chroma.sample_rate());
        let to_chords = rate.map(|rate| reading.listen(rate)).transpose()?;
        let (read, activations, changes_s) = std::thread::scope(|scope| {
            let activations = scope.spawn(|| self.onsets.activations(&mut to_onsets, |_| ()));
            let changes_s = chords.zip(to_chords).map(|((chroma, chords), mut stream)| {
                scope.spawn(move || -> Result<Vec<f64>> {
                    let chroma = chroma.extract(&mut stream, |_| ())?;
                    Ok(changes_s(&chords.read(&chroma, Vocabulary::MajMin)?))
                })
            });
            let read = reading.read(progress);
            (read, joined(activations), changes_s.map(joined).transpose())
        });
        // The reader knows best why nothing more came.
        let read = read?;
        let fps = self.onsets.frames_per_second();
        let track = self
            .tracker
            .track(&activations?, fps, changes_s?.as_deref());
        Ok((track, read))
    }
}

/// When chords begin, in seconds, for [`BeatTracker::track`].
pub(super) fn changes_s(chords: &[Segment<ChordLabel>]) -> Vec<f64> {
    chords.iter().map(|chord| chord.start_s).collect()
}

/// A panic of a listener goes on in the caller.
pub(super) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FPS: f64 = 100.0;

    /// A curve as a detector gives it: a bell of the height of each onset.
    fn curve(onsets: &[(f64, f64)], seconds: f64) -> Vec<f32> {
        let mut curve = vec![0.002_f32; (seconds * FPS) as usize];
        for &(time_s, height) in onsets {
            for (frame, value) in curve.iter_mut().enumerate() {
                let off = frame as f64 - time_s * FPS;
                if off.abs() < 4.0 {
                    *value = value.max((height * (-0.5 * off * off).exp()) as f32);
                }
            }
        }
        curve
    }

    fn track(curve: &[f32]) -> BeatTrack {
        BeatTracker::default().track(curve, FPS, None)
    }

    /// Every time is met by a beat, and there is no other.
    #[track_caller]
    fn assert_beats(found: &BeatTrack, expected_s: &[f64], within_s: f64) {
        let times_s: Vec<f64> = found.beats.iter().map(|beat| beat.time_s).collect();
        assert_eq!(
            times_s.len(),
            expected_s.len(),
            "{times_s:?}\n{expected_s:?}"
        );
        for (found, expected) in times_s.iter().zip(expected_s) {
            assert!((found - expected).abs() < within_s, "{found} {expected}");
        }
    }

    fn random(state: &mut u64) -> f64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn beats_lie_between_frames() {
        let times_s: Vec<f64> = (0..40).map(|k| 0.314 + 0.5437 * f64::from(k)).collect();
        let onsets: Vec<(f64, f64)> = times_s.iter().map(|&time_s| (time_s, 0.9)).collect();
        let found = track(&curve(&onsets, 23.0));
        assert_beats(&found, &times_s, 0.002);
        assert!(
            (found.tempo_bpm.unwrap() - 60.0 / 0.5437).abs() < 0.1,
            "{found:?}"
        );
    }

    #[test]
    fn weaker_onsets_between_beats_are_none() {
        let mut onsets = Vec::new();
        let times_s: Vec<f64> = (0..60).map(|k| 0.2 + 0.6 * f64::from(k)).collect();
        for &time_s in &times_s {
            onsets.extend([(time_s, 0.95), (time_s + 0.3, 0.7), (time_s + 0.45, 0.5)]);
        }
        assert_beats(&track(&curve(&onsets, 37.0)), &times_s, 0.005);
    }

    #[test]
    fn beats_may_have_three_parts() {
        // A shuffle: the last third of each beat, and every other first one.
        let mut onsets = Vec::new();
        let times_s: Vec<f64> = (0..60).map(|k| 0.2 + 0.75 * f64::from(k)).collect();
        for (beat, &time_s) in times_s.iter().enumerate() {
            onsets.extend([(time_s, 0.95), (time_s + 0.5, 0.8)]);
            if beat % 2 == 1 {
                onsets.push((time_s + 0.25, 0.7));
            }
        }
        assert_beats(&track(&curve(&onsets, 46.0)), &times_s, 0.01);
    }

    #[test]
    fn the_tempo_may_drift_and_change() {
        // From 90 to 130 BPM within 50 beats, and then at once 95.
        let mut times_s = vec![0.5];
        for k in 0..90 {
            let bpm = if k < 50 {
                90.0 + 0.8 * f64::from(k)
            } else {
                95.0
            };
            times_s.push(times_s[times_s.len() - 1] + 60.0 / bpm);
        }
        let onsets: Vec<(f64, f64)> = times_s.iter().map(|&time_s| (time_s, 0.9)).collect();
        assert_beats(&track(&curve(&onsets, times_s[90] + 1.0)), &times_s, 0.01);
    }

    #[test]
    fn a_rest_does_not_stop_the_pulse() {
        let times_s: Vec<f64> = (0..60).map(|k| 0.1 + 0.5 * f64::from(k)).collect();
        let onsets: Vec<(f64, f64)> = times_s.iter().map(|&time_s| (time_s, 0.9)).collect();
        let found = track(&curve(&[&onsets[..20], &onsets[26..]].concat(), 31.0));
        assert_beats(&found, &times_s, 0.02);
    }

    #[test]
    fn chords_tell_where_bars_begin() {
        let times_s: Vec<f64> = (0..48).map(|k| 0.3 + 0.5 * f64::from(k)).collect();
        let onsets: Vec<(f64, f64)> = times_s.iter().map(|&time_s| (time_s, 0.9)).collect();
        let changes_s: Vec<f64> = times_s
            .iter()
            .skip(2)
            .step_by(3)
            .map(|time_s| time_s + 0.04)
            .collect();
        let found = BeatTracker::default().track(&curve(&onsets, 25.0), FPS, Some(&changes_s));
        assert_eq!(found.beats_per_bar, 3);
        let expected: Vec<f64> = times_s.iter().copied().skip(2).step_by(3).collect();
        for (found, expected) in found.downbeats_s().zip(&expected) {
            assert!((found - expected).abs() < 0.02, "{found} {expected}");
        }
        assert_eq!(found.downbeats_s().count(), expected.len());
    }

    #[test]
    fn there_is_no_pulse_in_silence_and_chance() {
        assert_eq!(track(&[]), BeatTrack::default());
        assert_eq!(track(&vec![0.0; 30_000]), BeatTrack::default());
        assert_eq!(track(&vec![0.2; 3000]), BeatTrack::default());
        assert_eq!(
            track(&curve(&[(0.1, 0.9), (0.3, 0.9)], 0.5)),
            BeatTrack::default()
        );
        let mut state = 3;
        for per_second in [1.0, 4.0] {
            let mut onsets = vec![(0.0, 0.9)];
            while onsets[onsets.len() - 1].0 < 60.0 {
                let wait_s = -(1.0 - random(&mut state)).ln() / per_second;
                onsets.push((
                    onsets[onsets.len() - 1].0 + wait_s,
                    0.5 + 0.45 * random(&mut state),
                ));
            }
            assert_eq!(
                track(&curve(&onsets, 62.0)),
                BeatTrack::default(),
                "{per_second}"
            );
        }
    }

    #[test]
    fn odd_curves_do_no_harm() {
        let mut odd = curve(
            &[(0.5, 0.9), (1.0, 0.9), (1.5, 0.9), (2.0, 0.9), (2.5, 0.9)],
            3.0,
        );
        odd[20] = f32::NAN;
        odd[120] = f32::INFINITY;
        odd[121] = -5.0;
        let tracker = BeatTracker::default();
        for fps in [0.0, -1.0, f64::NAN, f64::INFINITY, 0.5, 1.0, 7.0, 1000.0] {
            tracker.track(&odd, fps, Some(&[f64::NAN, -1.0, 1e30, 0.5]));
        }
        assert!(tracker.track(&odd, FPS, Some(&[])).beats.len() >= 5);
        for length in 0..200 {
            tracker.track(&vec![0.9; length], FPS, None);
            tracker.track(&odd[..length], FPS, None);
        }
    }

    #[test]
    fn notes_have_a_pulse() {
        let note = |time_s: f64, pitch, velocity| Note {
            onset_s: time_s,
            offset_s: time_s + 0.1,
            pitch,
            velocity,
        };
        let times_s: Vec<f64> = (0..32).map(|k| 0.25 + 0.4 * f64::from(k)).collect();
        let mut notes = Vec::new();
        for &time_s in &times_s {
            notes.extend([
                note(time_s, 48, 90),
                note(time_s, 60, 80),
                note(time_s + 0.2, 64, 40),
            ]);
        }
        let found = BeatTracker::default().track_notes(&notes, None);
        assert_beats(&found, &times_s, 0.003);
        assert_eq!(
            BeatTracker::default().track_notes(&[], None),
            BeatTrack::default()
        );
        let damaged = [note(f64::NAN, 60, 1), note(-3.0, 60, 1), note(1e300, 60, 1)];
        assert_eq!(
            BeatTracker::default().track_notes(&damaged, None),
            BeatTrack::default()
        );
    }

    #[test]
    fn impossible_configurations_are_refused() {
        let refused = |change: fn(&mut BeatConfig), word: &str| {
            let mut config = BeatConfig::default();
            change(&mut config);
            let message = BeatTracker::new(config).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        };
        refused(|config| config.min_bpm = 0.0, "min_bpm");
        refused(|config| config.max_bpm = 40.0, "40");
        refused(|config| config.drift = f64::NAN, "drift");
        refused(|config| config.jump_cost = -1.0, "jump_cost");
        refused(|config| config.third.share = 1.0, "third.share");
        refused(|config| config.bars.beats_per_bar.clear(), "beats_per_bar");
        refused(|config| config.bars.beats_per_bar = vec![1], "[1]");
    }
}

//! From an activation per frame to onsets, after Böck, Krebs and Schedl, "Evaluating the Online Capabilities of Onset
//! Detection Methods" (ISMIR 2012), section 2.3.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::music::{Onset, SAME_ONSET_S};

/// Which frames are onsets; tuned on a dev set and kept with the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeakPickingConfig {
    /// How far an onset's activation, 0–1, lies at least above the mean around it; above 0 where no mean is taken.
    pub threshold: f32,
    /// Seconds before an onset in which every activation is lower.
    pub pre_max_s: f64,
    /// Seconds after an onset in which no activation is higher.
    pub post_max_s: f64,
    /// Seconds before an onset that the mean is taken over. With `post_avg_s` also 0, none is taken.
    pub pre_avg_s: f64,
    /// Seconds after an onset that the mean is taken over.
    pub post_avg_s: f64,
    /// An onset so soon after another one, in seconds, is part of it.
    pub combine_s: f64,
}

impl Default for PeakPickingConfig {
    fn default() -> Self {
        Self {
            threshold: 0.4,
            pre_max_s: 0.02,
            post_max_s: 0.02,
            pre_avg_s: 0.0,
            post_avg_s: 0.0,
            combine_s: SAME_ONSET_S,
        }
    }
}

/// Longer windows are a slip that would exhaust the memory.
const LONGEST_WINDOW_S: f64 = 60.0;

impl PeakPickingConfig {
    /// Refuses impossible values.
    pub fn validate(&self) -> Result<()> {
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            return Err(Error::config(format!(
                "threshold is {}; it must lie between 0 and 1",
                self.threshold
            )));
        }
        for (name, value) in [
            ("pre_max_s", self.pre_max_s),
            ("post_max_s", self.post_max_s),
            ("pre_avg_s", self.pre_avg_s),
            ("post_avg_s", self.post_avg_s),
            ("combine_s", self.combine_s),
        ] {
            if !(0.0..=LONGEST_WINDOW_S).contains(&value) {
                return Err(Error::config(format!(
                    "{name} is {value}; expected seconds from 0 to {LONGEST_WINDOW_S}"
                )));
            }
        }
        Ok(())
    }
}

/// Tells onsets from activations frame by frame.
///
/// ```
/// use hemiola::tasks::peak_picking::{PeakPicker, PeakPickingConfig};
///
/// let mut picker = PeakPicker::new(&PeakPickingConfig::default(), 100.0);
/// let mut onsets = Vec::new();
/// for activation in [0.0, 0.1, 0.6, 0.8, 0.6, 0.1, 0.0] {
///     picker.push(activation, &mut onsets);
/// }
/// picker.finish(&mut onsets);
/// assert_eq!(onsets.len(), 1);
/// assert!((onsets[0].time_s - 0.03).abs() < 1e-9);
/// ```
#[derive(Debug, Clone)]
pub struct PeakPicker {
    threshold: f32,
    fps: f64,
    combine_s: f64,
    /// Frames before and after.
    max: [usize; 2],
    avg: [usize; 2],
    /// The latest activations; the last of them is of frame `n_frames` - 1.
    recent: VecDeque<f32>,
    n_frames: usize,
    /// The frame that is judged next.
    next: usize,
    last_s: Option<f64>,
}

impl PeakPicker {
    /// For `fps` frames a second. Windows are whole frames, the nearest number.
    pub fn new(config: &PeakPickingConfig, fps: f64) -> Self {
        let frames = |seconds: f64| (seconds * fps).round() as usize;
        Self {
            threshold: config.threshold,
            fps,
            combine_s: config.combine_s,
            max: [frames(config.pre_max_s), frames(config.post_max_s)],
            avg: [frames(config.pre_avg_s), frames(config.post_avg_s)],
            recent: VecDeque::new(),
            n_frames: 0,
            next: 0,
            last_s: None,
        }
    }

    /// Frames after a frame that are known when it is judged; one at least, for the parabola.
    pub fn latency_frames(&self) -> usize {
        self.max[1].max(self.avg[1]).max(1)
    }

    /// Takes the next frame's activation and appends an onset, if one is certain now.
    pub fn push(&mut self, activation: f32, onsets: &mut Vec<Onset>) {
        self.recent.push_back(activation);
        self.n_frames += 1;
        if self.n_frames > self.latency_frames() {
            self.judge(onsets);
        }
    }

    /// Ends the recording: judges the last frames, and is then ready for another recording.
    pub fn finish(&mut self, onsets: &mut Vec<Onset>) {
        while self.next < self.n_frames {
            self.judge(onsets);
        }
        self.recent.clear();
        (self.n_frames, self.next, self.last_s) = (0, 0, None);
    }

    fn judge(&mut self, onsets: &mut Vec<Onset>) {
        let at = self.next - (self.n_frames - self.recent.len());
        if self.is_peak(at) {
            let time_s = ((self.next as f64 + self.shift(at)) / self.fps).max(0.0);
            let joined = |last_s| time_s - last_s <= self.combine_s;
            if !self.last_s.is_some_and(joined) {
                self.last_s = Some(time_s);
                onsets.push(Onset {
                    time_s,
                    strength: self.recent[at],
                });
            }
        }
        self.next += 1;
        // Frames that the next one is still compared with.
        let before = self.max[0].max(self.avg[0]).max(1);
        self.recent.drain(..(at + 1).saturating_sub(before));
    }

    fn is_peak(&self, at: usize) -> bool {
        let value = self.recent[at];
        let end = self.recent.len();
        let window =
            |[before, after]: [usize; 2]| [at.saturating_sub(before), (at + after + 1).min(end)];
        let [from, to] = window(self.max);
        // Of equals the first is the peak.
        let highest = self.recent.range(from..at).all(|&other| other < value)
            && self.recent.range(at + 1..to).all(|&other| other <= value);
        let mean = match self.avg {
            [0, 0] => 0.0,
            _ => {
                let [from, to] = window(self.avg);
                self.recent.range(from..to).sum::<f32>() / (to - from) as f32
            }
        };
        highest && value >= mean + self.threshold
    }

    /// Where the parabola through a frame and its neighbours has its vertex, in frames from it, -0.5 to 0.5; 0 where the
    /// recording begins or ends.
    fn shift(&self, at: usize) -> f64 {
        let value = |index: usize| self.recent.get(index).copied().map(f64::from);
        let before = at.checked_sub(1).and_then(value);
        let (Some(before), Some(peak), Some(after)) = (before, value(at), value(at + 1)) else {
            return 0.0;
        };
        let curvature = before - 2.0 * peak + after;
        match curvature < 0.0 {
            true => (0.5 * (before - after) / curvature).clamp(-0.5, 0.5),
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FPS: f64 = 100.0;

    fn pick(config: &PeakPickingConfig, activations: &[f32]) -> Vec<(f64, f32)> {
        let mut picker = PeakPicker::new(config, FPS);
        let mut onsets = Vec::new();
        for &activation in activations {
            picker.push(activation, &mut onsets);
        }
        picker.finish(&mut onsets);
        onsets.iter().map(|o| (o.time_s, o.strength)).collect()
    }

    fn frames(found: &[(f64, f32)]) -> Vec<usize> {
        found
            .iter()
            .map(|(s, _)| (s * FPS).round() as usize)
            .collect()
    }

    #[test]
    fn the_vertex_of_a_parabola_is_found_between_frames() {
        // 0.9 - 0.1 (x - v)² at the frames x.
        for vertex in [2.0, 2.25, 3.6] {
            let curve: Vec<f32> = (0..7)
                .map(|x| (0.9 - 0.1 * (f64::from(x) - vertex).powi(2)).max(0.0) as f32)
                .collect();
            let found = pick(&PeakPickingConfig::default(), &curve);
            assert_eq!(found.len(), 1, "{vertex}: {found:?}");
            assert!(
                (found[0].0 - vertex / FPS).abs() < 1e-6,
                "{vertex}: {found:?}"
            );
        }
    }

    #[test]
    fn onsets_follow_from_the_definition() {
        // Checked against the paper's three conditions, frame by frame, on a sawtooth of noise.
        let config = PeakPickingConfig {
            threshold: 0.2,
            pre_max_s: 0.03,
            post_max_s: 0.02,
            pre_avg_s: 0.05,
            post_avg_s: 0.04,
            combine_s: 0.0,
        };
        let mut state = 7u32;
        let noise: Vec<f32> = (0..400)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32
            })
            .collect();
        let window = |n: usize, before: usize, after: usize| {
            &noise[n.saturating_sub(before)..(n + after + 1).min(noise.len())]
        };
        let expected: Vec<usize> = (0..noise.len())
            .filter(|&n| {
                let max = window(n, 3, 2).iter().copied().fold(0.0, f32::max);
                let around = window(n, 5, 4);
                let mean = around.iter().sum::<f32>() / around.len() as f32;
                noise[n] == max && noise[n] >= mean + 0.2
            })
            .collect();
        assert!(expected.len() > 20);
        // Interpolation moves by half a frame at most.
        let found = pick(&config, &noise);
        assert_eq!(found.len(), expected.len());
        for ((time_s, strength), &frame) in found.iter().zip(&expected) {
            assert!((time_s * FPS - frame as f64).abs() <= 0.5 + 1e-9);
            assert_eq!(*strength, noise[frame]);
        }
    }

    #[test]
    fn close_onsets_are_one() {
        let mut curve = vec![0.0; 20];
        for at in [3, 6, 7, 12] {
            curve[at] = 0.9;
        }
        let config = PeakPickingConfig {
            pre_max_s: 0.0,
            post_max_s: 0.0,
            combine_s: 0.036,
            ..PeakPickingConfig::default()
        };
        // 6 and 7 have their vertex between them, 35 ms after 3.
        assert_eq!(frames(&pick(&config, &curve)), [3, 12]);
        let apart = PeakPickingConfig {
            combine_s: 0.0,
            ..config
        };
        assert_eq!(pick(&apart, &curve).len(), 3);
    }

    #[test]
    fn what_never_moves_is_one_onset_at_most() {
        let config = PeakPickingConfig::default();
        assert_eq!(pick(&config, &[0.39; 50]), []);
        let found = pick(&config, &[0.9; 3]);
        assert_eq!(found, [(0.0, 0.9)]);
        assert_eq!(pick(&config, &[]), []);
        assert_eq!(pick(&config, &[0.5]), [(0.0, 0.5)]);
        assert_eq!(pick(&config, &[f32::NAN; 5]), []);
    }

    #[test]
    fn the_first_and_the_last_frame_may_be_onsets() {
        let config = PeakPickingConfig::default();
        let found = pick(&config, &[0.9, 0.1, 0.0, 0.0, 0.0, 0.2, 0.8]);
        assert_eq!(frames(&found), [0, 6]);
    }

    #[test]
    fn a_picker_that_has_finished_begins_anew_and_holds_little_back() {
        let config = PeakPickingConfig::default();
        let mut picker = PeakPicker::new(&config, FPS);
        assert_eq!(picker.latency_frames(), 2);
        let mut found = Vec::new();
        for round in 0..2 {
            let mut onsets = Vec::new();
            for frame in 0..1000 {
                picker.push(if frame == 500 { 0.9 } else { 0.1 }, &mut onsets);
                assert_eq!(onsets.len(), usize::from(frame >= 502), "{round} {frame}");
                assert!(picker.recent.len() <= 5);
            }
            picker.finish(&mut onsets);
            found.push(onsets);
        }
        assert_eq!(found[0], found[1]);
    }

    #[test]
    fn impossible_values_are_refused_by_name() {
        let fault = |config: PeakPickingConfig| config.validate().unwrap_err().to_string();
        let good = PeakPickingConfig::default;
        assert!(good().validate().is_ok());
        for threshold in [0.0, 1.0, f32::NAN] {
            assert!(
                fault(PeakPickingConfig {
                    threshold,
                    ..good()
                })
                .contains("threshold")
            );
        }
        for seconds in [-0.1, f64::NAN, f64::INFINITY, 1e6] {
            let message = fault(PeakPickingConfig {
                post_avg_s: seconds,
                ..good()
            });
            assert!(message.contains("post_avg_s"), "{message}");
        }
    }
}

//! From activations per key and frame to notes.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::models::transcription_rnn::{LOWEST_PITCH, N_KEYS};
use crate::music::Note;

/// Which frame head ends a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteEnd {
    /// The note ends when it stops sounding; the sustain pedal prolongs it.
    Sounding,
    /// The note ends when its key is released.
    KeyRelease,
}

/// Thresholds of the decoder, tuned on a dev set and kept with the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoteDecodingConfig {
    /// Least onset activation that begins a note, 0–1.
    pub onset_threshold: f32,
    /// The note goes on while its frame activation is at least this, 0–1.
    pub frame_threshold: f32,
    /// Shorter notes are dropped, in seconds.
    pub min_duration_s: f64,
    /// Closer onsets of one key count as one, in seconds.
    pub min_separation_s: f64,
}

impl Default for NoteDecodingConfig {
    fn default() -> Self {
        Self {
            onset_threshold: 0.4,
            frame_threshold: 0.4,
            min_duration_s: 0.03,
            min_separation_s: 0.05,
        }
    }
}

impl NoteDecodingConfig {
    /// Refuses impossible thresholds.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("onset_threshold", self.onset_threshold),
            ("frame_threshold", self.frame_threshold),
        ] {
            if !(value > 0.0 && value < 1.0) {
                return Err(Error::config(format!(
                    "{name} is {value}; it must lie between 0 and 1"
                )));
            }
        }
        for (name, value) in [
            ("min_duration_s", self.min_duration_s),
            ("min_separation_s", self.min_separation_s),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::config(format!(
                    "{name} is {value}; it must be 0 or more"
                )));
            }
        }
        Ok(())
    }
}

/// One frame of activations, each slice one value per key in 0–1.
#[derive(Debug, Clone, Copy)]
pub struct ActivationFrame<'a> {
    pub onsets: &'a [f32],
    pub frames: &'a [f32],
    pub velocities: &'a [f32],
}

/// Turns activations into notes frame by frame, holding two frames back.
///
/// A local maximum of a key's onset activation begins a note; its time is interpolated between
/// frames as the apex of a symmetric triangle (Kong et al., "High-Resolution Piano Transcription
/// with Pedals by Regressing Onset and Offset Times", 2021, equation 6). The frame activation holds
/// the note; its fall below the threshold, or the key's next onset, ends it.
#[derive(Debug)]
pub struct NoteDecoder {
    config: NoteDecodingConfig,
    fps: f64,
    /// Frames seen.
    n_frames: usize,
    keys: Vec<KeyState>,
}

#[derive(Debug, Clone, Default)]
struct KeyState {
    /// Onset activations of the two frames before.
    before: [f32; 2],
    velocity_before: f32,
    frame_before: f32,
    open: Option<OpenNote>,
}

#[derive(Debug, Clone)]
struct OpenNote {
    /// Onset in frames.
    onset: f64,
    velocity: f32,
    /// Whether the frame activation has reached its threshold since.
    sounding: bool,
}

/// Frames after its onset within which the frame activation must reach its threshold.
const FRAMES_TO_SOUND: f64 = 2.0;

impl NoteDecoder {
    /// `fps`: frames a second.
    pub fn new(config: NoteDecodingConfig, fps: f64) -> Self {
        Self {
            config,
            fps,
            n_frames: 0,
            keys: vec![KeyState::default(); N_KEYS],
        }
    }

    /// Takes the next frame; notes that end with it are appended to `notes`.
    pub fn push(&mut self, frame: ActivationFrame, notes: &mut Vec<Note>) {
        let now = self.n_frames as f64;
        for key in 0..N_KEYS {
            let state = &mut self.keys[key];
            let [a, b] = state.before;
            let c = frame.onsets[key];
            if b >= self.config.onset_threshold && b > a && b >= c {
                let apex =
                    (f64::from(c) - f64::from(a)) / (2.0 * f64::from(b - a.min(c))).max(1e-6);
                let onset = (now - 1.0 + apex.clamp(-0.5, 0.5)).max(0.0);
                let too_close = state.open.as_ref().is_some_and(|open| {
                    (onset - open.onset) / self.fps < self.config.min_separation_s
                });
                if !too_close {
                    if let Some(open) = state.open.take() {
                        close(&self.config, self.fps, key, open, onset, notes);
                    }
                    state.open = Some(OpenNote {
                        onset,
                        velocity: state.velocity_before,
                        sounding: state.frame_before >= self.config.frame_threshold,
                    });
                }
            }
            let level = frame.frames[key];
            if let Some(open) = &mut state.open {
                if level >= self.config.frame_threshold {
                    open.sounding = true;
                } else if open.sounding || now - open.onset > FRAMES_TO_SOUND {
                    let fall = f64::from(state.frame_before - level);
                    let above = f64::from(state.frame_before - self.config.frame_threshold);
                    let end = if open.sounding && fall > 0.0 {
                        now - 1.0 + (above / fall).clamp(0.0, 1.0)
                    } else {
                        now
                    };
                    let open = state.open.take();
                    if let Some(open) = open {
                        close(&self.config, self.fps, key, open, end, notes);
                    }
                }
            }
            state.before = [b, c];
            state.velocity_before = frame.velocities[key];
            state.frame_before = level;
        }
        self.n_frames += 1;
    }

    /// Ends every open note and appends it; the decoder is as new afterwards.
    pub fn finish(&mut self, notes: &mut Vec<Note>) {
        let silence = [0.0; N_KEYS];
        self.push(
            ActivationFrame {
                onsets: &silence,
                frames: &silence,
                velocities: &silence,
            },
            notes,
        );
        let end = (self.n_frames - 1) as f64;
        for key in 0..N_KEYS {
            if let Some(open) = self.keys[key].open.take() {
                close(&self.config, self.fps, key, open, end, notes);
            }
        }
        self.keys = vec![KeyState::default(); N_KEYS];
        self.n_frames = 0;
    }
}

fn close(
    config: &NoteDecodingConfig,
    fps: f64,
    key: usize,
    open: OpenNote,
    end: f64,
    notes: &mut Vec<Note>,
) {
    let duration_s = (end - open.onset) / fps;
    if duration_s <= 0.0 || duration_s < config.min_duration_s {
        return;
    }
    notes.push(Note {
        onset_s: to_microseconds(open.onset / fps),
        offset_s: to_microseconds(end / fps),
        pitch: LOWEST_PITCH + key as u8,
        velocity: (open.velocity * 127.0).round().clamp(1.0, 127.0) as u8,
    });
}

/// Finer digits of a time say nothing.
fn to_microseconds(time_s: f64) -> f64 {
    (time_s * 1e6).round() / 1e6
}

/// Notes in the order that every format uses: by onset, then pitch.
pub fn sort_notes(notes: &mut [Note]) {
    notes.sort_by(|a, b| {
        a.onset_s
            .total_cmp(&b.onset_s)
            .then(a.pitch.cmp(&b.pitch))
            .then(a.offset_s.total_cmp(&b.offset_s))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const FPS: f64 = 31.25;

    /// Decodes activations of one key, silence elsewhere.
    fn decode(key: usize, onsets: &[f32], frames: &[f32]) -> Vec<Note> {
        let mut decoder = NoteDecoder::new(NoteDecodingConfig::default(), FPS);
        let mut notes = Vec::new();
        for (&onset, &frame) in onsets.iter().zip(frames) {
            let mut row = [[0.0f32; N_KEYS]; 3];
            row[0][key] = onset;
            row[1][key] = frame;
            row[2][key] = 0.5;
            decoder.push(
                ActivationFrame {
                    onsets: &row[0],
                    frames: &row[1],
                    velocities: &row[2],
                },
                &mut notes,
            );
        }
        decoder.finish(&mut notes);
        notes
    }

    #[test]
    fn the_apex_of_a_sampled_triangle_is_found_between_frames() {
        for apex in [4.0, 4.2, 4.45, 4.7, 5.0] {
            let triangle: Vec<f32> = (0..12)
                .map(|i| (1.0 - (i as f64 - apex).abs() / 2.0).max(0.0) as f32)
                .collect();
            let frames: Vec<f32> = (0..12).map(|i| f32::from((4..9).contains(&i))).collect();
            let notes = decode(39, &triangle, &frames);
            assert_eq!(notes.len(), 1);
            assert!((notes[0].onset_s - apex / FPS).abs() < 2e-6, "{apex}");
            assert_eq!(notes[0].pitch, 60);
            assert_eq!(notes[0].velocity, 64);
        }
    }

    #[test]
    fn a_note_ends_where_its_activation_crosses_the_threshold() {
        let onsets = [0.0, 0.9, 0.0, 0.0, 0.0, 0.0];
        let frames = [0.0, 0.8, 0.8, 0.8, 0.0, 0.0];
        let notes = decode(0, &onsets, &frames);
        assert_eq!(notes.len(), 1);
        assert!((notes[0].offset_s - 3.5 / FPS).abs() < 2e-6);
    }

    #[test]
    fn a_second_onset_of_a_sounding_key_ends_the_first_note() {
        let onsets = [0.9, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0];
        let frames = [0.9; 8];
        let notes = decode(10, &onsets, &frames);
        assert_eq!(notes.len(), 2);
        assert!((notes[0].offset_s - notes[1].onset_s).abs() < 1e-9);
        assert!((notes[1].offset_s - 8.0 / FPS).abs() < 0.6 / FPS);
    }

    #[test]
    fn silence_has_no_notes() {
        assert!(decode(5, &[0.3; 9], &[0.9; 9]).is_empty());
        assert!(decode(5, &[], &[]).is_empty());
    }

    #[test]
    fn impossible_thresholds_are_refused() {
        let config = NoteDecodingConfig {
            onset_threshold: 1.5,
            ..Default::default()
        };
        assert!(config.validate().unwrap_err().to_string().contains("1.5"));
    }
}

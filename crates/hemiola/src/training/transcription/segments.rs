//! Examples: augmented excerpts of performances with their targets per key and frame.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::TranscriptionRecipe;
use crate::datasets::cache::LabelledNote;
use crate::error::Result;
use crate::features::{Frames, LogFrequency, LogFrequencyConfig, extract};
use crate::models::transcription_rnn::{LOWEST_PITCH, N_KEYS};
use crate::music::Note;
use crate::training::recordings::{self, Cut, Ends, Excerpts};
use crate::training::run::step_seed;

/// Half the base of an onset's triangle, in frames.
const ONSET_HALF_WIDTH: f64 = 2.0;

/// Targets and features of one step, row-major [batch, time, bins or keys].
#[derive(Debug, Clone)]
pub struct TranscriptionBatch {
    pub batch: usize,
    pub time: usize,
    pub features: Vec<f32>,
    pub targets: Targets,
}

/// Targets, row-major [time, 88].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Targets {
    /// Triangles around onsets.
    pub onsets: Vec<f32>,
    /// 1 while a key sounds, the sustain pedal included.
    pub frames: Vec<f32>,
    /// 1 while a key is held down.
    pub held: Vec<f32>,
    /// Velocity / 127 around onsets.
    pub velocities: Vec<f32>,
}

pub(super) struct BatchTensors {
    pub features: Tensor<3>,
    pub onsets: Tensor<3>,
    pub frames: Tensor<3>,
    pub held: Tensor<3>,
    pub velocities: Tensor<3>,
}

impl TranscriptionBatch {
    pub(super) fn to_tensors(&self, device: &Device) -> BatchTensors {
        let tensor = |values: &[f32]| {
            let width = values.len() / (self.batch * self.time);
            let shape = [self.batch, self.time, width];
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), shape), device)
        };
        BatchTensors {
            features: tensor(&self.features),
            onsets: tensor(&self.targets.onsets),
            frames: tensor(&self.targets.frames),
            held: tensor(&self.targets.held),
            velocities: tensor(&self.targets.velocities),
        }
    }
}

/// Where excerpts come from.
pub struct SegmentSource {
    excerpts: Excerpts,
    cut: Cut,
    features: LogFrequencyConfig,
    /// Cloned for every batch: its tables take longer to make than a batch.
    extractor: LogFrequency,
    batch_size: usize,
    seed: u64,
}

impl SegmentSource {
    /// Finds and checks the recipe's training music.
    pub fn open(recipe: &TranscriptionRecipe) -> Result<Self> {
        let features = recipe.features.clone();
        Ok(Self {
            excerpts: Excerpts::open(
                recipe.data.renditions.paths(),
                &recipe.data.dev,
                features.sample_rate,
                &recipe.run.output.join("cache"),
            )?,
            cut: Cut {
                frames: recipe.data.segment_frames,
                longest_window: features.longest_window(),
                augment: recipe.augment.clone(),
            },
            extractor: LogFrequency::new(&features)?,
            features,
            batch_size: recipe.run.batch_size,
            seed: recipe.run.seed,
        })
    }

    /// Hours of music.
    pub fn hours(&self) -> f64 {
        self.excerpts.n_samples() as f64 / f64::from(self.features.sample_rate) / 3600.0
    }

    /// Batch `number` of the run, always the same one.
    pub fn batch(&self, number: usize) -> Result<TranscriptionBatch> {
        let mut rng = ChaCha8Rng::seed_from_u64(step_seed(self.seed ^ 0x5E6_3E47, number));
        let mut batch = TranscriptionBatch {
            batch: self.batch_size,
            time: self.cut.frames,
            features: Vec::new(),
            targets: Targets::default(),
        };
        let mut extractor = self.extractor.clone();
        for _ in 0..self.batch_size {
            let excerpt = self.excerpts.draw(&self.cut, &mut extractor, &mut rng)?;
            batch.features.extend(excerpt.features);
            add_targets(
                excerpt.notes,
                excerpt.start_s,
                self.cut.frames,
                self.features.frames_per_second(),
                &mut batch.targets,
            );
        }
        Ok(batch)
    }
}

/// Appends the targets of `n_frames` frames from `start_s` on; frame i lies at start + i / fps.
fn add_targets(
    notes: &[LabelledNote],
    start_s: f64,
    n_frames: usize,
    fps: f64,
    targets: &mut Targets,
) {
    let base = targets.onsets.len();
    let size = base + n_frames * N_KEYS;
    for target in [
        &mut targets.onsets,
        &mut targets.frames,
        &mut targets.held,
        &mut targets.velocities,
    ] {
        target.resize(size, 0.0);
    }
    for LabelledNote { note, sounding_s } in notes {
        let Some(key) = note.pitch.checked_sub(LOWEST_PITCH).map(usize::from) else {
            continue;
        };
        let onset = (note.onset_s - start_s) * fps;
        let sounding = (sounding_s - start_s) * fps;
        if key >= N_KEYS || sounding < 0.0 || onset - ONSET_HALF_WIDTH > n_frames as f64 {
            continue;
        }
        let held = (note.offset_s - start_s) * fps;
        let span = |from: f64, to: f64| {
            let from = from.ceil().max(0.0) as usize;
            let to = to.ceil().clamp(0.0, n_frames as f64) as usize;
            from..to.max(from.min(n_frames)).min(n_frames)
        };
        for frame in span(onset, sounding) {
            targets.frames[base + frame * N_KEYS + key] = 1.0;
        }
        for frame in span(onset, held) {
            targets.held[base + frame * N_KEYS + key] = 1.0;
        }
        for frame in span(onset - ONSET_HALF_WIDTH, onset + ONSET_HALF_WIDTH) {
            let value = (1.0 - (frame as f64 - onset).abs() / ONSET_HALF_WIDTH).max(0.0) as f32;
            let at = base + frame * N_KEYS + key;
            if value > targets.onsets[at] {
                targets.onsets[at] = value;
                targets.velocities[at] = f32::from(note.velocity) / 127.0;
            }
        }
    }
}

/// A recording of the dev set, ready to be transcribed and scored.
#[derive(Debug, Clone)]
pub struct DevRecording {
    pub name: String,
    pub features: Frames,
    /// Reference notes, with ends that include the sustain pedal.
    pub notes: Vec<Note>,
}

pub(super) fn dev_recordings(recipe: &TranscriptionRecipe) -> Result<Vec<DevRecording>> {
    let mut extractor = LogFrequency::new(&recipe.features)?;
    let shared = recipe.data.renditions.paths().contains(&recipe.data.dev);
    let references = recordings::references(&recipe.data.dev, shared, Ends::Damped)?;
    references
        .into_iter()
        .map(|reference| {
            let samples = crate::audio::read_mono(&reference.audio, recipe.features.sample_rate)?;
            Ok(DevRecording {
                name: reference.name,
                features: extract(&mut extractor, &samples),
                notes: reference.notes,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_follow_the_note_through_onset_key_and_pedal() {
        let note = LabelledNote {
            note: Note {
                onset_s: 1.0 + 2.5 / 10.0,
                offset_s: 1.0 + 5.0 / 10.0,
                pitch: 60,
                velocity: 127,
            },
            sounding_s: 1.0 + 8.0 / 10.0,
        };
        let mut targets = Targets::default();
        add_targets(&[note], 1.0, 10, 10.0, &mut targets);
        let key = 39;
        let row = |values: &[f32]| -> Vec<f32> {
            values.iter().skip(key).step_by(N_KEYS).copied().collect()
        };
        let close = |found: Vec<f32>, expected: [f32; 10]| {
            assert!(
                found
                    .iter()
                    .zip(expected)
                    .all(|(f, e)| (f - e).abs() < 1e-5),
                "{found:?} {expected:?}"
            );
        };
        close(
            row(&targets.onsets),
            [0.0, 0.25, 0.75, 0.75, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0],
        );
        close(
            row(&targets.frames),
            [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0],
        );
        close(
            row(&targets.held),
            [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        );
        close(
            row(&targets.velocities),
            [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        );
        assert_eq!(targets.frames.iter().sum::<f32>(), 5.0);
    }

    #[test]
    fn notes_before_after_and_beyond_the_keyboard_leave_no_trace() {
        let note = |onset_s, pitch| LabelledNote {
            note: Note {
                onset_s,
                offset_s: onset_s + 0.2,
                pitch,
                velocity: 80,
            },
            sounding_s: onset_s + 0.3,
        };
        let mut targets = Targets::default();
        let notes = [note(0.0, 60), note(9.0, 60), note(1.5, 3), note(1.5, 120)];
        add_targets(&notes, 1.0, 10, 10.0, &mut targets);
        assert!(
            targets
                .onsets
                .iter()
                .chain(&targets.frames)
                .all(|&v| v == 0.0)
        );
    }
}

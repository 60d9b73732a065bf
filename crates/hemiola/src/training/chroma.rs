//! Training of the [`RealTimeMusicRnn`] on recordings with notes.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::recordings::{self, Cut, Ends, Excerpts};
use super::transcription::OneOrMore;
use crate::audio::read_mono;
use crate::augment::WaveformAugment;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::evaluation::classification::average_precision;
use crate::features::{FrontEnd, Mel, MelConfig, extract};
use crate::models::realtime_rnn::{N_CHROMA, RealTimeMusicRnn, RealTimeMusicRnnConfig};
use crate::nn::loss::bce_with_logits;
use crate::tasks::chroma::ChromaConfig;
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

/// A recipe for [`RealTimeMusicRnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChromaRecipe {
    #[serde(default)]
    pub run: RunConfig,
    #[serde(default)]
    pub model: RealTimeMusicRnnConfig,
    #[serde(default)]
    pub features: MelConfig,
    pub data: ChromaData,
    #[serde(default)]
    pub augment: WaveformAugment,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// Where the music is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChromaData {
    /// Folders of rendered performances, as `hemiola data render` makes them, or of pairs of a recording and its MIDI
    /// file.
    pub renditions: OneOrMore,
    /// A folder of recordings with reference notes: the MAPS layout, or pairs.
    pub dev: PathBuf,
    /// Frames of one example.
    #[serde(default = "default_segment_frames")]
    pub segment_frames: usize,
    /// Whether a note sounds on while the sustain pedal holds it.
    #[serde(default = "default_pedal")]
    pub pedal: bool,
}

fn default_segment_frames() -> usize {
    128
}

fn default_pedal() -> bool {
    true
}

/// Frames, row-major [batch, time, bins], and which of the 12 pitch classes sound in each.
#[derive(Debug, Clone)]
pub struct ChromaBatch {
    shape: [usize; 2],
    features: Vec<f32>,
    targets: Vec<f32>,
}

impl ChromaBatch {
    /// Frames [batch, time, bins] and targets [batch, time, 12].
    fn to_tensors(&self, device: &Device) -> [Tensor<3>; 2] {
        let [batch, time] = self.shape;
        [&self.features, &self.targets].map(|values| {
            let shape = [batch, time, values.len() / (batch * time)];
            Tensor::from_data(TensorData::new(values.clone(), shape), device)
        })
    }
}

/// Binary cross-entropy of every pitch class of every frame; in dev also its average precision over all of them.
#[derive(Debug, Clone)]
pub struct ChromaObjective {}

impl Objective for ChromaObjective {
    type Model = RealTimeMusicRnn;
    type Batch = ChromaBatch;
    /// One recording each.
    type Dev = Arc<[ChromaBatch]>;

    fn loss(&self, model: &RealTimeMusicRnn, batch: &ChromaBatch, device: &Device) -> Loss {
        let [features, targets] = batch.to_tensors(device);
        Loss {
            total: bce_with_logits(model.forward(features).logits, targets).mean(),
            parts: Vec::new(),
        }
    }

    fn evaluate(
        &self,
        model: &RealTimeMusicRnn,
        dev: &Arc<[ChromaBatch]>,
        device: &Device,
    ) -> Scalars {
        let (mut scores, mut sounding, mut loss) = (Vec::new(), Vec::new(), 0.0);
        for recording in dev.iter() {
            let [features, targets] = recording.to_tensors(device);
            let logits = model.forward(features).logits;
            loss += bce_with_logits(logits.clone(), targets)
                .sum()
                .into_scalar::<f64>();
            scores.extend(logits.into_data().iter::<f32>());
            sounding.extend(recording.targets.iter().map(|&target| target > 0.5));
        }
        Scalars(
            [
                ("loss", loss / scores.len().max(1) as f64),
                ("average_precision", average_precision(&scores, &sounding)),
            ]
            .into(),
        )
    }
}

/// Which pitch classes sound in `n_frames` frames from `start_s` on, row-major [time, 12]; frame i lies at start + i / fps.
/// A note is its onset, its end and its pitch.
pub(super) fn targets(
    notes: impl Iterator<Item = (f64, f64, u8)>,
    start_s: f64,
    n_frames: usize,
    fps: f64,
) -> Vec<f32> {
    let mut targets = vec![0.0; n_frames * N_CHROMA];
    let frame = |time_s: f64| {
        ((time_s - start_s) * fps)
            .ceil()
            .clamp(0.0, n_frames as f64) as usize
    };
    for (onset_s, end_s, pitch) in notes {
        for frame in frame(onset_s)..frame(end_s) {
            targets[frame * N_CHROMA + usize::from(pitch) % N_CHROMA] = 1.0;
        }
    }
    targets
}

impl ChromaRecipe {
    fn fps(&self) -> f64 {
        f64::from(self.features.sample_rate) / self.features.hop_length as f64
    }

    /// The recordings to measure by.
    fn dev(&self, extractor: &mut Mel) -> Result<Vec<ChromaBatch>> {
        let shared = self.data.renditions.paths().contains(&self.data.dev);
        let ends = match self.data.pedal {
            true => Ends::Damped,
            false => Ends::Released,
        };
        recordings::references(&self.data.dev, shared, ends)?
            .into_iter()
            .map(|reference| {
                let samples = read_mono(&reference.audio, self.features.sample_rate)?;
                if samples.is_empty() {
                    return Err(Error::input(&reference.audio, "there is no sound in it"));
                }
                let frames = extract(extractor, &samples);
                let notes = reference.notes.iter();
                let notes = notes.map(|note| (note.onset_s, note.offset_s, note.pitch));
                Ok(ChromaBatch {
                    shape: [1, frames.n_frames()],
                    targets: targets(notes, 0.0, frames.n_frames(), self.fps()),
                    features: frames.into_vec(),
                })
            })
            .collect()
    }
}

impl ModelRecipe for ChromaRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.features.extractor()?;
        self.augment.check()?;
        if self.data.segment_frames == 0 {
            return Err(Error::config(
                "data.segment_frames is 0; it must be at least 1",
            ));
        }
        if self.model.input_dim != self.features.n_mels {
            return Err(Error::config(format!(
                "model.input_dim is {} but features.n_mels is {}; they must be equal",
                self.model.input_dim, self.features.n_mels
            )));
        }
        Ok(())
    }

    fn train(
        &self,
        device: &Device,
        resume: bool,
        dashboard: bool,
        report: Report,
    ) -> Result<RunState> {
        self.validate()?;
        // Refuses a folder that is taken before any music is read.
        run::prepare(&self.run.output, resume)?;
        let excerpts = Excerpts::open(
            self.data.renditions.paths(),
            &self.data.dev,
            self.features.sample_rate,
            &self.run.output.join("cache"),
        )?;
        let mut extractor = self.features.extractor()?;
        let dev = self.dev(&mut extractor)?;
        let cut = Cut {
            frames: self.data.segment_frames,
            longest_window: self.features.n_fft,
            augment: self.augment.clone(),
        };
        let (size, seed, pedal, fps) = (
            self.run.batch_size,
            self.run.seed,
            self.data.pedal,
            self.fps(),
        );
        let batches = move |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(step_seed(seed ^ 0xC420_3A00, number));
            let mut extractor = extractor.clone();
            let mut batch = ChromaBatch {
                shape: [size, cut.frames],
                features: Vec::new(),
                targets: Vec::new(),
            };
            for _ in 0..size {
                let excerpt = excerpts.draw(&cut, &mut extractor, &mut rng)?;
                batch.features.extend(excerpt.features);
                let notes = excerpt.notes.iter().map(|labelled| {
                    let note = labelled.note;
                    let end_s = match pedal {
                        true => labelled.sounding_s,
                        false => note.offset_s,
                    };
                    (note.onset_s, end_s, note.pitch)
                });
                let targets = targets(notes, excerpt.start_s, cut.frames, fps);
                batch.targets.extend(targets);
            }
            Ok(batch)
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective: ChromaObjective {},
            model: self.model.clone(),
            task: ChromaConfig {
                features: self.features.clone(),
            },
            card: self.card.clone(),
            score: Score {
                name: "average_precision",
                higher_is_better: true,
            },
            batches: Arc::new(batches),
            dev: Arc::from([Arc::from(dev)]),
            transfer: Transfer::default(),
        };
        objective::train(lesson, device, resume, dashboard, report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pitch_class_sounds_from_its_onset_until_before_its_end() {
        // Frames at 1 s, 1.125 s … 1.625 s: times that are exact in binary.
        let notes = [
            (0.2, 1.125, 60), // sounds on from before: frame 0
            (1.2, 1.5, 64),   // from between two frames: 2 and 3
            (1.375, 9.0, 76), // the same pitch class, an octave up: 3 to the end
            (1.26, 1.3, 62),  // over before a frame sees it
            (0.1, 0.9, 67),
            (1.75, 2.0, 69),
        ];
        let found = targets(notes.into_iter(), 1.0, 6, 8.0);
        let sounding: Vec<(usize, usize)> = (0..found.len())
            .filter(|&i| found[i] == 1.0)
            .map(|i| (i / N_CHROMA, i % N_CHROMA))
            .collect();
        assert_eq!(sounding, [(0, 0), (2, 4), (3, 4), (4, 4), (5, 4)]);
        assert_eq!(found.iter().sum::<f32>(), 5.0);
    }
}

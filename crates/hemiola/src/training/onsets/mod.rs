//! Training of [`MusicCnn`] to tell onsets: one class, judged in every frame.

mod excerpts;
mod recordings;

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize};

use super::preset;
use super::transcription::OneOrMore;
use crate::augment::WaveformAugment;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::evaluation::onset;
use crate::features::{Frames, FrontEnd, MelConfig};
use crate::models::music_cnn::{MusicCnn, MusicCnnConfig, Output};
use crate::nn::loss::bce_with_logits;
use crate::tasks::classify::ClassifierConfig;
use crate::tasks::onsets::{LABEL, OnsetDetector};
use crate::tasks::peak_picking::{PeakPicker, PeakPickingConfig};
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunEvent, RunState, Score, step_seed};
use crate::training::scalars::Scalars;
use excerpts::{Excerpts, OnsetBatch, targets};

/// A recipe for a [`MusicCnn`] that tells onsets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnsetRecipe {
    #[serde(default)]
    pub run: RunConfig,
    /// What is not given is the reference preset's, but for one class and `output = "frame"`.
    #[serde(default = "frame_model", deserialize_with = "model")]
    pub model: MusicCnnConfig,
    #[serde(default)]
    pub features: MelConfig,
    pub data: OnsetData,
    #[serde(default)]
    pub augment: WaveformAugment,
    #[serde(default)]
    pub loss: OnsetLoss,
    /// How onsets are picked; the threshold is tuned on the dev set.
    #[serde(default)]
    pub onsets: PeakPickingConfig,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

fn frame_model() -> MusicCnnConfig {
    MusicCnnConfig {
        n_classes: 1,
        output: Output::Frame,
        ..MusicCnnConfig::default()
    }
}

fn model<'de, D: Deserializer<'de>>(section: D) -> std::result::Result<MusicCnnConfig, D::Error> {
    preset::over(&frame_model(), section)
}

/// Where the music is: folders, searched with the folders in them, of recordings (.wav, .flac, .mp3, .ogg, .m4a), each with
/// its onsets beside it: x.txt with a time in seconds a line, or notes as x.tsv, x.csv, x.txt (MAPS), x.json or x.mid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnsetData {
    /// Folders to learn from.
    pub train: OneOrMore,
    /// Folders to measure by.
    pub dev: OneOrMore,
    /// Frames of one example.
    #[serde(default = "default_segment_frames")]
    pub segment_frames: usize,
}

fn default_segment_frames() -> usize {
    300
}

/// What a frame near an onset counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnsetLoss {
    /// The target, 0–1, of the two frames beside the one that is nearest to an onset, whose target is 1.
    pub neighbour_target: f32,
    /// How much more frames count whose target is above 0.
    pub positive_weight: f32,
}

impl Default for OnsetLoss {
    fn default() -> Self {
        Self {
            neighbour_target: 0.5,
            positive_weight: 2.5,
        }
    }
}

impl OnsetLoss {
    fn validate(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.neighbour_target) {
            return Err(Error::config(format!(
                "loss.neighbour_target is {}; expected 0 to 1",
                self.neighbour_target
            )));
        }
        if !(self.positive_weight > 0.0 && self.positive_weight.is_finite()) {
            return Err(Error::config(format!(
                "loss.positive_weight is {}; it must be above 0",
                self.positive_weight
            )));
        }
        Ok(())
    }

    fn weight(&self, target: f32) -> f32 {
        match target > 0.0 {
            true => self.positive_weight,
            false => 1.0,
        }
    }
}

/// A recording to measure by.
#[derive(Debug, Clone)]
pub struct DevOnsets {
    features: Frames,
    onsets_s: Vec<f64>,
}

/// Weighted binary cross-entropy of every frame; precision, recall and F1 of onsets within 50 ms at the best threshold.
#[derive(Debug, Clone)]
pub struct OnsetObjective {
    loss: OnsetLoss,
    task: ClassifierConfig<MelConfig>,
    peaks: PeakPickingConfig,
}

/// Thresholds that are tried on the dev set, in hundredths.
const THRESHOLDS: std::ops::RangeInclusive<u8> = 10..=80;
const THRESHOLD_STEP: usize = 5;

/// What an activation of 0 or 1 counts as in the dev loss.
const LEAST_ACTIVATION: f64 = 1e-7;

impl Objective for OnsetObjective {
    type Model = MusicCnn;
    type Batch = OnsetBatch;
    /// All recordings.
    type Dev = Arc<[DevOnsets]>;

    fn loss(&self, model: &MusicCnn, batch: &OnsetBatch, device: &Device) -> Loss {
        let [size, time] = batch.shape;
        let bands = batch.features.len() / (size * time);
        let features = TensorData::new(batch.features.clone(), [size, time, bands]);
        let log_mel = Tensor::<3>::from_data(features, device).swap_dims(1, 2);
        let logits = model.forward(log_mel).into_frames();
        let logits = logits.expect("recipes of models that judge anything but frames are refused");
        let frames = |values: &[f32]| {
            Tensor::<3>::from_data(TensorData::new(values.to_vec(), [size, time, 1]), device)
        };
        let weights = frames(&batch.weights);
        let losses = bce_with_logits(logits, frames(&batch.targets)) * weights.clone();
        Loss {
            total: losses.sum() / weights.sum(),
            parts: Vec::new(),
        }
    }

    fn evaluate(&self, model: &MusicCnn, dev: &Arc<[DevOnsets]>, _: &Device) -> Scalars {
        let detector = OnsetDetector::new(model.clone(), self.task.clone())
            .expect("recipes of models that cannot tell onsets are refused");
        let fps = detector.frames_per_second();
        let activations: Vec<Vec<f32>> = dev
            .iter()
            .map(|recording| detector.frame_activations(&recording.features))
            .collect();
        let at = |threshold: f32| {
            let peaks = PeakPickingConfig {
                threshold,
                ..self.peaks.clone()
            };
            scores(&peaks, fps, dev, &activations)
        };
        let best = THRESHOLDS
            .step_by(THRESHOLD_STEP)
            .map(|hundredths| {
                let threshold = f32::from(hundredths) / 100.0;
                (threshold, at(threshold))
            })
            .reduce(|best, other| match other.1.f_measure > best.1.f_measure {
                true => other,
                false => best,
            });
        let (threshold, scores) = best.expect("there are thresholds to try");
        Scalars(
            [
                ("loss", self.dev_loss(fps, dev, &activations)),
                ("f1", scores.f_measure),
                ("precision", scores.precision),
                ("recall", scores.recall),
                ("threshold", f64::from(threshold)),
            ]
            .into(),
        )
    }

    /// With the threshold that the dev set found best.
    fn tuned(
        &self,
        task: &ClassifierConfig<MelConfig>,
        dev: &BTreeMap<&'static str, f64>,
    ) -> Option<ClassifierConfig<MelConfig>> {
        let mut tuned = task.clone();
        tuned.onsets.as_mut()?.threshold = *dev.get("threshold")? as f32;
        Some(tuned)
    }
}

/// Means over recordings.
fn scores(
    peaks: &PeakPickingConfig,
    fps: f64,
    dev: &[DevOnsets],
    activations: &[Vec<f32>],
) -> onset::Scores {
    let mut picker = PeakPicker::new(peaks, fps);
    let mut mean = onset::Scores::default();
    for (recording, activations) in dev.iter().zip(activations) {
        let mut found = Vec::new();
        for &activation in activations {
            picker.push(activation, &mut found);
        }
        picker.finish(&mut found);
        let found: Vec<f64> = found.iter().map(|onset| onset.time_s).collect();
        let scores = onset::evaluate(&recording.onsets_s, &found);
        mean.f_measure += scores.f_measure / dev.len() as f64;
        mean.precision += scores.precision / dev.len() as f64;
        mean.recall += scores.recall / dev.len() as f64;
    }
    mean
}

impl OnsetObjective {
    /// The loss over the frames of all recordings.
    fn dev_loss(&self, fps: f64, dev: &[DevOnsets], activations: &[Vec<f32>]) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (recording, activations) in dev.iter().zip(activations) {
            let neighbour = self.loss.neighbour_target;
            let targets = targets(&recording.onsets_s, 0, activations.len(), fps, neighbour);
            for (&activation, &target) in activations.iter().zip(&targets) {
                let weight = f64::from(self.loss.weight(target));
                let p = f64::from(activation).clamp(LEAST_ACTIVATION, 1.0 - LEAST_ACTIVATION);
                let target = f64::from(target);
                sum -= weight * (target * p.ln() + (1.0 - target) * (1.0 - p).ln());
                weights += weight;
            }
        }
        sum / f64::max(weights, 1.0)
    }
}

impl ModelRecipe for OnsetRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.features.extractor()?;
        self.augment.check()?;
        self.loss.validate()?;
        let named = |error: Error| Error::config(format!("onsets.{error}"));
        self.onsets.validate().map_err(named)?;
        if self.model.output != Output::Frame {
            return Err(Error::config(
                "model.output is \"clip\"; onsets are told frame by frame: expected \"frame\"",
            ));
        }
        if self.model.n_classes != 1 {
            return Err(Error::config(format!(
                "model.n_classes is {}; expected 1, the onset",
                self.model.n_classes
            )));
        }
        if self.model.n_mels != self.features.n_mels {
            return Err(Error::config(format!(
                "model.n_mels is {} but features.n_mels is {}; they must be equal",
                self.model.n_mels, self.features.n_mels
            )));
        }
        if self.data.segment_frames < excerpts::LEAST_FRAMES {
            return Err(Error::config(format!(
                "data.segment_frames is {}; it must be at least {}",
                self.data.segment_frames,
                excerpts::LEAST_FRAMES
            )));
        }
        let dev = self.data.dev.paths();
        if let Some(both) = self.data.train.paths().iter().find(|f| dev.contains(f)) {
            return Err(Error::config(format!(
                "{} is in data.train and in data.dev; a model is not to be measured by what it learns from",
                both.display()
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
        let read = |setting, folders: &OneOrMore| {
            let (read, notes) =
                recordings::read(setting, folders.paths(), self.features.sample_rate)?;
            for note in notes {
                report(RunEvent::Note(&note));
            }
            Ok::<_, Error>(read)
        };
        let mut extractor = self.features.extractor()?;
        let dev: Vec<DevOnsets> = read("data.dev", &self.data.dev)?
            .into_iter()
            .map(|recording| DevOnsets {
                features: recording.features(&mut extractor),
                onsets_s: recording.onsets_s,
            })
            .collect();
        let excerpts = Excerpts::new(
            read("data.train", &self.data.train)?,
            self.data.segment_frames,
            self.augment.clone(),
            self.loss,
        );
        let (size, seed) = (self.run.batch_size, self.run.seed);
        let window = self.features.n_fft;
        let batches = move |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(step_seed(seed ^ 0x0015_E700, number));
            Ok(excerpts.batch(size, &mut extractor.clone(), window, &mut rng))
        };
        let task = ClassifierConfig {
            labels: vec![LABEL.to_owned()],
            features: self.features.clone(),
            onsets: Some(self.onsets.clone()),
            ..ClassifierConfig::default()
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective: OnsetObjective {
                loss: self.loss,
                task: task.clone(),
                peaks: self.onsets.clone(),
            },
            model: self.model.clone(),
            task,
            card: self.card.clone(),
            score: Score {
                name: "f1",
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
    use crate::training::Recipe;

    const MINIMAL: &str = "architecture = \"music-cnn-onsets\"\n\
                           data.train = \"a\"\ndata.dev = [\"b\", \"c\"]\nmodel.dropout = 0.1\n";

    #[test]
    fn the_model_judges_frames_where_nothing_else_is_said() {
        let Recipe::MusicCnnOnsets(recipe) = Recipe::parse(MINIMAL, &[]).unwrap() else {
            panic!("another architecture");
        };
        assert_eq!(
            (recipe.model.n_classes, recipe.model.output),
            (1, Output::Frame)
        );
        assert_eq!(
            (recipe.model.channels, recipe.model.dropout),
            ([64, 128, 256], 0.1)
        );
        assert_eq!(recipe.data.segment_frames, 300);
    }

    #[test]
    fn impossible_recipes_are_refused_by_the_name_of_the_key() {
        for (setting, word) in [
            ("model.output=clip", "model.output"),
            ("model.n_classes=2", "model.n_classes"),
            ("model.n_mels=80", "features.n_mels"),
            ("model.chanels=3", "chanels"),
            ("features.n_mels=0", "n_mels"),
            ("data.segment_frames=3", "segment_frames"),
            ("data.train=c", "data.train and in data.dev"),
            ("loss.positive_weight=0", "loss.positive_weight"),
            ("loss.neighbour_target=1.5", "loss.neighbour_target"),
            ("onsets.threshold=1.5", "onsets.threshold"),
            ("augment.noise_probability=2.0", "noise_probability"),
        ] {
            let message = Recipe::parse(MINIMAL, &[setting.into()])
                .unwrap_err()
                .to_string();
            assert!(message.contains(word), "{setting}: {message}");
        }
    }

    /// Activations that are sure of an onset at every whole tenth of a second, less at every twentieth.
    fn objective() -> (OnsetObjective, Vec<DevOnsets>, Vec<Vec<f32>>) {
        let activations: Vec<f32> = (0..100)
            .map(|frame| match frame % 10 {
                0 => 0.9,
                5 => 0.3,
                _ => 0.01,
            })
            .collect();
        let recording = DevOnsets {
            features: Frames::new(4),
            onsets_s: (0..10).map(|i| 0.1 * f64::from(i)).collect(),
        };
        let objective = OnsetObjective {
            loss: OnsetLoss {
                neighbour_target: 0.0,
                positive_weight: 3.0,
            },
            task: ClassifierConfig::default(),
            peaks: PeakPickingConfig::default(),
        };
        (objective, vec![recording], vec![activations])
    }

    #[test]
    fn a_threshold_between_finds_what_is_there() {
        let (objective, dev, activations) = objective();
        let at = |threshold| {
            let peaks = PeakPickingConfig {
                threshold,
                ..objective.peaks.clone()
            };
            scores(&peaks, 100.0, &dev, &activations)
        };
        assert_eq!(at(0.5).f_measure, 1.0);
        // Twenty are found at the lower one, of which ten can be right.
        assert_eq!((at(0.2).precision, at(0.2).recall), (0.5, 1.0));
        let scores = [("threshold", 0.65)].into();
        let task = ClassifierConfig {
            onsets: Some(PeakPickingConfig::default()),
            ..ClassifierConfig::default()
        };
        let tuned = objective.tuned(&task, &scores).unwrap().onsets.unwrap();
        assert_eq!(tuned.threshold, 0.65);
    }

    #[test]
    fn frames_with_an_onset_count_more() {
        let (objective, dev, activations) = objective();
        let found = objective.dev_loss(100.0, &dev, &activations);
        let surprise = |p: f64| -p.ln();
        // Ten onsets of weight 3; ten wrong frames at 0.3 and eighty at 0.01.
        let sum = 30.0 * surprise(0.9) + 10.0 * surprise(0.7) + 80.0 * surprise(0.99);
        assert!((found - sum / 120.0).abs() < 1e-6, "{found}");
    }
}

//! Training of [`MusicCnn`](crate::models::music_cnn::MusicCnn) to tell onsets: one class, judged in every frame.

mod excerpts;
mod objective;
mod recordings;

use std::sync::Arc;

use burn::tensor::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize};

use super::preset;
use super::transcription::OneOrMore;
use crate::augment::WaveformAugment;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::features::{FrontEnd, MelConfig};
use crate::models::music_cnn::{MusicCnnConfig, Output};
use crate::tasks::classify::ClassifierConfig;
use crate::tasks::onsets::LABEL;
use crate::tasks::peak_picking::PeakPickingConfig;
use crate::training::Transfer;
use crate::training::objective::{Lesson, train};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunEvent, RunState, Score, step_seed};
use excerpts::Excerpts;
pub use objective::OnsetLoss;
use objective::{DevOnsets, OnsetObjective};

/// A recipe for a [`MusicCnn`](crate::models::music_cnn::MusicCnn) that tells onsets.
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
        train(lesson, device, resume, dashboard, report)
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
}

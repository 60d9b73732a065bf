//! Training of models that tell labels of clips: [`MusicCnn`](crate::models::music_cnn::MusicCnn) and
//! [`HarmonicCnn`](crate::models::harmonic_cnn::HarmonicCnn).

mod mixing;
mod objective;
mod report;

use std::sync::Arc;

use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize};

use super::clips::{LabelledClip, LabelledClips, LabelledData, batch_of};
use super::preset;
use super::transfer::{self, Transfer};
use crate::augment::ClipAugment;
use crate::checkpoint::{Architecture, Card, CheckpointFiles};
use crate::error::{Error, Result};
use crate::features::FrontEnd;
use crate::tasks::classify::{ClassifierConfig, ClassifierFrontEnd, ClassifierSizes, Target};
use crate::tasks::spectrograms::Spectrograms;
use crate::training::loader::MakeBatch;
use crate::training::objective::{Lesson, train_from};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunEvent, RunState, Score, step_seed};
use mixing::Example;
pub use mixing::Mixing;
pub(in crate::training) use objective::Judge;
use objective::{ClassifierObjective, ClipBatch, DevClips, balanced_weights};
pub use report::{LabelReport, measure};

/// Frames without which no model of clips has anything to pool.
pub(super) const LEAST_FRAMES: usize = 4;

/// A recipe for a classifier of the sizes `C`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "C: ClassifierSizes")]
pub struct ClassifierRecipe<C: ClassifierSizes> {
    /// The dev score by which the best weights are chosen; for classes the accuracy, for tags the average precision where
    /// it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choose_by: Option<DevScore>,
    #[serde(default)]
    pub run: RunConfig,
    /// `n_classes` is that of the data where it is 0 or not given.
    #[serde(default = "sizes_of_data", deserialize_with = "sizes")]
    pub model: C,
    /// What is not given is the reference preset's.
    #[serde(
        default = "C::Features::classifiers",
        deserialize_with = "features::<_, C::Features>"
    )]
    pub features: C::Features,
    pub data: LabelledData,
    #[serde(default)]
    pub mixing: Mixing,
    #[serde(default)]
    pub loss: TagLoss,
    #[serde(default)]
    pub augment: ClipAugment,
    #[serde(default)]
    pub transfer: Transfer,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// A score of the dev set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DevScore {
    /// The share of recordings whose label scores highest; of tags, where every dev recording has one.
    Accuracy,
    /// The mean over tags.
    AveragePrecision,
}

impl DevScore {
    /// The name in the log.
    fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::AveragePrecision => "average_precision",
        }
    }

    fn usual(target: Target) -> Self {
        match target {
            Target::Class => Self::Accuracy,
            Target::Tags => Self::AveragePrecision,
        }
    }
}

/// What counts beside whether each label is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TagLoss {
    /// How much it counts that the tags of a clip are likelier than all others; for tags alone.
    pub ranking: f64,
}

impl TagLoss {
    fn check(self, target: Target) -> Result<()> {
        let Self { ranking } = self;
        if !(ranking >= 0.0 && ranking.is_finite()) {
            return Err(Error::config(format!(
                "loss.ranking is {ranking}; expected 0 or more"
            )));
        }
        if ranking > 0.0 && target == Target::Class {
            return Err(Error::config(
                "loss.ranking is for tags; data.target is \"class\", whose loss ranks the classes already",
            ));
        }
        Ok(())
    }
}

fn sizes_of_data<C: ClassifierSizes>() -> C {
    C::of_classes(0)
}

fn sizes<'de, D: Deserializer<'de>, C: ClassifierSizes>(
    section: D,
) -> std::result::Result<C, D::Error> {
    preset::over(&sizes_of_data(), section)
}

fn features<'de, D: Deserializer<'de>, F: ClassifierFrontEnd>(
    section: D,
) -> std::result::Result<F, D::Error> {
    preset::over(&F::classifiers(), section)
}

impl<C: ClassifierSizes> ClassifierRecipe<C> {
    /// The model for that many classes.
    ///
    /// # Errors
    /// When the recipe asks for another number.
    fn model_for(&self, labels: &[String]) -> Result<C> {
        match self.model.n_classes() {
            0 => Ok(self.model.with_classes(labels.len())),
            n if n == labels.len() => Ok(self.model.clone()),
            n => Err(Error::config(format!(
                "model.n_classes is {n}, but data.root has {} classes: {}; leave the key out to take their number",
                labels.len(),
                labels.join(", ")
            ))),
        }
    }
}

impl<C: ClassifierSizes> ModelRecipe for ClassifierRecipe<C> {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        match self.model.n_classes() {
            0 => self.model.with_classes(2).validate()?,
            _ => self.model.validate()?,
        }
        self.features.extractor()?;
        self.augment.check()?;
        self.mixing.check(self.data.target)?;
        self.loss.check(self.data.target)?;
        if (self.data.target, self.choose_by) == (Target::Class, Some(DevScore::AveragePrecision)) {
            return Err(Error::config(
                "choose_by: classes have no average precision; leave it out, or say \"accuracy\"",
            ));
        }
        self.transfer.check()?;
        self.data.validate(&self.features, LEAST_FRAMES)?;
        if self.model.n_bins() != self.features.n_bins() {
            return Err(Error::config(format!(
                "the model reads {} bins, but [features] has {}; they must be equal",
                self.model.n_bins(),
                self.features.n_bins()
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
        // Nor is a model that is not there found missing after an hour of reading.
        let source = self.source()?;
        let features = match &source {
            Some(source) => source.task.features.clone(),
            None => self.features.clone(),
        };
        let sample_rate = features.sample_rate();
        let clips = LabelledClips::read(&self.data, sample_rate)?;
        clips.notes.iter().for_each(|n| report(RunEvent::Note(n)));
        let LabelledClips {
            labels, train, dev, ..
        } = clips;
        let n_labels = labels.len();
        let model = match &source {
            Some(source) => source.sizes.with_classes(n_labels),
            None => self.model_for(&labels)?,
        };
        let judge = Judge::<C> {
            extractor: features.extractor()?,
            target: self.data.target,
            window: self.data.clips().window(&features),
            batch_size: self.run.batch_size,
        };
        let weights = match self.data.balanced {
            true => balanced_weights(&train, n_labels, self.data.target),
            false => vec![1.0; n_labels],
        };
        let dev = DevClips::from(dev);
        let task = ClassifierConfig {
            labels,
            target: self.data.target,
            clip_s: self.data.clip_s,
            features,
            ..ClassifierConfig::default()
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective: ClassifierObjective::<C> {
                judge: judge.clone(),
                weights: weights.into(),
                ranking: self.loss.ranking,
            },
            model,
            task: task.clone(),
            card: self.card.clone(),
            score: Score {
                name: self
                    .choose_by
                    .unwrap_or(DevScore::usual(self.data.target))
                    .name(),
                higher_is_better: true,
            },
            batches: self.batches(train, n_labels, judge.clone(), sample_rate),
            dev: Arc::from([dev.clone()]),
            transfer: self.transfer.clone(),
        };
        let initial = |sizes: &C, device: &Device| match &source {
            None => C::Model::from_config(sizes, device),
            Some(source) => {
                let fresh: &[&str] = match source.task.labels == task.labels {
                    true => &[],
                    false => &[C::HEAD],
                };
                transfer::start(&source.files, sizes, fresh, device)
            }
        };
        let state = train_from(lesson, initial, device, resume, dashboard, report)?;
        if state.finished {
            report::write::<C>(&self.run.output, &judge, &dev, device)?;
        }
        Ok(state)
    }
}

/// A checkpoint to start from.
struct Start<C: ClassifierSizes> {
    files: CheckpointFiles,
    sizes: C,
    task: ClassifierConfig<C::Features>,
}

impl<C: ClassifierSizes> ClassifierRecipe<C> {
    fn source(&self) -> Result<Option<Start<C>>> {
        let Some(from) = &self.transfer.from else {
            return Ok(None);
        };
        let files = CheckpointFiles::open(from)?;
        let (_, sizes, task) = files.assemble::<C::Model>(&Device::flex())?;
        C::validate(&sizes)?;
        Ok(Some(Start { files, sizes, task }))
    }

    fn batches(
        &self,
        train: Vec<LabelledClip>,
        n_labels: usize,
        judge: Judge<C>,
        sample_rate: u32,
    ) -> MakeBatch<ClipBatch> {
        let recipe = self.clone();
        let (size, seed) = (self.run.batch_size, self.run.seed);
        Arc::new(move |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(step_seed(seed ^ 0xC1A5_51F1, number));
            let mut extractor = judge.extractor.clone();
            let shortest = recipe.data.shortest_s;
            let shortest = shortest.map(|s| (s * f64::from(sample_rate)).round() as usize);
            let cut = |i: usize, rng: &mut ChaCha8Rng| {
                let clip = &train[i].clip;
                let samples = match shortest {
                    Some(shortest) if rng.random_bool(0.5) => {
                        let part = rng.random_range(shortest.min(judge.window)..=judge.window);
                        clip.random_part(part, judge.window, rng)
                    }
                    _ => clip.random_window(judge.window, rng),
                };
                let has = train[i].has(n_labels).into_iter();
                Example {
                    samples,
                    targets: has.map(|has| f32::from(u8::from(has))).collect(),
                }
            };
            let another = |rng: &mut ChaCha8Rng| cut(rng.random_range(0..train.len()), rng);
            let mut targets = Vec::with_capacity(size * n_labels);
            let mut windows = Vec::with_capacity(size);
            for i in batch_of(seed, number, size, train.len()) {
                let first = cut(i, &mut rng);
                let mixed = recipe.mixing.apply(first, another, &mut rng);
                let under = another(&mut rng).samples;
                windows.push(recipe.augment.apply(
                    &mixed.samples,
                    Some(&under),
                    sample_rate,
                    &mut rng,
                )?);
                targets.extend(mixed.targets);
            }
            let mut spectrograms = Spectrograms::of(windows, &mut extractor);
            let bins = spectrograms.n_bins();
            for spectrogram in spectrograms.each_mut() {
                recipe.augment.mask(spectrogram, bins, &mut rng)?;
            }
            Ok(ClipBatch {
                spectrograms,
                targets,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::music_cnn::MusicCnnConfig;
    use crate::training::Recipe;
    use crate::training::clips::Clip;

    fn parse(text: &str) -> crate::Result<Recipe> {
        Recipe::parse(text, &[])
    }

    #[test]
    fn what_a_section_does_not_say_is_the_reference_presets() {
        let text = "architecture = \"harmonic-cnn\"\ndata.root = \"x\"\n\
                    features.hop_length = 256\nmodel.channels = 4\n";
        let Recipe::HarmonicCnn(recipe) = parse(text).unwrap() else {
            panic!("another architecture");
        };
        assert_eq!(recipe.features.hop_length, 256);
        assert_eq!(recipe.features.n_bins, 128);
        assert_eq!(recipe.model.channels, 4);
        assert_eq!(recipe.model.n_classes, 0);
        let labels = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(recipe.model_for(&labels).unwrap().n_classes, 3);
        let four = parse(&format!("{text}model.n_classes = 4\n")).unwrap();
        let Recipe::HarmonicCnn(four) = four else {
            panic!("another architecture");
        };
        let message = four.model_for(&labels).unwrap_err().to_string();
        assert!(message.contains("n_classes is 4") && message.contains("a, b, c"));
    }

    #[test]
    fn impossible_recipes_are_refused_by_the_name_of_the_key() {
        let text = "architecture = \"music-cnn\"\ndata.root = \"x\"\n";
        assert!(parse(text).is_ok());
        for (key, word) in [
            ("model.n_mels = 64", "64"),
            ("model.chanels = 3", "chanels"),
            ("model.output = \"frame\"", "model.output"),
            ("features.n_mel = 64", "n_mel"),
            ("data.clip_s = 0.05", "data.clip_s"),
            ("data.clip_s = nan", "data.clip_s"),
            ("data.dev_share = 1.0", "data.dev_share"),
            (
                "augment.waveform.noise_probability = 2.0",
                "noise_probability",
            ),
            ("augment.pitch_probability = 2.0", "pitch_probability"),
            ("data.shortest_s = 4.0", "data.shortest_s"),
            ("mixing.together = 0.5", "mixing.together"),
            ("data.folds = 1", "data.folds"),
            ("transfer.rates.\"fc*\" = 0.0", "transfer.rates"),
        ] {
            let message = parse(&format!("{text}{key}\n")).unwrap_err().to_string();
            assert!(message.contains(word), "{key}: {message}");
        }
    }

    /// Batch `number` of a recipe with these settings, of four recordings of noise with one tag each.
    fn batch(settings: &str, number: usize) -> ClipBatch {
        let text = format!(
            "architecture = \"music-cnn\"\nrun.batch_size = 4\nmodel.n_mels = 16\nfeatures.n_mels = 16\n\
             data.root = \"x\"\ndata.target = \"tags\"\ndata.clip_s = 0.5\n\
             augment.pitch_probability = 0.0\naugment.stretch_probability = 0.0\n{settings}"
        );
        let Recipe::MusicCnn(recipe) = parse(&text).unwrap() else {
            panic!("another architecture");
        };
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        let clips = (0..4).map(|label| LabelledClip {
            name: format!("{label}.wav"),
            clip: Clip::new(&(0..22_050).map(|_| noise()).collect::<Vec<f32>>()),
            labels: vec![label],
        });
        let judge = Judge::<MusicCnnConfig> {
            extractor: recipe.features.extractor().unwrap(),
            target: Target::Tags,
            window: 11_025,
            batch_size: 4,
        };
        recipe.batches(clips.collect(), 4, judge, 22_050)(number).unwrap()
    }

    fn spectrograms(batch: ClipBatch) -> Vec<f32> {
        let values = batch.spectrograms.to_tensor(&Device::flex()).into_data();
        values.iter().collect()
    }

    /// Settings that leave recordings as they are.
    const STILL: &str = "augment.mix_probability = 0.0\naugment.mask_probability = 0.0\n\
        augment.waveform = { room_probability = 0.0, equaliser_probability = 0.0, tilt_probability = 0.0, \
        high_pass_probability = 0.0, low_pass_probability = 0.0, noise_probability = 0.0, \
        compression_probability = 0.0, clipping_probability = 0.0, gain_probability = 0.0 }\n";

    #[test]
    fn batches_follow_from_their_number() {
        let (first, again, second) = (batch("", 0), batch("", 0), batch("", 1));
        assert_eq!(spectrograms(first), spectrograms(again));
        assert_ne!(spectrograms(batch("", 0)), spectrograms(second));
        // Every recording once.
        let of_labels: Vec<f32> = (0..4)
            .map(|label| batch("", 0).targets.iter().skip(label).step_by(4).sum())
            .collect();
        assert_eq!(of_labels, [1.0; 4]);
    }

    #[test]
    fn what_the_recipe_varies_reaches_the_batch() {
        let still = || spectrograms(batch(STILL, 0));
        let with = |setting: &str| format!("{STILL}{setting}");
        let together = batch(&with("mixing.together = 1.0\nmixing.most = 2\n"), 0);
        let tags: Vec<f32> = together
            .targets
            .chunks(4)
            .map(|row| row.iter().sum())
            .collect();
        assert!(
            tags.iter().all(|n| (1.0..=2.0).contains(n)) && tags.contains(&2.0),
            "{tags:?}"
        );
        let mixed = batch(&with("mixing.mixup_alpha = 1.0\n"), 0);
        assert!(mixed.targets.iter().any(|t| *t > 0.0 && *t < 1.0));
        let short = spectrograms(batch(&with("data.shortest_s = 0.05\n"), 0));
        assert_ne!(short, still());
        let masked = STILL.replace("mask_probability = 0.0", "mask_probability = 1.0");
        let masked = spectrograms(batch(&masked, 0));
        // Masks are of one value, and leave what lies beside them.
        let same = masked
            .iter()
            .zip(still())
            .filter(|(a, b)| **a == *b)
            .count();
        assert!(
            same > 0 && same < masked.len(),
            "{same} of {}",
            masked.len()
        );
        let louder = STILL.replace(
            "gain_probability = 0.0",
            "gain_probability = 1.0, gain_db = [-20.0, -20.0]",
        );
        let louder = spectrograms(batch(&louder, 0));
        // 20 dB are ln 100 of power.
        let change: f32 = louder.iter().zip(still()).map(|(a, b)| b - a).sum();
        assert!((change / louder.len() as f32 - 100f32.ln()).abs() < 1e-2);
    }
}

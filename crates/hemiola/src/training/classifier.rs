//! Training of models that sort clips into classes: [`MusicCnn`](crate::models::music_cnn::MusicCnn) and
//! [`HarmonicCnn`](crate::models::harmonic_cnn::HarmonicCnn).

use std::marker::PhantomData;
use std::sync::Arc;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize};

use super::clips::{ClipsData, LabelledClip, LabelledFolders, Spectrograms, batch_of};
use super::preset;
use crate::augment::WaveformAugment;
use crate::checkpoint::Card;
use crate::error::{Error, Result};
use crate::evaluation::classification;
use crate::features::FrontEnd;
use crate::nn::loss::cross_entropy;
use crate::tasks::classify::{ClassifierConfig, ClassifierFrontEnd, ClassifierSizes};
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunEvent, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

/// Frames without which no model of clips has anything to pool.
pub(super) const LEAST_FRAMES: usize = 4;

/// A recipe for a classifier of the sizes `C`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "C: ClassifierSizes")]
pub struct ClassifierRecipe<C: ClassifierSizes> {
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
    pub data: ClipsData,
    #[serde(default)]
    pub augment: WaveformAugment,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
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

/// Clips and their classes.
#[derive(Debug, Clone)]
pub struct ClipBatch {
    spectrograms: Spectrograms,
    labels: Vec<i64>,
}

/// Everything that a classifier is measured by.
pub type DevClips = Arc<[LabelledClip]>;

/// Cross-entropy of the class of a clip; accuracy and F1 of the classes of whole recordings.
#[derive(Debug, Clone)]
pub struct ClassifierObjective<C: ClassifierSizes> {
    extractor: <C::Features as FrontEnd>::Extractor,
    window: usize,
    /// Clips judged at once.
    batch_size: usize,
    sizes: PhantomData<fn() -> C>,
}

impl<C: ClassifierSizes> ClassifierObjective<C> {
    fn logits(model: &C::Model, spectrograms: &Spectrograms, device: &Device) -> Tensor<2> {
        C::logits(model, spectrograms.to_tensor(device))
            .expect("recipes of models that judge anything but clips are refused")
    }

    /// The probabilities of a recording's classes, for each of `clips`: means over the windows that cover it.
    fn probabilities(
        &self,
        model: &C::Model,
        clips: &[LabelledClip],
        device: &Device,
    ) -> Vec<Vec<f64>> {
        let windows: Vec<(usize, usize)> = clips
            .iter()
            .enumerate()
            .flat_map(|(i, clip)| {
                let starts = clip.clip.covering(self.window);
                starts.into_iter().map(move |first| (i, first))
            })
            .collect();
        let mut extractor = self.extractor.clone();
        let mut sums: Vec<Vec<f64>> = vec![Vec::new(); clips.len()];
        let mut counts = vec![0usize; clips.len()];
        for windows in windows.chunks(self.batch_size) {
            let samples = windows
                .iter()
                .map(|&(i, first)| clips[i].clip.window(first, self.window));
            let spectrograms = Spectrograms::of(samples, &mut extractor);
            let rows = softmax(Self::logits(model, &spectrograms, device), 1);
            let [_, classes] = rows.dims();
            let rows: Vec<f64> = rows.into_data().iter().collect();
            for (&(i, _), row) in windows.iter().zip(rows.chunks(classes)) {
                sums[i].resize(classes, 0.0);
                counts[i] += 1;
                for (sum, value) in sums[i].iter_mut().zip(row) {
                    *sum += value;
                }
            }
        }
        for (sums, count) in sums.iter_mut().zip(counts) {
            sums.iter_mut().for_each(|sum| *sum /= count as f64);
        }
        sums
    }
}

/// What a probability of zero counts as in the dev loss.
const LEAST_PROBABILITY: f64 = 1e-12;

impl<C: ClassifierSizes> Objective for ClassifierObjective<C> {
    type Model = C::Model;
    type Batch = ClipBatch;
    type Dev = DevClips;

    fn loss(&self, model: &C::Model, batch: &ClipBatch, device: &Device) -> Loss {
        let labels = TensorData::new(batch.labels.clone(), [batch.labels.len()]);
        let labels = Tensor::<1, Int>::from_data(labels, device);
        let logits = Self::logits(model, &batch.spectrograms, device);
        Loss {
            total: cross_entropy(logits, labels).mean(),
            parts: Vec::new(),
        }
    }

    fn evaluate(&self, model: &C::Model, dev: &DevClips, device: &Device) -> Scalars {
        let probabilities = self.probabilities(model, dev, device);
        let reference: Vec<usize> = dev.iter().map(|clip| clip.label).collect();
        let estimate: Vec<usize> = probabilities
            .iter()
            .map(|row| {
                let classes = row.iter().enumerate();
                let best = classes.max_by(|a, b| a.1.total_cmp(b.1));
                best.map_or(0, |(class, _)| class)
            })
            .collect();
        let losses = probabilities
            .iter()
            .zip(&reference)
            .map(|(row, &class)| -row[class].max(LEAST_PROBABILITY).ln());
        Scalars(
            [
                ("loss", losses.sum::<f64>() / dev.len() as f64),
                ("accuracy", classification::accuracy(&reference, &estimate)),
                ("macro_f1", classification::macro_f1(&reference, &estimate)),
            ]
            .into(),
        )
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
        let sample_rate = self.features.sample_rate();
        let folders = LabelledFolders::read(&self.data.root, sample_rate)?;
        let model = self.model_for(&folders.labels)?;
        if let Some(skipped) = &folders.skipped {
            report(RunEvent::Note(skipped));
        }
        let (train, dev) = folders.split(self.data.dev_share)?;
        let window = self.data.window(&self.features);
        let extractor = self.features.extractor()?;
        let (size, seed) = (self.run.batch_size, self.run.seed);
        let objective = ClassifierObjective::<C> {
            extractor: extractor.clone(),
            window,
            batch_size: size,
            sizes: PhantomData,
        };
        let augment = self.augment.clone();
        let batches = move |number| {
            let mut rng = ChaCha8Rng::seed_from_u64(step_seed(seed ^ 0xC1A5_51F1, number));
            let mut extractor = extractor.clone();
            let examples = batch_of(seed, number, size, train.len());
            let labels = examples.iter().map(|&i| train[i].label as i64).collect();
            let windows = examples.into_iter().map(|i| {
                let mut samples = train[i].clip.random_window(window, &mut rng);
                augment.apply(&mut samples, sample_rate, &mut rng);
                samples
            });
            Ok(ClipBatch {
                spectrograms: Spectrograms::of(windows, &mut extractor),
                labels,
            })
        };
        let lesson = Lesson {
            run: self.run.clone(),
            objective,
            model,
            task: ClassifierConfig {
                labels: folders.labels,
                clip_s: self.data.clip_s,
                features: self.features.clone(),
                ..ClassifierConfig::default()
            },
            card: self.card.clone(),
            score: Score {
                name: "accuracy",
                higher_is_better: true,
            },
            batches: Arc::new(batches),
            dev: Arc::from([DevClips::from(dev)]),
        };
        objective::train(lesson, device, resume, dashboard, report)
    }
}

#[cfg(test)]
mod tests {
    use crate::training::Recipe;

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
            ("augment.noise_probability = 2.0", "noise_probability"),
        ] {
            let message = parse(&format!("{text}{key}\n")).unwrap_err().to_string();
            assert!(message.contains(word), "{key}: {message}");
        }
    }
}

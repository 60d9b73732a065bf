//! What a classifier minimises, and what it is measured by.

use std::sync::Arc;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::evaluation::classification::{self, OneLabel, TEMPERATURES};
use crate::features::FrontEnd;
use crate::nn::loss::bce_with_logits;
use crate::tasks::classify::{ClassifierSizes, Pooled, Target, level};
use crate::tasks::spectrograms::Spectrograms;
use crate::training::clips::LabelledClip;
use crate::training::objective::{Loss, Objective};
use crate::training::scalars::Scalars;

/// Clips, and how much each label is true of them, [batch, labels].
#[derive(Debug, Clone)]
pub struct ClipBatch {
    pub(super) spectrograms: Spectrograms,
    pub(super) targets: Vec<f32>,
}

/// Everything that a classifier is measured by.
pub type DevClips = Arc<[LabelledClip]>;

/// Cross-entropy of a clip's class, or binary cross-entropy of its tags; in dev, scores of whole recordings.
#[derive(Debug, Clone)]
pub struct ClassifierObjective<C: ClassifierSizes> {
    pub(super) judge: Judge<C>,
    /// How much each label counts.
    pub(super) weights: Arc<[f32]>,
    /// How much it counts which tags are the likeliest; see [`TagLoss::ranking`](super::TagLoss).
    pub(super) ranking: f64,
}

/// Judges whole recordings by the windows that cover them.
#[derive(Debug, Clone)]
pub(in crate::training) struct Judge<C: ClassifierSizes> {
    pub extractor: <C::Features as FrontEnd>::Extractor,
    pub target: Target,
    /// Samples of a window.
    pub window: usize,
    /// Windows judged at once.
    pub batch_size: usize,
}

/// What a model says of the windows of each recording.
#[derive(Debug, Clone)]
pub(in crate::training) struct Judged {
    target: Target,
    n_labels: usize,
    /// For each recording, logits [windows, labels].
    logits: Vec<Vec<f32>>,
    /// How loud each window is.
    levels: Vec<Vec<f64>>,
}

impl<C: ClassifierSizes> Judge<C> {
    pub fn logits(&self, model: &C::Model, batch: &Spectrograms, device: &Device) -> Tensor<2> {
        C::judge(model, batch.to_tensor(device))
            .expect("recipes of models that judge anything but clips are refused")
            .logits
    }

    pub fn recordings(&self, model: &C::Model, clips: &[LabelledClip], device: &Device) -> Judged {
        let windows: Vec<(usize, usize)> = clips
            .iter()
            .enumerate()
            .flat_map(|(i, clip)| {
                let starts = clip.clip.covering(self.window);
                starts.into_iter().map(move |first| (i, first))
            })
            .collect();
        let mut extractor = self.extractor.clone();
        let mut logits: Vec<Vec<f32>> = vec![Vec::new(); clips.len()];
        let mut levels: Vec<Vec<f64>> = vec![Vec::new(); clips.len()];
        let mut n_labels = 0;
        for windows in windows.chunks(self.batch_size) {
            let samples: Vec<_> = windows
                .iter()
                .map(|&(i, first)| clips[i].clip.window(first, self.window))
                .collect();
            for (&(i, _), samples) in windows.iter().zip(&samples) {
                levels[i].push(level(samples));
            }
            let spectrograms = Spectrograms::of(samples, &mut extractor);
            let rows = self.logits(model, &spectrograms, device);
            n_labels = rows.dims()[1];
            let rows: Vec<f32> = rows.into_data().iter().collect();
            for (&(i, _), row) in windows.iter().zip(rows.chunks(n_labels)) {
                logits[i].extend(row);
            }
        }
        Judged {
            target: self.target,
            n_labels,
            logits,
            levels,
        }
    }
}

impl Judged {
    pub fn target(&self) -> Target {
        self.target
    }

    /// Probabilities [recordings, labels], pooled over the windows as `hemiola tag` does.
    pub fn probabilities(&self, temperature: f64) -> Vec<f64> {
        let recordings = self.logits.iter().zip(&self.levels);
        let pooled = recordings.flat_map(|(windows, levels)| {
            let mut pooled = Pooled::new(self.n_labels);
            for (row, &level) in windows.chunks(self.n_labels).zip(levels) {
                pooled.add(self.target.probabilities(row, temperature), level);
            }
            pooled.mean()
        });
        pooled.collect()
    }

    /// The temperature that fits best what `clips` are.
    ///
    /// Probabilities that are the means of several windows are less sure than these; windows are what is fitted.
    pub fn temperature(&self, clips: &[LabelledClip]) -> f64 {
        let (mut logits, mut reference) = (Vec::new(), Vec::new());
        for (windows, clip) in self.logits.iter().zip(clips) {
            for row in windows.chunks(self.n_labels) {
                match self.target {
                    Target::Class => {
                        logits.extend_from_slice(row);
                        reference.extend(clip.labels.first());
                    }
                    Target::Tags => {
                        let has = clip.has(self.n_labels);
                        for (&logit, has) in row.iter().zip(has) {
                            logits.extend([0.0, logit]);
                            reference.push(usize::from(has));
                        }
                    }
                }
            }
        }
        let classes = match self.target {
            Target::Class => self.n_labels,
            Target::Tags => 2,
        };
        let found = classification::fit_temperature(&logits, &reference, classes);
        // At the ends of the range every example is right, or none tells anything.
        found
            .filter(|t| *t > *TEMPERATURES.start() && *t < *TEMPERATURES.end())
            .unwrap_or(1.0)
    }
}

/// What a probability of zero counts as in the dev loss.
const LEAST_PROBABILITY: f64 = 1e-12;

impl<C: ClassifierSizes> Objective for ClassifierObjective<C> {
    type Model = C::Model;
    type Batch = ClipBatch;
    type Dev = DevClips;

    const PARTS: &'static [&'static str] = &["ranking"];

    fn loss(&self, model: &C::Model, batch: &ClipBatch, device: &Device) -> Loss {
        let logits = self.judge.logits(model, &batch.spectrograms, device);
        let shape = logits.dims();
        let targets: Tensor<2> =
            Tensor::from_data(TensorData::new(batch.targets.clone(), shape), device);
        let weights = TensorData::new(self.weights.to_vec(), [1, shape[1]]);
        let weights: Tensor<2> = Tensor::from_data(weights, device);
        match self.judge.target {
            Target::Class => {
                let each = log_softmax(logits, 1) * targets * weights; // [batch, labels]
                Loss {
                    total: each.sum_dim(1).mean().neg(),
                    parts: Vec::new(),
                }
            }
            // A label that is there counts by its weight, one that is not once.
            Target::Tags => {
                let weights = targets.clone() * (weights - 1.0) + 1.0;
                let each = bce_with_logits(logits.clone(), targets.clone());
                let total = (each * weights).mean();
                if self.ranking == 0.0 {
                    let parts = Vec::new();
                    return Loss { total, parts };
                }
                let ranking = ranking_loss(logits, targets);
                Loss {
                    total: total + ranking.clone() * self.ranking,
                    parts: vec![("ranking", ranking)],
                }
            }
        }
    }

    fn evaluate(&self, model: &C::Model, dev: &DevClips, device: &Device) -> Scalars {
        let judged = self.judge.recordings(model, dev, device);
        let probabilities = judged.probabilities(1.0);
        let n = judged.n_labels;
        let relevant: Vec<bool> = dev.iter().flat_map(|clip| clip.has(n)).collect();
        let nats = |p: f64| -p.max(LEAST_PROBABILITY).ln();
        let mut scalars = Scalars::default();
        match self.judge.target {
            Target::Class => {
                let reference: Vec<usize> = dev
                    .iter()
                    .filter_map(|c| c.labels.first().copied())
                    .collect();
                let estimate: Vec<usize> = probabilities.chunks(n).map(most_probable).collect();
                let right = probabilities.iter().zip(&relevant).filter(|(_, r)| **r);
                let loss: f64 = right.map(|(&p, _)| nats(p)).sum();
                scalars.0.extend([
                    ("loss", loss / dev.len() as f64),
                    ("accuracy", classification::accuracy(&reference, &estimate)),
                    ("macro_f1", classification::macro_f1(&reference, &estimate)),
                ]);
            }
            Target::Tags => {
                let pairs = probabilities.iter().zip(&relevant);
                let loss: f64 = pairs
                    .map(|(&p, &has)| nats(if has { p } else { 1.0 - p }))
                    .sum();
                scalars.0.insert("loss", loss / relevant.len() as f64);
                let precision =
                    classification::macro_average_precision(&probabilities, &relevant, n);
                scalars
                    .0
                    .insert("average_precision", precision.unwrap_or(0.0));
                if let Some(area) = classification::macro_roc_auc(&probabilities, &relevant, n) {
                    scalars.0.insert("roc_auc", area);
                }
                let names: Vec<String> = (0..n).map(|i| i.to_string()).collect();
                if let Some(one) = OneLabel::of(&probabilities, &relevant, &names) {
                    scalars.0.insert("accuracy", one.accuracy);
                }
            }
        }
        scalars
    }
}

/// Cross-entropy of all labels together with the tags of a clip, each as likely as the others: D. Mahajan et al., "Exploring
/// the Limits of Weakly Supervised Pretraining" (ECCV 2018), section 2.2. Clips without a tag do not count.
fn ranking_loss(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let tags = targets.clone().sum_dim(1); // [batch, 1]
    let shares = targets / tags.clamp_min(1.0);
    (log_softmax(logits, 1) * shares).sum_dim(1).mean().neg()
}

fn most_probable(row: &[f64]) -> usize {
    let classes = row.iter().enumerate();
    let best = classes.max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(class, _)| class)
}

/// How much each label counts so that all labels count the same: for classes the number of recordings over that of each
/// class and the number of classes (scikit-learn's "balanced"), for tags the recordings without the label over those
/// with it, from 1 to 20.
pub(super) fn balanced_weights(
    clips: &[LabelledClip],
    n_labels: usize,
    target: Target,
) -> Vec<f32> {
    const MOST: f64 = 20.0;
    let weight = |label| {
        let with = clips.iter().filter(|c| c.labels.contains(&label)).count();
        let (with, all) = (with.max(1) as f64, clips.len() as f64);
        match target {
            Target::Class => all / (with * n_labels as f64),
            Target::Tags => ((all - with) / with).clamp(1.0, MOST),
        }
    };
    (0..n_labels).map(|label| weight(label) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::clips::Clip;

    fn clip(labels: &[usize]) -> LabelledClip {
        LabelledClip {
            name: String::new(),
            clip: Clip::new(&[0.0]),
            labels: labels.to_vec(),
        }
    }

    fn judged(target: Target, logits: &[&[f32]]) -> Judged {
        Judged {
            target,
            n_labels: 2,
            logits: logits.iter().map(|row| row.to_vec()).collect(),
            levels: logits.iter().map(|row| vec![1.0; row.len() / 2]).collect(),
        }
    }

    #[test]
    fn a_recording_is_the_mean_of_its_windows_by_their_level() {
        let mut of = judged(Target::Tags, &[&[0.0, 100.0, 0.0, -100.0]]);
        assert_eq!(of.probabilities(1.0), [0.5, 0.5]);
        of.levels = vec![vec![0.75, 0.25]];
        assert_eq!(of.probabilities(1.0), [0.5, 0.75]);
    }

    #[test]
    fn the_temperature_makes_a_model_as_sure_as_it_is_right() {
        // Logits of 3 : 1 that are right in 3 of 4 need no change; twice as large ones a temperature of 2.
        let clips = [clip(&[0]), clip(&[0]), clip(&[0]), clip(&[1])];
        for scale in [1.0, 2.0] {
            let row: &[f32] = &[scale * 3f32.ln(), 0.0];
            let of = judged(Target::Class, &[row; 4]);
            assert!((of.temperature(&clips) - f64::from(scale)).abs() < 1e-4);
        }
        let all_right = judged(Target::Class, &[&[1.0, 0.0], &[0.0, 1.0]]);
        assert_eq!(all_right.temperature(&[clip(&[0]), clip(&[1])]), 1.0);
    }

    #[test]
    fn ranking_is_the_cross_entropy_with_the_tags_of_a_clip() {
        let device = Device::flex();
        // Of 1 : 1 : 2, one tag, two tags, and none.
        let row = [0.0, 0.0, 2f32.ln()];
        let logits = Tensor::<2>::from_floats([row, row, row], &device);
        let targets = Tensor::from_floats([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0; 3]], &device);
        let found = ranking_loss(logits, targets).into_scalar::<f64>();
        let expected = (2f64.ln() + (4f64.ln() + 2f64.ln()) / 2.0) / 3.0;
        assert!((found - expected).abs() < 1e-6, "{found}");
    }

    #[test]
    fn rare_labels_weigh_more() {
        let clips = [clip(&[0]), clip(&[0]), clip(&[0]), clip(&[1])];
        let weights = balanced_weights(&clips, 2, Target::Class);
        assert_eq!(weights, [4.0 / 6.0, 2.0]);
        assert_eq!(balanced_weights(&clips, 2, Target::Tags), [1.0, 3.0]);
    }
}

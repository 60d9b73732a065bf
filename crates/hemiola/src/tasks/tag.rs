//! Which labels a recording has: instruments, genres, whatever a classifier was taught.

use std::fmt::Debug;

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;

use super::classify::{
    ClassifierConfig, ClassifierSizes, Judgement, Pooled, SILENCE, Target, level,
};
use super::spectrograms::Spectrograms;
use super::windows::Windows;
use crate::audio::AudioStream;
use crate::checkpoint::{Architecture, CheckpointFiles};
use crate::error::{Error, Result};
use crate::features::FrontEnd;
use crate::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use crate::models::music_cnn::{MusicCnn, MusicCnnConfig};

/// Windows judged at once.
const BATCH: usize = 8;

/// A label and how sure the model is of it, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tag {
    pub label: String,
    pub score: f64,
}

/// What is heard in a stretch of a recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowTags {
    pub start_s: f64,
    pub end_s: f64,
    /// Of each label, in the order of [`Tagger::labels`]; all zero in silence.
    #[serde(skip)]
    pub scores: Vec<f32>,
    /// How much each equal part of the window counted; sums to 1. Empty for models that do not attend, and in silence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attention: Vec<f32>,
}

/// What is heard in a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Tagging {
    pub duration_s: f64,
    /// Of each label, in the order of [`Tagger::labels`]: the mean over the windows, each counting as much as it is loud
    /// (the root of its mean square), silent ones not at all.
    pub scores: Vec<f64>,
    pub windows: Vec<WindowTags>,
    labels: Vec<String>,
}

impl Tagging {
    /// All labels, the most likely first.
    pub fn tags(&self) -> Vec<Tag> {
        ranked(&self.labels, self.scores.iter().copied())
    }

    /// All labels of a window, the most likely first.
    pub fn tags_of(&self, window: &WindowTags) -> Vec<Tag> {
        ranked(&self.labels, window.scores.iter().map(|&s| f64::from(s)))
    }

    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether nothing was loud enough to be judged.
    pub fn is_silent(&self) -> bool {
        self.scores.iter().all(|score| *score == 0.0)
    }
}

fn ranked(labels: &[String], scores: impl Iterator<Item = f64>) -> Vec<Tag> {
    let mut tags: Vec<Tag> = labels
        .iter()
        .cloned()
        .zip(scores)
        .map(|(label, score)| Tag { label, score })
        .collect();
    tags.sort_by(|a, b| b.score.total_cmp(&a.score));
    tags
}

/// A classifier of clips with its front end.
pub struct Tagger {
    model: Box<dyn Listener>,
    labels: Vec<String>,
    target: Target,
    sample_rate: u32,
    /// Samples of a window, and from one to the next.
    window: usize,
    step: usize,
}

/// A model of either architecture.
trait Listener: Send + Sync {
    /// Probabilities of every label, and attention where there is any, for each window.
    fn listen(&self, windows: &[Vec<f32>]) -> Vec<(Vec<f32>, Vec<f32>)>;
}

struct Of<C: ClassifierSizes> {
    model: C::Model,
    task: ClassifierConfig<C::Features>,
    extractor: <C::Features as FrontEnd>::Extractor,
    device: Device,
}

impl<C: ClassifierSizes> Listener for Of<C> {
    fn listen(&self, windows: &[Vec<f32>]) -> Vec<(Vec<f32>, Vec<f32>)> {
        let spectrograms = Spectrograms::of_each(windows, &self.extractor);
        let Judgement { logits, attention } =
            C::judge(&self.model, spectrograms.to_tensor(&self.device))
                .expect("models that judge anything but clips are refused");
        let rows = |tensor: burn::tensor::Tensor<2>| -> Vec<Vec<f32>> {
            let width = tensor.dims()[1];
            let values: Vec<f32> = tensor.into_data().iter().collect();
            values.chunks(width).map(<[f32]>::to_vec).collect()
        };
        let attention = attention.map_or_else(|| vec![Vec::new(); windows.len()], rows);
        let scores = rows(logits).into_iter().map(|logits| {
            let scores = self
                .task
                .target
                .probabilities(&logits, self.task.temperature);
            scores.into_iter().map(|score| score as f32).collect()
        });
        scores.zip(attention).collect()
    }
}

impl Debug for Tagger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tagger")
            .field("labels", &self.labels)
            .field("target", &self.target)
            .field("sample_rate", &self.sample_rate)
            .field("window", &self.window)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

impl Tagger {
    /// The built-in model of that name, or the checkpoint in that folder; windows overlap by half.
    ///
    /// # Errors
    /// When there is no such model, or it is no classifier of clips.
    pub fn open(name: &str, device: &Device) -> Result<Self> {
        Self::of(&CheckpointFiles::open(name)?, device)
    }

    /// See [`Self::open`].
    ///
    /// # Errors
    /// When the checkpoint is damaged, or no classifier of clips.
    pub fn of(files: &CheckpointFiles, device: &Device) -> Result<Self> {
        match files.config.architecture.as_str() {
            MusicCnn::NAME => Self::assemble::<MusicCnnConfig>(files, device),
            HarmonicCnn::NAME => Self::assemble::<HarmonicCnnConfig>(files, device),
            other => Err(Error::checkpoint(
                &files.origin,
                format!(
                    "a {other} tells no labels of recordings; expected a {} or a {}",
                    MusicCnn::NAME,
                    HarmonicCnn::NAME
                ),
            )),
        }
    }

    fn assemble<C: ClassifierSizes>(files: &CheckpointFiles, device: &Device) -> Result<Self> {
        let (model, sizes, task) = files.assemble::<C::Model>(device)?;
        let n_classes = sizes.n_classes();
        let checked = || {
            sizes.validate()?;
            task.check_labels(n_classes)?;
            if sizes.n_bins() != task.features.n_bins() {
                return Err(Error::config(format!(
                    "the front end makes {} bins (task.features), but the model reads {}",
                    task.features.n_bins(),
                    sizes.n_bins()
                )));
            }
            task.features.extractor()
        };
        let extractor = checked().map_err(|e| Error::checkpoint(&files.origin, e.to_string()))?;
        let sample_rate = task.features.sample_rate();
        let window = ((task.clip_s * f64::from(sample_rate)).round() as usize).max(1);
        Ok(Self {
            labels: (0..n_classes).map(|class| task.label(class)).collect(),
            target: task.target,
            sample_rate,
            window,
            step: window.div_ceil(2),
            model: Box::new(Of::<C> {
                device: model.devices()[0].clone(),
                model,
                task,
                extractor,
            }),
        })
    }

    /// Takes a window every `step_s` seconds.
    ///
    /// # Errors
    /// When that is no time above 0, or longer than a window.
    pub fn with_step(mut self, step_s: f64) -> Result<Self> {
        let window_s = self.window_s();
        if !(step_s > 0.0 && step_s <= window_s) {
            return Err(Error::config(format!(
                "a step of {step_s} s: expected more than 0 and at most {window_s}, the length of a window"
            )));
        }
        self.step = ((step_s * f64::from(self.sample_rate)).round() as usize).clamp(1, self.window);
        Ok(self)
    }

    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether one label is true of a recording or any number.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The sample rate in Hz that [`Self::tag`] expects of its stream.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Seconds that are judged at once.
    pub fn window_s(&self) -> f64 {
        self.window as f64 / f64::from(self.sample_rate)
    }

    /// The labels of a stream, read to its end block by block; `progress` is told the seconds read.
    ///
    /// A recording shorter than a window is repeated to fill it; the last window ends where the recording ends.
    ///
    /// # Errors
    /// When the stream cannot be decoded.
    pub fn tag(&self, stream: &mut AudioStream, mut progress: impl FnMut(f64)) -> Result<Tagging> {
        let mut hearing = Hearing::new(self);
        while let Some(block) = stream.next_block()? {
            hearing.push(block);
            progress(hearing.seconds(hearing.windows.n_samples()));
        }
        Ok(hearing.finish())
    }

    /// The labels of samples at [`Self::sample_rate`].
    pub fn tag_samples(&self, samples: &[f32]) -> Tagging {
        let mut hearing = Hearing::new(self);
        hearing.push(samples);
        hearing.finish()
    }
}

/// Windows on their way through the model.
struct Hearing<'a> {
    tagger: &'a Tagger,
    windows: Windows,
    /// Windows that are not judged yet.
    waiting: Vec<(usize, Vec<f32>)>,
    judged: Vec<WindowTags>,
    pooled: Pooled,
}

impl<'a> Hearing<'a> {
    fn new(tagger: &'a Tagger) -> Self {
        Self {
            tagger,
            windows: Windows::new(tagger.window, tagger.step),
            waiting: Vec::new(),
            judged: Vec::new(),
            pooled: Pooled::new(tagger.labels.len()),
        }
    }

    fn seconds(&self, samples: usize) -> f64 {
        samples as f64 / f64::from(self.tagger.sample_rate)
    }

    fn push(&mut self, samples: &[f32]) {
        // In pieces, so that a long recording given at once is not held twice.
        for piece in samples.chunks(self.tagger.window) {
            self.windows.push(piece);
            while let Some(window) = self.windows.take() {
                self.waiting.push(window);
                if self.waiting.len() == BATCH {
                    self.judge();
                }
            }
        }
    }

    fn judge(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let levels: Vec<f64> = waiting.iter().map(|(_, samples)| level(samples)).collect();
        let (starts, samples): (Vec<usize>, Vec<Vec<f32>>) = waiting.into_iter().unzip();
        let heard: Vec<Vec<f32>> = samples
            .into_iter()
            .zip(&levels)
            .filter_map(|(samples, &level)| (level > SILENCE).then_some(samples))
            .collect();
        let mut heard = match heard.is_empty() {
            true => Vec::new(),
            false => self.tagger.model.listen(&heard),
        }
        .into_iter();
        for (start, level) in starts.into_iter().zip(levels) {
            let nothing = || (vec![0.0; self.tagger.labels.len()], Vec::new());
            let (scores, attention) = match level > SILENCE {
                true => heard.next().unwrap_or_else(nothing),
                false => nothing(),
            };
            if level > SILENCE {
                let scores = scores.iter().map(|&score| f64::from(score));
                self.pooled.add(scores, level);
            }
            let end = (start + self.tagger.window).min(self.windows.n_samples());
            self.judged.push(WindowTags {
                start_s: self.seconds(start),
                end_s: self.seconds(end),
                scores,
                attention,
            });
        }
    }

    fn finish(mut self) -> Tagging {
        self.waiting.extend(self.windows.last());
        self.judge();
        Tagging {
            duration_s: self.seconds(self.windows.n_samples()),
            scores: self.pooled.mean(),
            windows: self.judged,
            labels: self.tagger.labels.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says of each window how loud it is, and where its attention would be.
    struct Loudness;

    impl Listener for Loudness {
        fn listen(&self, windows: &[Vec<f32>]) -> Vec<(Vec<f32>, Vec<f32>)> {
            let mean = |w: &Vec<f32>| w.iter().sum::<f32>() / w.len() as f32;
            let judged = windows.iter().map(|w| (vec![0.1, mean(w)], vec![1.0]));
            judged.collect()
        }
    }

    fn tagger() -> Tagger {
        Tagger {
            model: Box::new(Loudness),
            labels: ["always", "loud"].map(str::to_owned).to_vec(),
            target: Target::Tags,
            sample_rate: 10,
            window: 10,
            step: 5,
        }
    }

    fn starts(tagging: &Tagging) -> Vec<(f64, f64)> {
        let windows = tagging.windows.iter();
        windows.map(|w| (w.start_s, w.end_s)).collect()
    }

    #[test]
    fn windows_cover_the_recording_and_the_last_ends_with_it() {
        let of = |n: usize| starts(&tagger().tag_samples(&vec![0.5; n]));
        assert_eq!(of(0), []);
        assert_eq!(of(4), [(0.0, 0.4)]);
        assert_eq!(of(10), [(0.0, 1.0)]);
        assert_eq!(of(15), [(0.0, 1.0), (0.5, 1.5)]);
        assert_eq!(of(17), [(0.0, 1.0), (0.5, 1.5), (0.7, 1.7)]);
    }

    #[test]
    fn blocks_of_any_size_give_the_same() {
        let samples: Vec<f32> = (0..437).map(|i| (i as f32 * 0.37).sin().abs()).collect();
        let whole = tagger().tag_samples(&samples);
        for size in [1, 3, 10, 64, 400] {
            let tagger = tagger();
            let mut hearing = Hearing::new(&tagger);
            samples.chunks(size).for_each(|block| hearing.push(block));
            assert_eq!(hearing.finish(), whole, "{size}");
        }
    }

    #[test]
    fn scores_are_means_weighted_by_level_and_the_highest_comes_first() {
        let mut samples = vec![0.75; 10];
        samples.extend(vec![0.25; 10]);
        samples.extend(vec![0.0; 40]);
        let tagging = tagger().with_step(1.0).unwrap().tag_samples(&samples);
        let tags = tagging.tags();
        // (0.75 · 0.75 + 0.25 · 0.25) / (0.75 + 0.25)
        assert_eq!((tags[0].label.as_str(), tags[0].score), ("loud", 0.625));
        assert!((tags[1].score - 0.1).abs() < 1e-6);
        assert_eq!(tagging.tags_of(&tagging.windows[5])[0].score, 0.0);
        assert!(!tagging.is_silent());
        assert!(tagger().tag_samples(&[0.0; 30]).is_silent());
        let fault = tagger().with_step(1.5).unwrap_err().to_string();
        assert!(fault.contains("at most 1"), "{fault}");
    }
}

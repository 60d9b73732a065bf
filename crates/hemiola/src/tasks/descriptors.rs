//! One vector for a recording, in several ways, to be compared.

use burn::module::Module;
use burn::tensor::Device;

use super::classify::{ClassifierConfig, Pooled, level};
use super::embed::Embedder;
use super::spectrograms::Spectrograms;
use super::windows::Windows;
use crate::checkpoint::CheckpointFiles;
use crate::error::{Error, Result};
use crate::evaluation::probe::moments;
use crate::features::{FrontEnd, Mel, MelConfig, extract, mfcc, power_to_db};
use crate::models::music_cnn::MusicCnn;

/// Makes one vector of a recording.
pub trait Descriptor: Sync {
    /// Hz.
    fn sample_rate(&self) -> u32;

    /// The vector of mono samples at [`Self::sample_rate`]; none where there is nothing to hear.
    ///
    /// # Errors
    /// When the model's vectors have no direction.
    fn describe(&self, samples: &[f32]) -> Result<Option<Vec<f64>>>;

    /// Whether its numbers are of several units, so that they must be brought to one spread before they are compared.
    fn is_raw(&self) -> bool;
}

impl Descriptor for Embedder {
    fn sample_rate(&self) -> u32 {
        Embedder::sample_rate(self)
    }

    fn describe(&self, samples: &[f32]) -> Result<Option<Vec<f64>>> {
        let mean = self.embed_samples(samples)?.passages.mean();
        Ok(mean.map(|mean| mean.into_iter().map(f64::from).collect()))
    }

    fn is_raw(&self) -> bool {
        !self.is_trained()
    }
}

/// The mean of 20 mel-frequency cepstral coefficients over time and their covariance: 20 + 210 numbers.
///
/// Mandel and Ellis, "Song-level features and support vector machines for music classification" (ISMIR 2005).
#[derive(Debug, Clone)]
pub struct MfccStatistics {
    mel: Mel,
}

const N_MFCC: usize = 20;
const MFCC_SAMPLE_RATE: u32 = 22_050;

impl MfccStatistics {
    /// # Errors
    /// Never: its front end is fixed.
    pub fn new() -> Result<Self> {
        let config = MelConfig {
            sample_rate: MFCC_SAMPLE_RATE,
            ..MelConfig::librosa()
        };
        Ok(Self {
            mel: config.extractor()?,
        })
    }
}

impl Descriptor for MfccStatistics {
    fn sample_rate(&self) -> u32 {
        MFCC_SAMPLE_RATE
    }

    fn describe(&self, samples: &[f32]) -> Result<Option<Vec<f64>>> {
        if samples.iter().all(|&sample| sample == 0.0) {
            return Ok(None);
        }
        let mut mel = extract(&mut self.mel.clone(), samples);
        power_to_db(mel.as_mut_slice(), 1.0, 1e-10, Some(80.0));
        let coefficients = mfcc(&mel, N_MFCC)?;
        let rows: Vec<Vec<f64>> = coefficients
            .iter()
            .map(|frame| frame.iter().map(|&x| f64::from(x)).collect())
            .collect();
        let (mut vector, _) = moments(&rows);
        let mean = vector.clone();
        let count = rows.len() as f64;
        for i in 0..N_MFCC {
            for j in i..N_MFCC {
                let products = rows.iter().map(|x| (x[i] - mean[i]) * (x[j] - mean[j]));
                vector.push(products.sum::<f64>() / count);
            }
        }
        Ok(Some(vector))
    }

    fn is_raw(&self) -> bool {
        true
    }
}

/// What the last layer of a MusicCNN reads: the mean over windows that overlap by half, each counting as much as it is loud.
#[derive(Debug)]
pub struct ClassifierFeatures {
    model: MusicCnn,
    extractor: Mel,
    window: usize,
    device: Device,
}

/// Windows heard at once.
const BATCH: usize = 8;

impl ClassifierFeatures {
    /// The built-in model of that name, or the checkpoint in that folder.
    ///
    /// # Errors
    /// When there is no such model, or it is no MusicCNN.
    pub fn open(name: &str, device: &Device) -> Result<Self> {
        let files = CheckpointFiles::open(name)?;
        let (model, _, task): (MusicCnn, _, ClassifierConfig<MelConfig>) =
            files.assemble(device)?;
        let fail = |error: Error| Error::checkpoint(&files.origin, error.to_string());
        task.check_labels(model.n_classes()).map_err(fail)?;
        let extractor = task.features.extractor().map_err(fail)?;
        let window = (task.clip_s * f64::from(task.features.sample_rate)).round() as usize;
        let window = window.max(1);
        let silence = Spectrograms::of([vec![0.0; window]], &mut extractor.clone());
        model.validate_input(silence.shape()).map_err(fail)?;
        Ok(Self {
            device: model.devices()[0].clone(),
            model,
            extractor,
            window,
        })
    }
}

impl Descriptor for ClassifierFeatures {
    fn sample_rate(&self) -> u32 {
        crate::features::FrameExtractor::sample_rate(&self.extractor)
    }

    fn describe(&self, samples: &[f32]) -> Result<Option<Vec<f64>>> {
        let mut windows = Windows::new(self.window, self.window.div_ceil(2));
        windows.push(samples);
        let mut waiting = Vec::new();
        while let Some((_, window)) = windows.take() {
            waiting.push(window);
        }
        waiting.extend(windows.last().map(|(_, window)| window));
        let width = self.model.embedding_len();
        let mut pooled = Pooled::new(width);
        for batch in waiting.chunks(BATCH) {
            let spectrograms = Spectrograms::of_each(batch, &self.extractor);
            let vectors = self.model.embed(spectrograms.to_tensor(&self.device)); // [windows, width]
            let vectors: Vec<f64> = vectors.into_data().iter().collect();
            for (window, vector) in batch.iter().zip(vectors.chunks_exact(width)) {
                pooled.add(vector.iter().copied(), level(window));
            }
        }
        let mean = pooled.mean();
        Ok(mean.iter().any(|&x| x != 0.0).then_some(mean))
    }

    fn is_raw(&self) -> bool {
        true
    }
}

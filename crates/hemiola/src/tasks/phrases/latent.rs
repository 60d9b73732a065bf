//! Phrases into the latent space and out of it.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, TensorData};

use super::PhraseSpace;
use crate::error::{Error, Result};
use crate::models::music_vae::{self, Interpolation};

/// Phrases that are computed together.
const BATCH: usize = 64;

/// Where a phrase lies in the latent space: a normal distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct LatentPhrase {
    /// When it begins in its piece, in seconds.
    pub start_s: f64,
    /// `[latent_dim]`.
    pub mean: Vec<f32>,
    /// Logarithms of the variances, `[latent_dim]`.
    pub log_variance: Vec<f32>,
}

impl PhraseSpace {
    /// Where phrases `[frames, features]` lie; they begin at 0 s.
    ///
    /// # Errors
    /// When a phrase has another length than the model's.
    pub fn encode_phrases<P: AsRef<[f32]>>(&self, phrases: &[P]) -> Result<Vec<LatentPhrase>> {
        let features = self.model.input_dim();
        let length = self.frames() * features;
        let mut latents = Vec::with_capacity(phrases.len());
        for batch in phrases.chunks(BATCH) {
            let values: Vec<f32> = batch.iter().flat_map(|p| p.as_ref()).copied().collect();
            let n = batch.len();
            if let Some(phrase) = batch.iter().find(|p| p.as_ref().len() != length) {
                return Err(Error::config(format!(
                    "a phrase of {} numbers; expected {} frames of {features}",
                    phrase.as_ref().len(),
                    self.frames()
                )));
            }
            let shape = self.config.phrase;
            let posterior = match self.model.is_hierarchical() {
                true => {
                    let data = TensorData::new(values, [n, shape.segments, shape.frames, features]);
                    let x = Tensor::<4>::from_data(data, &self.device);
                    self.model.encode(x)
                }
                false => {
                    let data = TensorData::new(values, [n, features]);
                    self.model
                        .encode(Tensor::<2>::from_data(data, &self.device))
                }
            }?;
            let means = self.rows(posterior.mu)?;
            let log_variances = self.rows(posterior.logvar)?;
            let both = means.into_iter().zip(log_variances);
            latents.extend(both.map(|(mean, log_variance)| LatentPhrase {
                start_s: 0.0,
                mean,
                log_variance,
            }));
        }
        Ok(latents)
    }

    /// Probabilities `[frames, features]` of latent vectors: that a key sounds and, in the second half of a frame where the
    /// model has it, that a note begins.
    ///
    /// # Errors
    /// When a vector has another length than the model's.
    pub fn probabilities<Z: AsRef<[f32]>>(&self, latents: &[Z]) -> Result<Vec<Vec<f32>>> {
        let latent_dim = self.model.latent_dim();
        let mut phrases = Vec::with_capacity(latents.len());
        for batch in latents.chunks(BATCH) {
            if let Some(z) = batch.iter().find(|z| z.as_ref().len() != latent_dim) {
                return Err(Error::config(format!(
                    "a latent vector of {} numbers; expected {latent_dim}",
                    z.as_ref().len()
                )));
            }
            let values: Vec<f32> = batch.iter().flat_map(|z| z.as_ref()).copied().collect();
            let data = TensorData::new(values, [batch.len(), latent_dim]);
            let z = Tensor::from_data(data, &self.device);
            let shape = self.config.phrase;
            let logits: Tensor<2> = match self.model.is_hierarchical() {
                true => {
                    let logits = self
                        .model
                        .decode_sequences(z, shape.segments, shape.frames)?;
                    logits.flatten(1, 3)
                }
                false => self.model.decode_frames(z)?,
            };
            phrases.extend(self.rows(sigmoid(logits))?);
        }
        Ok(phrases)
    }

    /// Latent vectors from one to another, both included.
    pub(super) fn path(
        &self,
        from: &[f32],
        to: &[f32],
        steps: usize,
        interpolation: Interpolation,
    ) -> Result<Vec<Vec<f32>>> {
        let vector = |z: &[f32]| {
            Tensor::<1>::from_data(TensorData::new(z.to_vec(), [z.len()]), &self.device)
        };
        self.rows(music_vae::interpolate(
            vector(from),
            vector(to),
            steps,
            interpolation,
        )?)
    }

    /// `[rows][columns]`.
    fn rows(&self, tensor: Tensor<2>) -> Result<Vec<Vec<f32>>> {
        let [_, columns] = tensor.dims();
        let values: Vec<f32> = tensor
            .into_data()
            .convert::<f32>()
            .try_into_vec()
            .map_err(|error| Error::config(format!("the model's output: {error:?}")))?;
        Ok(values.chunks(columns).map(<[f32]>::to_vec).collect())
    }
}

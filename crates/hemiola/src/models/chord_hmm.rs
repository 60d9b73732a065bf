//! ChordHmm: a hidden Markov model of chords, whose observations are frames of chroma.
//!
//! A state is a root and a quality, or no chord. What a quality sounds like is the same on every root: a normal
//! distribution of the frame turned so that the root comes first, as in J. P. Bello and J. Pickens, "A Robust Mid-level
//! Representation for Harmonic Content in Music Signals" (ISMIR 2005), but with means and covariances that are counted in
//! labelled music. So is how chords follow one another: by the interval of their roots and their qualities.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Pitch classes.
const CLASSES: usize = 12;

/// Sizes of a [`ChordHmm`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChordHmmConfig {
    /// Qualities that chords may have; no chord comes on top.
    pub n_qualities: usize,
    /// Numbers of a frame: 12 for each kind of chroma.
    pub n_features: usize,
}

impl ChordHmmConfig {
    /// # Errors
    /// When there is no quality, or the features are not some twelves.
    pub fn validate(&self) -> Result<()> {
        if self.n_qualities == 0 {
            return Err(Error::config(
                "chord model: n_qualities is 0; it must be at least 1",
            ));
        }
        if self.n_features == 0 || !self.n_features.is_multiple_of(CLASSES) {
            return Err(Error::config(format!(
                "chord model: n_features is {}; expected a multiple of 12",
                self.n_features
            )));
        }
        Ok(())
    }

    /// A model that knows nothing: every quality sounds alike, every change is as likely.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn init(&self, device: &Device) -> Result<ChordHmm> {
        self.validate()?;
        let (kinds, features) = (self.n_qualities + 1, self.n_features);
        let even = -((self.n_qualities * CLASSES) as f32).ln();
        let parameter = |values: Vec<f32>, shape: &[usize]| TensorData::new(values, shape.to_vec());
        let mut whitening = vec![0.0; kinds * features * features];
        for kind in 0..kinds {
            for feature in 0..features {
                whitening[(kind * features + feature) * features + feature] = 1.0;
            }
        }
        Ok(ChordHmm {
            means: Param::from_tensor(Tensor::zeros([kinds, features], device)),
            whitening: Param::from_tensor(Tensor::from_data(
                parameter(whitening, &[kinds, features, features]),
                device,
            )),
            changes: Param::from_tensor(Tensor::full([kinds, kinds, CLASSES], even, device)),
        })
    }
}

/// See the [module's description](self). The last quality is that of no chord.
#[derive(Module, Debug)]
pub struct ChordHmm {
    /// Of the turned frames of each quality, [qualities + 1, features].
    means: Param<Tensor<2>>,
    /// Lower triangular, such that whitening · (frame − mean) has unit covariance: [qualities + 1, features, features].
    whitening: Param<Tensor<3>>,
    /// Log-probability that a chord of one quality is followed by one of another whose root is so many semitones higher:
    /// [from, to, 12].
    changes: Param<Tensor<3>>,
}

/// The numbers of a [`ChordHmm`], row-major as its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct ChordStatistics {
    pub means: Vec<f32>,
    pub whitening: Vec<f32>,
    pub changes: Vec<f32>,
}

impl ChordHmm {
    /// The model of these numbers.
    ///
    /// # Errors
    /// When the sizes are impossible.
    ///
    /// # Panics
    /// If there are other counts of numbers than the sizes have.
    pub fn from_statistics(
        config: &ChordHmmConfig,
        statistics: ChordStatistics,
        device: &Device,
    ) -> Result<Self> {
        config.validate()?;
        let (kinds, features) = (config.n_qualities + 1, config.n_features);
        let ChordStatistics {
            means,
            whitening,
            changes,
        } = statistics;
        let means = TensorData::new(means, [kinds, features]);
        let whitening = TensorData::new(whitening, [kinds, features, features]);
        let changes = TensorData::new(changes, [kinds, kinds, CLASSES]);
        Ok(Self {
            means: Param::from_tensor(Tensor::from_data(means, device)),
            whitening: Param::from_tensor(Tensor::from_data(whitening, device)),
            changes: Param::from_tensor(Tensor::from_data(changes, device)),
        })
    }

    pub fn statistics(&self) -> ChordStatistics {
        let numbers = |data: TensorData| data.iter::<f32>().collect();
        ChordStatistics {
            means: numbers(self.means.val().into_data()),
            whitening: numbers(self.whitening.val().into_data()),
            changes: numbers(self.changes.val().into_data()),
        }
    }

    pub fn n_qualities(&self) -> usize {
        self.means.dims()[0] - 1
    }

    pub fn n_features(&self) -> usize {
        self.means.dims()[1]
    }
}

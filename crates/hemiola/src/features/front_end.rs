//! Spectra that can be put before a model, whichever they are.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ConstantQ, ConstantQConfig, FrameExtractor, Mel, MelConfig};
use crate::Result;

/// The description of an extractor.
pub trait FrontEnd:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    type Extractor: FrameExtractor + Clone + Debug + Sync + 'static;

    /// # Errors
    /// When the description is impossible.
    fn extractor(&self) -> Result<Self::Extractor>;

    /// Bins of a frame.
    fn n_bins(&self) -> usize;

    /// Hz.
    fn sample_rate(&self) -> u32;

    /// Samples between frames.
    fn hop_length(&self) -> usize;
}

impl FrontEnd for MelConfig {
    type Extractor = Mel;

    fn extractor(&self) -> Result<Mel> {
        Mel::new(self)
    }

    fn n_bins(&self) -> usize {
        self.n_mels
    }

    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    fn hop_length(&self) -> usize {
        self.hop_length
    }
}

impl FrontEnd for ConstantQConfig {
    type Extractor = ConstantQ;

    fn extractor(&self) -> Result<ConstantQ> {
        ConstantQ::new(self)
    }

    fn n_bins(&self) -> usize {
        self.n_bins
    }

    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    fn hop_length(&self) -> usize {
        self.hop_length
    }
}

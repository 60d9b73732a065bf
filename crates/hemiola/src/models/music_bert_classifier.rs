//! A [`MusicBert`] that tells classes of music, such as styles or composers: the transfer that pre-training is for.
//!
//! The mean of the last layer over all positions (Reimers and Gurevych, "Sentence-BERT", EMNLP 2019, section 3) goes
//! through one linear layer.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::music_bert::{MusicBert, MusicBertConfig};
use crate::error::{Error, Result};

/// Sizes of a [`MusicBertClassifier`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicBertClassifierConfig {
    #[serde(default)]
    pub bert: MusicBertConfig,
    pub n_classes: usize,
}

impl MusicBertClassifierConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        self.bert.validate()?;
        if self.n_classes == 0 {
            return Err(Error::config(
                "music bert classifier: n_classes is 0; it must be at least 1",
            ));
        }
        Ok(())
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<MusicBertClassifier> {
        self.validate()?;
        Ok(MusicBertClassifier::new(
            self.bert.init(device)?,
            self.n_classes,
            device,
        ))
    }
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct MusicBertClassifier {
    bert: MusicBert,
    classifier: Linear,
}

impl MusicBertClassifier {
    /// A fresh last layer on a model that may have learned before.
    pub fn new(bert: MusicBert, n_classes: usize, device: &Device) -> Self {
        let width = bert.config().d_model;
        Self {
            bert,
            classifier: LinearConfig::new(width, n_classes).init(device),
        }
    }

    /// The model under the last layer.
    pub fn bert(&self) -> &MusicBert {
        &self.bert
    }

    pub fn n_classes(&self) -> usize {
        let [_, classes] = self.classifier.weight.dims();
        classes
    }

    /// Logits `[batch, n_classes]` of `[CLS] phrase [SEP] phrase [SEP]`, `[batch, time]`; `lengths` are those of
    /// sequences that are padded behind their ends.
    ///
    /// # Errors
    /// When there is no token, there are more than `max_seq_len`, or lengths do not fit.
    pub fn forward(&self, tokens: Tensor<2, Int>, lengths: &[usize]) -> Result<Tensor<2>> {
        let [batch, time] = tokens.dims();
        let device = tokens.device();
        let hidden = self
            .bert
            .transformer()
            .hidden_states(tokens, None, Some(lengths))?; // [batch, time, d_model]
        let shares = lengths.iter().flat_map(|&length| {
            (0..time).map(move |at| {
                if at < length {
                    1.0 / length as f32
                } else {
                    0.0
                }
            })
        });
        let shares = TensorData::new(shares.collect::<Vec<f32>>(), [batch, 1, time]);
        let mean = Tensor::<3>::from_data(shares, &device).matmul(hidden);
        Ok(self.classifier.forward(mean.squeeze_dim::<2>(1)))
    }

    /// The PyTorch name of a parameter of this module.
    pub fn torch_name(path: &str) -> String {
        MusicBert::torch_name(path)
    }
}

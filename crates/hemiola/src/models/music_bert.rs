//! MusicBERT: a representation of performances that sees both sides of every event.
//!
//! [`MusicTransformer`] without a mask, pre-trained to tell masked events and whether one phrase follows another. Devlin et
//! al., "BERT" (NAACL 2019); layers and names as in the tutorial "Deep Learning Paradigms in Music Information Retrieval".

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::music_transformer::{MusicTransformer, MusicTransformerConfig};
use crate::error::{Error, Result};

/// Sizes of a [`MusicBert`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MusicBertConfig {
    /// Features of a position.
    pub d_model: usize,
    /// Attention heads; `d_model` is a multiple of it.
    pub n_heads: usize,
    pub n_layers: usize,
    /// Longest sequence.
    pub max_seq_len: usize,
    /// Events and special tokens.
    pub vocab_size: usize,
    /// Events that can stand under a mask: the first of the vocabulary.
    pub n_events: usize,
    /// Whether attention knows how far apart two events are.
    pub relative: bool,
    /// In training, the share of attention weights, hidden values and layer outputs that are dropped.
    pub dropout: f64,
}

impl Default for MusicBertConfig {
    fn default() -> Self {
        Self {
            d_model: 768,
            n_heads: 12,
            n_layers: 12,
            max_seq_len: 2048,
            vocab_size: 394,
            n_events: 388,
            relative: true,
            dropout: 0.1,
        }
    }
}

impl MusicBertConfig {
    /// Of the transformer inside.
    pub fn transformer(&self) -> MusicTransformerConfig {
        MusicTransformerConfig {
            d_model: self.d_model,
            n_heads: self.n_heads,
            n_layers: self.n_layers,
            max_seq_len: self.max_seq_len,
            vocab_size: self.vocab_size,
            relative: self.relative,
            causal: false,
            dropout: self.dropout,
            ..MusicTransformerConfig::default()
        }
    }

    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        self.transformer().validate()?;
        if self.n_events == 0 || self.n_events > self.vocab_size {
            return Err(Error::config(format!(
                "music bert: n_events is {}; it must be from 1 to vocab_size, {}",
                self.n_events, self.vocab_size
            )));
        }
        Ok(())
    }

    /// The sizes of a model around a transformer of these sizes.
    pub fn around(transformer: &MusicTransformerConfig, n_events: usize) -> Self {
        Self {
            d_model: transformer.d_model,
            n_heads: transformer.n_heads,
            n_layers: transformer.n_layers,
            max_seq_len: transformer.max_seq_len,
            vocab_size: transformer.vocab_size,
            n_events,
            relative: transformer.relative,
            dropout: transformer.dropout,
        }
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<MusicBert> {
        self.validate()?;
        MusicBert::around(self.transformer().init(device)?, self.n_events, device)
    }
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct MusicBert {
    transformer: MusicTransformer,
    mlm_head: MaskedEventHead,
    nsp_head: Linear,
    #[module(skip)]
    config: MusicBertConfig,
}

#[derive(Module, Debug)]
struct MaskedEventHead {
    dense: Linear,
    norm: LayerNorm,
    output: Linear,
}

/// What the heads say, before the softmax.
#[derive(Debug, Clone)]
pub struct MusicBertOutput {
    /// The event at every position, `[batch, time, n_events]`.
    pub events: Tensor<3>,
    /// Whether the second phrase follows the first, `[batch, 2]`: no, yes.
    pub next_phrase: Tensor<2>,
    /// What the last layer says, `[batch, time, d_model]`.
    pub hidden_states: Tensor<3>,
}

impl MusicBert {
    /// A model with fresh heads around a transformer, which may have learned to tell the next event: from here on it sees
    /// both sides.
    ///
    /// # Errors
    /// When there are no events, or more than the transformer's vocabulary.
    pub fn around(transformer: MusicTransformer, n_events: usize, device: &Device) -> Result<Self> {
        let config = MusicBertConfig::around(transformer.config(), n_events);
        config.validate()?;
        let width = config.d_model;
        let linear = |outputs| LinearConfig::new(width, outputs).init(device);
        Ok(Self {
            transformer: transformer.seeing_both_sides(),
            mlm_head: MaskedEventHead {
                dense: linear(width),
                norm: LayerNormConfig::new(width).with_epsilon(1e-5).init(device),
                output: linear(n_events),
            },
            nsp_head: linear(2),
            config,
        })
    }

    /// Of `[CLS] phrase [SEP] phrase [SEP]`, `[batch, time]`; `lengths` are those of sequences that are padded behind
    /// their ends.
    ///
    /// # Errors
    /// When there is no token, there are more than `max_seq_len`, or lengths do not fit.
    pub fn forward(
        &self,
        tokens: Tensor<2, Int>,
        lengths: Option<&[usize]>,
    ) -> Result<MusicBertOutput> {
        let [batch, time] = tokens.dims();
        if time == 0 {
            return Err(Error::config(
                "expected at least one token, [CLS]; found none",
            ));
        }
        let hidden_states = self.transformer.hidden_states(tokens, None, lengths)?;
        let [_, _, width] = hidden_states.dims();
        let head = &self.mlm_head;
        let events = gelu(head.dense.forward(hidden_states.clone()));
        let events = head.output.forward(head.norm.forward(events)); // [batch, time, n_events]
        let first = hidden_states.clone().narrow(1, 0, 1);
        Ok(MusicBertOutput {
            events,
            next_phrase: self.nsp_head.forward(first.reshape([batch, width])),
            hidden_states,
        })
    }

    /// The sizes it was made with.
    pub fn config(&self) -> &MusicBertConfig {
        &self.config
    }

    /// The transformer inside.
    pub fn transformer(&self) -> &MusicTransformer {
        &self.transformer
    }

    /// The PyTorch name of a parameter of this module.
    pub fn torch_name(path: &str) -> String {
        let mut name = MusicTransformer::torch_name(path);
        for (ours, theirs) in [
            ("mlm_head.dense.", "mlm_head.0."),
            ("mlm_head.norm.", "mlm_head.2."),
            ("mlm_head.output.", "mlm_head.3."),
        ] {
            name = name.replace(ours, theirs);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::count_parameters;

    #[test]
    fn the_reference_preset_has_its_parameters() {
        let model = MusicBertConfig::default().init(&Device::flex()).unwrap();
        assert_eq!(count_parameters(&model), 89_833_912);
    }

    #[test]
    fn no_token_and_too_many_are_refused() {
        let device = Device::flex();
        let config = MusicBertConfig {
            d_model: 8,
            n_heads: 2,
            n_layers: 1,
            max_seq_len: 6,
            ..MusicBertConfig::default()
        };
        let model = config.init(&device).unwrap();
        for (time, good) in [(0, false), (1, true), (6, true), (7, false)] {
            let tokens = Tensor::<2, Int>::zeros([2, time], &device);
            assert_eq!(model.forward(tokens, None).is_ok(), good, "{time}");
        }
    }
}

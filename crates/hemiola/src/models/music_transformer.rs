//! MusicTransformer: a language model of performances.
//!
//! Layers of self-attention with learned relative positions over performance events; one head tells the next event, three
//! more the pitch, the duration and the dynamics of the next note (multi-task learning). Huang et al., "Music Transformer"
//! (ICLR 2019); layers and names as in the tutorial "Deep Learning Paradigms in Music Information Retrieval", whose
//! relative positions are here used, and which has no head for events.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nn::transformer::{AttentionMask, Decoder, EncoderLayer, EncoderLayerConfig};

/// Pitches that the pitch head tells apart.
pub const N_PITCHES: usize = 128;
/// Bins of the duration head, logarithmic from 10 ms to 10 s.
pub const N_DURATIONS: usize = 32;
/// Bins of the dynamics head: velocity / 16.
pub const N_DYNAMICS: usize = 8;

/// Sizes of a [`MusicTransformer`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MusicTransformerConfig {
    /// Features of a position.
    pub d_model: usize,
    /// Attention heads; `d_model` is a multiple of it.
    pub n_heads: usize,
    pub n_layers: usize,
    /// Longest sequence.
    pub max_seq_len: usize,
    /// Events and special tokens.
    pub vocab_size: usize,
    /// Styles that a piece can be said to have.
    pub n_styles: usize,
    /// Whether attention knows how far apart two events are.
    pub relative: bool,
    /// Whether no event sees a later one: on for generation, off for a representation.
    pub causal: bool,
    /// In training, the share of attention weights, hidden values and layer outputs that are dropped.
    pub dropout: f64,
}

impl Default for MusicTransformerConfig {
    fn default() -> Self {
        Self {
            d_model: 512,
            n_heads: 8,
            n_layers: 6,
            max_seq_len: 2048,
            vocab_size: 388,
            n_styles: 10,
            relative: true,
            causal: true,
            dropout: 0.1,
        }
    }
}

impl MusicTransformerConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: String| Err(Error::config(format!("music transformer: {message}")));
        for (name, value) in [
            ("d_model", self.d_model),
            ("n_heads", self.n_heads),
            ("n_layers", self.n_layers),
            ("max_seq_len", self.max_seq_len),
            ("vocab_size", self.vocab_size),
            ("n_styles", self.n_styles),
        ] {
            if value == 0 {
                return fail(format!("{name} is 0; it must be at least 1"));
            }
        }
        if !self.d_model.is_multiple_of(self.n_heads) || !self.d_model.is_multiple_of(2) {
            return fail(format!(
                "d_model is {}; it must be even and a multiple of n_heads, {}",
                self.d_model, self.n_heads
            ));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail(format!("dropout is {}; it must be in [0, 1)", self.dropout));
        }
        Ok(())
    }

    /// A model with fresh weights.
    ///
    /// Token embeddings have a deviation of 1/√`d_model`, so that they are as large as positions once multiplied by
    /// √`d_model`.
    pub fn init(&self, device: &Device) -> Result<MusicTransformer> {
        self.validate()?;
        let width = self.d_model;
        let normal = |std| Initializer::Normal { mean: 0.0, std };
        let embedding = |entries, std| {
            EmbeddingConfig::new(entries, width)
                .with_initializer(normal(std))
                .init(device)
        };
        let head = |outputs| LinearConfig::new(width, outputs).init(device);
        let layer = EncoderLayerConfig {
            width,
            n_heads: self.n_heads,
            hidden: 4 * width,
            dropout: self.dropout,
        };
        Ok(MusicTransformer {
            token_embedding: embedding(self.vocab_size, 1.0 / (width as f64).sqrt()),
            style_embedding: embedding(self.n_styles, 0.02),
            relative_pos: RelativePositions {
                rel_pos_emb: normal(0.02).init([2 * self.max_seq_len - 1, width], device),
            },
            transformer: Layers {
                layers: (0..self.n_layers).map(|_| layer.init(device)).collect(),
            },
            pitch_head: head(N_PITCHES),
            duration_head: head(N_DURATIONS),
            dynamics_head: head(N_DYNAMICS),
            token_head: head(self.vocab_size),
            positions: Positions::new(self.max_seq_len, width),
            config: self.clone(),
        })
    }
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct MusicTransformer {
    token_embedding: Embedding,
    style_embedding: Embedding,
    relative_pos: RelativePositions,
    transformer: Layers,
    pitch_head: Linear,
    duration_head: Linear,
    dynamics_head: Linear,
    token_head: Linear,
    #[module(skip)]
    positions: Positions,
    #[module(skip)]
    config: MusicTransformerConfig,
}

#[derive(Module, Debug)]
struct RelativePositions {
    /// `[2 · max_seq_len − 1, d_model]`: row query − key + max_seq_len − 1
    rel_pos_emb: Param<Tensor<2>>,
}

#[derive(Module, Debug)]
struct Layers {
    layers: Vec<EncoderLayer>,
}

/// Sines and cosines of falling frequencies, `[max_seq_len, d_model]` (Vaswani et al. 2017, section 3.5).
#[derive(Debug, Clone)]
struct Positions(Arc<[f32]>);

impl Positions {
    fn new(length: usize, width: usize) -> Self {
        let rate: Vec<f64> = (0..width / 2)
            .map(|i| (-(10_000.0f64.ln()) * (2 * i) as f64 / width as f64).exp())
            .collect();
        let values = (0..length).flat_map(|position| {
            let angles = rate.iter().map(move |rate| position as f64 * rate);
            angles.flat_map(|angle| [angle.sin() as f32, angle.cos() as f32])
        });
        Self(values.collect())
    }
}

/// What the heads say of every position, before the softmax.
#[derive(Debug, Clone)]
pub struct MusicTransformerOutput {
    /// The next event, `[batch, time, vocab_size]`.
    pub tokens: Tensor<3>,
    /// Pitch of the next note, `[batch, time, 128]`.
    pub pitches: Tensor<3>,
    /// Bin of its duration, `[batch, time, 32]`.
    pub durations: Tensor<3>,
    /// Bin of its velocity, `[batch, time, 8]`.
    pub dynamics: Tensor<3>,
    /// What the last layer says, `[batch, time, d_model]`.
    pub hidden_states: Tensor<3>,
}

impl MusicTransformer {
    /// Of events `[batch, time]`, each below `vocab_size`, and a style `[batch]`, each below `n_styles`, or none.
    ///
    /// # Errors
    /// When there is no event, or more than `max_seq_len`.
    pub fn forward(
        &self,
        tokens: Tensor<2, Int>,
        style: Option<Tensor<1, Int>>,
    ) -> Result<MusicTransformerOutput> {
        let hidden_states = self.hidden_states(tokens, style, None)?;
        Ok(MusicTransformerOutput {
            tokens: self.token_head.forward(hidden_states.clone()),
            pitches: self.pitch_head.forward(hidden_states.clone()),
            durations: self.duration_head.forward(hidden_states.clone()),
            dynamics: self.dynamics_head.forward(hidden_states.clone()),
            hidden_states,
        })
    }

    /// What the last layer says of every position, `[batch, time, d_model]`.
    ///
    /// `lengths`, at least 1 each, are those of sequences that are padded behind their ends; what stands there is not
    /// attended to.
    ///
    /// # Errors
    /// When there is no event, or more than `max_seq_len`, or lengths do not fit.
    pub fn hidden_states(
        &self,
        tokens: Tensor<2, Int>,
        style: Option<Tensor<1, Int>>,
        lengths: Option<&[usize]>,
    ) -> Result<Tensor<3>> {
        let (mut x, relative, mask) = self.input(tokens, style, lengths)?;
        for layer in &self.transformer.layers {
            x = layer.forward(x, relative.clone(), &mask);
        }
        Ok(x)
    }

    /// The same weights without the mask of what comes later.
    pub fn seeing_both_sides(mut self) -> Self {
        self.config.causal = false;
        self
    }

    /// The attention weights of one layer, `[batch, heads, time, time]`: row i is what position i attends to.
    ///
    /// # Errors
    /// As [`Self::forward`]; when there is no such layer.
    pub fn attention_weights(
        &self,
        tokens: Tensor<2, Int>,
        style: Option<Tensor<1, Int>>,
        layer: usize,
    ) -> Result<Tensor<4>> {
        let layers = &self.transformer.layers;
        let Some(of) = layers.get(layer) else {
            return Err(Error::config(format!(
                "there is no layer {layer}; the model has {}, counted from 0",
                layers.len()
            )));
        };
        let (mut x, relative, mask) = self.input(tokens, style, None)?;
        for layer in &layers[..layer] {
            x = layer.forward(x, relative.clone(), &mask);
        }
        Ok(of.attention_weights(x, relative, &mask))
    }

    /// What goes into the first layer `[batch, time, d_model]`, the relative positions of that length, and the mask.
    fn input(
        &self,
        tokens: Tensor<2, Int>,
        style: Option<Tensor<1, Int>>,
        lengths: Option<&[usize]>,
    ) -> Result<(Tensor<3>, Option<Tensor<2>>, AttentionMask)> {
        let [batch, time] = tokens.dims();
        let longest = self.config.max_seq_len;
        if batch == 0 || time == 0 {
            return Err(Error::config(format!(
                "expected at least one sequence of at least one event, found {batch} of {time}"
            )));
        }
        if time > longest {
            return Err(Error::config(format!(
                "{time} events are too many for this model, which takes at most {longest} \
                 (max_seq_len); cut the sequence"
            )));
        }
        if let Some(lengths) = lengths
            && (lengths.len() != batch || lengths.iter().any(|&n| n == 0 || n > time))
        {
            return Err(Error::config(format!(
                "expected {batch} lengths from 1 to {time}, found {lengths:?}"
            )));
        }
        let device = tokens.device();
        let width = self.config.d_model;
        let positions =
            TensorData::new(self.positions.0[..time * width].to_vec(), [1, time, width]);
        let positions = Tensor::<3>::from_data(positions, &device);
        let mut x = self
            .token_embedding
            .forward(tokens)
            .mul_scalar((width as f64).sqrt())
            + positions; // [batch, time, d_model]
        if let Some(style) = style {
            let style: Tensor<3> = self.style_embedding.forward(style.unsqueeze_dim(1));
            x = x + style; // one for all positions
        }
        let relative = self.config.relative.then(|| {
            let table = self.relative_pos.rel_pos_emb.val();
            table.narrow(0, longest - time, 2 * time - 1)
        });
        let mask = AttentionMask {
            causal: self.config.causal,
            lengths: lengths.map(Arc::from),
        };
        Ok((x, relative, mask))
    }

    /// The model for one event after another, which remembers what it has seen.
    ///
    /// # Errors
    /// When the model is not causal, or there is no such style.
    pub fn decoder(&self, style: Option<usize>) -> Result<EventDecoder> {
        let config = &self.config;
        if !config.causal {
            return Err(Error::config(
                "this model sees later events (causal = false) and cannot go event by event",
            ));
        }
        if let Some(style) = style.filter(|&style| style >= config.n_styles) {
            return Err(Error::config(format!(
                "there is no style {style}; the model has {}, counted from 0",
                config.n_styles
            )));
        }
        let relative = config
            .relative
            .then(|| floats(self.relative_pos.rel_pos_emb.val()));
        let scale = (config.d_model as f32).sqrt();
        let tokens = floats(self.token_embedding.weight.val());
        let style = style.map(|style| {
            let all = floats(self.style_embedding.weight.val());
            all[style * config.d_model..][..config.d_model].to_vec()
        });
        let head = &self.token_head;
        Ok(EventDecoder {
            tokens: tokens.into_iter().map(|value| value * scale).collect(),
            positions: self.positions.clone(),
            style,
            decoder: Decoder::new(&self.transformer.layers, relative, head, config.max_seq_len),
            config: config.clone(),
        })
    }

    /// The sizes it was made with.
    pub fn config(&self) -> &MusicTransformerConfig {
        &self.config
    }

    /// The PyTorch name of a parameter of this module.
    pub fn torch_name(path: &str) -> String {
        path.replace("self_attn.in_proj.", "self_attn.in_proj_")
            .replace(".gamma", ".weight")
            .replace(".beta", ".bias")
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// A [`MusicTransformer`] that takes one event after another and keeps the keys and values of those before.
#[derive(Debug, Clone)]
pub struct EventDecoder {
    /// Embeddings times √d_model, `[vocab_size, d_model]`
    tokens: Vec<f32>,
    positions: Positions,
    style: Option<Vec<f32>>,
    decoder: Decoder,
    config: MusicTransformerConfig,
}

impl EventDecoder {
    /// Events taken since the beginning or the last [`Self::reset`].
    pub fn position(&self) -> usize {
        self.decoder.position()
    }

    /// Takes events and returns the logits of what follows the last of them, `[vocab_size]`.
    ///
    /// # Errors
    /// When there are none, one is not in the vocabulary, or there are more than `max_seq_len` in all; then nothing is
    /// taken.
    pub fn push(&mut self, events: &[u16]) -> Result<Vec<f32>> {
        let MusicTransformerConfig {
            d_model: width,
            vocab_size,
            max_seq_len,
            ..
        } = self.config;
        let first = self.position();
        if events.is_empty() || first + events.len() > max_seq_len {
            return Err(Error::config(format!(
                "expected 1 to {} events, found {}; the model takes at most {max_seq_len} \
                 (max_seq_len) and has seen {first}",
                max_seq_len - first,
                events.len()
            )));
        }
        if let Some(event) = events.iter().find(|&&e| usize::from(e) >= vocab_size) {
            return Err(Error::config(format!(
                "event {event} is not in the vocabulary of {vocab_size}"
            )));
        }
        let mut x = Vec::with_capacity(events.len() * width);
        for (index, &event) in events.iter().enumerate() {
            let token = &self.tokens[usize::from(event) * width..][..width];
            let position = &self.positions.0[(first + index) * width..][..width];
            x.extend(token.iter().zip(position).map(|(a, b)| a + b));
        }
        if let Some(style) = &self.style {
            for row in x.chunks_exact_mut(width) {
                row.iter_mut().zip(style).for_each(|(x, s)| *x += s);
            }
        }
        Ok(self.decoder.push(x))
    }

    /// Forgets all events.
    pub fn reset(&mut self) {
        self.decoder.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::count_parameters;

    fn small(relative: bool, causal: bool, device: &Device) -> MusicTransformer {
        let config = MusicTransformerConfig {
            d_model: 24,
            n_heads: 3,
            n_layers: 2,
            max_seq_len: 90,
            vocab_size: 50,
            relative,
            causal,
            ..MusicTransformerConfig::default()
        };
        config.init(device).unwrap()
    }

    fn events(batch: usize, time: usize) -> Tensor<2, Int> {
        let values = (0..batch * time).map(|i| (i * i * 7 + i * 3) as i64 % 50);
        let data = TensorData::new(values.collect::<Vec<i64>>(), [batch, time]);
        Tensor::from_data(data, &Device::flex())
    }

    fn largest_difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
        (a - b).abs().max().into_scalar::<f32>()
    }

    #[test]
    fn the_reference_preset_has_its_parameters() {
        let model = MusicTransformerConfig::default()
            .init(&Device::flex())
            .unwrap();
        assert_eq!(count_parameters(&model), 21_499_948);
    }

    #[test]
    fn a_later_event_never_changes_an_earlier_output() {
        let model = small(true, true, &Device::flex());
        let tokens = events(2, 80);
        let whole = model.forward(tokens.clone(), None).unwrap().tokens;
        for time in [1, 2, 63, 64, 65, 79] {
            let part = model
                .forward(tokens.clone().narrow(1, 0, time), None)
                .unwrap()
                .tokens;
            let difference = largest_difference(part, whole.clone().narrow(1, 0, time));
            assert!(difference < 1e-5, "{time}: {difference}");
        }
        let bidirectional = small(true, false, &Device::flex());
        let whole = bidirectional.forward(tokens.clone(), None).unwrap().tokens;
        let part = bidirectional
            .forward(tokens.narrow(1, 0, 79), None)
            .unwrap()
            .tokens;
        assert!(largest_difference(part, whole.narrow(1, 0, 79)) > 1e-3);
    }

    #[test]
    fn what_stands_behind_a_sequence_does_not_matter() {
        let model = small(true, false, &Device::flex());
        let tokens = events(3, 70);
        let lengths = [5, 70, 1];
        let padded = model
            .hidden_states(tokens.clone(), None, Some(&lengths))
            .unwrap();
        for (index, &length) in lengths.iter().enumerate() {
            let alone = model
                .hidden_states(
                    tokens.clone().narrow(0, index, 1).narrow(1, 0, length),
                    None,
                    None,
                )
                .unwrap();
            let padded = padded.clone().narrow(0, index, 1).narrow(1, 0, length);
            let difference = largest_difference(alone, padded);
            assert!(difference < 1e-5, "{index}: {difference}");
        }
        for lengths in [&[5usize, 70][..], &[0, 1, 1], &[1, 1, 71]] {
            assert!(
                model
                    .hidden_states(tokens.clone(), None, Some(lengths))
                    .is_err()
            );
        }
    }

    #[test]
    fn event_by_event_and_whole_give_the_same() {
        for relative in [true, false] {
            let model = small(relative, true, &Device::flex());
            let tokens = events(1, 90);
            let style = Tensor::<1, Int>::from_ints([3], &Device::flex());
            let whole = model.forward(tokens.clone(), Some(style)).unwrap().tokens;
            let ids: Vec<u16> = tokens.into_data().iter::<i64>().map(|i| i as u16).collect();
            let mut decoder = model.decoder(Some(3)).unwrap();
            let mut from = 0;
            // One by one, a prompt of many, and what remains.
            for length in [1, 1, 1, 5, 7, 1, 40, 1, 33] {
                let logits = decoder.push(&ids[from..from + length]).unwrap();
                from += length;
                let found = Tensor::<1>::from_floats(logits.as_slice(), &Device::flex());
                let expected = whole.clone().narrow(1, from - 1, 1).reshape([50]);
                let difference = largest_difference(found, expected);
                assert!(difference < 2e-5, "after {from}: {difference}");
            }
            assert!(decoder.push(&[0]).is_err(), "the sequence is full");
            decoder.reset();
            assert!(decoder.push(&[50]).is_err(), "not in the vocabulary");
            assert!(decoder.push(&[]).is_err());
            assert_eq!(decoder.push(&ids[..2]).unwrap().len(), 50);
            assert_eq!(decoder.position(), 2);
        }
    }

    #[test]
    fn sequences_of_a_batch_do_not_touch() {
        let model = small(true, true, &Device::flex());
        let tokens = events(3, 20);
        let all = model.forward(tokens.clone(), None).unwrap().pitches;
        let alone = model.forward(tokens.narrow(0, 2, 1), None).unwrap().pitches;
        assert!(largest_difference(alone, all.narrow(0, 2, 1)) < 1e-5);
    }

    #[test]
    fn lengths_at_and_beyond_the_limits() {
        let model = small(true, true, &Device::flex());
        assert!(model.forward(events(1, 90), None).is_ok());
        let error = model.forward(events(1, 91), None).unwrap_err().to_string();
        assert!(error.contains("91") && error.contains("90"), "{error}");
        let error = model.forward(events(1, 0), None).unwrap_err().to_string();
        assert!(error.contains("at least one event"), "{error}");
        assert_eq!(
            model.forward(events(1, 1), None).unwrap().tokens.dims(),
            [1, 1, 50]
        );
        assert!(model.decoder(Some(10)).is_err());
        assert!(small(true, false, &Device::flex()).decoder(None).is_err());
    }

    #[test]
    fn attention_weights_are_shares_of_what_is_seen() {
        let model = small(true, true, &Device::flex());
        let weights = model.attention_weights(events(1, 9), None, 1).unwrap();
        assert_eq!(weights.dims(), [1, 3, 9, 9]);
        let sums: Vec<f32> = floats(weights.clone().sum_dim(3));
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5));
        assert_eq!(weights.triu(1).max().into_scalar::<f32>(), 0.0);
        assert!(model.attention_weights(events(1, 9), None, 2).is_err());
    }
}

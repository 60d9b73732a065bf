//! The class of a piece, such as its style or composer, told by a [`MusicBertClassifier`] that was fine-tuned on some.

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::error::{Error, Result};
use crate::midi::Score;
use crate::models::music_bert_classifier::MusicBertClassifier;
use crate::tokens::{PAIR_TOKENS, TokenOptions, VOCABULARY, pair, tokenize};

/// The classes and the language of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventClassifierConfig {
    /// Names of the classes, in the order of the model's.
    pub classes: Vec<String>,
    /// How pieces became events.
    pub tokens: TokenOptions,
    /// Events and special tokens of the excerpts that the model learned from.
    pub window: usize,
}

impl Default for EventClassifierConfig {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            tokens: TokenOptions::default(),
            window: 256,
        }
    }
}

/// A model with its language.
#[derive(Debug, Clone)]
pub struct EventClassifier {
    model: MusicBertClassifier,
    config: EventClassifierConfig,
    device: Device,
}

impl EventClassifier {
    /// # Errors
    /// When the model has not as many classes as names, knows too few events, or its window is impossible.
    pub fn new(model: MusicBertClassifier, config: EventClassifierConfig) -> Result<Self> {
        let sizes = model.bert().config();
        let (classes, names) = (model.n_classes(), config.classes.len());
        if names != classes {
            return Err(Error::config(format!(
                "task.classes names {names} classes, but the model has {classes} (model.n_classes)"
            )));
        }
        let longest = sizes.max_seq_len;
        if sizes.vocab_size < VOCABULARY || !(PAIR_TOKENS + 1..=longest).contains(&config.window) {
            return Err(Error::config(format!(
                "telling classes needs a vocab_size of {VOCABULARY} and a task.window from {} to max_seq_len, {longest}; \
                 found {} and {}",
                PAIR_TOKENS + 1,
                sizes.vocab_size,
                config.window
            )));
        }
        let device = model.devices()[0].clone();
        Ok(Self {
            model,
            config,
            device,
        })
    }

    /// The model of a checkpoint folder.
    ///
    /// # Errors
    /// When the checkpoint cannot be read; see [`Self::new`].
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let (model, _, task) = checkpoint::load(folder, device)?;
        Self::new(model, task).map_err(|error| Error::checkpoint(folder, error.to_string()))
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.config.classes
    }

    /// The probability of each class in the order of [`Self::classes`]: means over excerpts that together are the piece.
    ///
    /// # Errors
    /// When there is no note that the model hears.
    pub fn classify(&self, score: &Score) -> Result<Vec<f64>> {
        let ids = tokenize(score, &self.config.tokens)?;
        if ids.is_empty() {
            return Err(Error::config("there is no note to tell a class by"));
        }
        let excerpts = ids.chunks(self.config.window - PAIR_TOKENS);
        let n = excerpts.len() as f64;
        let mut sums = vec![0.0; self.classes().len()];
        for excerpt in excerpts {
            let (first, second) = excerpt.split_at(excerpt.len() / 2);
            let values: Vec<i64> = pair(first, second).iter().map(|&id| id.into()).collect();
            let time = values.len();
            let tokens: Tensor<2, Int> =
                Tensor::from_data(TensorData::new(values, [1, time]), &self.device);
            let shares = softmax(self.model.forward(tokens, &[time])?, 1).into_data();
            for (sum, share) in sums.iter_mut().zip(shares.iter::<f64>()) {
                *sum += share / n;
            }
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::midi::{WriteOptions, encode_midi};
    use crate::models::music_bert::MusicBertConfig;
    use crate::models::music_bert_classifier::MusicBertClassifierConfig;
    use crate::music::Note;

    fn classifier(window: usize, names: &[&str]) -> Result<EventClassifier> {
        let sizes = MusicBertClassifierConfig {
            bert: MusicBertConfig {
                d_model: 8,
                n_heads: 2,
                n_layers: 1,
                max_seq_len: 20,
                ..MusicBertConfig::default()
            },
            n_classes: 2,
        };
        let config = EventClassifierConfig {
            classes: names.iter().map(|name| (*name).to_owned()).collect(),
            window,
            ..EventClassifierConfig::default()
        };
        EventClassifier::new(sizes.init(&Device::flex()).unwrap(), config)
    }

    fn score(count: u8) -> Score {
        let notes: Vec<Note> = (0..count)
            .map(|n| Note {
                onset_s: f64::from(n),
                offset_s: f64::from(n) + 0.5,
                pitch: 60,
                velocity: 64,
            })
            .collect();
        let bytes = encode_midi(&notes, &WriteOptions::default()).unwrap();
        Score::from_bytes(&bytes, "memory").unwrap()
    }

    #[test]
    fn shares_of_a_piece_are_the_means_of_its_excerpts() {
        let classifier = classifier(11, &["a", "b"]).unwrap();
        // A velocity, and of each note a start, a shift, an end and, but for the last, a shift: excerpts of eight events.
        let ids = tokenize(&score(5), &TokenOptions::default()).unwrap();
        assert_eq!(ids.len(), 20);
        let of = |excerpt: &[u16]| -> Vec<f64> {
            let middle = excerpt.len() / 2;
            let values: Vec<i64> = pair(&excerpt[..middle], &excerpt[middle..])
                .iter()
                .map(|&id| id.into())
                .collect();
            let time = values.len();
            let tokens = TensorData::new(values, [1, time]);
            let tokens = Tensor::from_data(tokens, &Device::flex());
            let logits = classifier.model.forward(tokens, &[time]).unwrap();
            softmax(logits, 1).into_data().iter().collect()
        };
        let parts = [of(&ids[..8]), of(&ids[8..16]), of(&ids[16..])];
        let found = classifier.classify(&score(5)).unwrap();
        for (class, found) in found.iter().enumerate() {
            let expected = parts.iter().map(|part| part[class]).sum::<f64>() / 3.0;
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        assert!(classifier.classify(&score(0)).is_err());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (window, names, word) in [
            (11, &["a"][..], "names 1"),
            (3, &["a", "b"], "task.window"),
            (21, &["a", "b"], "task.window"),
        ] {
            let message = classifier(window, names).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}

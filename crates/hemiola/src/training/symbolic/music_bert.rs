//! Pre-training of [`MusicBert`] on folders of MIDI files: masked events, and whether one phrase follows another.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::events::{EventData, Piece, Pieces, Styles};
use super::integers;
use super::labels::Labels;
use crate::checkpoint::{self, Card};
use crate::error::{Error, Result};
use crate::models::music_bert::{MusicBert, MusicBertConfig};
use crate::models::music_transformer::MusicTransformer;
use crate::nn::loss::cross_entropy;
use crate::tasks::infill::InfillerConfig;
use crate::tokens::{EVENTS, MASK, PAD, PAIR_TOKENS, VOCABULARY, pair};
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

/// A recipe for [`MusicBert`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MusicBertRecipe {
    #[serde(default)]
    pub run: RunConfig,
    /// Sizes of a fresh model; those of `pretrained` count where it is given.
    #[serde(default)]
    pub model: MusicBertConfig,
    /// The checkpoint folder of a [`MusicTransformer`] whose layers are the start.
    #[serde(default)]
    pub pretrained: Option<PathBuf>,
    pub data: EventData,
    #[serde(default)]
    pub masking: Masking,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// Which events are hidden, and how: Devlin et al., "BERT" (NAACL 2019), section 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Masking {
    /// Share of events that are to be told.
    pub share: f64,
    /// Of these, the share that becomes MASK.
    pub masked: f64,
    /// Of these, the share that becomes another event; the rest stay.
    pub replaced: f64,
    /// Share of pairs in which not single events are hidden but all events of one stretch, as long as a third of the
    /// pair at most, each behind MASK: what filling a gap asks for (Joshi et al., "SpanBERT", TACL 2020).
    pub stretches: f64,
    /// How much telling whether one phrase follows another counts beside them.
    pub next_phrase_weight: f64,
}

impl Default for Masking {
    fn default() -> Self {
        Self {
            share: 0.15,
            masked: 0.8,
            replaced: 0.1,
            stretches: 0.0,
            next_phrase_weight: 1.0,
        }
    }
}

/// Pairs of phrases with hidden events.
#[derive(Debug, Clone)]
pub struct PhraseBatch {
    n: usize,
    time: usize,
    tokens: Vec<i64>,
    lengths: Vec<usize>,
    /// What is hidden
    targets: Labels,
    /// 1 where the second phrase follows the first
    follows: Vec<i64>,
}

impl MusicBertRecipe {
    /// Refuses sizes that the data do not fit, which `of` says.
    fn check_sizes(&self, of: &str, sizes: &MusicBertConfig) -> Result<()> {
        if self.data.window > sizes.max_seq_len {
            return Err(Error::config(format!(
                "data.window is {}; it must be at most max_seq_len of {of}, {}",
                self.data.window, sizes.max_seq_len
            )));
        }
        let (vocabulary, events) = (sizes.vocab_size, sizes.n_events);
        if vocabulary < VOCABULARY || events < EVENTS {
            return Err(Error::config(format!(
                "{of} has a vocab_size of {vocabulary} and n_events of {events}; they must be at least {VOCABULARY} and \
                 {EVENTS}"
            )));
        }
        Ok(())
    }

    fn batch(&self, pieces: &[Piece], number: usize) -> PhraseBatch {
        let mut rng = ChaCha8Rng::seed_from_u64(step_seed(self.run.seed, number));
        let (n, time) = (self.run.batch_size, self.data.window);
        let mut batch = PhraseBatch {
            n,
            time,
            tokens: vec![i64::from(PAD); n * time],
            lengths: Vec::with_capacity(n),
            targets: Labels::none(n * time),
            follows: Vec::with_capacity(n),
        };
        let phrase = (time - PAIR_TOKENS) / 2;
        for row in 0..n {
            let follows = rng.random_bool(0.5);
            let piece = self.data.draw(pieces, &mut rng);
            let both = piece.excerpt(2 * phrase, &mut rng).ids;
            let (first, second) = both.split_at(both.len() / 2);
            let other = self.data.draw(pieces, &mut rng);
            let second = if follows {
                second
            } else {
                other.excerpt(second.len().max(1), &mut rng).ids
            };
            let sequence = pair(first, second);
            let stretch = rng.random_bool(self.masking.stretches).then(|| {
                let length = rng.random_range(1..=sequence.len().div_ceil(3));
                let start = rng.random_range(0..=sequence.len() - length);
                start..start + length
            });
            for (position, &id) in sequence.iter().enumerate() {
                let cell = row * time + position;
                let mut note = || batch.targets.set(cell, usize::from(id));
                let shown = match &stretch {
                    None => self.hide(id, &mut rng, note),
                    Some(stretch) if stretch.contains(&position) && usize::from(id) < EVENTS => {
                        note();
                        MASK
                    }
                    Some(_) => id,
                };
                batch.tokens[cell] = i64::from(shown);
            }
            batch.lengths.push(sequence.len());
            batch.follows.push(i64::from(follows));
        }
        batch
    }

    /// What stands for an id, and a call of `note` where it is to be told.
    fn hide(&self, id: u16, rng: &mut ChaCha8Rng, mut note: impl FnMut()) -> u16 {
        let Masking {
            share,
            masked,
            replaced,
            ..
        } = self.masking;
        if usize::from(id) >= EVENTS || !rng.random_bool(share) {
            return id;
        }
        note();
        let chance: f64 = rng.random();
        if chance < masked {
            MASK
        } else if chance < masked + replaced {
            rng.random_range(0..EVENTS as u16)
        } else {
            id
        }
    }
}

/// Hidden events, and whether phrases follow.
#[derive(Debug, Clone)]
pub struct PhraseObjective {
    next_phrase_weight: f64,
}

impl PhraseObjective {
    /// The losses, and the shares of hidden events and of pairs that are told right.
    fn losses(
        &self,
        model: &MusicBert,
        batch: &PhraseBatch,
        device: &Device,
    ) -> (Loss, [Tensor<1>; 2]) {
        let (n, time) = (batch.n, batch.time);
        let output = model
            .forward(
                integers(&batch.tokens, [n, time], device),
                Some(&batch.lengths),
            )
            .expect("the recipe's window fits the model");
        let [_, _, classes] = output.events.dims();
        let logits = output.events.reshape([n * time, classes]);
        let [events, told] = batch.targets.compare(logits, device);

        let follows = integers::<1>(&batch.follows, [n], device);
        let likeliest = output.next_phrase.clone().detach().argmax(1);
        let pairs = likeliest.squeeze_dim::<1>(1).equal(follows.clone());
        let next_phrase = cross_entropy(output.next_phrase, follows).mean();
        let loss = Loss::weighted(vec![
            ("events", 1.0, events),
            ("next_phrase", self.next_phrase_weight, next_phrase),
        ]);
        (loss, [told, pairs.float().mean()])
    }
}

impl Objective for PhraseObjective {
    type Model = MusicBert;
    type Batch = PhraseBatch;
    type Dev = PhraseBatch;

    const PARTS: &'static [&'static str] = &["events", "next_phrase"];

    fn loss(&self, model: &MusicBert, batch: &PhraseBatch, device: &Device) -> Loss {
        self.losses(model, batch, device).0
    }

    fn evaluate(&self, model: &MusicBert, batch: &PhraseBatch, device: &Device) -> Scalars {
        let (loss, [events, pairs]) = self.losses(model, batch, device);
        let mut scalars = loss.scalars();
        scalars.0.extend([
            ("event_accuracy", events.into_scalar::<f64>()),
            ("next_phrase_accuracy", pairs.into_scalar::<f64>()),
        ]);
        scalars
    }
}

impl ModelRecipe for MusicBertRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.data.validate()?;
        if self.pretrained.is_none() {
            self.check_sizes("model", &self.model)?;
        }
        let m = &self.masking;
        let shares = [
            m.share,
            m.masked,
            m.replaced,
            m.masked + m.replaced,
            m.stretches,
        ];
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) || m.share == 0.0 {
            return Err(Error::config(format!(
                "masking has share {}, masked {}, replaced {} and stretches {}; they must be from 0 to 1, share above \
                 0, and masked and replaced together at most 1",
                m.share, m.masked, m.replaced, m.stretches
            )));
        }
        if !(m.next_phrase_weight >= 0.0 && m.next_phrase_weight.is_finite()) {
            return Err(Error::config(format!(
                "masking.next_phrase_weight is {}; it must be 0 or more",
                m.next_phrase_weight
            )));
        }
        Ok(())
    }

    fn train(
        &self,
        device: &Device,
        resume: bool,
        dashboard: bool,
        report: Report,
    ) -> Result<RunState> {
        self.validate()?;
        run::prepare(&self.run.output, resume)?;
        let start = match &self.pretrained {
            None => None,
            Some(folder) => {
                let device = device.clone().autodiff();
                let (transformer, sizes, _) =
                    checkpoint::load::<MusicTransformer>(folder, &device)?;
                let sizes = MusicBertConfig::around(&sizes, self.model.n_events);
                self.check_sizes(&folder.display().to_string(), &sizes)?;
                Some((transformer, sizes))
            }
        };
        let Pieces { train, dev } = self.data.read(false, Styles::Untold)?;
        // Numbers that no step has.
        let dev_batches = (0..self.data.dev_windows.div_ceil(self.run.batch_size))
            .map(|number| self.batch(&dev, usize::MAX - 1 - number));
        let dev_batches: Arc<[PhraseBatch]> = dev_batches.collect();
        let recipe = self.clone();
        let lesson = Lesson {
            run: self.run.clone(),
            objective: PhraseObjective {
                next_phrase_weight: self.masking.next_phrase_weight,
            },
            model: match &start {
                Some((_, sizes)) => sizes.clone(),
                None => self.model.clone(),
            },
            task: InfillerConfig {
                tokens: self.data.tokens,
                window: Some(self.data.window),
            },
            card: self.card.clone(),
            score: Score {
                name: "events",
                higher_is_better: false,
            },
            batches: Arc::new(move |number| Ok(recipe.batch(&train, number))),
            dev: dev_batches,
            transfer: Transfer::default(),
        };
        let initial = |config: &MusicBertConfig, device: &Device| match start {
            Some((transformer, _)) => MusicBert::around(transformer, config.n_events, device),
            None => config.init(device),
        };
        objective::train_from(lesson, initial, device, resume, dashboard, report)
    }
}

//! Training of [`MusicBertClassifier`] on folders of MIDI files: what a pre-trained model, or a fresh one, learns of
//! styles or composers.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::events::{EventData, Piece, Pieces, Styles};
use super::integers;
use super::labels::Labels;
use crate::checkpoint::{self, Card};
use crate::error::{Error, Result};
use crate::models::music_bert::{MusicBert, MusicBertConfig};
use crate::models::music_bert_classifier::{MusicBertClassifier, MusicBertClassifierConfig};
use crate::tasks::classify_events::EventClassifierConfig;
use crate::tokens::{PAD, PAIR_TOKENS, pair};
use crate::training::Transfer;
use crate::training::objective::{self, Lesson, Loss, Objective};
use crate::training::recipe::{ModelRecipe, RunConfig};
use crate::training::run::{self, Report, RunState, Score, step_seed};
use crate::training::scalars::Scalars;

/// A recipe for [`MusicBertClassifier`]. The classes are the styles of the pieces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventClassifierRecipe {
    #[serde(default)]
    pub run: RunConfig,
    /// Sizes of a fresh model; those of `pretrained` count where it is given.
    #[serde(default)]
    pub model: MusicBertConfig,
    /// The checkpoint folder of a [`MusicBert`] to start from.
    #[serde(default)]
    pub pretrained: Option<PathBuf>,
    /// Names of the styles to tell apart; pieces of others are left out.
    pub classes: Vec<String>,
    pub data: EventData,
    /// Pieces to learn from of each class, drawn by the seed; 0 for all.
    #[serde(default)]
    pub pieces_per_class: usize,
    /// What the model card says beyond what the run knows.
    #[serde(default)]
    pub card: Card,
}

/// Excerpts padded to one length, and their classes.
#[derive(Debug, Clone)]
pub struct ExcerptBatch {
    time: usize,
    tokens: Vec<i64>,
    lengths: Vec<usize>,
    classes: Labels,
}

impl ExcerptBatch {
    fn new(time: usize) -> Self {
        Self {
            time,
            tokens: Vec::new(),
            lengths: Vec::new(),
            classes: Labels::default(),
        }
    }

    fn push(&mut self, ids: &[u16], class: usize) {
        let (first, second) = ids.split_at(ids.len() / 2);
        let sequence = pair(first, second);
        self.tokens.extend(sequence.iter().map(|&id| i64::from(id)));
        let padding = self.time - sequence.len();
        self.tokens.extend(vec![i64::from(PAD); padding]);
        self.lengths.push(sequence.len());
        self.classes.push(Some(class));
    }
}

/// Which class an excerpt is of.
#[derive(Debug, Clone)]
pub struct ClassObjective;

impl ClassObjective {
    fn losses(model: &MusicBertClassifier, batch: &ExcerptBatch, device: &Device) -> (Loss, f64) {
        let shape = [batch.lengths.len(), batch.time];
        let logits = model
            .forward(integers(&batch.tokens, shape, device), &batch.lengths)
            .expect("the recipe's window fits the model");
        let [loss, told] = batch.classes.compare(logits, device);
        let loss = Loss::weighted(vec![("class", 1.0, loss)]);
        (loss, told.into_scalar::<f64>())
    }
}

impl Objective for ClassObjective {
    type Model = MusicBertClassifier;
    type Batch = ExcerptBatch;
    type Dev = ExcerptBatch;

    fn loss(&self, model: &MusicBertClassifier, batch: &ExcerptBatch, device: &Device) -> Loss {
        Self::losses(model, batch, device).0
    }

    fn evaluate(
        &self,
        model: &MusicBertClassifier,
        batch: &ExcerptBatch,
        device: &Device,
    ) -> Scalars {
        let (loss, accuracy) = Self::losses(model, batch, device);
        let mut scalars = loss.scalars();
        scalars.0.insert("accuracy", accuracy);
        scalars
    }
}

impl EventClassifierRecipe {
    /// The pieces of each class.
    fn by_class(&self, pieces: Vec<Piece>) -> Result<Vec<Vec<Piece>>> {
        let mut classes = vec![Vec::new(); self.classes.len()];
        for piece in pieces {
            if let Some(class) = piece.style {
                classes[class].push(piece);
            }
        }
        match classes.iter().position(Vec::is_empty) {
            Some(class) => Err(Error::config(format!(
                "classes: no piece has the style {:?}; name it in data.sources, in its list, or leave it out",
                self.classes[class]
            ))),
            None => Ok(classes),
        }
    }

    /// As many of the pieces of each class as the recipe asks for.
    fn few(&self, mut classes: Vec<Vec<Piece>>) -> Vec<Vec<Piece>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.run.seed);
        for pieces in &mut classes {
            pieces.shuffle(&mut rng);
            if self.pieces_per_class > 0 {
                pieces.truncate(self.pieces_per_class);
            }
        }
        classes
    }

    /// Excerpts of every class as often as of any other.
    fn batch(&self, classes: &[Vec<Piece>], number: usize) -> ExcerptBatch {
        let mut rng = ChaCha8Rng::seed_from_u64(step_seed(self.run.seed, number));
        let mut batch = ExcerptBatch::new(self.data.window);
        for _ in 0..self.run.batch_size {
            let class = rng.random_range(0..classes.len());
            let varied = self.data.draw(&classes[class], &mut rng);
            let excerpt = varied.excerpt(self.data.window - PAIR_TOKENS, &mut rng);
            batch.push(excerpt.ids, class);
        }
        batch
    }

    /// `data.dev_windows` excerpts, of every class as many, spread evenly over its pieces.
    fn dev(&self, classes: &[Vec<Piece>]) -> Vec<ExcerptBatch> {
        let per_class = EventData {
            dev_windows: self.data.dev_windows.div_ceil(classes.len()),
            ..self.data.clone()
        };
        let excerpts = classes.iter().enumerate().flat_map(|(class, pieces)| {
            let of_class = per_class.dev_excerpts(pieces, self.data.window - PAIR_TOKENS);
            of_class.into_iter().map(move |excerpt| (class, excerpt))
        });
        let excerpts: Vec<_> = excerpts.collect();
        let batches = excerpts.chunks(self.run.batch_size).map(|chunk| {
            let mut batch = ExcerptBatch::new(self.data.window);
            for (class, excerpt) in chunk {
                batch.push(excerpt.ids, *class);
            }
            batch
        });
        batches.collect()
    }
}

impl ModelRecipe for EventClassifierRecipe {
    fn run(&self) -> &RunConfig {
        &self.run
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        self.data.validate()?;
        if self.classes.len() < 2 {
            return Err(Error::config(format!(
                "classes names {} styles; expected two at least",
                self.classes.len()
            )));
        }
        if self.pretrained.is_none() && self.data.window > self.model.max_seq_len {
            return Err(Error::config(format!(
                "data.window is {}; it must be at most model.max_seq_len, {}",
                self.data.window, self.model.max_seq_len
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
        let pretrained = match &self.pretrained {
            None => None,
            Some(folder) => {
                let device = device.clone().autodiff();
                let (bert, sizes, _) = checkpoint::load::<MusicBert>(folder, &device)?;
                if self.data.window > sizes.max_seq_len {
                    return Err(Error::config(format!(
                        "data.window is {}; it must be at most max_seq_len of {}, {}",
                        self.data.window,
                        folder.display(),
                        sizes.max_seq_len
                    )));
                }
                Some((bert, sizes))
            }
        };
        let Pieces { train, dev } = self.data.read(false, Styles::Only(&self.classes))?;
        let train = self.few(self.by_class(train)?);
        let dev = self.dev(&self.by_class(dev)?);
        let recipe = self.clone();
        let lesson = Lesson {
            run: self.run.clone(),
            objective: ClassObjective,
            model: MusicBertClassifierConfig {
                bert: match &pretrained {
                    Some((_, sizes)) => sizes.clone(),
                    None => self.model.clone(),
                },
                n_classes: self.classes.len(),
            },
            task: EventClassifierConfig {
                classes: self.classes.clone(),
                tokens: self.data.tokens,
                window: self.data.window,
            },
            card: self.card.clone(),
            score: Score {
                name: "accuracy",
                higher_is_better: true,
            },
            batches: Arc::new(move |number| Ok(recipe.batch(&train, number))),
            dev: dev.into(),
            transfer: Transfer::default(),
        };
        let initial = |config: &MusicBertClassifierConfig, device: &Device| match pretrained {
            Some((bert, _)) => Ok(MusicBertClassifier::new(bert, config.n_classes, device)),
            None => config.init(device),
        };
        objective::train_from(lesson, initial, device, resume, dashboard, report)
    }
}

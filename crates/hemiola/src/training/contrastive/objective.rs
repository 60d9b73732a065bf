//! NT-Xent of two crops of each recording, and how well one half of a recording finds the other.

use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::gradient_cache::{cached_gradients, chunks_of_views};
use crate::evaluation::retrieval::{ranks, recall};
use crate::models::contrastive::{ContrastiveEncoder, nt_xent};
use crate::tasks::spectrograms::Spectrograms;
use crate::training::objective::{Loss, Objective};
use crate::training::scalars::Scalars;

/// Clips that are embedded at once to measure by.
const DEV_BATCH: usize = 32;

/// One view of each of several recordings, then another of each in the same order.
#[derive(Debug, Clone)]
pub struct Views(pub(super) Spectrograms);

/// One half of each dev recording, and the other halves, as they are and varied, that it is to be found by.
#[derive(Debug)]
pub struct DevViews {
    pub(super) answers: Spectrograms,
    pub(super) queries: Vec<(Queries, Spectrograms)>,
}

/// What was done to the crops that ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queries {
    AsTheyAre,
    Transposed,
    Stretched,
    Noisy,
}

impl Queries {
    fn score(self) -> &'static str {
        match self {
            Self::AsTheyAre => "recall_at_1",
            Self::Transposed => "recall_at_1_transposed",
            Self::Stretched => "recall_at_1_stretched",
            Self::Noisy => "recall_at_1_noisy",
        }
    }
}

/// NT-Xent of two crops; in dev also how often the one finds the other.
#[derive(Debug, Clone)]
pub struct ContrastiveObjective {
    pub(super) temperature: f64,
    /// Recordings whose views are in memory at once with what the layers made of them.
    pub(super) chunk_size: usize,
}

impl ContrastiveObjective {
    /// Of projections of views as [`Views`] has them.
    fn loss_of(&self, projections: Tensor<2>) -> Loss {
        let [count, _] = projections.dims();
        let [a, b] = [0, count / 2].map(|first| projections.clone().narrow(0, first, count / 2));
        Loss {
            total: nt_xent(a, b, self.temperature),
            parts: Vec::new(),
        }
    }
}

impl Objective for ContrastiveObjective {
    type Model = ContrastiveEncoder;
    type Batch = Views;
    type Dev = Arc<DevViews>;

    fn loss(&self, model: &ContrastiveEncoder, Views(views): &Views, device: &Device) -> Loss {
        // Both views go through one normalisation, or it would tell the encoder which of the two it sees.
        self.loss_of(model.forward(views.to_tensor(device)).projection)
    }

    fn gradients(
        &self,
        model: &ContrastiveEncoder,
        batch: &Views,
        device: &Device,
    ) -> (GradientsParams, Scalars) {
        let count = batch.0.len() / 2;
        if count <= self.chunk_size {
            return self.loss(model, batch, device).gradients(model);
        }
        let chunks = chunks_of_views(count, self.chunk_size);
        let project = |chunk: &[usize]| {
            let views = batch.0.select(chunk).to_tensor(device);
            model.forward(views).projection
        };
        cached_gradients(model, &chunks, project, |all| self.loss_of(all))
    }

    fn evaluate(
        &self,
        model: &ContrastiveEncoder,
        dev: &Arc<DevViews>,
        device: &Device,
    ) -> Scalars {
        let outputs = |views: &Spectrograms| {
            let numbers: Vec<usize> = (0..views.len()).collect();
            let outputs = numbers.chunks(DEV_BATCH).map(|numbers| {
                let output = model.forward(views.select(numbers).to_tensor(device));
                (output.embedding, output.projection)
            });
            let (embeddings, projections): (Vec<_>, Vec<_>) = outputs.unzip();
            (
                rows(Tensor::cat(embeddings, 0)),
                Tensor::cat(projections, 0),
            )
        };
        let (answers, their_projections) = outputs(&dev.answers);
        let mut scores = Scalars::default();
        for (what, views) in &dev.queries {
            let (queries, projections) = outputs(views);
            let ranks = ranks(&queries, &answers);
            scores.0.insert(what.score(), recall(&ranks, 1));
            if *what == Queries::AsTheyAre {
                let both = Tensor::cat(vec![projections, their_projections.clone()], 0);
                let loss = self.loss_of(both).total.into_scalar::<f64>();
                scores.0.insert("loss", loss);
                scores.0.insert("recall_at_10", recall(&ranks, 10));
            }
        }
        scores
    }
}

fn rows(tensor: Tensor<2>) -> Vec<Vec<f64>> {
    let [_, width] = tensor.dims();
    let values: Vec<f64> = tensor.into_data().iter().collect();
    values.chunks(width).map(<[f64]>::to_vec).collect()
}

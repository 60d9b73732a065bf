//! What a run teaches a model, apart from how the run goes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ModuleDisplay, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};

use super::loader::{MakeBatch, NumberedLoader};
use super::recipe::RunConfig;
use super::run::{self, Job, Report, RunState, Score};
use super::scalars::Scalars;
use super::schedule::WarmupCosine;
use super::transfer::{LearningGroups, Transfer};
use crate::checkpoint::{self, Architecture, Card, Precision};
use crate::error::Result;

/// What is minimised, and what is measured.
pub trait Objective: Clone + Debug + Send + Sync + 'static {
    type Model: Architecture + ModuleDisplay;
    /// What a step learns from.
    type Batch: Clone + Debug + Send + Sync + 'static;
    /// What an evaluation looks at.
    type Dev: Clone + Debug + Send + Sync + 'static;

    /// Names of the loss's parts.
    const PARTS: &'static [&'static str] = &[];

    /// The loss of a batch, and the numbers to report besides it.
    fn loss(&self, model: &Self::Model, batch: &Self::Batch, device: &Device) -> Loss;

    /// The gradients of a batch's loss, and its scalars; for losses whose graph does not fit into memory at once.
    fn gradients(
        &self,
        model: &Self::Model,
        batch: &Self::Batch,
        device: &Device,
    ) -> (GradientsParams, Scalars) {
        self.loss(model, batch, device).gradients(model)
    }

    /// Measures the model, without its training behaviour, on part of the dev set.
    fn evaluate(&self, model: &Self::Model, dev: &Self::Dev, device: &Device) -> Scalars;

    /// The task's settings that suit weights with these scores on the dev set, where they are not the recipe's.
    fn tuned(&self, _task: &Task<Self>, _dev: &BTreeMap<&'static str, f64>) -> Option<Task<Self>> {
        None
    }
}

/// Settings of what an objective's model is for.
pub type Task<O> = <<O as Objective>::Model as Architecture>::Task;

/// A loss and its parts.
#[derive(Debug, Clone)]
pub struct Loss {
    /// What is minimised, `[1]`.
    pub total: Tensor<1>,
    /// Reported by name, `[1]` each.
    pub parts: Vec<(&'static str, Tensor<1>)>,
}

impl Loss {
    /// The sum of parts, each with its name and its weight.
    ///
    /// # Panics
    /// If there is none.
    pub fn weighted(parts: Vec<(&'static str, f64, Tensor<1>)>) -> Self {
        let weighted = parts.iter().map(|(_, w, part)| part.clone() * *w);
        let total = weighted.reduce(|sum, part| sum + part);
        Self {
            total: total.expect("a loss has at least one part"),
            parts: parts.into_iter().map(|(n, _, part)| (n, part)).collect(),
        }
    }

    /// Of the tensors of `model`, and [`Loss::scalars`].
    pub fn gradients<M: Module>(&self, model: &M) -> (GradientsParams, Scalars) {
        let gradients = GradientsParams::from_grads(self.total.backward(), model);
        (gradients, self.scalars())
    }

    pub fn scalars(&self) -> Scalars {
        let value = |tensor: &Tensor<1>| tensor.clone().into_scalar::<f64>();
        let parts = self.parts.iter().map(|(name, part)| (*name, value(part)));
        Scalars(parts.chain([("loss", value(&self.total))]).collect())
    }
}

/// Everything about a run but its objective.
pub struct Lesson<O: Objective> {
    pub run: RunConfig,
    pub objective: O,
    pub model: <O::Model as Architecture>::Config,
    pub task: Task<O>,
    pub card: Card,
    /// By which the best weights are chosen.
    pub score: Score,
    /// Makes the batch of a step.
    pub batches: MakeBatch<O::Batch>,
    pub dev: Arc<[O::Dev]>,
    /// Which tensors learn when and how fast, where not all alike.
    pub transfer: Transfer,
}

/// A model with its objective.
#[derive(Module, Debug)]
pub struct Learning<M: Module, O: Objective<Model = M>> {
    pub model: M,
    #[module(skip)]
    objective: O,
    #[module(skip)]
    clip_norm: f64,
    #[module(skip)]
    groups: LearningGroups,
}

/// A batch and the step that learns from it, counted from 0.
#[derive(Debug, Clone)]
pub struct Numbered<B> {
    step: usize,
    batch: B,
}

impl<O: Objective> TrainStep for Learning<O::Model, O> {
    type Input = Numbered<O::Batch>;
    type Output = Scalars;

    fn step(&self, input: Numbered<O::Batch>) -> TrainOutput<Scalars> {
        let device = self.model.devices()[0].clone();
        let model = self.groups.at_step(&self.model, input.step);
        let (grads, item) = self.objective.gradients(&model, &input.batch, &device);
        TrainOutput { grads, item }
    }

    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        let gradients = clip_global_norm(&self, gradients, self.clip_norm);
        optimizer.step(learning_rate, self, gradients)
    }
}

impl<O: Objective> InferenceStep for Learning<O::Model, O> {
    type Input = O::Dev;
    type Output = Scalars;

    fn step(&self, dev: O::Dev) -> Scalars {
        let device = self.model.devices()[0].clone();
        self.objective.evaluate(&self.model, &dev, &device)
    }
}

/// Scales all gradients so that their global norm is at most `limit` (Pascanu et al., "On the
/// Difficulty of Training Recurrent Neural Networks", 2013).
pub(super) fn clip_global_norm<M: Module>(
    module: &M,
    gradients: GradientsParams,
    limit: f64,
) -> GradientsParams {
    struct SquaredNorm<'a>(&'a GradientsParams, f64);
    impl ModuleVisitor for SquaredNorm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1 += gradient.powf_scalar(2.0).sum().into_scalar::<f64>();
            }
        }
    }
    struct Scale(GradientsParams, f64);
    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, gradient.mul_scalar(self.1));
            }
        }
    }
    let mut norm = SquaredNorm(&gradients, 0.0);
    module.visit(&mut norm);
    let norm = norm.1.sqrt();
    if norm <= limit {
        return gradients;
    }
    let mut scale = Scale(gradients, limit / norm);
    module.visit(&mut scale);
    scale.0
}

/// Scores as a model card keeps them.
pub(super) fn figures(scores: &BTreeMap<&'static str, f64>) -> BTreeMap<String, f64> {
    scores.iter().map(|(&k, &v)| (k.to_owned(), v)).collect()
}

/// Trains a fresh model, or goes on with `resume`, to the end of the run; the best weights are in the folder `best` below
/// the run's output.
///
/// # Errors
/// When a batch cannot be made, files cannot be written, the loss is no number, or [`run::prepare`] refuses the folder.
pub fn train<O: Objective>(
    lesson: Lesson<O>,
    device: &Device,
    resume: bool,
    dashboard: bool,
    report: Report,
) -> Result<RunState> {
    let fresh = |config: &<O::Model as Architecture>::Config, device: &Device| {
        O::Model::from_config(config, device)
    };
    train_from(lesson, fresh, device, resume, dashboard, report)
}

/// Like [`train`], from the model that `initial` makes of the configuration, which may have learned before.
pub fn train_from<O: Objective>(
    lesson: Lesson<O>,
    initial: impl FnOnce(&<O::Model as Architecture>::Config, &Device) -> Result<O::Model>,
    device: &Device,
    resume: bool,
    dashboard: bool,
    report: Report,
) -> Result<RunState> {
    let Lesson {
        run,
        objective,
        model,
        task,
        card,
        score,
        batches,
        dev,
        transfer,
    } = lesson;
    let state = run::prepare(&run.output, resume)?;
    if state.finished {
        return Ok(state);
    }
    let training_device = device.clone().autodiff();
    training_device.seed(run::step_seed(run.seed, usize::MAX));
    let first = initial(&model, &training_device)?;
    let groups = transfer.groups(&first, &run)?;
    let schedule = WarmupCosine::new(
        run.learning_rate,
        run.warmup_steps,
        run.steps,
        run.final_learning_rate,
    );
    let schedule = groups.schedules(schedule, "model.");
    let learning = Learning {
        model: first,
        objective,
        clip_norm: run.clip_norm,
        groups,
    };
    let batches: MakeBatch<Numbered<O::Batch>> = Arc::new(move |step| {
        let batch = batches(step)?;
        Ok(Numbered { step, batch })
    });
    let batches = NumberedLoader::new(batches, state.step, run.steps, run.loader_threads);
    let n_dev = dev.len();
    let dev_batches = NumberedLoader::new(
        Arc::new(move |number: usize| Ok(dev[number].clone())),
        0,
        n_dev,
        1,
    );
    let save_best = move |learning: &Learning<O::Model, O>,
                          dev: &BTreeMap<&'static str, f64>,
                          folder: &Path| {
        let mut card = card.clone();
        card.figures = figures(dev);
        let tuned = learning.objective.tuned(&task, dev);
        let task = tuned.as_ref().unwrap_or(&task);
        let precision = Precision::Float16;
        checkpoint::save(folder, &learning.model, &model, task, &card, precision)
    };
    let job = Job {
        run,
        device: device.clone(),
        score,
        metrics: std::iter::once("loss")
            .chain(O::PARTS.iter().copied())
            .collect(),
        save_best: Arc::new(save_best),
        schedule,
        report,
        dashboard,
    };
    run::train(
        job,
        learning,
        Arc::new(batches),
        Arc::new(dev_batches),
        state,
    )
}

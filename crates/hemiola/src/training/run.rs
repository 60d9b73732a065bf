//! The training run: burn's learner stepped to its end, evaluated, checkpointed and resumable.
//!
//! A checkpoint is numbered by the optimiser steps before it. Every random choice of a step follows
//! from the recipe's seed and the step's number, so that a resumed run goes on exactly as it would
//! have gone on.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::data::dataloader::DataLoader;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::AdamConfig;
use burn::store::burn_pack::Reader;
use burn::tensor::Device;
use burn::train::checkpoint::{
    Checkpoint, Checkpointer, CheckpointerError, CheckpointingAction, CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use burn::train::{
    EventProcessorTraining, InferenceStep, Learner, LearnerEvent, LearnerModel,
    SupervisedLearningStrategy, SupervisedTraining, SupervisedTrainingEventProcessor, TrainLoader,
    TrainStep, TrainingComponents, TrainingItem, TrainingStrategy, ValidLoader,
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::training::recipe::RunConfig;
use crate::training::scalars::{ScalarMeans, ScalarMetric, Scalars};

/// Checkpoints are at most this far apart.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(8 * 60);
/// Checkpoints kept; the one before the last survives a kill while the last is written.
const CHECKPOINTS_KEPT: usize = 2;
/// How the names of files begin that are being written.
const UNFINISHED: &str = "unfinished-";

/// Called with the model when a dev evaluation was the best so far, to write it as weights.
pub type SaveBest<M> =
    Arc<dyn Fn(&M, &BTreeMap<&'static str, f64>, &Path) -> Result<()> + Send + Sync>;
/// Told of progress: step, steps in all, and the latest means.
pub type Report = Arc<dyn Fn(RunEvent<'_>) + Send + Sync>;

/// What a run tells while it goes on.
#[derive(Debug, Clone, Copy)]
pub enum RunEvent<'a> {
    /// Something about the data, before the first step.
    Note(&'a str),
    /// A step was made.
    Step {
        step: usize,
        steps: usize,
        loss: f64,
    },
    /// The dev set was evaluated.
    Evaluated {
        step: usize,
        train: &'a BTreeMap<&'static str, f64>,
        dev: &'a BTreeMap<&'static str, f64>,
        best: bool,
    },
}

/// A number that the dev set is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    pub name: &'static str,
    pub higher_is_better: bool,
}

impl Score {
    fn is_better(self, score: f64, than: Option<f64>) -> bool {
        let better = |than: f64| {
            if self.higher_is_better {
                score > than
            } else {
                score < than
            }
        };
        score.is_finite() && than.is_none_or(better)
    }
}

/// What a run needs beside its recipe.
pub struct Job<M> {
    pub run: RunConfig,
    pub device: Device,
    /// By which the best model is chosen.
    pub score: Score,
    /// Names of the other scalars that steps report.
    pub metrics: Vec<&'static str>,
    /// The learning rate of every tensor.
    pub schedule: ModuleLrScheduler,
    pub save_best: SaveBest<M>,
    pub report: Report,
    /// Whether burn's dashboard takes over the terminal.
    pub dashboard: bool,
}

/// What a run has come to, kept beside its checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Optimiser steps made.
    pub step: usize,
    /// The best dev score so far, and the step that had it.
    pub best_score: Option<f64>,
    pub best_step: usize,
    /// Evaluations since.
    pub evaluations_without_gain: usize,
    /// Set once the run has ended, by its last step or by patience.
    pub finished: bool,
}

fn checkpoint_folder(output: &Path) -> PathBuf {
    output.join("checkpoints")
}

/// The latest whole checkpoint of a run's folder.
pub fn latest_checkpoint(output: &Path) -> Option<RunState> {
    let folder = checkpoint_folder(output);
    let mut states: Vec<RunState> = std::fs::read_dir(&folder)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let step: usize = name
                .strip_prefix("state-")?
                .strip_suffix(".json")?
                .parse()
                .ok()?;
            let whole = ["model", "optimizer", "schedule"]
                .iter()
                .all(|part| folder.join(format!("{part}-{step}.bpk")).is_file());
            let text = std::fs::read_to_string(entry.path()).ok()?;
            whole.then(|| serde_json::from_str(&text).ok()).flatten()
        })
        .collect();
    states.sort_by_key(|state| state.step);
    states.pop()
}

/// Trains `model` to the end of its recipe.
///
/// With `resume`, goes on from the latest checkpoint below `run.output`; without, that folder must
/// not hold one.
pub fn train<M>(
    job: Job<M>,
    model: M,
    batches: Arc<dyn DataLoader<<M as TrainStep>::Input>>,
    dev: Arc<dyn DataLoader<<M as InferenceStep>::Input>>,
    state: RunState,
) -> Result<RunState>
where
    M: LearnerModel + TrainStep<Output = Scalars> + InferenceStep<Output = Scalars> + 'static,
{
    let output = job.run.output.clone();
    let folder = checkpoint_folder(&output);
    std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
    remove_unfinished(&folder)?;

    let optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let learner = Learner::new(model, optimizer, job.schedule.clone());

    let outcome: Arc<std::sync::Mutex<std::result::Result<RunState, Error>>> =
        Arc::new(std::sync::Mutex::new(Ok(state.clone())));
    let part = |name| PartFile {
        folder: folder.clone(),
        name,
    };
    let resumed_step = state.step;
    let mut training = SupervisedTraining::<M>::new(&output, batches, dev)
        .num_epochs(job.run.epochs())
        .with_custom_checkpointers(part("model"), part("optimizer"), part("schedule"))
        .with_checkpointing_strategy(KeepLast {
            folder: folder.clone(),
        })
        .with_application_logger(None);
    if resumed_step > 0 {
        training = training.checkpoint(resumed_step);
    }
    if !job.dashboard {
        training = training.renderer(Box::new(crate::training::quiet::QuietRenderer));
    }
    training = training.metric_valid_numeric(ScalarMetric::new(
        job.score.name,
        job.score.higher_is_better,
    ));
    for &metric in &job.metrics {
        training = training.metric_train_numeric(ScalarMetric::new(metric, false));
    }
    let steps = Stepwise {
        job,
        state,
        outcome: outcome.clone(),
    };
    let result = training
        .with_training_strategy(TrainingStrategy::Custom(Arc::new(steps)))
        .launch(learner);
    if let Some(error) = result.error {
        return Err(Error::config(format!("training stopped: {error}")));
    }
    drop(result);
    let mut outcome = outcome.lock().unwrap_or_else(|e| e.into_inner());
    std::mem::replace(&mut *outcome, Ok(RunState::default()))
}

/// The loop: one optimiser step after another, with evaluations and checkpoints between.
struct Stepwise<M> {
    job: Job<M>,
    state: RunState,
    outcome: Arc<std::sync::Mutex<std::result::Result<RunState, Error>>>,
}

impl<M> SupervisedLearningStrategy<M> for Stepwise<M>
where
    M: LearnerModel + TrainStep<Output = Scalars> + InferenceStep<Output = Scalars> + 'static,
{
    fn fit(
        &self,
        mut components: TrainingComponents<M>,
        mut learner: Learner<M>,
        batches: TrainLoader<M>,
        dev: ValidLoader<M>,
        _starting_epoch: usize,
    ) -> (M, SupervisedTrainingEventProcessor<M>) {
        let device = self.job.device.clone().autodiff();
        learner.fork(&device);
        let result = self.steps(&mut components, &mut learner, &batches, &dev, &device);
        *self.outcome.lock().unwrap_or_else(|e| e.into_inner()) = result;
        (learner.model(), components.event_processor)
    }
}

impl<M> Stepwise<M>
where
    M: LearnerModel + TrainStep<Output = Scalars> + InferenceStep<Output = Scalars> + 'static,
{
    fn steps(
        &self,
        components: &mut TrainingComponents<M>,
        learner: &mut Learner<M>,
        batches: &TrainLoader<M>,
        dev: &ValidLoader<M>,
        device: &Device,
    ) -> Result<RunState> {
        let run = &self.job.run;
        let folder = checkpoint_folder(&run.output);
        let mut state = self.state.clone();
        let mut log = MetricsLog::open(&run.output.join("metrics.jsonl"), state.step)?;
        let mut means = ScalarMeans::default();
        let mut batches_left = batches.iter();
        let mut saved_at = Instant::now();
        let mut epoch_began = Instant::now();
        let processor = &mut components.event_processor;
        let interrupter = components.interrupter.clone();
        interrupter.fail_on_error(processor.process_train(LearnerEvent::StartSplit {
            epoch_number: state.step / run.steps_per_epoch + 1,
            total_items: run.steps_per_epoch,
        }));
        while state.step < run.steps {
            device.seed(step_seed(run.seed, state.step));
            let Some(batch) = batches_left.next() else {
                break;
            };
            let batch = batch.map_err(|e| Error::config(format!("training data: {e}")))?;
            let output = learner.train_step(batch);
            learner.lr_step();
            learner.optimizer_step(output.grads);
            state.step += 1;
            let loss = output.item.0.get("loss").copied().unwrap_or(f64::NAN);
            if !loss.is_finite() {
                return Err(Error::config(format!(
                    "the loss is {loss} at step {}; lower run.learning_rate or run.clip_norm, \
                     then resume from the last checkpoint",
                    state.step
                )));
            }
            means.add(&output.item);
            (self.job.report)(RunEvent::Step {
                step: state.step,
                steps: run.steps,
                loss,
            });
            let epoch = state.step.div_ceil(run.steps_per_epoch);
            let progress = burn::data::dataloader::Progress::new(
                (state.step - 1) % run.steps_per_epoch + 1,
                run.steps_per_epoch,
                Some("steps".to_owned()),
            );
            let item = TrainingItem::new(
                output.item,
                progress,
                Some(state.step),
                Some(learner.lr_current()),
            );
            interrupter.fail_on_error(processor.process_train(LearnerEvent::ProcessedItem(item)));

            let evaluate =
                state.step.is_multiple_of(run.steps_per_epoch) || state.step == run.steps;
            if evaluate {
                interrupter.fail_on_error(processor.process_train(LearnerEvent::EndSplit(epoch)));
                let train_s = epoch_began.elapsed().as_secs_f64();
                let dev_means = evaluate_dev(learner, dev, processor, &interrupter, epoch)?;
                let score = dev_means.get(self.job.score.name).copied();
                let score = score.unwrap_or(f64::NAN);
                let best = self.job.score.is_better(score, state.best_score);
                if best {
                    state.best_score = Some(score);
                    state.best_step = state.step;
                    state.evaluations_without_gain = 0;
                    (self.job.save_best)(
                        &learner.model().valid(),
                        &dev_means,
                        &run.output.join("best"),
                    )?;
                } else {
                    state.evaluations_without_gain += 1;
                }
                let train_means = means.take();
                log.write(&MetricsLine {
                    step: state.step,
                    learning_rate: learner.lr_current().base(),
                    train_s,
                    train: &train_means,
                    dev: &dev_means,
                    best,
                })?;
                (self.job.report)(RunEvent::Evaluated {
                    step: state.step,
                    train: &train_means,
                    dev: &dev_means,
                    best,
                });
                interrupter.fail_on_error(processor.process_train(LearnerEvent::EndEpoch(epoch)));
            }
            let out_of_patience =
                run.patience > 0 && state.evaluations_without_gain >= run.patience;
            state.finished = state.step == run.steps || (evaluate && out_of_patience);
            let stopping = state.finished || interrupter.should_stop();
            if evaluate || stopping || saved_at.elapsed() > CHECKPOINT_INTERVAL {
                write_state(&folder, &state)?;
                if let Some(checkpointer) = &mut components.checkpointer {
                    checkpointer.checkpoint(learner, state.step, &components.event_store);
                }
                saved_at = Instant::now();
            }
            if stopping {
                break;
            }
            if evaluate {
                epoch_began = Instant::now();
                interrupter.fail_on_error(processor.process_train(LearnerEvent::StartSplit {
                    epoch_number: epoch + 1,
                    total_items: run.steps_per_epoch,
                }));
            }
        }
        Ok(state)
    }
}

fn evaluate_dev<M>(
    learner: &Learner<M>,
    dev: &ValidLoader<M>,
    processor: &mut SupervisedTrainingEventProcessor<M>,
    interrupter: &burn::train::Interrupter,
    epoch: usize,
) -> Result<BTreeMap<&'static str, f64>>
where
    M: LearnerModel + TrainStep<Output = Scalars> + InferenceStep<Output = Scalars> + 'static,
{
    let model = learner.model().valid();
    let mut means = ScalarMeans::default();
    interrupter.fail_on_error(processor.process_valid(LearnerEvent::StartSplit {
        epoch_number: epoch,
        total_items: dev.num_items(),
    }));
    let mut recordings = dev.iter();
    while let Some(recording) = recordings.next() {
        let recording = recording.map_err(|e| Error::config(format!("dev data: {e}")))?;
        let scalars = InferenceStep::step(&model, recording);
        means.add(&scalars);
        let item = TrainingItem::new(scalars, recordings.progress(), None, None);
        interrupter.fail_on_error(processor.process_valid(LearnerEvent::ProcessedItem(item)));
    }
    interrupter.fail_on_error(processor.process_valid(LearnerEvent::EndSplit(epoch)));
    Ok(means.take())
}

/// A seed for one step; splitmix64 of the run's seed and the step.
pub fn step_seed(seed: u64, step: usize) -> u64 {
    let mut z = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(step as u64)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Removes what a killed run was writing, and what is left of a checkpoint that it was deleting: a part without its state.
fn remove_unfinished(folder: &Path) -> Result<()> {
    let fail = |e| Error::io(folder, e);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let part = name
            .strip_suffix(".bpk")
            .and_then(|part| part.rsplit_once('-'));
        let step = part.and_then(|(_, step)| step.parse().ok());
        let is_left = step.is_some_and(|step| !state_file(folder, step).exists());
        if name.starts_with(UNFINISHED) || is_left {
            std::fs::remove_file(entry.path()).map_err(fail)?;
        }
    }
    Ok(())
}

fn state_file(folder: &Path, step: usize) -> PathBuf {
    folder.join(format!("state-{step}.json"))
}

fn write_state(folder: &Path, state: &RunState) -> Result<()> {
    let path = state_file(folder, state.step);
    let text = serde_json::to_string_pretty(state).map_err(|e| Error::config(e.to_string()))?;
    crate::formats::write_atomically(&path, |file| file.write_all(text.as_bytes()))
}

/// One line of `metrics.jsonl`.
#[derive(Serialize)]
struct MetricsLine<'a> {
    step: usize,
    learning_rate: f64,
    /// Seconds of training since the line before.
    train_s: f64,
    train: &'a BTreeMap<&'static str, f64>,
    dev: &'a BTreeMap<&'static str, f64>,
    best: bool,
}

/// `metrics.jsonl`, without the lines of steps that a resumed run makes again.
struct MetricsLog {
    path: PathBuf,
    file: std::fs::File,
}

impl MetricsLog {
    fn open(path: &Path, step: usize) -> Result<Self> {
        let earlier = std::fs::read_to_string(path).unwrap_or_default();
        let kept: String = earlier
            .lines()
            .filter(|line| {
                serde_json::from_str::<serde_json::Value>(line)
                    .ok()
                    .and_then(|line| line["step"].as_u64())
                    .is_some_and(|s| s as usize <= step)
            })
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(path, kept).map_err(|e| Error::io(path, e))?;
        let file = std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|e| Error::io(path, e))?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }

    fn write(&mut self, line: &MetricsLine) -> Result<()> {
        let text = serde_json::to_string(line).map_err(|e| Error::config(e.to_string()))?;
        writeln!(self.file, "{text}").map_err(|e| Error::io(&self.path, e))
    }
}

/// One of a checkpoint's files, which appears whole or not at all.
#[derive(Clone)]
struct PartFile {
    folder: PathBuf,
    name: &'static str,
}

impl PartFile {
    fn path(&self, step: usize) -> PathBuf {
        self.folder.join(format!("{}-{step}.bpk", self.name))
    }
}

impl<R: Checkpoint> Checkpointer<R> for PartFile {
    fn save(&self, step: usize, record: R) -> std::result::Result<(), CheckpointerError> {
        let unfinished = self.folder.join(format!("{UNFINISHED}{}.bpk", self.name));
        let _ = std::fs::remove_file(&unfinished);
        record.save(unfinished.clone())?;
        std::fs::rename(&unfinished, self.path(step)).map_err(CheckpointerError::IOError)
    }

    fn delete(&self, step: usize) -> std::result::Result<(), CheckpointerError> {
        // By now the later checkpoints are whole. Until then this one's state is what a killed run goes on from.
        for path in [self.path(step), state_file(&self.folder, step)] {
            match std::fs::remove_file(path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(CheckpointerError::IOError(e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn restore(&self, step: usize) -> std::result::Result<R, CheckpointerError> {
        R::load(self.path(step))
    }
}

/// Saves whenever asked and keeps the last few.
struct KeepLast {
    folder: PathBuf,
}

impl CheckpointingStrategy for KeepLast {
    fn checkpointing(
        &mut self,
        step: usize,
        _store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        let mut steps: Vec<usize> = std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                name.strip_prefix("state-")?
                    .strip_suffix(".json")?
                    .parse()
                    .ok()
            })
            .filter(|&s| s != step)
            .collect();
        steps.sort_unstable_by(|a, b| b.cmp(a));
        let mut actions = vec![CheckpointingAction::Save];
        for &old in steps.iter().skip(CHECKPOINTS_KEPT - 1) {
            actions.push(CheckpointingAction::Delete(old));
        }
        actions
    }
}

/// The bytes of every tensor of a checkpoint's model, by name: two runs that went alike have the same.
pub fn checkpoint_tensors(output: &Path, step: usize) -> Result<BTreeMap<String, Vec<u8>>> {
    let path = checkpoint_folder(output).join(format!("model-{step}.bpk"));
    let fault = |e: burn::store::burn_pack::Error| Error::checkpoint(&path, e.to_string());
    let file = Reader::from_file(&path).map_err(fault)?;
    let names = file.tensor_names().into_iter();
    names
        .map(|name| Ok((name.to_owned(), file.tensor_data(name).map_err(fault)?)))
        .collect()
}

/// The state to start from: that of the latest checkpoint with `resume`, a fresh one without.
///
/// Starting afresh where a run already lies, or resuming where none does, is an error.
pub fn prepare(output: &Path, resume: bool) -> Result<RunState> {
    match (latest_checkpoint(output), resume) {
        (Some(state), true) => Ok(state),
        (None, false) => Ok(RunState::default()),
        (Some(state), false) => Err(Error::input(
            output,
            format!(
                "holds a run of {} steps; go on with --resume, name another folder with \
                 --set run.output=FOLDER, or delete this one",
                state.step
            ),
        )),
        (None, true) => Err(Error::input(
            output,
            "holds no checkpoint to resume from; start the run without --resume",
        )),
    }
}

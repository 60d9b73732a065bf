//! Starting from what another model has learned.

use std::collections::BTreeMap;
use std::path::Path;

use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::{Module, ParamGroup};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::recipe::RunConfig;
use super::schedule::WarmupCosine;
use crate::checkpoint::{self, Architecture, CheckpointFiles, TensorFile, tensor_paths};
use crate::error::{Error, Result};

/// Where the layers start and how fast each learns. Patterns are of PyTorch's names of tensors, with `*` for anything, such
/// as `conv*`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transfer {
    /// A checkpoint folder, or the name of a built-in model, whose layers are the start; sizes of the recipe's `[model]` are
    /// then not read. The head is fresh unless the labels are the same.
    pub from: Option<String>,
    /// Tensors that do not learn at first; their batch normalisation keeps its statistics.
    pub freeze: Vec<String>,
    /// The evaluation after which they learn, too; 0 never.
    pub unfreeze_epoch: usize,
    /// Factors of the learning rate; where several patterns fit a tensor, the longest counts.
    pub rates: BTreeMap<String, f64>,
}

/// Which tensors learn when, and how fast, by their paths in a module.
#[derive(Debug, Clone, Default)]
pub struct LearningGroups {
    /// What does not learn at first, and the step from which it does.
    pub frozen: Option<(ParamGroup, usize)>,
    /// Paths with their factor of the learning rate.
    pub rates: Vec<(Vec<String>, f64)>,
}

impl Transfer {
    /// # Errors
    /// When a factor is no number above 0; the message names it.
    pub fn check(&self) -> Result<()> {
        let mut rates = self.rates.iter();
        match rates.find(|(_, rate)| !(**rate > 0.0 && rate.is_finite())) {
            None => Ok(()),
            Some((pattern, rate)) => Err(Error::config(format!(
                "transfer.rates.\"{pattern}\" is {rate}; expected a factor above 0; what is not to learn belongs into \
                 transfer.freeze"
            ))),
        }
    }

    /// # Errors
    /// When a pattern fits no tensor of the model.
    pub(super) fn groups<M: Architecture>(
        &self,
        model: &M,
        run: &RunConfig,
    ) -> Result<LearningGroups> {
        let names = tensor_paths(model);
        let fitting = |pattern: &str| -> Result<Vec<&(String, String)>> {
            let found: Vec<_> = names.iter().filter(|(n, _)| fits(pattern, n)).collect();
            match found.is_empty() {
                false => Ok(found),
                true => Err(Error::config(format!(
                    "transfer: no tensor is called {pattern}; there are {}",
                    names
                        .iter()
                        .map(|(name, _)| name.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                ))),
            }
        };
        let mut frozen = Vec::new();
        for pattern in &self.freeze {
            frozen.extend(fitting(pattern)?.into_iter().map(|(_, path)| path.clone()));
        }
        // A layer is a normalisation's switch, too, which lies beside its tensors.
        let switches: Vec<String> = frozen
            .iter()
            .filter_map(|path| path.rsplit_once('.'))
            .map(|(layer, _)| format!("{layer}.training"))
            .collect();
        frozen.extend(switches);
        let until = match self.unfreeze_epoch {
            0 => usize::MAX,
            epoch => epoch * run.steps_per_epoch,
        };
        let mut rates = Vec::new();
        let mut patterns: Vec<(&String, &f64)> = self.rates.iter().collect();
        // Later groups override earlier ones.
        patterns.sort_by_key(|(pattern, _)| pattern.len());
        for (pattern, &rate) in patterns {
            let paths = fitting(pattern)?.into_iter().map(|(_, path)| path.clone());
            rates.push((paths.collect(), rate));
        }
        Ok(LearningGroups {
            frozen: (!frozen.is_empty()).then(|| (ParamGroup::from_paths(frozen), until)),
            rates,
        })
    }
}

impl LearningGroups {
    /// `model` as it learns in a step, counted from 0.
    pub(super) fn at_step<M: Module>(&self, model: &M, step: usize) -> M {
        match &self.frozen {
            Some((group, until)) if step < *until => model.clone().freeze_group(group.clone()),
            _ => model.clone(),
        }
    }

    /// The schedule of every tensor, given that of those without a rate of their own; `prefix` is where the model stands
    /// in the module that learns.
    pub(super) fn schedules(&self, base: WarmupCosine, prefix: &str) -> ModuleLrScheduler {
        let mut schedules = ModuleLrScheduler::new(base.clone());
        for (paths, rate) in &self.rates {
            let paths: Vec<String> = paths.iter().map(|p| format!("{prefix}{p}")).collect();
            let mut schedule = base.clone();
            schedule.peak *= rate;
            schedules = schedules.with_group(ParamGroup::from_paths(paths), schedule);
        }
        schedules
    }
}

/// Whether a name is what a pattern says, in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len()).any(|i| name.is_char_boundary(i) && fits(rest, &name[i..]))
        }),
    }
}

/// A model of `config` with the layers of a checkpoint, but fresh tensors where names begin with one of `fresh`.
///
/// # Errors
/// When a tensor is missing or has another shape.
pub(super) fn start<M: Architecture>(
    files: &CheckpointFiles,
    config: &M::Config,
    fresh: &[&str],
    device: &Device,
) -> Result<M> {
    let mut model = M::from_config(config, device)?;
    let origin: &Path = &files.origin;
    let fault = |message| Error::checkpoint(origin, message);
    let is_fresh = |name: &str| fresh.iter().any(|start| name.starts_with(start));
    let mut tensors = TensorFile::parse(&files.tensors, origin)?.tensors;
    tensors.retain(|tensor| !is_fresh(&tensor.name));
    let own = checkpoint::named_tensors(&model).map_err(fault)?;
    tensors.extend(own.into_iter().filter(|tensor| is_fresh(&tensor.name)));
    checkpoint::load_tensors(&mut model, TensorFile { tensors }, origin)?;
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::music_cnn::{MusicCnn, MusicCnnConfig};

    fn model() -> MusicCnn {
        let sizes = MusicCnnConfig {
            n_classes: 3,
            n_mels: 8,
            channels: [2, 2, 4],
            attention_hidden: 2,
            ..MusicCnnConfig::default()
        };
        sizes.init(&Device::flex().autodiff()).unwrap()
    }

    #[test]
    fn patterns_are_of_whole_names() {
        for (pattern, name, expected) in [
            ("conv1.0.weight", "conv1.0.weight", true),
            ("conv1", "conv1.0.weight", false),
            ("conv*", "conv1.0.weight", true),
            ("*.weight", "conv1.0.weight", true),
            ("*.bias", "conv1.0.weight", false),
            ("conv*0*t", "conv1.0.weight", true),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_fits_nothing_is_told_with_the_names() {
        let transfer = Transfer {
            freeze: vec!["convolution*".into()],
            ..Transfer::default()
        };
        let message = transfer.groups(&model(), &RunConfig::default());
        let message = message.unwrap_err().to_string();
        assert!(
            message.contains("convolution*") && message.contains("attention.2.weight"),
            "{message}"
        );
    }

    #[test]
    fn frozen_layers_have_no_gradient_until_their_step() {
        let transfer = Transfer {
            freeze: vec!["conv1.*".into(), "attention.2.*".into()],
            unfreeze_epoch: 2,
            ..Transfer::default()
        };
        let run = RunConfig {
            steps_per_epoch: 5,
            ..RunConfig::default()
        };
        let model = model();
        let groups = transfer.groups(&model, &run).unwrap();
        let learning = |step| {
            let mut learning = Vec::new();
            let model = groups.at_step(&model, step);
            let input = burn::tensor::Tensor::random(
                [2, 8, 8],
                burn::tensor::Distribution::Default,
                &Device::flex().autodiff(),
            );
            let logits = model.forward(input).into_clip().unwrap();
            let gradients = logits.powf_scalar(2.0).sum().backward();
            let gradients = burn::optim::GradientsParams::from_grads(gradients, &model);
            struct Names<'a>(
                &'a burn::optim::GradientsParams,
                Vec<String>,
                &'a mut Vec<String>,
            );
            impl burn::module::ModuleVisitor for Names<'_> {
                fn enter_module(&mut self, name: &str, _: &str) {
                    self.1.push(name.to_owned());
                }
                fn exit_module(&mut self, _: &str, _: &str) {
                    self.1.pop();
                }
                fn visit_float<const D: usize>(
                    &mut self,
                    param: &burn::module::Param<burn::tensor::Tensor<D>>,
                ) {
                    if self.0.get::<D>(param.id).is_some() {
                        self.2.push(self.1.join("."));
                    }
                }
            }
            model.visit(&mut Names(&gradients, Vec::new(), &mut learning));
            learning
        };
        let (before, after) = (learning(9), learning(10));
        assert!(
            before.iter().all(|name| !name.starts_with("conv1")),
            "{before:?}"
        );
        assert!(before.iter().any(|name| name.starts_with("conv3")));
        assert!(
            after.iter().any(|name| name.starts_with("conv1")),
            "{after:?}"
        );
    }

    #[test]
    fn the_longest_pattern_that_fits_sets_the_rate() {
        let transfer = Transfer {
            rates: [("conv*", 0.1), ("conv3.*", 0.5), ("attention.2.*", 2.0)]
                .map(|(pattern, rate)| (pattern.to_owned(), rate))
                .into(),
            ..Transfer::default()
        };
        let groups = transfer.groups(&model(), &RunConfig::default()).unwrap();
        let base = WarmupCosine::new(0.01, 0, 100, 0.1);
        let rates = groups.schedules(base, "model.").step();
        let rate = |path: &str| {
            let id = burn::module::ParamId::new();
            rates.lr_from_param(id, Some(path))
        };
        for (path, expected) in [
            ("model.fc.weight", 0.01),
            ("model.conv1.0.weight", 0.001),
            ("model.conv3.1.bias", 0.005),
            // PyTorch's attention.2 is the second of two layers here.
            ("model.attention.1.bias", 0.02),
            ("model.attention.0.bias", 0.01),
        ] {
            assert!(
                (rate(path) - expected).abs() < 1e-12,
                "{path}: {}",
                rate(path)
            );
        }
    }

    #[test]
    fn layers_come_from_the_checkpoint_and_the_head_is_fresh() {
        let at = tempfile::tempdir().unwrap();
        let (old, sizes) = (
            model(),
            MusicCnnConfig {
                n_classes: 5,
                n_mels: 8,
                channels: [2, 2, 4],
                attention_hidden: 2,
                ..MusicCnnConfig::default()
            },
        );
        let config = MusicCnnConfig {
            n_classes: 3,
            ..sizes.clone()
        };
        checkpoint::save(
            at.path(),
            &old.valid(),
            &config,
            &Default::default(),
            &Default::default(),
            checkpoint::Precision::Float32,
        )
        .unwrap();
        let files = CheckpointFiles::read(at.path()).unwrap();
        let new: MusicCnn = start(&files, &sizes, &["fc."], &Device::flex()).unwrap();
        assert_eq!(new.n_classes(), 5);
        let tensors = |model| checkpoint::named_tensors::<MusicCnn>(model).unwrap();
        for (old, new) in tensors(&old.valid()).into_iter().zip(tensors(&new)) {
            assert_eq!(old.name, new.name);
            assert_eq!(
                old.values == new.values,
                !old.name.starts_with("fc."),
                "{}",
                old.name
            );
        }
        assert!(start::<MusicCnn>(&files, &sizes, &[], &Device::flex()).is_err());
    }
}

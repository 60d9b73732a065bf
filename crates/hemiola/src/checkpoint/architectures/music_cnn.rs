//! MusicCNN in checkpoints.

use burn::tensor::Device;

use super::Shapes;
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::features::MelConfig;
use crate::models::music_cnn::{MusicCnn, MusicCnnConfig};
use crate::tasks::classify::{CLIP_S, ClassifierConfig};

impl Architecture for MusicCnn {
    const NAME: &'static str = "music-cnn";
    type Config = MusicCnnConfig;
    type Task = ClassifierConfig<MelConfig>;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        MusicCnn::torch_name(path)
    }
}

impl Importable for MusicCnn {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "MusicCNN");
        let (channels, attention_hidden) = trunk_sizes(&shapes, "")?;
        let [n_classes, _] = shapes.get("fc.weight")?;
        let model = MusicCnnConfig {
            n_classes,
            channels,
            attention_hidden,
            ..MusicCnnConfig::default()
        };
        let assumed = vec![
            bands(model.n_mels),
            "pooling \"average\" and output \"clip\", the tutorial's".into(),
            classes(n_classes),
        ];
        Ok(Imported {
            model,
            task: ClassifierConfig::default(),
            assumed,
        })
    }
}

/// Channels of the convolutions and width of the attention of the MusicCNN whose tensors' names begin so.
pub(super) fn trunk_sizes(
    shapes: &Shapes,
    prefix: &str,
) -> std::result::Result<([usize; 3], usize), String> {
    let outputs = |layer: &str| {
        let [outputs, ..] = shapes.get::<4>(&format!("{prefix}{layer}.0.weight"))?;
        Ok::<_, String>(outputs)
    };
    let channels = [
        outputs("conv1")?,
        outputs("conv2_harmonic")?,
        outputs("conv3")?,
    ];
    let [hidden, _] = shapes.get(&format!("{prefix}attention.0.weight"))?;
    Ok((channels, hidden))
}

/// What is assumed of the classes and the clips.
pub(super) fn classes(n_classes: usize) -> String {
    format!(
        "classes without names (\"class 0\" to \"class {}\"), clips of {CLIP_S} s",
        n_classes.saturating_sub(1)
    )
}

/// What is assumed of the input.
pub(super) fn bands(n_mels: usize) -> String {
    format!("an input of {n_mels} mel bands (n_mels), the tutorial's number")
}

//! HarmonicCNN in checkpoints.

use burn::tensor::Device;

use super::Shapes;
use super::music_cnn::classes;
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::features::ConstantQConfig;
use crate::models::harmonic_cnn::{HarmonicCnn, HarmonicCnnConfig};
use crate::tasks::classify::ClassifierConfig;

impl Architecture for HarmonicCnn {
    const NAME: &'static str = "harmonic-cnn";
    type Config = HarmonicCnnConfig;
    type Task = ClassifierConfig<ConstantQConfig>;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        HarmonicCnn::torch_name(path)
    }
}

impl Importable for HarmonicCnn {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "HarmonicCNN");
        let [n_harmonics, _, n_bins, _] = shapes.get("harmonic_filters")?;
        let [channels, ..] = shapes.get::<4>("harmonic_conv.0.0.weight")?;
        let [combined, ..] = shapes.get::<4>("combine.0.weight")?;
        let [n_classes, _] = shapes.get("classifier.2.weight")?;
        let model = HarmonicCnnConfig {
            n_harmonics,
            n_classes,
            n_bins,
            channels,
            combined,
            ..HarmonicCnnConfig::default()
        };
        let assumed = vec![
            format!(
                "an input of {} bins to the octave (bins_per_octave), the tutorial's number",
                model.bins_per_octave
            ),
            classes(n_classes),
        ];
        let features = ConstantQConfig {
            n_bins,
            bins_per_octave: model.bins_per_octave,
            ..ConstantQConfig::harmonic_cnn()
        };
        Ok(Imported {
            model,
            task: ClassifierConfig {
                features,
                ..ClassifierConfig::default()
            },
            assumed,
        })
    }
}

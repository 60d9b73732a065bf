//! MusicBERT with classes in checkpoints.

use burn::tensor::Device;

use super::{Shapes, music_bert};
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::models::music_bert_classifier::{MusicBertClassifier, MusicBertClassifierConfig};
use crate::tasks::classify_events::EventClassifierConfig;

impl Architecture for MusicBertClassifier {
    const NAME: &'static str = "music-bert-classifier";
    type Config = MusicBertClassifierConfig;
    type Task = EventClassifierConfig;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        MusicBertClassifier::torch_name(path)
    }
}

impl Importable for MusicBertClassifier {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "MusicBERT with classes");
        let (bert, assumed) = music_bert::sizes(&shapes, "bert.")?;
        let [n_classes, _] = shapes.get("classifier.weight")?;
        let task = EventClassifierConfig::default();
        Ok(Imported {
            task: EventClassifierConfig {
                window: task.window.min(bert.max_seq_len),
                ..task
            },
            model: MusicBertClassifierConfig { bert, n_classes },
            assumed,
        })
    }
}

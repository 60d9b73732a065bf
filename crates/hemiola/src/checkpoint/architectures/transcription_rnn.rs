//! MusicTranscriptionRNN in checkpoints.

use burn::tensor::Device;

use super::Shapes;
use crate::checkpoint::import::{Importable, Imported};
use crate::checkpoint::{Architecture, TensorFile};
use crate::error::Result;
use crate::features::LogFrequencyConfig;
use crate::models::transcription_rnn::{
    Front, MusicTranscriptionRnn, MusicTranscriptionRnnConfig, N_KEYS,
};
use crate::tasks::transcribe::TranscriberConfig;

impl Architecture for MusicTranscriptionRnn {
    const NAME: &'static str = "music-transcription-rnn";
    type Config = MusicTranscriptionRnnConfig;
    type Task = TranscriberConfig;

    fn from_config(config: &Self::Config, device: &Device) -> Result<Self> {
        config.init(device)
    }

    fn torch_name(path: &str) -> String {
        MusicTranscriptionRnn::torch_name(path)
    }
}

impl Importable for MusicTranscriptionRnn {
    fn infer(tensors: &TensorFile) -> std::result::Result<Imported<Self>, String> {
        let shapes = Shapes::of(tensors, "MusicTranscriptionRNN");
        if shapes.any("harmonic.") {
            return Err(
                "the harmonic front's input_dim and harmonics are not in the tensors; \
                        give the configuration with --config"
                    .into(),
            );
        }
        let [_, width] = shapes.get("pitch_detector.weight")?;
        let [first, input_dim, _] = shapes.get("feature_conv.0.weight")?;
        let [second, ..] = shapes.get::<3>("feature_conv.3.weight")?;
        let [onset_outputs, _] = shapes.get("onset_detector.weight")?;
        let [velocity_outputs, _] = shapes.get("velocity_estimator.weight")?;
        let heads = MusicTranscriptionRnnConfig::default().n_heads;
        if width == 0 || !width.is_multiple_of(heads) {
            return Err(format!(
                "n_heads is not in the tensors, and {heads} heads do not divide the width {width}; \
                 give the configuration with --config"
            ));
        }
        let held_outputs = match shapes.any("held_detector.weight") {
            true => shapes.get::<2>("held_detector.weight")?[0],
            false => 0,
        };
        let model = MusicTranscriptionRnnConfig {
            front: Front::Conv1d,
            input_dim,
            hidden_dim: width / 2,
            n_layers: shapes.count("lstm.weight_ih_l", ""),
            n_heads: heads,
            conv_channels: [first, second],
            onset_outputs,
            velocity_outputs,
            held_outputs,
            ..MusicTranscriptionRnnConfig::default()
        };
        let features = features_for(model.input_dim);
        let assumed = vec![
            format!("{heads} attention heads (n_heads), the tutorial's number"),
            format!(
                "an input of {} bins from {} Hz, {} to the octave, {} samples apart at {} Hz",
                features.n_bins,
                features.fmin_hz,
                features.bins_per_octave,
                features.hop_length,
                features.sample_rate
            ),
        ];
        Ok(Imported {
            model,
            task: TranscriberConfig {
                features,
                ..TranscriberConfig::default()
            },
            assumed,
        })
    }
}

/// A spectrum of that many bins over the keys of a piano.
fn features_for(n_bins: usize) -> LogFrequencyConfig {
    let default = LogFrequencyConfig::default();
    if n_bins == default.n_bins {
        return default;
    }
    LogFrequencyConfig {
        n_bins,
        bins_per_octave: 12 * (n_bins / N_KEYS).max(1),
        ..default
    }
}

//! MusicTranscriptionRNN: from spectra to the notes that sound, begin and how loud they are.
//!
//! A convolutional front, a bidirectional LSTM, self-attention with a residual, and one head per
//! question (multi-task learning). The layers are those of the tutorial "Deep Learning Paradigms in
//! Music Information Retrieval"; the onset-first design of the heads follows Hawthorne et al.,
//! "Onsets and Frames: Dual-Objective Piano Transcription" (ISMIR 2018).

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nn::attention::SelfAttention;
use crate::nn::convolution::{BatchNorm, Conv1d, Conv2d};
use crate::nn::recurrent::{Lstm, LstmConfig};

/// Keys of a piano.
pub const N_KEYS: usize = 88;
/// MIDI pitch of the lowest key, A0.
pub const LOWEST_PITCH: u8 = 21;

/// What stands between the spectrum and the LSTM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Front {
    /// Two convolutions over time with all bins as channels: the tutorial's.
    Conv1d,
    /// Convolutions over (time, key) on a map of harmonics, with weights shared over pitch.
    Harmonic,
}

/// Sizes of a [`MusicTranscriptionRnn`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MusicTranscriptionRnnConfig {
    pub front: Front,
    /// Bins of an input frame.
    pub input_dim: usize,
    /// Width of the LSTM in each direction.
    pub hidden_dim: usize,
    /// Stacked bidirectional LSTM layers.
    pub n_layers: usize,
    /// Attention heads; 2·`hidden_dim` is a multiple of it.
    pub n_heads: usize,
    /// Channels of the two convolutions of the `conv1d` front.
    pub conv_channels: [usize; 2],
    /// 1 (does any note begin here?) or 88 (one per key).
    pub onset_outputs: usize,
    /// 1 or 88.
    pub velocity_outputs: usize,
    /// 0, or 88 for a second frame head: keys held down, where `pitch_detector` tells keys that
    /// sound, the sustain pedal included.
    pub held_outputs: usize,
    /// Dropout between LSTM layers.
    pub dropout: f64,
    /// Dropout of the attention weights.
    pub attention_dropout: f64,
    /// Used by the `harmonic` front.
    pub harmonic: HarmonicFrontConfig,
}

impl Default for MusicTranscriptionRnnConfig {
    fn default() -> Self {
        Self {
            front: Front::Conv1d,
            input_dim: N_KEYS,
            hidden_dim: 256,
            n_layers: 3,
            n_heads: 8,
            conv_channels: [128, 256],
            onset_outputs: 1,
            velocity_outputs: 1,
            held_outputs: 0,
            dropout: 0.3,
            attention_dropout: 0.1,
            harmonic: HarmonicFrontConfig::default(),
        }
    }
}

/// How the `harmonic` front reads a log-frequency spectrum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HarmonicFrontConfig {
    /// Multiples of a key's fundamental that are read.
    pub harmonics: Vec<f64>,
    /// Frequency of the input's lowest bin in Hz.
    pub fmin_hz: f64,
    /// Bins of the input per octave.
    pub bins_per_octave: usize,
    /// Adjacent input bins read around every harmonic; odd.
    pub bins_per_key: usize,
    /// Channels of the three convolutions.
    pub channels: usize,
    /// Channels per key that reach the LSTM's projection.
    pub reduced: usize,
    /// Width of the projection, the LSTM's input.
    pub projection: usize,
}

impl Default for HarmonicFrontConfig {
    fn default() -> Self {
        Self {
            harmonics: vec![0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
            fmin_hz: 27.5,
            bins_per_octave: 36,
            bins_per_key: 1,
            channels: 24,
            reduced: 6,
            projection: 256,
        }
    }
}

impl MusicTranscriptionRnnConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: String| Err(Error::config(format!("transcription model: {message}")));
        for (name, value) in [
            ("input_dim", self.input_dim),
            ("hidden_dim", self.hidden_dim),
            ("n_layers", self.n_layers),
            ("n_heads", self.n_heads),
            (
                "conv_channels",
                self.conv_channels[0].min(self.conv_channels[1]),
            ),
        ] {
            if value == 0 {
                return fail(format!("{name} is 0; it must be at least 1"));
            }
        }
        if !(2 * self.hidden_dim).is_multiple_of(self.n_heads) {
            return fail(format!(
                "n_heads {} does not divide the width 2·hidden_dim = {}",
                self.n_heads,
                2 * self.hidden_dim
            ));
        }
        for (name, value) in [
            ("onset_outputs", self.onset_outputs),
            ("velocity_outputs", self.velocity_outputs),
        ] {
            if value != 1 && value != N_KEYS {
                return fail(format!("{name} is {value}; it must be 1 or {N_KEYS}"));
            }
        }
        if self.held_outputs != 0 && self.held_outputs != N_KEYS {
            return fail(format!(
                "held_outputs is {}; it must be 0 or {N_KEYS}",
                self.held_outputs
            ));
        }
        for (name, value) in [
            ("dropout", self.dropout),
            ("attention_dropout", self.attention_dropout),
        ] {
            if !(0.0..1.0).contains(&value) {
                return fail(format!("{name} is {value}; it must be in [0, 1)"));
            }
        }
        if self.front == Front::Harmonic {
            let h = &self.harmonic;
            let sizes = [h.bins_per_octave, h.channels, h.reduced, h.projection];
            if h.harmonics.is_empty() || h.harmonics.iter().any(|m| m.is_nan() || *m <= 0.0) {
                return fail("harmonic.harmonics must hold positive multiples".into());
            }
            if sizes.contains(&0) || h.fmin_hz.is_nan() || h.fmin_hz <= 0.0 {
                return fail("harmonic sizes and fmin_hz must be above 0".into());
            }
            if h.bins_per_key.is_multiple_of(2) {
                return fail(format!(
                    "harmonic.bins_per_key is {}; it must be odd",
                    h.bins_per_key
                ));
            }
            if self.onset_outputs != N_KEYS {
                return fail(format!(
                    "the harmonic front needs onset_outputs = {N_KEYS}, found {}",
                    self.onset_outputs
                ));
            }
        }
        Ok(())
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<MusicTranscriptionRnn> {
        self.validate()?;
        let lstm_input = match self.front {
            Front::Conv1d => self.conv_channels[1],
            Front::Harmonic => self.harmonic.projection,
        };
        let width = 2 * self.hidden_dim;
        let head = |outputs| LinearConfig::new(width, outputs).init(device);
        Ok(MusicTranscriptionRnn {
            feature_conv: (self.front == Front::Conv1d).then(|| FeatureConv::new(self, device)),
            harmonic: (self.front == Front::Harmonic).then(|| HarmonicFront::new(self, device)),
            lstm: LstmConfig {
                input_size: lstm_input,
                hidden_size: self.hidden_dim,
                num_layers: self.n_layers,
                bidirectional: true,
                dropout: self.dropout,
            }
            .init(device),
            attention: SelfAttention::new(width, self.n_heads, self.attention_dropout, device),
            pitch_detector: head(N_KEYS),
            onset_detector: head(self.onset_outputs),
            velocity_estimator: head(self.velocity_outputs),
            held_detector: (self.held_outputs > 0).then(|| head(self.held_outputs)),
            input_dim: self.input_dim,
        })
    }
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct MusicTranscriptionRnn {
    feature_conv: Option<FeatureConv>,
    harmonic: Option<HarmonicFront>,
    lstm: Lstm,
    attention: SelfAttention,
    pitch_detector: Linear,
    onset_detector: Linear,
    velocity_estimator: Linear,
    held_detector: Option<Linear>,
    input_dim: usize,
}

/// What the heads say, before the sigmoid.
#[derive(Debug, Clone)]
pub struct TranscriptionLogits {
    /// Keys that sound, [batch, time, 88].
    pub pitches: Tensor<3>,
    /// Onsets, [batch, time, onset_outputs].
    pub onsets: Tensor<3>,
    /// Velocities; the sigmoid times 127 is the MIDI velocity. [batch, time, velocity_outputs].
    pub velocities: Tensor<3>,
    /// Keys held down, [batch, time, 88], where the model has that head.
    pub held: Option<Tensor<3>>,
    /// Attention weights, [batch, heads, time, time].
    pub attention: Tensor<4>,
}

impl TranscriptionLogits {
    /// Attention weights averaged over heads, [batch, time, time].
    pub fn mean_attention(&self) -> Tensor<3> {
        self.attention.clone().mean_dim(1).squeeze_dim(1)
    }
}

/// Activations, all in 0–1 but velocities, which are MIDI velocities.
#[derive(Debug, Clone)]
pub struct TranscriptionActivations {
    pub pitches: Tensor<3>,
    pub onsets: Tensor<3>,
    pub velocities: Tensor<3>,
    pub held: Option<Tensor<3>>,
}

impl From<TranscriptionLogits> for TranscriptionActivations {
    fn from(logits: TranscriptionLogits) -> Self {
        Self {
            pitches: sigmoid(logits.pitches),
            onsets: sigmoid(logits.onsets),
            velocities: sigmoid(logits.velocities).mul_scalar(127.0),
            held: logits.held.map(sigmoid),
        }
    }
}

impl MusicTranscriptionRnn {
    /// Logits of spectra [batch, time, input_dim].
    pub fn forward(&self, features: Tensor<3>) -> TranscriptionLogits {
        let (x, skip) = match (&self.feature_conv, &self.harmonic) {
            (Some(front), _) => (front.forward(features), None),
            (None, Some(front)) => {
                let (x, skip) = front.forward(features);
                (x, Some(skip))
            }
            (None, None) => (features, None),
        };
        let recurrent = self.lstm.forward(x); // [batch, time, 2·hidden]
        let (context, attention) = self.attention.forward(recurrent.clone());
        let x = recurrent + context;
        let mut pitches = self.pitch_detector.forward(x.clone());
        let mut onsets = self.onset_detector.forward(x.clone());
        let mut held = self.held_detector.as_ref().map(|h| h.forward(x.clone()));
        if let Some(skip) = skip {
            let [batch, time, keys, _] = skip.dims();
            let part = |i| skip.clone().narrow(3, i, 1).reshape([batch, time, keys]);
            pitches = pitches + part(0);
            onsets = onsets + part(1);
            held = held.map(|h| h + part(2));
        }
        TranscriptionLogits {
            pitches,
            onsets,
            velocities: self.velocity_estimator.forward(x),
            held,
            attention,
        }
    }

    /// Outputs of the onset and of the velocity head.
    pub fn onset_and_velocity_outputs(&self) -> [usize; 2] {
        [&self.onset_detector, &self.velocity_estimator].map(|head| head.weight.shape()[1])
    }

    /// Bins that an input frame must have.
    pub fn input_dim(&self) -> usize {
        self.input_dim
    }

    /// The PyTorch name of a parameter of this module.
    pub fn torch_name(path: &str) -> String {
        if let Some(name) = crate::nn::recurrent::keys::pytorch_of_path(path) {
            return name;
        }
        let mut name = path.replace("attention.in_proj.", "attention.in_proj_");
        for (ours, theirs) in [
            ("feature_conv.conv1.", "feature_conv.0."),
            ("feature_conv.norm1.", "feature_conv.1."),
            ("feature_conv.conv2.", "feature_conv.3."),
            ("feature_conv.norm2.", "feature_conv.4."),
        ] {
            name = name.replace(ours, theirs);
        }
        name
    }
}

/// The tutorial's front: [batch, time, input_dim] → [batch, time, conv_channels[1]].
#[derive(Module, Debug)]
struct FeatureConv {
    conv1: Conv1d,
    norm1: BatchNorm,
    conv2: Conv1d,
    norm2: BatchNorm,
}

impl FeatureConv {
    fn new(config: &MusicTranscriptionRnnConfig, device: &Device) -> Self {
        let [first, second] = config.conv_channels;
        Self {
            conv1: Conv1d::new([config.input_dim, first], 3, device),
            norm1: BatchNorm::new(first, device),
            conv2: Conv1d::new([first, second], 3, device),
            norm2: BatchNorm::new(second, device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.norm1.forward_relu(self.conv1.forward(x));
        self.norm2.forward_relu(self.conv2.forward(x))
    }
}

/// Reads harmonics of every key, convolves over (time, key) and reduces to one vector a frame.
#[derive(Module, Debug)]
struct HarmonicFront {
    norm0: BatchNorm,
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    conv3: Conv2d,
    norm3: BatchNorm,
    reduce: Conv2d,
    skip: Conv2d,
    projection: Linear,
    /// Input bin of every (key, channel); `input_dim` stands for a bin outside the input.
    bins: Vec<usize>,
}

impl HarmonicFront {
    fn new(config: &MusicTranscriptionRnnConfig, device: &Device) -> Self {
        let h = &config.harmonic;
        let inputs = h.harmonics.len() * h.bins_per_key;
        let c = h.channels;
        let conv = |from, to, kernel, dilation| Conv2d::new([from, to], kernel, dilation, device);
        Self {
            norm0: BatchNorm::new(inputs, device),
            conv1: conv(inputs, c, [3, 3], [1, 1]),
            norm1: BatchNorm::new(c, device),
            conv2: conv(c, c, [5, 3], [1, 1]),
            norm2: BatchNorm::new(c, device),
            conv3: conv(c, c, [1, 3], [1, 12]),
            norm3: BatchNorm::new(c, device),
            reduce: conv(c, h.reduced, [1, 1], [1, 1]),
            skip: conv(c, 3, [1, 1], [1, 1]),
            projection: LinearConfig::new(h.reduced * N_KEYS, h.projection).init(device),
            bins: harmonic_bins(h, config.input_dim),
        }
    }

    /// [batch, time, bins] → [batch, time, projection] and the skip [batch, time, 88, 3].
    fn forward(&self, features: Tensor<3>) -> (Tensor<3>, Tensor<4>) {
        let [batch, time, _] = features.dims();
        let device = features.device();
        let channels = self.bins.len() / N_KEYS;
        let outside = Tensor::zeros([batch, time, 1], &device);
        let bins: Vec<i64> = self.bins.iter().map(|&b| b as i64).collect();
        let bins = Tensor::<1, Int>::from_data(TensorData::new(bins, [self.bins.len()]), &device);
        let x = Tensor::cat(vec![features, outside], 2)
            .select(2, bins)
            .reshape([batch, time, N_KEYS, channels]);
        let x = self.norm0.forward(x);
        let x = self.norm1.forward_relu(self.conv1.forward(x));
        let x = self.norm2.forward_relu(self.conv2.forward(x));
        let x = self.norm3.forward_relu(self.conv3.forward(x)); // [batch, time, 88, channels]
        let skip = self.skip.forward(x.clone());
        let x = relu(self.reduce.forward(x)); // [batch, time, 88, reduced]
        let [.., reduced] = x.dims();
        let x = relu(
            self.projection
                .forward(x.reshape([batch, time, N_KEYS * reduced])),
        );
        (x, skip)
    }
}

/// The input bin nearest to every harmonic of every key, key by key; `n_bins` where it lies
/// outside the input.
fn harmonic_bins(config: &HarmonicFrontConfig, n_bins: usize) -> Vec<usize> {
    let octave = config.bins_per_octave as f64;
    let half = (config.bins_per_key / 2) as i64;
    let mut bins = Vec::with_capacity(N_KEYS * config.harmonics.len() * config.bins_per_key);
    for key in 0..N_KEYS {
        let fundamental = crate::music::midi_to_hz(key as f64 + f64::from(LOWEST_PITCH));
        for &harmonic in &config.harmonics {
            let centre = octave * (fundamental * harmonic / config.fmin_hz).log2();
            for offset in -half..=half {
                let bin = centre.round() as i64 + offset;
                let inside = bin >= 0 && bin < n_bins as i64;
                bins.push(if inside { bin as usize } else { n_bins });
            }
        }
    }
    bins
}

//! MusicCNN: genre, instruments, tags or onsets from a mel spectrogram.
//!
//! Tall filters look for harmonic structure and wide ones for rhythm, side by side on what a first convolution found.
//! The layers are those of the tutorial "Deep Learning Paradigms in Music Information Retrieval"; filters shaped
//! after music come from Pons, Lidy and Serra, "Experimenting with Musically Motivated Convolutional Neural Networks"
//! (CBMI 2016).
//!
//! Its losses are [`cross_entropy`](crate::nn::loss::cross_entropy) for one label of a clip and
//! [`bce_with_logits`](crate::nn::loss::bce_with_logits) for tags and frames.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::{softmax, tanh};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::spectrogram::{average, validate_spectrogram};
use crate::error::{Error, Result};
use crate::nn::convolution::{BatchNorm, Conv2d, ConvBlock, conv_block};

/// How a clip's frames become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The mean over frequency and time.
    Average,
    /// The mean over frequency, then a weighted mean over time; the weights are learned and returned.
    Attention,
}

/// What the classifier answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// A whole clip.
    Clip,
    /// Every frame: nothing is pooled over time.
    Frame,
}

/// Sizes of a [`MusicCnn`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MusicCnnConfig {
    pub n_classes: usize,
    /// Mel bands of the input; at least 4, for the bands are halved twice.
    pub n_mels: usize,
    /// Channels of the first convolution, of each of the two parallel ones, and of the last.
    pub channels: [usize; 3],
    /// Width of the layer that scores frames; part of the model whatever the pooling.
    pub attention_hidden: usize,
    /// Read by `output = "clip"` only.
    pub pooling: Pooling,
    pub output: Output,
    /// Dropout before the classifier.
    pub dropout: f64,
}

impl Default for MusicCnnConfig {
    fn default() -> Self {
        Self {
            n_classes: 10,
            n_mels: 128,
            channels: [64, 128, 256],
            attention_hidden: 128,
            pooling: Pooling::Average,
            output: Output::Clip,
            dropout: 0.5,
        }
    }
}

/// Frames to either side of a frame that its logits depend on, with `output = "frame"`: one of each 3×3 convolution, three of
/// the wide one.
pub const FRAME_CONTEXT: usize = 5;

impl MusicCnnConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: String| Err(Error::config(format!("MusicCNN: {message}")));
        for (name, value) in [
            ("n_classes", self.n_classes),
            ("channels", self.channels.into_iter().min().unwrap_or(0)),
            ("attention_hidden", self.attention_hidden),
        ] {
            if value == 0 {
                return fail(format!("{name} is 0; it must be at least 1"));
            }
        }
        if self.n_mels < 4 {
            return fail(format!("n_mels is {}; it must be at least 4", self.n_mels));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail(format!("dropout is {}; it must be in [0, 1)", self.dropout));
        }
        Ok(())
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<MusicCnn> {
        self.validate()?;
        let [first, middle, last] = self.channels;
        let block = |[from, to]: [usize; 2], kernel| {
            (
                Conv2d::new([from, to], kernel, [1, 1], device),
                BatchNorm::new(to, device),
            )
        };
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        Ok(MusicCnn {
            conv1: block([1, first], [3, 3]),
            conv2_harmonic: block([first, middle], [12, 1]),
            conv2_temporal: block([first, middle], [1, 7]),
            conv3: block([2 * middle, last], [3, 3]),
            attention: (
                linear(last, self.attention_hidden),
                linear(self.attention_hidden, 1),
            ),
            dropout: DropoutConfig::new(self.dropout).init(),
            fc: linear(last, self.n_classes),
            n_mels: self.n_mels,
            pooling: self.pooling,
            output: self.output,
        })
    }
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct MusicCnn {
    conv1: ConvBlock,
    conv2_harmonic: ConvBlock,
    conv2_temporal: ConvBlock,
    conv3: ConvBlock,
    /// The two linear layers that score a frame.
    attention: (Linear, Linear),
    dropout: Dropout,
    fc: Linear,
    n_mels: usize,
    #[module(skip)]
    pooling: Pooling,
    #[module(skip)]
    output: Output,
}

/// What the model says, before softmax or sigmoid.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for a whole batch; a box would be in every match"
)]
pub enum MusicCnnOutput {
    /// Of a model with `output = "clip"`.
    Clip {
        /// [batch, n_classes]
        logits: Tensor<2>,
        /// With `pooling = "attention"`: how much each quarter of the time resolution counts, [batch, time / 4]; sums to 1.
        attention: Option<Tensor<2>>,
    },
    /// Of a model with `output = "frame"`.
    Frames {
        /// [batch, time, n_classes]
        logits: Tensor<3>,
    },
}

impl MusicCnnOutput {
    /// Logits of clips, [batch, n_classes].
    ///
    /// # Errors
    /// When the model answers for frames.
    pub fn into_clip(self) -> Result<Tensor<2>> {
        match self {
            Self::Clip { logits, .. } => Ok(logits),
            Self::Frames { .. } => Err(Error::config(
                "expected a MusicCNN with output \"clip\", found one with output \"frame\"",
            )),
        }
    }

    /// Logits of frames, [batch, time, n_classes].
    ///
    /// # Errors
    /// When the model answers for clips.
    pub fn into_frames(self) -> Result<Tensor<3>> {
        match self {
            Self::Frames { logits } => Ok(logits),
            Self::Clip { .. } => Err(Error::config(
                "expected a MusicCNN with output \"frame\", found one with output \"clip\"",
            )),
        }
    }
}

/// What the layers found, for display; [batch, channels, frequency, time].
#[derive(Debug, Clone)]
pub struct MusicCnnFeatures {
    /// The input, of one channel.
    pub spectrogram: Tensor<4>,
    pub conv1: Tensor<4>,
    /// Of the tall filters.
    pub harmonic: Tensor<4>,
    /// Of the wide filters.
    pub temporal: Tensor<4>,
    pub conv3: Tensor<4>,
    /// Of a clip with `pooling = "attention"`: how much each frame of `conv3` counts, [batch, time]; sums to 1.
    pub attention: Option<Tensor<2>>,
}

impl MusicCnn {
    /// Logits of log-mel spectrograms [batch, n_mels, time].
    ///
    /// # Panics
    /// On shapes that [`Self::validate_input`] refuses.
    pub fn forward(&self, log_mel: Tensor<3>) -> MusicCnnOutput {
        let [.., conv3] = self.layers(log_mel);
        match self.output {
            Output::Clip => {
                let (embedding, attention) = self.read_out(conv3);
                MusicCnnOutput::Clip {
                    logits: self.fc.forward(self.dropout.forward(embedding)),
                    attention,
                }
            }
            Output::Frame => MusicCnnOutput::Frames {
                logits: self.fc.forward(self.dropout.forward(frames(conv3))),
            },
        }
    }

    /// The vectors that the classifier reads, of log-mel spectrograms [batch, n_mels, time]: [batch, channels\[2\]];
    /// with `output = "frame"` their mean over time.
    ///
    /// # Panics
    /// On shapes that [`Self::validate_input`] refuses.
    pub fn embed(&self, log_mel: Tensor<3>) -> Tensor<2> {
        let [.., conv3] = self.layers(log_mel);
        match self.output {
            Output::Clip => self.read_out(conv3).0,
            Output::Frame => average(conv3),
        }
    }

    /// What each layer makes of log-mel spectrograms [batch, n_mels, time].
    ///
    /// # Panics
    /// On shapes that [`Self::validate_input`] refuses.
    pub fn extract_features(&self, log_mel: Tensor<3>) -> MusicCnnFeatures {
        let spectrogram = log_mel.clone().unsqueeze_dim(1);
        let layers = self.layers(log_mel);
        let attention = match self.output {
            Output::Clip => self.read_out(layers[3].clone()).1,
            Output::Frame => None,
        };
        let [conv1, harmonic, temporal, conv3] = layers.map(|x| x.permute([0, 3, 1, 2]));
        MusicCnnFeatures {
            spectrogram,
            conv1,
            harmonic,
            temporal,
            conv3,
            attention,
        }
    }

    /// The tall filters, [channels\[1\], channels\[0\], 12, 1].
    pub fn harmonic_filters(&self) -> Tensor<4> {
        self.conv2_harmonic.0.weight.val()
    }

    /// Refuses spectrograms that the model cannot read; the shape is [batch, n_mels, time].
    ///
    /// # Errors
    /// When there is no clip or no frame, when the bands are others than the model's, and for clips when there are
    /// fewer than 4 frames, for time is halved twice.
    pub fn validate_input(&self, shape: [usize; 3]) -> Result<()> {
        let least = match self.output {
            Output::Clip => 4,
            Output::Frame => 1,
        };
        validate_spectrogram("MusicCNN", shape, self.n_mels, least)
    }

    pub fn n_classes(&self) -> usize {
        self.fc.weight.shape()[1]
    }

    pub fn n_mels(&self) -> usize {
        self.n_mels
    }

    pub fn output(&self) -> Output {
        self.output
    }

    /// Length of the vectors that [`Self::embed`] returns.
    pub fn embedding_len(&self) -> usize {
        self.fc.weight.shape()[0]
    }

    /// The PyTorch name of a parameter of this module.
    pub fn torch_name(path: &str) -> String {
        path.replace("attention.1.", "attention.2.")
    }

    /// Outputs of the four convolutions, the first and the last pooled: [batch, frequency, time, channels].
    fn layers(&self, log_mel: Tensor<3>) -> [Tensor<4>; 4] {
        self.validate_input(log_mel.dims())
            .unwrap_or_else(|error| panic!("{error}"));
        let window = match self.output {
            Output::Clip => [2, 2],
            Output::Frame => [2, 1],
        };
        let x = log_mel.unsqueeze_dim(3); // [batch, n_mels, time, 1]
        let conv1 = conv_block(&self.conv1, x, window);
        let harmonic = conv_block(&self.conv2_harmonic, conv1.clone(), [1, 1]);
        let temporal = conv_block(&self.conv2_temporal, conv1.clone(), [1, 1]);
        let both = Tensor::cat(vec![harmonic.clone(), temporal.clone()], 3);
        let conv3 = conv_block(&self.conv3, both, window);
        [conv1, harmonic, temporal, conv3]
    }

    /// [batch, frequency, time, channels] → [batch, channels], and the weights of the frames where they have any.
    fn read_out(&self, x: Tensor<4>) -> (Tensor<2>, Option<Tensor<2>>) {
        match self.pooling {
            Pooling::Average => (average(x), None),
            Pooling::Attention => {
                let frames = frames(x);
                let hidden = tanh(self.attention.0.forward(frames.clone()));
                let weights = softmax(self.attention.1.forward(hidden), 1); // [batch, time, 1]
                let pooled = (frames * weights.clone()).sum_dim(1).squeeze_dim(1);
                (pooled, Some(weights.squeeze_dim(2)))
            }
        }
    }
}

/// The mean over frequency: [batch, frequency, time, channels] → [batch, time, channels].
fn frames(x: Tensor<4>) -> Tensor<3> {
    x.mean_dim(1).squeeze_dim(1)
}

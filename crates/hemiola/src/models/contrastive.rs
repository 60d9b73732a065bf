//! A representation of music learned without labels: two crops of one recording should be near one another, those of
//! different recordings apart.
//!
//! The encoder is the trunk of a [`MusicCnn`]; a small network projects its vectors to where they are compared in
//! training. What is kept for use are the vectors before the projection.
//!
//! Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations" (ICML 2020); for music
//! Spijkervet and Burgoyne, "Contrastive Learning of Musical Representations" (ISMIR 2021).

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Bool, Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::music_cnn::{MusicCnn, MusicCnnConfig};
use crate::error::{Error, Result};
use crate::nn::loss::cross_entropy;

/// Sizes of a [`ContrastiveEncoder`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContrastiveEncoderConfig {
    /// Mel bands of the input.
    pub n_mels: usize,
    /// As in [`MusicCnnConfig`]; the last is the length of the embedding.
    pub channels: [usize; 3],
    /// As in [`MusicCnnConfig`]; part of the trunk, though only its average is read.
    pub attention_hidden: usize,
    /// Length of a projection.
    pub projection: usize,
    /// Whether embeddings are whitened, which a run does when it has ended: see [`ContrastiveEncoder::whitened`].
    #[serde(skip_serializing_if = "is_false")]
    pub whitened: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Default for ContrastiveEncoderConfig {
    fn default() -> Self {
        let trunk = MusicCnnConfig::default();
        Self {
            n_mels: trunk.n_mels,
            channels: trunk.channels,
            attention_hidden: trunk.attention_hidden,
            projection: 128,
            whitened: false,
        }
    }
}

impl ContrastiveEncoderConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        if self.projection == 0 {
            return Err(Error::config(
                "contrastive encoder: projection is 0; it must be at least 1",
            ));
        }
        self.trunk().validate()
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<ContrastiveEncoder> {
        self.validate()?;
        let [.., width] = self.channels;
        let linear = |to| LinearConfig::new(width, to).init(device);
        Ok(ContrastiveEncoder {
            encoder: self.trunk().init(device)?,
            projector: (linear(width), linear(self.projection)),
            whitening: self.whitened.then(|| linear(width)),
        })
    }

    fn trunk(&self) -> MusicCnnConfig {
        MusicCnnConfig {
            n_classes: 1,
            n_mels: self.n_mels,
            channels: self.channels,
            attention_hidden: self.attention_hidden,
            ..MusicCnnConfig::default()
        }
    }
}

/// See the [module's description](self).
#[derive(Module, Debug)]
pub struct ContrastiveEncoder {
    encoder: MusicCnn,
    projector: (Linear, Linear),
    whitening: Option<Linear>,
}

/// A clip's vectors.
#[derive(Debug, Clone)]
pub struct ContrastiveOutput {
    /// For use: [batch, channels\[2\]].
    pub embedding: Tensor<2>,
    /// For [`nt_xent`]: [batch, projection].
    pub projection: Tensor<2>,
}

impl ContrastiveEncoder {
    /// Vectors of log-mel spectrograms [batch, n_mels, time].
    ///
    /// # Panics
    /// On shapes that [`Self::validate_input`] refuses.
    pub fn forward(&self, log_mel: Tensor<3>) -> ContrastiveOutput {
        let vectors = self.encoder.embed(log_mel);
        let (first, second) = &self.projector;
        let projection = second.forward(relu(first.forward(vectors.clone())));
        ContrastiveOutput {
            embedding: self.whiten(vectors),
            projection,
        }
    }

    /// The vectors for use, without the projection: [batch, n_mels, time] → [batch, channels\[2\]].
    ///
    /// # Panics
    /// On shapes that [`Self::validate_input`] refuses.
    pub fn embed(&self, log_mel: Tensor<3>) -> Tensor<2> {
        self.whiten(self.encoder.embed(log_mel))
    }

    fn whiten(&self, vectors: Tensor<2>) -> Tensor<2> {
        match &self.whitening {
            None => vectors,
            Some(whitening) => whitening.forward(unit(vectors)),
        }
    }

    /// The same model, its embeddings x of unit length turned into `matrix` · x + `bias`: where `matrix` brings the embeddings of
    /// much music to one spread in all directions and `bias` to mean 0, what all music has in common tells nothing any more, and
    /// what few directions have most of tells no more than the rest (Jégou and Chum, "Negative evidences and co-occurrences
    /// in image retrieval", ECCV 2012).
    ///
    /// # Errors
    /// When `matrix` is not row-major [width, width], or `bias` has not `width` numbers, where width is the length of an embedding.
    pub fn whitened(mut self, matrix: &[f32], bias: &[f32]) -> Result<Self> {
        let width = self.encoder.embedding_len();
        if matrix.len() != width * width || bias.len() != width {
            return Err(Error::config(format!(
                "whitening by {} and {} numbers; expected {width} times {width} and {width}",
                matrix.len(),
                bias.len()
            )));
        }
        let device = &self.devices()[0];
        let mut layer = LinearConfig::new(width, width).init(device);
        // burn keeps weights as [inputs, outputs].
        let matrix = Tensor::<1>::from_floats(matrix, device).reshape([width, width]);
        layer.weight = Param::from_tensor(matrix.transpose());
        layer.bias = Some(Param::from_tensor(Tensor::from_floats(bias, device)));
        self.whitening = Some(layer);
        Ok(self)
    }

    /// Refuses spectrograms that the model cannot read; the shape is [batch, n_mels, time].
    ///
    /// # Errors
    /// As [`MusicCnn::validate_input`] for clips.
    pub fn validate_input(&self, shape: [usize; 3]) -> Result<()> {
        self.encoder.validate_input(shape)
    }

    /// The trunk.
    pub fn encoder(&self) -> &MusicCnn {
        &self.encoder
    }

    /// The PyTorch name of a parameter of this module.
    pub fn torch_name(path: &str) -> String {
        match path.strip_prefix("encoder.") {
            Some(rest) => format!("encoder.{}", MusicCnn::torch_name(rest)),
            None => path.replace("projector.1.", "projector.2."),
        }
    }
}

/// Rows brought to unit length: [batch, width].
fn unit(vectors: Tensor<2>) -> Tensor<2> {
    let lengths = vectors.clone().powi_scalar(2).sum_dim(1).sqrt(); // [batch, 1]
    vectors / lengths.clamp_min(1e-12)
}

/// The normalised temperature-scaled cross-entropy (NT-Xent) of projections of two views of the same clips, each
/// [batch, width]: the mean over all 2·batch views of the cross-entropy of finding the other view of the same clip
/// among all other views by cosine similarity / temperature. One clip alone has loss 0.
///
/// # Panics
/// If the shapes differ, there is no clip, or the temperature is not above 0.
///
/// Source: Chen et al. 2020, equation 1.
pub fn nt_xent(view_a: Tensor<2>, view_b: Tensor<2>, temperature: f64) -> Tensor<1> {
    assert_eq!(view_a.dims(), view_b.dims(), "shapes of the two views");
    assert!(temperature > 0.0, "a temperature of {temperature}");
    let [batch, _] = view_a.dims();
    assert!(batch > 0, "no clips to compare");
    let device = view_a.device();
    let views = unit_length(Tensor::cat(vec![view_a, view_b], 0)); // [2·batch, width]
    // The views of an untrained encoder nearly coincide: what tells them apart would be lost in the rounding of their
    // products. Measured from their mean m, with |z_j| = 1, z_i·z_j = (z_i − m)·(z_j − m) − |z_j − m|² / 2 + what
    // depends on i alone, which the cross-entropy does not see.
    let offsets = views.clone() - views.mean_dim(0).detach();
    let halves = offsets.clone().square().sum_dim(1).transpose() / 2.0; // [1, 2·batch]
    let similarity = (offsets.clone().matmul(offsets.transpose()) - halves) / temperature;
    let itself = Tensor::<2, Bool>::diag_mask([2 * batch; 2], 0, &device).bool_not();
    // Finite, so that no gradient becomes 0 · ∞.
    let similarity = similarity.mask_fill(itself, f32::MIN / 2.0);
    let other = |from, to| Tensor::<1, Int>::arange(from..to, &device);
    let count = batch as i64;
    let partners = Tensor::cat(vec![other(count, 2 * count), other(0, count)], 0);
    cross_entropy(similarity, partners).mean()
}

/// Rows divided by their length; rows of zeros stay.
fn unit_length(rows: Tensor<2>) -> Tensor<2> {
    // Squares of very large or small values would leave the range of the numbers.
    let largest = rows.clone().abs().max_dim(1).detach();
    let nothing = largest.clone().equal_elem(0.0);
    let rows = rows / largest.mask_fill(nothing, 1.0);
    let squares = rows.clone().square().sum_dim(1);
    rows / squares.clamp_min(1e-16).sqrt()
}

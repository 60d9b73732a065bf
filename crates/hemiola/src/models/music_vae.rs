//! MusicVAE: a latent space of piano rolls, frame by frame or in segments.
//!
//! A variational autoencoder (Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014) whose hierarchical mode
//! follows Roberts et al., "A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music" (ICML 2018): a
//! conductor turns the latent vector into one vector for each segment, and a second LSTM turns that into frames. The
//! layers are those of the tutorial "Deep Learning Paradigms in Music Information Retrieval".

mod interpolation;
mod loss;
mod noise;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nn::linear::operator::{linear, linear_relu};
use crate::nn::recurrent::{Lstm, LstmConfig};

pub use interpolation::{Interpolation, interpolate};
pub use loss::{Posterior, VaeLoss, VaeOutput};
pub use noise::noise;

/// Layers of the conductor.
const CONDUCTOR_LAYERS: usize = 2;

/// Sizes of a [`MusicVae`]. The defaults are the reference preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MusicVaeConfig {
    /// Keys of a piano-roll frame.
    pub input_dim: usize,
    /// Length of a latent vector. Conductor and frame LSTM have half as many units.
    pub latent_dim: usize,
    /// Width of encoder and decoder. The encoder's LSTM has half as many units in each direction.
    pub hidden_dim: usize,
    /// Whether an example is a sequence of segments of frames instead of one frame.
    pub hierarchical: bool,
}

impl Default for MusicVaeConfig {
    fn default() -> Self {
        Self {
            input_dim: 88,
            latent_dim: 256,
            hidden_dim: 512,
            hierarchical: false,
        }
    }
}

impl MusicVaeConfig {
    /// Refuses impossible sizes with a message that names the field.
    pub fn validate(&self) -> Result<()> {
        let fail = |message: String| Err(Error::config(format!("music VAE: {message}")));
        // The conductor is there in both modes and has half of latent_dim units.
        for (name, value, least) in [
            ("input_dim", self.input_dim, 1),
            ("latent_dim", self.latent_dim, 2),
            ("hidden_dim", self.hidden_dim, 1),
        ] {
            if value < least {
                return fail(format!("{name} is {value}; it must be at least {least}"));
            }
        }
        for (name, value) in [
            ("latent_dim", self.latent_dim),
            ("hidden_dim", self.hidden_dim),
        ] {
            if self.hierarchical && !value.is_multiple_of(2) {
                return fail(format!(
                    "{name} is {value}; it must be even in the hierarchical mode, whose LSTMs have half of it"
                ));
            }
        }
        Ok(())
    }

    /// A model with fresh weights.
    pub fn init(&self, device: &Device) -> Result<MusicVae> {
        self.validate()?;
        let Self {
            input_dim,
            latent_dim,
            hidden_dim,
            hierarchical,
        } = *self;
        let dense = |from, to| LinearConfig::new(from, to).init(device);
        let half = latent_dim / 2;
        let lstm = |config: LstmConfig| hierarchical.then(|| config.init(device));
        Ok(MusicVae {
            encoder: (dense(input_dim, hidden_dim), dense(hidden_dim, hidden_dim)),
            encoder_rnn: lstm(LstmConfig::new(hidden_dim, hidden_dim / 2).with_bidirectional(true)),
            fc_mu: dense(hidden_dim, latent_dim),
            fc_logvar: dense(hidden_dim, latent_dim),
            conductor: LstmConfig::new(latent_dim, half)
                .with_num_layers(CONDUCTOR_LAYERS)
                .init(device),
            frame_rnn: lstm(LstmConfig::new(half, half)),
            decoder: (
                dense(latent_dim, hidden_dim),
                dense(hidden_dim, hidden_dim),
                dense(hidden_dim, input_dim),
            ),
            input_dim,
            latent_dim,
        })
    }
}

/// See the [module's description](self).
///
/// An example is a frame, x [batch, input_dim], or in the hierarchical mode a sequence,
/// x [batch, segments, frames, input_dim]. The conductor has no part in the frame mode.
#[derive(Module, Debug)]
pub struct MusicVae {
    encoder: (Linear, Linear),
    encoder_rnn: Option<Lstm>,
    fc_mu: Linear,
    fc_logvar: Linear,
    conductor: Lstm,
    frame_rnn: Option<Lstm>,
    decoder: (Linear, Linear, Linear),
    input_dim: usize,
    latent_dim: usize,
}

impl MusicVae {
    /// Where examples lie in the latent space.
    ///
    /// # Errors
    /// When x has other dimensions than the mode asks for, other than `input_dim` keys, or an empty dimension.
    pub fn encode<const D: usize>(&self, x: Tensor<D>) -> Result<Posterior> {
        let shape = x.dims();
        self.check_input(&shape)?;
        let batch = shape[0];
        let frames: usize = shape[1..D - 1].iter().product();
        // Frame by frame, as the LSTM goes, which needs no copy of the wider encoding then.
        let x = x
            .reshape([batch, frames, self.input_dim])
            .swap_dims(0, 1)
            .reshape([frames * batch, self.input_dim]);
        let h = linear_relu(&self.encoder.0, x);
        let mut h = linear_relu(&self.encoder.1, h); // [frames · batch, hidden]
        if let Some(rnn) = &self.encoder_rnn {
            let [_, hidden] = h.dims();
            let h_of_batch = h.reshape([frames, batch, hidden]).swap_dims(0, 1);
            let (_, last) = rnn.forward_with_state(h_of_batch, None);
            // The last states of both directions side by side.
            h = last.hidden.swap_dims(0, 1).reshape([batch, hidden]);
        }
        Ok(Posterior {
            mu: linear(&self.fc_mu, h.clone()),
            logvar: linear(&self.fc_logvar, h),
        })
    }

    /// Logits [batch, input_dim] of latent vectors [batch, latent_dim]; the sigmoid makes them probabilities.
    ///
    /// # Errors
    /// When the model is hierarchical, or z has another length.
    pub fn decode_frames(&self, z: Tensor<2>) -> Result<Tensor<2>> {
        if self.is_hierarchical() {
            return Err(Error::config(
                "this music VAE is hierarchical and decodes sequences; expected numbers of segments and frames",
            ));
        }
        self.check_latent("z", z.dims(), None)?;
        Ok(self.decode_rows(z))
    }

    /// Logits [batch, segments, frames, input_dim] of latent vectors [batch, latent_dim].
    ///
    /// # Errors
    /// When the model is not hierarchical, z has another length, or there are no segments or frames.
    pub fn decode_sequences(
        &self,
        z: Tensor<2>,
        segments: usize,
        frames: usize,
    ) -> Result<Tensor<4>> {
        let Some(frame_rnn) = &self.frame_rnn else {
            return Err(Error::config(
                "this music VAE is not hierarchical: it decodes single frames, not segments",
            ));
        };
        self.check_latent("z", z.dims(), None)?;
        if segments == 0 || frames == 0 {
            return Err(Error::config(format!(
                "music VAE: {segments} segments of {frames} frames; expected at least one of each"
            )));
        }
        let [batch, latent] = z.dims();
        let half = latent / 2;
        let z = z.unsqueeze_dim::<3>(1).expand([batch, segments, latent]);
        let c = self.conductor.forward(z); // [batch, segments, half]
        // Each segment starts from a state of zero, so that all of them are one batch.
        let rows = batch * segments;
        let c = (c.reshape([1, rows, half])).expand([frames, rows, half]);
        let f = frame_rnn.forward(c.clone().swap_dims(0, 1)); // [rows, frames, half]
        let both = Tensor::cat(vec![c, f.swap_dims(0, 1)], 2); // [frames, rows, latent]
        Ok(self
            .decode_rows(both.reshape([frames * rows, latent]))
            .reshape([frames, batch, segments, self.input_dim])
            .permute([1, 2, 0, 3]))
    }

    /// Encodes, draws with the noise `eps` [batch, latent_dim], and decodes.
    ///
    /// # Errors
    /// As [`Self::encode`]; when `eps` has another shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>, eps: Tensor<2>) -> Result<VaeOutput<D>> {
        let shape = x.dims();
        let posterior = self.encode(x)?;
        self.check_latent("eps", eps.dims(), Some(shape[0]))?;
        let z = posterior.sample(eps);
        let recon = if self.is_hierarchical() {
            let (segments, frames) = (shape[1], shape[2]);
            (self.decode_sequences(z.clone(), segments, frames)?).reshape(shape)
        } else {
            self.decode_frames(z.clone())?.reshape(shape)
        };
        Ok(VaeOutput {
            recon,
            posterior,
            z,
        })
    }

    pub fn is_hierarchical(&self) -> bool {
        self.frame_rnn.is_some()
    }

    /// Keys of a frame.
    pub fn input_dim(&self) -> usize {
        self.input_dim
    }

    /// Length of a latent vector.
    pub fn latent_dim(&self) -> usize {
        self.latent_dim
    }

    /// [rows, latent_dim] → [rows, input_dim].
    fn decode_rows(&self, x: Tensor<2>) -> Tensor<2> {
        let x = linear_relu(&self.decoder.0, x);
        let x = linear_relu(&self.decoder.1, x);
        linear(&self.decoder.2, x)
    }

    fn check_input(&self, shape: &[usize]) -> Result<()> {
        let (rank, names) = match self.is_hierarchical() {
            true => (4, "batch, segments, frames, "),
            false => (2, "batch, "),
        };
        if shape.len() != rank || shape.last() != Some(&self.input_dim) || shape.contains(&0) {
            return Err(Error::config(format!(
                "music VAE: the input has shape {shape:?}; expected [{names}{}], none of them 0",
                self.input_dim
            )));
        }
        Ok(())
    }

    fn check_latent(&self, name: &str, shape: [usize; 2], batch: Option<usize>) -> Result<()> {
        let [rows, latent] = shape;
        if latent != self.latent_dim || rows == 0 || batch.is_some_and(|batch| batch != rows) {
            let batch = batch.map_or("batch".to_owned(), |batch| batch.to_string());
            return Err(Error::config(format!(
                "music VAE: {name} has shape {shape:?}; expected [{batch}, {}], none of them 0",
                self.latent_dim
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    fn model(hierarchical: bool) -> MusicVae {
        let config = MusicVaeConfig {
            input_dim: 11,
            latent_dim: 6,
            hidden_dim: 10,
            hierarchical,
        };
        config.init(&Device::flex()).unwrap()
    }

    fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
    }

    fn assert_equal<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
        let tolerance = Tolerance::absolute(1e-6);
        (found.into_data()).assert_approx_eq::<f32>(&expected.into_data(), tolerance);
    }

    #[test]
    fn the_reference_preset_has_the_tutorials_number_of_parameters() {
        let model = MusicVaeConfig::default().init(&Device::flex()).unwrap();
        assert_eq!(model.num_params(), 1_339_992);
    }

    #[test]
    fn each_example_is_on_its_own() {
        let (frame, sequence) = (model(false), model(true));
        let eps = random([3, 6]);
        let (frames, sequences) = (random([3, 11]), random([3, 4, 5, 11]));
        let all_frames = frame.forward(frames.clone(), eps.clone()).unwrap();
        let all_sequences = sequence.forward(sequences.clone(), eps.clone()).unwrap();
        for i in 0..3 {
            let eps = eps.clone().narrow(0, i, 1);
            let one = frame.forward(frames.clone().narrow(0, i, 1), eps.clone());
            assert_equal(one.unwrap().recon, all_frames.recon.clone().narrow(0, i, 1));
            let one = sequence
                .forward(sequences.clone().narrow(0, i, 1), eps)
                .unwrap();
            assert_equal(one.recon, all_sequences.recon.clone().narrow(0, i, 1));
            let mu = all_sequences.posterior.mu.clone().narrow(0, i, 1);
            assert_equal(one.posterior.mu, mu);
        }
    }

    #[test]
    fn a_longer_decoding_begins_with_the_shorter() {
        // Conductor and frame LSTM only look back.
        let model = model(true);
        let z = random([2, 6]);
        let long = model.decode_sequences(z.clone(), 4, 7).unwrap();
        for (segments, frames) in [(1, 1), (1, 7), (4, 1), (3, 5)] {
            let short = model.decode_sequences(z.clone(), segments, frames).unwrap();
            let expected = long.clone().narrow(1, 0, segments).narrow(2, 0, frames);
            assert_equal(short, expected);
        }
    }

    #[test]
    fn one_segment_and_one_frame_are_enough() {
        let output = model(true)
            .forward(random([1, 1, 1, 11]), random([1, 6]))
            .unwrap();
        assert_eq!(output.recon.dims(), [1, 1, 1, 11]);
        assert_eq!(output.z.dims(), [1, 6]);
    }

    #[test]
    fn wrong_shapes_are_named() {
        let (frame, sequence) = (model(false), model(true));
        let message = |result: Result<_>| match result {
            Ok(_) => panic!("it was accepted"),
            Err(error) => error.to_string(),
        };
        let eps = || random([2, 6]);
        for (found, expected) in [
            (
                message(frame.forward(random([2, 12]), eps()).map(drop)),
                "[2, 12]; expected [batch, 11]",
            ),
            (
                message(frame.forward(random([0, 11]), eps()).map(drop)),
                "[0, 11]",
            ),
            (
                message(frame.forward(random([2, 1, 1, 11]), eps()).map(drop)),
                "[2, 1, 1, 11]",
            ),
            (
                message(sequence.forward(random([2, 11]), eps()).map(drop)),
                "expected [batch, segments, frames, 11]",
            ),
            (
                message(sequence.forward(random([2, 0, 3, 11]), eps()).map(drop)),
                "[2, 0, 3, 11]",
            ),
            (
                message(frame.forward(random([3, 11]), eps()).map(drop)),
                "eps has shape [2, 6]; expected [3, 6]",
            ),
            (
                message(frame.decode_frames(random([1, 5])).map(drop)),
                "z has shape [1, 5]",
            ),
            (
                message(sequence.decode_frames(eps()).map(drop)),
                "is hierarchical",
            ),
            (
                message(frame.decode_sequences(eps(), 1, 1).map(drop)),
                "not hierarchical",
            ),
            (
                message(sequence.decode_sequences(eps(), 2, 0).map(drop)),
                "2 segments of 0 frames",
            ),
        ] {
            assert!(found.contains(expected), "{found}");
        }
        let output = frame.forward(random([2, 11]), eps()).unwrap();
        let found = message(output.loss(random([3, 11]), 0.0).map(drop));
        assert!(found.contains("[3, 11]; expected [2, 11]"), "{found}");
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let refused = |config: MusicVaeConfig| config.validate().unwrap_err().to_string();
        let odd = MusicVaeConfig {
            latent_dim: 7,
            ..MusicVaeConfig::default()
        };
        assert!(odd.validate().is_ok());
        let odd = MusicVaeConfig {
            hierarchical: true,
            ..odd
        };
        assert!(refused(odd).contains("latent_dim is 7; it must be even"));
        let none = MusicVaeConfig {
            input_dim: 0,
            ..MusicVaeConfig::default()
        };
        assert!(refused(none).contains("input_dim is 0"));
    }
}

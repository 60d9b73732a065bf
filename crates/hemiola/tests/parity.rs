//! Models equal their PyTorch references: outputs, loss, gradients, one Adam step.
//!
//! Every `*.safetensors` file of `tests/parity`, or of the folder that `HEMIOLA_PARITY_DIR` names, is
//! a vector; one whose model or configuration is unknown is a failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hemiola::Device;
use hemiola::burn::module::{Module, ModuleMapper, Param};
use hemiola::burn::optim::{AdamConfig, GradientsParams};
use hemiola::burn::tensor::{Tensor, TensorData};
use hemiola::checkpoint::{Architecture, NamedTensor, TensorFile, load_tensors, named_tensors};
use hemiola::models::transcription_rnn::{MusicTranscriptionRnn, TranscriptionActivations};
use hemiola::nn::evaluation_mode;
use safetensors::SafeTensors;

/// Largest deviation of outputs, absolute.
const OUTPUT_TOLERANCE: f64 = 1e-4;
/// Of the loss, relative.
const LOSS_TOLERANCE: f64 = 1e-4;
/// Of gradients, relative to the tensor's largest entry.
const GRADIENT_TOLERANCE: f64 = 1e-3;
/// Of weights after the Adam step, absolute, where the gradient is above this share of its largest:
/// below, Adam's first step is the sign of rounding noise.
const STEP_TOLERANCE: f64 = 1e-5;
const STEP_GRADIENT_SHARE: f32 = 1e-3;

/// A file of expected values.
struct Vector {
    name: String,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, NamedTensor>,
}

impl Vector {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap_or_default();
        let tensors = TensorFile::parse(&bytes, path).unwrap().tensors;
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            metadata: metadata.into_iter().collect(),
            tensors: tensors.into_iter().map(|t| (t.name.clone(), t)).collect(),
        }
    }

    fn get(&self, name: &str) -> &NamedTensor {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("{}: no tensor {name}", self.name))
    }

    fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let t = self.get(name);
        Tensor::from_data(TensorData::new(t.values.clone(), t.shape.clone()), device)
    }

    /// Tensors whose names begin with `prefix`, without it.
    fn below(&self, prefix: &str) -> Vec<NamedTensor> {
        self.tensors
            .values()
            .filter_map(|t| {
                let name = t.name.strip_prefix(prefix)?.to_owned();
                Some(NamedTensor { name, ..t.clone() })
            })
            .collect()
    }

    fn config<C: serde::de::DeserializeOwned>(&self) -> C {
        serde_json::from_str(&self.metadata["config"])
            .unwrap_or_else(|e| panic!("{}: unknown configuration: {e}", self.name))
    }

    /// The vector's weights in a model that keeps gradients but does not train.
    fn model<M: Architecture>(&self, device: &Device) -> M {
        let mut model = M::from_config(&self.config(), device).unwrap();
        let tensors = self.below("param.");
        let file = TensorFile { tensors };
        load_tensors(&mut model, file.clone(), Path::new(&self.name)).unwrap();
        assert_eq!(
            named_tensors(&model).unwrap(),
            file.tensors,
            "{}",
            self.name
        );
        evaluation_mode(model)
    }
}

fn deviation(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(f, e)| f64::from((f - e).abs()))
        .fold(0.0, f64::max)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

/// The module with every parameter's gradient in its place, zero where it has none.
fn gradients_as_module<M: Module>(module: M, gradients: &GradientsParams) -> M {
    struct Replace<'a>(&'a GradientsParams);
    impl ModuleMapper for Replace<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let gradient = self.0.get::<D>(param.id);
            param.map(|value| match gradient {
                Some(gradient) => Tensor::from_data(gradient.into_data(), &value.device()),
                None => value.zeros_like(),
            })
        }
    }
    module.map(&mut Replace(gradients))
}

/// Checks loss, gradients and the Adam step; returns the largest relative deviation of a gradient.
fn check_training<M: Architecture>(vector: &Vector, model: M, loss: Tensor<1>) -> f64 {
    let expected_loss = f64::from(vector.get("loss").values[0]);
    let found_loss = loss.clone().into_scalar::<f64>();
    assert!(
        (found_loss - expected_loss).abs() <= LOSS_TOLERANCE * expected_loss.abs(),
        "{}: loss {found_loss}, expected {expected_loss}",
        vector.name
    );

    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let found = named_tensors(&gradients_as_module(model.clone(), &gradients)).unwrap();
    let mut worst = 0.0f64;
    for expected in vector.below("grad.") {
        let found = found
            .iter()
            .find(|t| t.name == expected.name)
            .unwrap_or_else(|| panic!("{}: no gradient of {}", vector.name, expected.name));
        let largest = expected.values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let relative = deviation(&found.values, &expected.values) / f64::from(largest.max(1e-12));
        assert!(
            relative <= GRADIENT_TOLERANCE,
            "{}: gradient of {} deviates by {relative:.2e} of its largest entry",
            vector.name,
            expected.name
        );
        worst = worst.max(relative);
    }

    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let stepped = named_tensors(&optimizer.step(1e-3, model, gradients)).unwrap();
    for expected in vector.below("step.") {
        let found = stepped.iter().find(|t| t.name == expected.name).unwrap();
        let gradient = vector.get(&format!("grad.{}", expected.name));
        let largest = gradient.values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        for (i, (f, e)) in found.values.iter().zip(&expected.values).enumerate() {
            if gradient.values[i].abs() > STEP_GRADIENT_SHARE * largest {
                assert!(
                    f64::from((f - e).abs()) <= STEP_TOLERANCE,
                    "{}: {}[{i}] is {f} after the step, expected {e}",
                    vector.name,
                    expected.name
                );
            }
        }
    }
    worst
}

fn binary_cross_entropy(probability: Tensor<3>, target: Tensor<3>) -> Tensor<1> {
    let p = probability.clamp(1e-12, 1.0 - 1e-7);
    let q = p.clone().neg().add_scalar(1.0);
    let loss = target.clone() * p.log() + target.neg().add_scalar(1.0) * q.log();
    loss.neg().mean()
}

/// Returns the largest deviations of outputs and of gradients.
fn transcription_rnn(vector: &Vector, device: &Device) -> (f64, f64) {
    let model: MusicTranscriptionRnn = vector.model(device);
    let logits = model.forward(vector.tensor("input.features", device));
    let attention = logits.mean_attention();
    let output = TranscriptionActivations::from(logits);
    let mut worst = 0.0f64;
    for (name, found, scale) in [
        ("pitches", &output.pitches, 1.0),
        ("onsets", &output.onsets, 1.0),
        ("velocities", &output.velocities, 127.0),
        ("attention", &attention, 1.0),
    ] {
        let expected = vector.get(&format!("output.{name}"));
        assert_eq!(found.dims().to_vec(), expected.shape, "{name}");
        let deviation = deviation(&values(found.clone()), &expected.values) / scale;
        assert!(
            deviation <= OUTPUT_TOLERANCE,
            "{}: {name} deviates by {deviation:.2e}",
            vector.name
        );
        worst = worst.max(deviation);
    }
    let velocity_error = output.velocities.div_scalar(127.0).sub_scalar(0.5);
    let loss =
        binary_cross_entropy(
            output.pitches,
            vector.tensor("input.target_pitches", device),
        ) + binary_cross_entropy(output.onsets, vector.tensor("input.target_onsets", device))
            + velocity_error.powf_scalar(2.0).mean();
    (worst, check_training(vector, model, loss))
}

/// The mel front end has no weights: its outputs are all there is to compare.
fn mel_front_end(vector: &Vector) -> (f64, f64) {
    use hemiola::features::{Compression, Mel, MelConfig, extract};
    let waveform = &vector.get("input.waveform").values;
    let spectrum = |log| {
        let mut mel = Mel::new(&MelConfig {
            log,
            ..MelConfig::default()
        })
        .unwrap();
        extract(&mut mel, waveform)
    };
    let mut worst = 0.0f64;
    // A logarithm passes through zero, where a relative deviation says nothing.
    for (name, log, floor) in [
        ("mel", Compression::None, 1e-9),
        ("log_mel", Compression::Ln { offset: 1e-9 }, 1.0),
    ] {
        let expected = vector.get(&format!("output.{name}"));
        let frames = spectrum(log);
        let [bins, times] = [expected.shape[0], expected.shape[1]];
        assert_eq!((frames.n_bins(), frames.n_frames()), (bins, times));
        for bin in 0..bins {
            for time in 0..times {
                let e = f64::from(expected.values[bin * times + time]);
                let f = f64::from(frames.frame(time)[bin]);
                worst = worst.max((f - e).abs() / e.abs().max(floor));
            }
        }
    }
    assert!(
        worst <= 1e-4,
        "{}: relative deviation {worst:.2e}",
        vector.name
    );
    (worst, 0.0)
}

#[test]
fn every_model_equals_its_reference() {
    let folder = std::env::var_os("HEMIOLA_PARITY_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity")),
        PathBuf::from,
    );
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no vectors in {}", folder.display());
    let device = Device::flex().autodiff();
    let mut failures = Vec::new();
    for path in paths {
        let vector = Vector::read(&path);
        let result = std::panic::catch_unwind(|| match vector.metadata["model"].as_str() {
            "MusicTranscriptionRNN" => transcription_rnn(&vector, &device),
            "MelSpectrogram" => mel_front_end(&vector),
            other => panic!("{}: unknown model {other}", vector.name),
        });
        match result {
            Ok((outputs, gradients)) => println!(
                "{}: outputs within {outputs:.1e}, gradients within {gradients:.1e}",
                vector.name
            ),
            Err(_) => failures.push(vector.name),
        }
    }
    assert!(failures.is_empty(), "not equal: {failures:?}");
}

//! Expected values of a model and the comparison with them.

use std::collections::BTreeMap;
use std::path::Path;

use hemiola::Device;
use hemiola::burn::module::{Module, ModuleMapper, Param};
use hemiola::burn::optim::{AdamConfig, GradientsParams};
use hemiola::burn::tensor::{Int, Tensor, TensorData};
use hemiola::checkpoint::{Architecture, NamedTensor, TensorFile, load_tensors, named_tensors};
use hemiola::nn::evaluation_mode;
use safetensors::{Dtype, SafeTensors};

/// Largest deviation of outputs, absolute.
pub const OUTPUT_TOLERANCE: f64 = 1e-4;
/// Of the loss, relative.
const LOSS_TOLERANCE: f64 = 1e-4;
/// Of gradients, relative to the tensor's largest entry.
const GRADIENT_TOLERANCE: f64 = 1e-3;
/// A tensor whose gradient is nowhere above this share of the model's largest has none but rounding noise: the bias of a
/// softmax's scores, for one. Both sides must agree that it is that small.
const NOISE_SHARE: f32 = 1e-6;
/// Of weights after the Adam step, absolute, where the gradient is above this share of its largest:
/// below, Adam's first step is the sign of rounding noise.
const STEP_TOLERANCE: f64 = 1e-5;
const STEP_GRADIENT_SHARE: f32 = 1e-3;

/// A file of expected values.
pub struct Vector {
    pub name: String,
    pub metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, NamedTensor>,
    integers: BTreeMap<String, (Vec<i64>, Vec<usize>)>,
}

fn each<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| number(*chunk)).collect()
}

impl Vector {
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap_or_default();
        let (mut tensors, mut integers) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
            let (name, shape) = (name.to_owned(), view.shape().to_vec());
            match view.dtype() {
                Dtype::I64 => {
                    let values = each(view.data(), i64::from_le_bytes);
                    integers.insert(name, (values, shape));
                }
                Dtype::F32 => {
                    let values = each(view.data(), f32::from_le_bytes);
                    let tensor = NamedTensor {
                        name: name.clone(),
                        shape,
                        values,
                    };
                    tensors.insert(name, tensor);
                }
                other => panic!("{}: {name} is of type {other:?}", path.display()),
            }
        }
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            metadata: metadata.into_iter().collect(),
            tensors,
            integers,
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name) || self.integers.contains_key(name)
    }

    /// A tensor of whole numbers.
    pub fn integers<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D, Int> {
        let (values, shape) = self
            .integers
            .get(name)
            .unwrap_or_else(|| panic!("{}: no tensor {name}", self.name));
        Tensor::from_data(TensorData::new(values.clone(), shape.clone()), device)
    }

    /// The deviation of an output from `output.{name}`, which must be within tolerance.
    pub fn check_output<const D: usize>(&self, name: &str, found: Tensor<D>) -> f64 {
        let expected = self.get(&format!("output.{name}"));
        assert_eq!(
            found.dims().to_vec(),
            expected.shape,
            "{}: {name}",
            self.name
        );
        let deviation = deviation(&values(found), &expected.values);
        assert!(
            deviation <= OUTPUT_TOLERANCE,
            "{}: {name} deviates by {deviation:.2e}",
            self.name
        );
        deviation
    }

    pub fn get(&self, name: &str) -> &NamedTensor {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("{}: no tensor {name}", self.name))
    }

    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let t = self.get(name);
        Tensor::from_data(TensorData::new(t.values.clone(), t.shape.clone()), device)
    }

    /// Tensors whose names begin with `prefix`, without it.
    pub fn below(&self, prefix: &str) -> Vec<NamedTensor> {
        self.tensors
            .values()
            .filter_map(|t| {
                let name = t.name.strip_prefix(prefix)?.to_owned();
                Some(NamedTensor { name, ..t.clone() })
            })
            .collect()
    }

    pub fn config<C: serde::de::DeserializeOwned>(&self) -> C {
        serde_json::from_str(&self.metadata["config"])
            .unwrap_or_else(|e| panic!("{}: unknown configuration: {e}", self.name))
    }

    /// The vector's weights in a model that keeps gradients but does not train.
    pub fn model<M: Architecture>(&self, device: &Device) -> M {
        let mut model = M::from_config(&self.config(), device).unwrap();
        let tensors = self.below("param.");
        let file = TensorFile { tensors };
        load_tensors(&mut model, file.clone(), Path::new(&self.name))
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            named_tensors(&model).unwrap(),
            file.tensors,
            "{}",
            self.name
        );
        evaluation_mode(model)
    }
}

pub fn deviation(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(f, e)| f64::from((f - e).abs()))
        .fold(0.0, f64::max)
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
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
pub fn check_training<M: Architecture>(vector: &Vector, model: M, loss: Tensor<1>) -> f64 {
    let expected_loss = f64::from(vector.get("loss").values[0]);
    let found_loss = loss.clone().into_scalar::<f64>();
    assert!(
        (found_loss - expected_loss).abs() <= LOSS_TOLERANCE * expected_loss.abs(),
        "{}: loss {found_loss}, expected {expected_loss}",
        vector.name
    );

    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let found = named_tensors(&gradients_as_module(model.clone(), &gradients)).unwrap();
    let largest_of = |values: &[f32]| values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let all = vector.below("grad.");
    let noise = NOISE_SHARE * all.iter().fold(0.0, |m, t| largest_of(&t.values).max(m));
    let mut worst = 0.0f64;
    for expected in all {
        let found = found
            .iter()
            .find(|t| t.name == expected.name)
            .unwrap_or_else(|| panic!("{}: no gradient of {}", vector.name, expected.name));
        let largest = largest_of(&expected.values);
        if largest <= noise {
            let found = largest_of(&found.values);
            assert!(
                found <= noise,
                "{}: gradient of {} is {found:.2e}, expected zero",
                vector.name,
                expected.name
            );
            continue;
        }
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
        let largest = largest_of(&gradient.values);
        if largest <= noise {
            continue;
        }
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

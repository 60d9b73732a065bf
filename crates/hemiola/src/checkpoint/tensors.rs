//! Tensors of a module by their PyTorch names.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackedTensor;
use burn::store::{ModuleAdapter, ModuleContext, ModuleSnapshot, bridge};
use burn::tensor::{DType, Shape, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::Architecture;
use crate::error::{Error, Result};

/// Numbers of a saved checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Half the size; for weights that are shipped.
    Float16,
    /// What the model computes with.
    Float32,
}

/// A tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Turns the weight of a linear layer from burn's [in, out] to PyTorch's [out, in], or back.
#[derive(Debug, Clone)]
struct LinearLayout;

impl ModuleAdapter for LinearLayout {
    fn adapt(&self, tensor: PackedTensor, context: ModuleContext<'_>) -> PackedTensor {
        let weight = tensor.name.rsplit('.').next() == Some("weight");
        let &[rows, columns] = tensor.shape.as_slice() else {
            return tensor;
        };
        if context.module_type() != Some("Struct:Linear") || !weight {
            return tensor;
        }
        let (name, dtype) = (tensor.name.clone(), tensor.dtype);
        let shape = Shape::from([columns, rows]);
        bridge::map_data(tensor, name, dtype, shape, move |data| {
            let values: Vec<f32> = data.iter::<f32>().collect();
            let transposed: Vec<f32> = (0..columns)
                .flat_map(|column| values.iter().skip(column).step_by(columns).copied())
                .collect();
            TensorData::new(transposed, [columns, rows])
        })
    }

    fn clone_box(&self) -> Box<dyn ModuleAdapter> {
        Box::new(self.clone())
    }
}

/// PyTorch's count of batches that a BatchNorm has seen, which no computation reads.
pub(super) fn is_count(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

/// The tensors of a safetensors file as 32-bit floats.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorFile {
    pub tensors: Vec<NamedTensor>,
}

impl TensorFile {
    /// Numbers of all tensors together.
    pub fn numbers(&self) -> usize {
        self.tensors.iter().map(|tensor| tensor.values.len()).sum()
    }

    /// Parses the bytes of a safetensors file. Tensors of whole numbers, which are counts of steps and the like, are passed
    /// over; unknown number formats are refused.
    pub fn parse(bytes: &[u8], origin: &Path) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| Error::checkpoint(origin, format!("not a safetensors file: {e}")))?;
        let mut tensors = Vec::new();
        for (name, view) in file.tensors() {
            if is_count(&name) {
                continue;
            }
            let data = view.data();
            let values: Vec<f32> = match view.dtype() {
                Dtype::F32 => data
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
                Dtype::F16 => data
                    .chunks_exact(2)
                    .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
                Dtype::BF16 => data
                    .chunks_exact(2)
                    .map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
                Dtype::F64 => data
                    .chunks_exact(8)
                    .map(|b| {
                        let mut bytes = [0; 8];
                        bytes.copy_from_slice(b);
                        f64::from_le_bytes(bytes) as f32
                    })
                    .collect(),
                Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 | Dtype::U8 | Dtype::BOOL => {
                    continue;
                }
                other => {
                    return Err(Error::checkpoint(
                        origin,
                        format!("tensor {name} is of type {other:?}; expected floating point"),
                    ));
                }
            };
            tensors.push(NamedTensor {
                shape: view.shape().to_vec(),
                name,
                values,
            });
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { tensors })
    }
}

/// The parameters and running statistics of a model by their PyTorch names and in their layouts.
pub fn named_tensors<M: Architecture>(model: &M) -> std::result::Result<Vec<NamedTensor>, String> {
    let mut tensors = Vec::new();
    for tensor in model.collect(None, Some(Box::new(LinearLayout)), true) {
        if !matches!(tensor.dtype, DType::F32) {
            continue;
        }
        let name = M::torch_name(&tensor.name);
        let data = bridge::into_data(tensor).map_err(|e| format!("{name}: {e}"))?;
        let shape = data.shape().as_slice().to_vec();
        let values = data
            .try_into_vec::<f32>()
            .map_err(|e| format!("{name}: {e:?}"))?;
        tensors.push(NamedTensor {
            name,
            shape,
            values,
        });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

/// The PyTorch name of every tensor of a model, and its path in the module.
pub fn tensor_paths<M: Architecture>(model: &M) -> Vec<(String, String)> {
    let tensors = model.collect(None, None, true).into_iter();
    tensors
        .filter(|tensor| matches!(tensor.dtype, DType::F32))
        .map(|tensor| (M::torch_name(&tensor.name), tensor.name.clone()))
        .collect()
}

/// Numbers that are trained, as PyTorch's `parameters()` counts them: without running statistics.
pub fn count_parameters<M: Module>(model: &M) -> usize {
    let tensors = model.collect(None, None, true).into_iter();
    tensors
        .filter(|tensor| matches!(tensor.dtype, DType::F32) && !is_statistic(&tensor.name))
        .map(|tensor| tensor.shape.as_slice().iter().product::<usize>())
        .sum()
}

fn is_statistic(name: &str) -> bool {
    name.ends_with("running_var") || name.ends_with("running_mean")
}

/// The bytes of a safetensors file.
pub(super) fn serialize<M: Architecture>(
    model: &M,
    precision: Precision,
    architecture: &str,
) -> std::result::Result<Vec<u8>, String> {
    let tensors = named_tensors(model)?;
    let encoded: Vec<(String, Vec<usize>, Dtype, Vec<u8>)> = tensors
        .into_iter()
        .map(|t| {
            // Statistics can lie outside what half precision holds.
            let wide = is_statistic(&t.name);
            let (dtype, bytes) = if wide || precision == Precision::Float32 {
                (
                    Dtype::F32,
                    t.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                )
            } else {
                let half = |v: &f32| half::f16::from_f32(*v).to_le_bytes();
                (Dtype::F16, t.values.iter().flat_map(half).collect())
            };
            (t.name, t.shape, dtype, bytes)
        })
        .collect();
    let views = encoded
        .iter()
        .map(|(name, shape, dtype, bytes)| {
            let view = TensorView::new(*dtype, shape.clone(), bytes)
                .map_err(|e| format!("{name}: {e}"))?;
            Ok((name.as_str(), view))
        })
        .collect::<std::result::Result<Vec<_>, String>>()?;
    let metadata = [
        ("architecture".to_owned(), architecture.to_owned()),
        ("hemiola".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .into();
    safetensors::serialize(views, Some(metadata)).map_err(|e| e.to_string())
}

/// Puts tensors with PyTorch names into a model.
///
/// Every tensor of the model must be there with its shape, and no other.
pub fn load_tensors<M: Architecture>(model: &mut M, file: TensorFile, origin: &Path) -> Result<()> {
    let mut wanted: BTreeMap<String, (String, Vec<usize>)> = BTreeMap::new();
    for tensor in model.collect(None, Some(Box::new(LinearLayout)), true) {
        if matches!(tensor.dtype, DType::F32) {
            let name = M::torch_name(&tensor.name);
            wanted.insert(
                name,
                (tensor.name.clone(), tensor.shape.as_slice().to_vec()),
            );
        }
    }
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for tensor in file.tensors {
        match wanted.remove(&tensor.name) {
            None => problems.push(format!(
                "tensor {} {:?} does not belong to this model",
                tensor.name, tensor.shape
            )),
            Some((_, shape)) if shape != tensor.shape => problems.push(format!(
                "tensor {}: expected shape {shape:?}, found {:?}",
                tensor.name, tensor.shape
            )),
            Some(_) if tensor.values.iter().any(|value| !value.is_finite()) => {
                problems.push(format!(
                    "tensor {} holds NaN, infinity or numbers beyond 32-bit floats",
                    tensor.name
                ));
            }
            Some((path, shape)) => {
                let data = TensorData::new(tensor.values, shape);
                found.push(bridge::from_data(data, path, None));
            }
        }
    }
    problems.extend(
        wanted
            .iter()
            .map(|(name, (_, shape))| format!("tensor {name} {shape:?} is missing")),
    );
    if !problems.is_empty() {
        return Err(Error::checkpoint(origin, list(&problems)));
    }
    let result = model.apply(found, None, Some(Box::new(LinearLayout)), true);
    if !result.is_success() || !result.unused.is_empty() {
        return Err(Error::checkpoint(origin, format!("{result}")));
    }
    Ok(())
}

/// The first few problems and how many more there are.
fn list(problems: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = problems[..problems.len().min(SHOWN)].join("; ");
    if problems.len() > SHOWN {
        text.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    text
}

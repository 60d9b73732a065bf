//! The parameters of recurrent layers, which LSTMs and GRUs have alike.

use burn::backend::Dispatch;
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::operator::{DirectionWeights, LayerWeights};

/// One layer.
#[derive(Module, Debug)]
pub struct Layer {
    pub forward: Direction,
    /// The direction from the last frame to the first
    pub reverse: Option<Direction>,
}

/// The parameters of one layer in one direction: those of an LSTM's gates i, f, g, o or a GRU's r, z, n, one gate after
/// the other.
#[derive(Module, Debug)]
pub struct Direction {
    /// `[gates · hidden, input]`
    pub weight_ih: Param<Tensor<2>>,
    /// `[gates · hidden, hidden]`
    pub weight_hh: Param<Tensor<2>>,
    /// `[gates · hidden]`
    pub bias_ih: Param<Tensor<1>>,
    /// `[gates · hidden]`
    pub bias_hh: Param<Tensor<1>>,
}

/// Sizes of layers that stand on one another.
pub(super) struct Stack {
    pub gates: usize,
    pub input: usize,
    pub hidden: usize,
    pub layers: usize,
    pub bidirectional: bool,
}

impl Stack {
    /// Parameters are uniform in ±1/√hidden, as PyTorch's.
    pub fn init(&self, device: &Device) -> Vec<Layer> {
        let bound = 1.0 / (self.hidden as f64).sqrt();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let (hidden, rows) = (self.hidden, self.gates * self.hidden);
        let direction = |input: usize| Direction {
            weight_ih: uniform.init([rows, input], device),
            weight_hh: uniform.init([rows, hidden], device),
            bias_ih: uniform.init([rows], device),
            bias_hh: uniform.init([rows], device),
        };
        let directions = if self.bidirectional { 2 } else { 1 };
        (0..self.layers)
            .map(|layer| {
                let input = if layer == 0 {
                    self.input
                } else {
                    directions * hidden
                };
                Layer {
                    forward: direction(input),
                    reverse: self.bidirectional.then(|| direction(input)),
                }
            })
            .collect()
    }
}

impl Layer {
    pub(super) fn directions(&self) -> Vec<&Direction> {
        std::iter::once(&self.forward)
            .chain(&self.reverse)
            .collect()
    }

    pub(super) fn operands(&self) -> LayerWeights<Dispatch> {
        let forward = self.forward.operands();
        match &self.reverse {
            None => LayerWeights::Forward(forward),
            Some(reverse) => LayerWeights::Both(forward, reverse.operands()),
        }
    }
}

impl Direction {
    fn operands(&self) -> DirectionWeights<Dispatch> {
        DirectionWeights {
            weight_ih: self.weight_ih.val().into_dispatch(),
            weight_hh: self.weight_hh.val().into_dispatch(),
            bias_ih: self.bias_ih.val().into_dispatch(),
            bias_hh: self.bias_hh.val().into_dispatch(),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::ModuleVisitor;

    use super::*;
    use crate::nn::recurrent::{GruConfig, LstmConfig, keys};

    #[derive(Default)]
    struct Names {
        path: Vec<String>,
        found: Vec<(String, Vec<usize>)>,
    }

    impl ModuleVisitor for Names {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = keys::pytorch_of_path(&self.path.join("."));
            let name = name.unwrap_or_else(|| panic!("no name for {:?}", self.path));
            self.found.push((name, param.dims().to_vec()));
        }
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_string());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
    }

    fn names(module: &impl Module) -> Vec<(String, Vec<usize>)> {
        let mut names = Names::default();
        module.visit(&mut names);
        names.found.sort();
        names.found
    }

    fn expected(rows: usize) -> Vec<(String, Vec<usize>)> {
        let mut expected = Vec::new();
        for (layer, input) in [(0, 3), (1, 10)] {
            for suffix in ["", "_reverse"] {
                expected.extend([
                    (format!("weight_ih_l{layer}{suffix}"), vec![rows, input]),
                    (format!("weight_hh_l{layer}{suffix}"), vec![rows, 5]),
                    (format!("bias_ih_l{layer}{suffix}"), vec![rows]),
                    (format!("bias_hh_l{layer}{suffix}"), vec![rows]),
                ]);
            }
        }
        expected.sort();
        expected
    }

    #[test]
    fn parameters_have_pytorchs_shapes_and_paths_that_map_to_its_names() {
        let device = Device::flex();
        let lstm = LstmConfig::new(3, 5)
            .with_num_layers(2)
            .with_bidirectional(true)
            .init(&device);
        assert_eq!(names(&lstm), expected(20));
        let gru = GruConfig::new(3, 5)
            .with_num_layers(2)
            .with_bidirectional(true)
            .init(&device);
        assert_eq!(names(&gru), expected(15));
    }
}

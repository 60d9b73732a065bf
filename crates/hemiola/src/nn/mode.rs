//! Training behaviour of a module, apart from its gradients.

use burn::module::{Flag, Module, ModuleMapper, Param};

/// Turns off what layers do only in training (dropout, statistics of the batch) and leaves gradients
/// on: PyTorch's `eval()`.
pub fn evaluation_mode<M: Module>(module: M) -> M {
    struct Off;
    impl ModuleMapper for Off {
        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            flag.with_value(false)
        }
    }
    module.map(&mut Off)
}

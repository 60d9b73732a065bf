//! Models of random weights.

use std::sync::Mutex;

use hemiola::Device;
use hemiola::checkpoint::{Architecture, named_tensors};

/// A model with fresh weights, the same ones for a seed however many tests run at once.
pub fn drawn<M: Architecture>(seed: u64, init: impl Fn(&Device) -> hemiola::Result<M>) -> M {
    // All threads draw from one generator, and a parameter is drawn when it is first looked at.
    static DRAWING: Mutex<()> = Mutex::new(());
    let _alone = DRAWING.lock().unwrap_or_else(|e| e.into_inner());
    let device = Device::flex();
    let draw = || {
        device.seed(seed);
        let model = init(&device).unwrap();
        let tensors = named_tensors(&model).unwrap();
        (model, tensors)
    };
    // Whoever opens a checkpoint meanwhile draws as well: two draws that agree were disturbed by nobody.
    loop {
        let ((model, one), (_, other)) = (draw(), draw());
        if one == other {
            return model;
        }
    }
}

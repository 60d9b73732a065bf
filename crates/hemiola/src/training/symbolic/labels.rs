//! Classes that some positions have.

use burn::tensor::{Device, Tensor};

use super::{floats, integers};
use crate::nn::loss::cross_entropy;

/// Classes, 0 where there is none, and 1 where there is one.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    classes: Vec<i64>,
    present: Vec<f32>,
}

impl Labels {
    /// None for any of `n` positions.
    pub fn none(n: usize) -> Self {
        Self {
            classes: vec![0; n],
            present: vec![0.0; n],
        }
    }

    pub fn push(&mut self, class: Option<usize>) {
        self.classes.push(class.unwrap_or(0) as i64);
        self.present.push(if class.is_some() { 1.0 } else { 0.0 });
    }

    pub fn set(&mut self, position: usize, class: usize) {
        self.classes[position] = class as i64;
        self.present[position] = 1.0;
    }

    /// Mean cross-entropy over those that have a class, and the share of classes that are found, of logits
    /// `[positions, classes]`.
    pub fn compare(&self, logits: Tensor<2>, device: &Device) -> [Tensor<1>; 2] {
        let n = self.classes.len();
        let targets = integers::<1>(&self.classes, [n], device);
        let present = floats::<1>(&self.present, [n], device);
        let count = present.clone().sum().clamp_min(1.0);
        let likeliest = logits.clone().detach().argmax(1).squeeze_dim::<1>(1);
        let right = likeliest.equal(targets.clone()).float() * present.clone();
        let loss = (cross_entropy(logits, targets) * present).sum() / count.clone();
        [loss, right.sum() / count]
    }
}

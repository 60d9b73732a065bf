//! Gradients of a loss that looks at a whole batch, of which only a part is in memory at once.
//!
//! First every chunk is projected and what led there is forgotten; then the loss of all projections gives its gradient with
//! respect to them; then every chunk is projected again, and the chain rule carries its part of that gradient on to the
//! weights. The sum over the chunks is the gradient of the whole batch, for one more pass forward.
//!
//! Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (RepL4NLP 2021).

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::training::objective::Loss;
use crate::training::scalars::Scalars;

/// The gradients of `loss`, which is given the projections [examples, width] in order, and its scalars.
///
/// `project` makes the projections [chunk, width] of a chunk's examples. Every example is in one chunk, and no more than a
/// chunk is projected at a time.
pub(super) fn cached_gradients<M: Module>(
    model: &M,
    chunks: &[Vec<usize>],
    project: impl Fn(&[usize]) -> Tensor<2>,
    loss: impl FnOnce(Tensor<2>) -> Loss,
) -> (GradientsParams, Scalars) {
    let projections: Vec<Tensor<2>> = chunks.iter().map(|c| project(c).inner()).collect();
    let projections = Tensor::cat(projections, 0);
    let device = projections.device();
    let places = inverse(&chunks.concat());
    let projections = projections.select(0, indices(&places, &device));
    let projections = Tensor::from_inner(projections).require_grad();
    let loss = loss(projections.clone());
    let scalars = loss.scalars();
    let slopes = projections
        .grad(&loss.total.backward())
        .unwrap_or_else(|| projections.clone().inner().zeros_like());
    let mut sum = GradientsAccumulator::new();
    for chunk in chunks {
        let slopes = slopes.clone().select(0, indices(chunk, &device));
        let along = (project(chunk) * Tensor::from_inner(slopes)).sum();
        let gradients = GradientsParams::from_grads(along.backward(), model);
        sum.accumulate(model, gradients);
    }
    (sum.grads(), scalars)
}

fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.iter().map(|&i| i as i64).collect();
    Tensor::from_data(TensorData::from(values.as_slice()), device)
}

/// Where each of 0, 1, … stands in `order`.
fn inverse(order: &[usize]) -> Vec<usize> {
    let mut places = vec![0; order.len()];
    for (place, &example) in order.iter().enumerate() {
        places[example] = place;
    }
    places
}

/// Two views each of `count` recordings, first those of number 0 to `count` - 1, then the others, in as few chunks as there
/// can be with no more than two views of each of `size` recordings.
///
/// The two views of a recording share a chunk no more often than they would by chance. Batch normalisation makes the views
/// of a chunk alike, and if the other view of a recording were always in the same chunk, the encoder could find it by that.
///
/// Source: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning" (CVPR 2020), section 3.3.
pub(super) fn chunks_of_views(count: usize, size: usize) -> Vec<Vec<usize>> {
    let n = count.div_ceil(size.max(1)).max(1);
    let mut chunks = vec![Vec::new(); n];
    for recording in 0..count {
        chunks[recording * n / count].push(recording);
    }
    let strided = (0..n).flat_map(|start| (start..count).step_by(n));
    for (place, recording) in strided.enumerate() {
        chunks[place * n / count].push(count + recording);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::Distribution;

    use super::*;
    use crate::models::contrastive::{ContrastiveEncoder, ContrastiveEncoderConfig, nt_xent};
    use crate::nn::evaluation_mode;

    fn gradients(model: &ContrastiveEncoder, found: &GradientsParams) -> Vec<Vec<f32>> {
        struct Each<'a>(&'a GradientsParams, Vec<Vec<f32>>);
        impl ModuleVisitor for Each<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = self.0.get::<D>(param.id) {
                    self.1.push(gradient.into_data().iter().collect());
                }
            }
        }
        let mut each = Each(found, Vec::new());
        model.visit(&mut each);
        each.1
    }

    #[test]
    fn the_gradient_of_chunks_is_that_of_the_whole_batch() {
        let device = Device::flex().autodiff();
        device.seed(3);
        let sizes = ContrastiveEncoderConfig {
            n_mels: 8,
            channels: [3, 4, 6],
            attention_hidden: 2,
            projection: 5,
            ..ContrastiveEncoderConfig::default()
        };
        // Without statistics of the batch an example's projection is the same in every chunk.
        let model = evaluation_mode(sizes.init(&device).unwrap());
        let count = 5;
        // Clips that even an untrained model tells apart.
        let clips =
            Tensor::<3>::random([2 * count, 8, 12], Distribution::Normal(0.0, 3.0), &device);
        let places = Tensor::<1, Int>::arange(0..2 * count as i64, &device).float();
        let clips = clips + places.reshape([2 * count, 1, 1]).sin() * 5.0;
        let loss = |projections: Tensor<2>| {
            let [a, b] = [0, count].map(|first| projections.clone().narrow(0, first, count));
            Loss {
                total: nt_xent(a, b, 0.1),
                parts: Vec::new(),
            }
        };
        let whole = loss(model.forward(clips.clone()).projection);
        let (whole, whole_scalars) = whole.gradients(&model);
        let project = |chunk: &[usize]| {
            let picked = clips.clone().select(0, indices(chunk, &device));
            model.forward(picked).projection
        };
        let expected = gradients(&model, &whole);
        assert!(expected.len() > 10, "{}", expected.len());
        let largest = expected
            .iter()
            .flatten()
            .fold(0.0, |l: f32, g| l.max(g.abs()));
        assert!(largest > 1e-2, "{largest}");
        for size in [1, 2, 5] {
            let chunks = chunks_of_views(count, size);
            let (cached, scalars) = cached_gradients(&model, &chunks, project, loss);
            assert!((scalars.0["loss"] - whole_scalars.0["loss"]).abs() < 1e-5);
            let found = gradients(&model, &cached);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                assert!(
                    (found - expected).abs() < 1e-4 * largest.max(1.0),
                    "{found} {expected}"
                );
            }
        }
    }

    #[test]
    fn chunks_have_every_view_once_and_rarely_both_of_a_recording() {
        for (count, size) in [(64, 16), (10, 4), (7, 7), (5, 1), (96, 32)] {
            let chunks = chunks_of_views(count, size);
            assert_eq!(chunks.len(), count.div_ceil(size));
            assert!(chunks.iter().all(|c| !c.is_empty() && c.len() <= 2 * size));
            let mut all = chunks.concat();
            all.sort_unstable();
            assert_eq!(all, (0..2 * count).collect::<Vec<_>>());
            let both = |chunk: &Vec<usize>| {
                let of = |&view: &usize| view < count && chunk.contains(&(view + count));
                chunk.iter().filter(|view| of(view)).count()
            };
            let together: usize = chunks.iter().map(both).sum();
            let by_chance = count.div_ceil(chunks.len());
            assert!(
                together <= by_chance + chunks.len(),
                "{together} of {count}"
            );
        }
    }
}

//! The fused operators of transformers equal those made of burn's own, in results and in gradients.

use hemiola::Device;
use hemiola::burn::tensor::{Distribution, Tensor, TensorData, Tolerance};
use hemiola::nn::transformer::AttentionMask;
use hemiola::nn::transformer::operator::{
    Dropout, add_norm, add_norm_plain, attention_weights, bias_gelu, bias_gelu_plain,
    packed_attention, packed_attention_plain,
};

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device).require_grad()
}

/// Result and gradients, through squares of different weight, which give every value a gradient of its own.
fn outcome<const D: usize>(
    result: Tensor<D>,
    inputs: (&[Tensor<1>], &[Tensor<2>], &[Tensor<3>]),
) -> Vec<TensorData> {
    let shape = result.dims();
    let n: usize = shape.iter().product();
    let weights: Vec<f32> = (0..n).map(|i| ((i * 37) % 11) as f32 / 5.0 - 1.0).collect();
    let weights = Tensor::from_data(TensorData::new(weights, shape), &result.device());
    let gradients = (result.clone() * weights + result.clone().powi_scalar(2))
        .sum()
        .backward();
    let mut all = vec![result.into_data()];
    all.extend(
        inputs
            .0
            .iter()
            .map(|t| t.grad(&gradients).unwrap().into_data()),
    );
    all.extend(
        inputs
            .1
            .iter()
            .map(|t| t.grad(&gradients).unwrap().into_data()),
    );
    all.extend(
        inputs
            .2
            .iter()
            .map(|t| t.grad(&gradients).unwrap().into_data()),
    );
    all
}

fn assert_equal(fused: &[TensorData], plain: &[TensorData], case: &str) {
    for (index, (fused, plain)) in fused.iter().zip(plain).enumerate() {
        println!("{case}: result or gradient {index}");
        fused.assert_approx_eq::<f32>(plain, Tolerance::rel_abs(1e-4, 2e-4));
    }
}

const DROPOUT: Option<Dropout> = Some(Dropout {
    probability: 0.3,
    seed: 12345,
});

#[test]
fn attention() {
    let device = Device::flex().autodiff();
    // Below, at and beyond one block of queries; heads of one feature and of more than one vector.
    for [batch, time, heads, head] in [
        [1, 1, 1, 1],
        [2, 5, 3, 4],
        [1, 64, 2, 16],
        [3, 65, 2, 7],
        [1, 150, 1, 24],
    ] {
        let width = heads * head;
        let lengths: Vec<usize> = (0..batch).map(|b| 1 + (b * 13 + 2) % time).collect();
        for (causal, relative, lengths, dropout) in [
            (false, false, None, None),
            (true, false, None, None),
            (false, true, None, None),
            (true, true, None, None),
            (true, true, Some(lengths.clone()), None),
            (false, true, Some(lengths.clone()), DROPOUT),
            (true, true, None, DROPOUT),
        ] {
            let case = format!(
                "{batch}x{time}x{heads}x{head} causal {causal} relative {relative} {lengths:?} \
                 dropout {}",
                dropout.is_some()
            );
            let packed = random([batch, time, 3 * width], &device);
            let table = random([2 * time - 1, width], &device);
            let mask = AttentionMask {
                causal,
                lengths: lengths.map(Into::into),
            };
            let relative = relative.then(|| table.clone());
            let tables: Vec<Tensor<2>> = relative.iter().cloned().collect();
            let inputs: (&[_], &[_], &[_]) = (&[], &tables, std::slice::from_ref(&packed));
            let fused = outcome(
                packed_attention(packed.clone(), relative.clone(), heads, &mask, dropout),
                inputs,
            );
            let plain = outcome(
                packed_attention_plain(packed.clone(), relative, heads, &mask, dropout),
                inputs,
            );
            assert_equal(&fused, &plain, &case);
        }
    }
}

#[test]
fn scores_are_those_of_the_formula() {
    // Two positions, one head of one feature: written out by hand.
    let device = Device::flex();
    let packed = Tensor::<3>::from_floats([[[2.0, 0.5, 1.0], [3.0, -1.0, 5.0]]], &device);
    // Offsets −1, 0, 1 of query minus key.
    let table = Tensor::<2>::from_floats([[0.1], [0.2], [0.3]], &device);
    let (weights, _) = attention_weights(packed, Some(table), 1, &AttentionMask::default());
    let found: Vec<f32> = weights.into_data().iter::<f32>().collect();
    let scores = [
        [2.0f64 * 0.5 + 2.0 * 0.2, -2.0 + 2.0 * 0.1],
        [3.0 * 0.5 + 3.0 * 0.3, -3.0 + 3.0 * 0.2],
    ];
    for (row, scores) in scores.iter().enumerate() {
        let sum: f64 = scores.iter().map(|s| s.exp()).sum();
        for (column, score) in scores.iter().enumerate() {
            let found = f64::from(found[2 * row + column]);
            assert!((found - score.exp() / sum).abs() < 1e-6);
        }
    }
}

#[test]
fn activation() {
    let device = Device::flex().autodiff();
    for [rows, width] in [[1, 1], [3, 16], [7, 37], [70, 513]] {
        for dropout in [None, DROPOUT] {
            let x = random([1, rows, width], &device);
            let bias = random([width], &device);
            let (biases, xs) = (std::slice::from_ref(&bias), std::slice::from_ref(&x));
            let fused = outcome(
                bias_gelu(x.clone(), bias.clone(), dropout),
                (biases, &[], xs),
            );
            let plain = outcome(
                bias_gelu_plain(x.clone(), bias.clone(), dropout),
                (biases, &[], xs),
            );
            assert_equal(&fused, &plain, &format!("{rows}x{width}"));
        }
    }
}

#[test]
fn gelu_has_its_published_values() {
    // x · Φ(x), Φ from tables of the normal distribution.
    let device = Device::flex();
    let x = [
        0.0f32,
        1.0,
        -1.0,
        2.0,
        -3.0,
        12.0,
        -12.0,
        1e-20,
        f32::MAX.sqrt(),
    ];
    let expected = [
        0.0,
        0.841_344_8,
        -0.158_655_25,
        1.954_499_7,
        -0.004_049_694,
        12.0,
        0.0,
        5e-21,
        f32::MAX.sqrt(),
    ];
    let found = bias_gelu(
        Tensor::<2>::from_floats([x], &device),
        Tensor::zeros([x.len()], &device),
        None,
    );
    for (found, expected) in found.into_data().iter::<f32>().zip(expected) {
        let tolerance = 1e-6 * expected.abs().max(1.0);
        assert!((found - expected).abs() <= tolerance, "{found} {expected}");
    }
}

#[test]
fn normalisation() {
    let device = Device::flex().autodiff();
    for [rows, width] in [[1, 2], [3, 16], [7, 37], [70, 513]] {
        for dropout in [None, DROPOUT] {
            let [x, residual] = [0; 2].map(|_| random([1, rows, width], &device));
            let [bias, weight, shift] = [0; 3].map(|_| random([width], &device));
            let inputs = [bias.clone(), weight.clone(), shift.clone()];
            let tensors = [x.clone(), residual.clone()];
            let run = |fused: bool| {
                let norm = [weight.clone(), shift.clone()];
                let (x, bias, residual) = (x.clone(), bias.clone(), residual.clone());
                let result = if fused {
                    add_norm(x, bias, residual, norm, 1e-5, dropout)
                } else {
                    add_norm_plain(x, bias, residual, norm, 1e-5, dropout)
                };
                outcome(result, (&inputs, &[], &tensors))
            };
            assert_equal(&run(true), &run(false), &format!("{rows}x{width}"));
        }
    }
}

//! The convolution and normalisation layers against burn's own.
#![cfg(feature = "neural")]

use burn::module::{Module, Param};
use burn::nn::BatchNormConfig;
use burn::tensor::{Device, Distribution, Tensor};
use hemiola::nn::convolution::{BatchNorm, Conv1d, Conv2d, operator};

fn noise<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().to_vec().unwrap()
}

fn assert_close<const D: usize>(what: &str, found: &Tensor<D>, expected: &Tensor<D>) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (values(found), values(expected));
    let largest = expected
        .iter()
        .fold(1.0, |max: f32, value| max.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (found - expected).abs() <= 1e-5 * largest,
            "{what}[{i}]: {found} instead of {expected}"
        );
    }
}

#[test]
fn convolution_and_its_gradients_are_those_of_burn() {
    let device = Device::flex().autodiff();
    for (kernel, dilation) in [([3, 3], [1, 1]), ([5, 2], [1, 3]), ([1, 1], [1, 1])] {
        let input = noise([2, 9, 11, 5], &device).require_grad();
        let weight = noise([7, 5, kernel[0], kernel[1]], &device).require_grad();
        let bias = noise([7], &device).require_grad();
        let slope = noise([2, 9, 11, 7], &device);
        let run = |own: bool| {
            let apply = if own {
                operator::conv2d
            } else {
                operator::conv2d_plain
            };
            let output = apply(input.clone(), weight.clone(), bias.clone(), dilation);
            let gradients = (output.clone() * slope.clone()).sum().backward();
            (
                output.inner(),
                input.grad(&gradients).unwrap(),
                weight.grad(&gradients).unwrap(),
                bias.grad(&gradients).unwrap(),
            )
        };
        let (found, expected) = (run(true), run(false));
        assert_close("output", &found.0, &expected.0);
        assert_close("input gradient", &found.1, &expected.1);
        assert_close("weight gradient", &found.2, &expected.2);
        assert_close("bias gradient", &found.3, &expected.3);
    }
}

#[test]
fn convolution_reads_a_permuted_input() {
    let device = Device::flex();
    let layer = Conv2d::new([3, 4], [3, 3], [1, 1], &device);
    let planes = noise([2, 3, 6, 5], &device); // [batch, channels, height, width]
    let input = planes.permute([0, 2, 3, 1]);
    let (weight, bias) = (layer.weight.val(), layer.bias.val());
    let expected = operator::conv2d_plain(input.clone(), weight, bias, [1, 1]);
    assert_close("output", &layer.forward(input), &expected);
}

#[test]
fn one_dimensional_convolution_is_that_of_burn() {
    let device = Device::flex();
    let layer = Conv1d::new([5, 9], 3, &device);
    let input = noise([2, 30, 5], &device);
    let options = burn::tensor::ops::ConvOptions::new([1], [1], [1], 1);
    let expected = burn::tensor::module::conv1d(
        input.clone().swap_dims(1, 2),
        layer.weight.val(),
        Some(layer.bias.val()),
        options,
    );
    assert_close("output", &layer.forward(input), &expected.swap_dims(1, 2));
}

#[test]
fn initial_weights_fill_their_bounds() {
    let device = Device::flex();
    let layer = Conv2d::new([24, 24], [3, 3], [1, 1], &device);
    let bound = 1.0 / (24.0f32 * 9.0).sqrt();
    let largest = values(&layer.weight.val())
        .iter()
        .fold(0.0, |max: f32, x| max.max(x.abs()));
    assert!(
        largest <= bound && largest > 0.99 * bound,
        "{largest} within {bound}"
    );
    assert!(
        values(&layer.bias.val())
            .iter()
            .all(|bias| bias.abs() <= bound)
    );
}

#[test]
fn normalisation_in_training_is_that_of_burn() {
    let device = Device::flex().autodiff();
    for relu in [false, true] {
        let input = (noise([3, 5, 4, 6], &device) + 0.5).require_grad();
        let weight = noise([6], &device).require_grad();
        let bias = noise([6], &device).require_grad();
        let slope = noise([3, 5, 4, 6], &device);
        let run = |own: bool| {
            let apply = if own {
                operator::batch_norm_train::<4>
            } else {
                operator::batch_norm_train_plain::<4>
            };
            let (output, mean, variance) =
                apply(input.clone(), weight.clone(), bias.clone(), 1e-5, relu);
            let gradients = (output.clone() * slope.clone()).sum().backward();
            (
                output.inner(),
                [mean.inner(), variance.inner()],
                input.grad(&gradients).unwrap(),
                [
                    weight.grad(&gradients).unwrap(),
                    bias.grad(&gradients).unwrap(),
                ],
            )
        };
        let (found, expected) = (run(true), run(false));
        assert_close("output", &found.0, &expected.0);
        assert_close("mean", &found.1[0], &expected.1[0]);
        assert_close("variance", &found.1[1], &expected.1[1]);
        assert_close("input gradient", &found.2, &expected.2);
        assert_close("weight gradient", &found.3[0], &expected.3[0]);
        assert_close("bias gradient", &found.3[1], &expected.3[1]);
    }
}

/// A layer with weights other than its initial ones, and burn's layer with the same.
fn layers(channels: usize, device: &Device) -> (BatchNorm, burn::nn::BatchNorm) {
    let mut own = BatchNorm::new(channels, device);
    let mut other = BatchNormConfig::new(channels).init(device);
    own.weight = Param::from_tensor(noise([channels], device));
    own.bias = Param::from_tensor(noise([channels], device));
    other.gamma = Param::from_tensor(own.weight.val().detach());
    other.beta = Param::from_tensor(own.bias.val().detach());
    (own, other)
}

#[test]
fn running_statistics_follow_pytorchs_rule_and_serve_inference() {
    let device = Device::flex().autodiff();
    let (own, _) = layers(3, &device);
    let input = noise([2, 4, 3], &device);
    let output = own.forward(input.clone());
    let flat = values(&input);
    for channel in 0..3 {
        let column: Vec<f32> = flat.iter().skip(channel).step_by(3).copied().collect();
        let mean = column.iter().sum::<f32>() / 8.0;
        let unbiased = column.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 7.0;
        let found = values(&own.running_mean.value())[channel];
        assert!((found - 0.1 * mean).abs() < 1e-6, "mean {found}");
        let found = values(&own.running_var.value())[channel];
        assert!(
            (found - (0.9 + 0.1 * unbiased)).abs() < 1e-6,
            "variance {found}"
        );
    }

    let valid = own.valid();
    let input = input.inner();
    let inferred = valid.forward(input.clone());
    let (mean, variance) = (valid.running_mean.value(), valid.running_var.value());
    let scale = valid.weight.val() / (variance + 1e-5).sqrt();
    let expected =
        (input.clone() - mean.unsqueeze()) * scale.unsqueeze() + valid.bias.val().unsqueeze();
    assert_close("inference", &inferred, &expected);
    assert_close(
        "ReLU",
        &valid.forward_relu(input),
        &burn::tensor::activation::relu(expected),
    );
    assert_ne!(
        values(&inferred),
        values(&output),
        "inference took the statistics of the batch"
    );
}

#[test]
fn a_frozen_normalisation_keeps_its_statistics_and_passes_gradients() {
    let device = Device::flex().autodiff();
    let (own, other) = layers(4, &device);
    let (own, other) = (own.freeze(), other.freeze());
    let input = noise([6, 4], &device).require_grad();
    let slope = noise([6, 4], &device);
    let run = |output: Tensor<2>| {
        let gradients = (output.clone() * slope.clone()).sum().backward();
        (output.inner(), input.grad(&gradients).unwrap())
    };
    let found = run(own.forward(input.clone()));
    let expected = run(other.forward(input.clone()));
    assert_close("output", &found.0, &expected.0);
    assert_close("input gradient", &found.1, &expected.1);
    assert_eq!(values(&own.running_mean.value()), vec![0.0; 4]);
}

//! The convolution and normalisation layers against burn's own.
#![cfg(feature = "neural")]

use burn::module::{Module, Param};
use burn::nn::BatchNormConfig;
use burn::tensor::{Device, Distribution, Tensor};
use hemiola::nn::convolution::kernel::Padding;
use hemiola::nn::convolution::operator::FixedNorm;
use hemiola::nn::convolution::{BatchNorm, Conv1d, Conv2d, conv_block, operator};
use hemiola::nn::evaluation_mode;

fn noise<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().try_to_vec().unwrap()
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
    for (kernel, dilation, padding, [height, width]) in [
        ([3, 3], [1, 1], Padding::Same, [9, 11]),
        ([12, 1], [1, 1], Padding::Same, [9, 11]),
        ([5, 2], [1, 3], Padding::Same, [9, 11]),
        ([1, 1], [1, 1], Padding::Same, [9, 11]),
        ([3, 3], [1, 1], Padding::Valid, [7, 9]),
        ([4, 2], [2, 1], Padding::Valid, [3, 10]),
    ] {
        let input = noise([2, 9, 11, 5], &device).require_grad();
        let weight = noise([7, 5, kernel[0], kernel[1]], &device).require_grad();
        let bias = noise([7], &device).require_grad();
        let slope = noise([2, height, width, 7], &device);
        let run = |own: bool| {
            let apply = if own {
                operator::conv2d
            } else {
                operator::conv2d_plain
            };
            let output = apply(
                input.clone(),
                weight.clone(),
                bias.clone(),
                dilation,
                padding,
            );
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
    let expected = operator::conv2d_plain(input.clone(), weight, bias, [1, 1], Padding::Same);
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

#[test]
fn normalisation_by_given_statistics_has_the_gradients_of_burn() {
    let device = Device::flex().autodiff();
    for relu in [false, true] {
        let input = noise([3, 50, 4, 6], &device).require_grad();
        let weight = noise([6], &device).require_grad();
        let bias = noise([6], &device).require_grad();
        let slope = noise([3, 50, 4, 6], &device);
        let (mean, variance) = (noise([6], &device), noise([6], &device) + 1.5);
        let run = |own: bool| {
            let apply = if own {
                operator::batch_norm::<4>
            } else {
                operator::batch_norm_plain::<4>
            };
            let norm = FixedNorm {
                weight: weight.clone(),
                bias: bias.clone(),
                mean: mean.clone(),
                variance: variance.clone(),
                epsilon: 1e-5,
            };
            let output = apply(input.clone(), norm, relu);
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

#[test]
fn pooling_and_its_gradient_are_those_of_burn() {
    let device = Device::flex().autodiff();
    for (size, window) in [
        ([6, 8], [2, 2]),
        ([7, 9], [2, 2]),
        ([7, 5], [2, 1]),
        ([1, 4], [1, 3]),
        ([5, 5], [5, 4]),
    ] {
        let [height, width] = size;
        let input = noise([2, height, width, 5], &device).require_grad();
        let slope = noise([2, height / window[0], width / window[1], 5], &device);
        let run = |own: bool| {
            let apply = if own {
                operator::max_pool
            } else {
                operator::max_pool_plain
            };
            let output = apply(input.clone(), window);
            let gradients = (output.clone() * slope.clone()).sum().backward();
            (output.inner(), input.grad(&gradients).unwrap())
        };
        let (found, expected) = (run(true), run(false));
        assert_close("output", &found.0, &expected.0);
        assert_close("input gradient", &found.1, &expected.1);
    }
}

#[test]
fn normalisation_with_pooling_in_training_is_that_of_burn() {
    let device = Device::flex().autodiff();
    for ([height, width], window) in [([4, 6], [2, 2]), ([5, 7], [2, 2]), ([7, 3], [2, 1])] {
        let input = (noise([3, height, width, 6], &device) + 0.5).require_grad();
        let weight = noise([6], &device).require_grad();
        let bias = noise([6], &device).require_grad();
        let slope = noise([3, height / window[0], width / window[1], 6], &device);
        let run = |own: bool| {
            let apply = if own {
                operator::batch_norm_relu_pool_train
            } else {
                operator::batch_norm_relu_pool_train_plain
            };
            let (output, mean, variance) =
                apply(input.clone(), weight.clone(), bias.clone(), 1e-5, window);
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

#[test]
fn a_block_is_the_same_in_inference_and_in_evaluation_with_gradients() {
    let device = Device::flex().autodiff();
    for (padding, window) in [
        (Padding::Same, [1, 1]),
        (Padding::Same, [2, 2]),
        (Padding::Valid, [2, 1]),
    ] {
        let convolution = Conv2d::new([3, 5], [3, 3], [1, 1], &device).with_padding(padding);
        let (normalisation, _) = layers(5, &device);
        let block = (convolution, normalisation);
        let input = noise([2, 9, 7, 3], &device);
        // A step of training, after which the running statistics are no longer the initial ones.
        conv_block(&block, input.clone() + 0.3, window);
        let block = evaluation_mode(block);
        let expected = conv_block(&block, input.clone(), window).inner();
        let found = conv_block(&block.valid(), input.inner(), window);
        assert_close("output", &found, &expected);
    }
}

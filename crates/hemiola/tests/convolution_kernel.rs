//! The convolution and normalisation kernels against their definitions in f64.

use hemiola::nn::convolution::batch_norm;
use hemiola::nn::convolution::kernel::{
    Geometry, Level, Padding, forward_at, forward_relu_pool, input_gradient_at,
    parameter_gradients_at,
};
use hemiola::nn::convolution::pooling::{self, Pooled, Windows};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..len).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// Calls `visit` with the indices of output, input and weight of every product of the convolution.
fn for_each_product(g: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
    let before = g.padding.map(|[before, _]| before);
    let [height, width] = g.output_size();
    for n in 0..g.batch {
        for y in 0..height {
            for x in 0..width {
                for ky in 0..g.kernel[0] {
                    for kx in 0..g.kernel[1] {
                        let (iy, ix) = (y + ky * g.dilation[0], x + kx * g.dilation[1]);
                        if iy < before[0] || ix < before[1] {
                            continue;
                        }
                        let (iy, ix) = (iy - before[0], ix - before[1]);
                        if iy >= g.height || ix >= g.width {
                            continue;
                        }
                        for o in 0..g.out_channels {
                            for i in 0..g.in_channels {
                                visit(
                                    ((n * height + y) * width + x) * g.out_channels + o,
                                    ((n * g.height + iy) * g.width + ix) * g.in_channels + i,
                                    ((o * g.in_channels + i) * g.kernel[0] + ky) * g.kernel[1] + kx,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected
        .iter()
        .fold(1.0, |max: f64, value| max.max(value.abs()));
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(found) - expected).abs() <= 3e-6 * largest,
            "{what}[{i}]: {found} instead of {expected}"
        );
    }
}

fn check(g: Geometry) {
    let input = noise(1, g.input_len());
    let weight = noise(2, g.weight_len());
    let bias = noise(3, g.out_channels);
    let slope = noise(4, g.output_len());
    let mut output: Vec<f64> = (0..g.output_len())
        .map(|i| f64::from(bias[i % g.out_channels]))
        .collect();
    let mut input_gradient = vec![0.0; g.input_len()];
    let mut weight_gradient = vec![0.0; g.weight_len()];
    let mut bias_gradient = vec![0.0; g.out_channels];
    for (i, &slope) in slope.iter().enumerate() {
        bias_gradient[i % g.out_channels] += f64::from(slope);
    }
    for_each_product(&g, |o, i, w| {
        output[o] += f64::from(input[i]) * f64::from(weight[w]);
        input_gradient[i] += f64::from(slope[o]) * f64::from(weight[w]);
        weight_gradient[w] += f64::from(slope[o]) * f64::from(input[i]);
    });
    for level in Level::available() {
        let named = |what: &str| format!("{what} at {level:?} of {g:?}");
        assert_close(
            &named("output"),
            &forward_at(level, &g, &input, &weight, Some(&bias)),
            &output,
        );
        assert_close(
            &named("input gradient"),
            &input_gradient_at(level, &g, &weight, &slope),
            &input_gradient,
        );
        let (weight, bias) = parameter_gradients_at(level, &g, &input, &slope);
        assert_close(&named("weight gradient"), &weight, &weight_gradient);
        assert_close(&named("bias gradient"), &bias, &bias_gradient);
    }
}

fn geometry(
    size: [usize; 3],
    in_channels: usize,
    out_channels: usize,
    kernel: [usize; 2],
    dilation: [usize; 2],
) -> Geometry {
    let [batch, height, width] = size;
    Geometry {
        batch,
        height,
        width,
        in_channels,
        out_channels,
        kernel,
        dilation,
        padding: Padding::Same.zeros(kernel, dilation),
    }
}

#[test]
fn convolution_is_its_definition_for_odd_even_and_dilated_kernels() {
    for kernel in [[1, 1], [3, 3], [5, 3], [2, 4], [1, 3], [3, 1], [4, 1]] {
        for dilation in [[1, 1], [2, 1], [1, 3]] {
            check(geometry([2, 7, 19], 5, 24, kernel, dilation));
        }
    }
}

#[test]
fn convolution_is_its_definition_for_all_paddings() {
    for (kernel, dilation) in [([3, 3], [1, 1]), ([2, 4], [1, 1]), ([3, 2], [2, 3])] {
        let span = [0, 1].map(|axis| dilation[axis] * (kernel[axis] - 1));
        for padding in [
            Padding::Valid.zeros(kernel, dilation),
            [[span[0], 0], [0, span[1]]],
            span.map(|span| [span, span]),
            [[0, 0], [1, 0]],
        ] {
            check(Geometry {
                padding,
                ..geometry([2, 7, 9], 3, 9, kernel, dilation)
            });
        }
    }
}

#[test]
fn an_image_smaller_than_its_kernel_gives_nothing_without_padding() {
    for size in [[1, 2, 5], [1, 5, 1], [2, 1, 1]] {
        let g = Geometry {
            padding: [[0; 2]; 2],
            ..geometry(size, 2, 3, [3, 3], [1, 1])
        };
        assert_eq!(g.output_len(), 0);
        check(g);
    }
}

#[test]
fn convolution_is_its_definition_for_all_channel_counts() {
    for (input, output) in [
        (1, 1),
        (1, 5),
        (5, 1),
        (24, 24),
        (40, 40),
        (24, 6),
        (3, 70),
        (16, 33),
    ] {
        check(geometry([1, 5, 13], input, output, [3, 3], [1, 1]));
        check(geometry([2, 6, 1], input, output, [3, 1], [1, 1]));
    }
}

#[test]
fn kernels_larger_than_the_image_see_zeros() {
    check(geometry([1, 1, 1], 3, 4, [3, 3], [1, 1]));
    check(geometry([2, 3, 2], 3, 9, [12, 7], [1, 1]));
    check(geometry([1, 40, 20], 4, 8, [1, 3], [1, 12]));
    check(geometry([1, 4, 5], 2, 3, [3, 3], [9, 12]));
}

#[test]
fn many_rows_are_cut_into_tasks_without_a_seam() {
    check(geometry([3, 50, 88], 8, 24, [5, 3], [1, 1]));
}

#[test]
fn an_empty_batch_gives_nothing_and_zero_gradients() {
    let g = geometry([0, 4, 4], 2, 3, [3, 3], [1, 1]);
    let level = Level::best();
    assert!(forward_at(level, &g, &[], &noise(1, g.weight_len()), None).is_empty());
    let (weight, bias) = parameter_gradients_at(level, &g, &[], &[]);
    assert_eq!((weight, bias), (vec![0.0; g.weight_len()], vec![0.0; 3]));
}

/// The largest of every window, and which place of the input it was.
fn pooled(windows: &Windows, input: &[f32]) -> Vec<(f32, usize)> {
    let [height, width] = windows.output_size();
    let [rows, columns] = windows.window;
    let mut output = Vec::new();
    for n in 0..windows.batch {
        for y in 0..height {
            for x in 0..width {
                for c in 0..windows.channels {
                    let place = |k: usize| {
                        let (y, x) = (y * rows + k / columns, x * columns + k % columns);
                        ((n * windows.height + y) * windows.width + x) * windows.channels + c
                    };
                    let first = (0..rows * columns)
                        .map(place)
                        .reduce(|best, i| if input[i] > input[best] { i } else { best });
                    let first = first.unwrap();
                    output.push((input[first], first));
                }
            }
        }
    }
    output
}

fn windows([batch, height, width, channels]: [usize; 4], window: [usize; 2]) -> Windows {
    Windows {
        batch,
        height,
        width,
        channels,
        window,
    }
}

#[test]
fn pooling_takes_the_largest_and_gives_the_gradient_back_to_the_first_of_equals() {
    for windows in [
        windows([2, 4, 6, 5], [2, 2]),
        windows([3, 7, 9, 40], [2, 2]),
        windows([1, 150, 130, 3], [2, 1]),
        windows([1, 3, 3, 17], [3, 3]),
        windows([2, 1, 5, 4], [2, 2]),
    ] {
        // Few different values, so that many windows have several winners.
        let input: Vec<f32> = noise(1, windows.input_len())
            .iter()
            .map(|x| (x * 4.0).round())
            .collect();
        let slope = noise(2, windows.output_len());
        let expected = pooled(&windows, &input);
        let Pooled { output, winners } = pooling::max_pool(&windows, &input);
        assert!(output.iter().eq(expected.iter().map(|(value, _)| value)));
        let mut gradient = vec![0.0; input.len()];
        for ((_, from), slope) in expected.into_iter().zip(&slope) {
            gradient[from] += slope;
        }
        let found = pooling::max_pool_gradient(&windows, &winners, &slope);
        assert_eq!(found, gradient, "{windows:?}");
    }
}

#[test]
fn pooling_shows_what_is_not_a_number() {
    let windows = windows([1, 2, 2, 1], [2, 2]);
    for place in 0..4 {
        let mut input = [1.0; 4];
        input[place] = f32::NAN;
        assert!(pooling::max_pool(&windows, &input).output[0].is_nan());
    }
}

#[test]
fn normalisation_with_pooling_is_one_after_the_other_with_numerical_gradients() {
    let windows = windows([2, 5, 7, 3], [2, 2]);
    let (epsilon, channels) = (1e-5, windows.channels);
    let input = noise(1, windows.input_len());
    let (weight, bias) = (noise(2, channels), noise(3, channels));
    let slope = noise(4, windows.output_len());
    let loss = |input: &[f64], weight: &[f64], bias: &[f64]| -> f64 {
        let output = normalise(input, weight, bias, epsilon, true).output;
        let narrow: Vec<f32> = output.iter().map(|&y| y as f32).collect();
        pooled(&windows, &narrow)
            .iter()
            .zip(&slope)
            .map(|((_, from), &slope)| output[*from] * f64::from(slope))
            .sum()
    };
    let (Pooled { output, winners }, statistics) =
        pooling::batch_norm_relu_pool(&windows, &input, &weight, &bias, epsilon);
    let apart = batch_norm::forward(&input, &weight, &bias, epsilon, true);
    assert_eq!(output, pooling::max_pool(&windows, &apart.0).output);
    assert_eq!(statistics, apart.1);
    let found = pooling::batch_norm_relu_pool_gradients(
        &windows,
        &input,
        &weight,
        epsilon,
        &statistics,
        &winners,
        &slope,
    );
    let at = [wide(&input), wide(&weight), wide(&bias)];
    let found = [found.input, found.weight, found.bias];
    for which in 0..3 {
        for i in 0..at[which].len() {
            let moved = |step: f64| {
                let mut at = at.clone();
                at[which][i] += step;
                loss(&at[0], &at[1], &at[2])
            };
            let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            let found = f64::from(found[which][i]);
            assert!(
                (found - expected).abs() < 1e-4,
                "{which}[{i}]: {found} {expected}"
            );
        }
    }
}

#[test]
fn a_pooled_convolution_is_convolution_then_relu_then_pooling() {
    for (size, window, padding) in [
        ([2, 12, 20], [2, 2], Padding::Same),
        ([1, 131, 90], [2, 2], Padding::Valid),
        ([3, 40, 33], [2, 1], Padding::Same),
        ([1, 9, 9], [1, 1], Padding::Valid),
        ([1, 2, 2], [4, 1], Padding::Same),
    ] {
        let g = Geometry {
            padding: padding.zeros([3, 3], [1, 1]),
            ..geometry(size, 2, 19, [3, 3], [1, 1])
        };
        let (input, weight) = (noise(1, g.input_len()), noise(2, g.weight_len()));
        let bias = noise(3, g.out_channels);
        let mut apart = forward_at(Level::best(), &g, &input, &weight, Some(&bias));
        apart.iter_mut().for_each(|value| *value = value.max(0.0));
        let [height, width] = g.output_size();
        let windows = windows([g.batch, height, width, g.out_channels], window);
        let found = forward_relu_pool(&g, window, &input, &weight, &bias);
        assert_eq!(found, pooling::max_pool(&windows, &apart).output);
    }
}

struct Normalised {
    output: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

fn normalise(input: &[f64], weight: &[f64], bias: &[f64], epsilon: f64, relu: bool) -> Normalised {
    let channels = weight.len();
    let n = (input.len() / channels) as f64;
    let column = |c: usize| input.iter().skip(c).step_by(channels);
    let mean: Vec<f64> = (0..channels).map(|c| column(c).sum::<f64>() / n).collect();
    let variance: Vec<f64> = (0..channels)
        .map(|c| column(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>() / n)
        .collect();
    let output = input
        .iter()
        .enumerate()
        .map(|(i, x)| {
            let c = i % channels;
            let y = (x - mean[c]) / (variance[c] + epsilon).sqrt() * weight[c] + bias[c];
            if relu { y.max(0.0) } else { y }
        })
        .collect();
    Normalised {
        output,
        mean,
        variance,
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

#[test]
fn normalisation_is_its_definition_far_from_zero() {
    for (positions, channels) in [(2, 1), (7, 5), (900, 24), (333, 40), (3, 300)] {
        let input: Vec<f32> = noise(1, positions * channels)
            .iter()
            .map(|x| 100.0 + x)
            .collect();
        let (weight, bias) = (noise(2, channels), noise(3, channels));
        for relu in [false, true] {
            let (output, statistics) = batch_norm::forward(&input, &weight, &bias, 1e-5, relu);
            let expected = normalise(&wide(&input), &wide(&weight), &wide(&bias), 1e-5, relu);
            assert_close("mean", &statistics.mean, &expected.mean);
            for (found, expected) in statistics.variance.iter().zip(&expected.variance) {
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-5 * expected,
                    "{found} {expected}"
                );
            }
            for (found, expected) in output.iter().zip(&expected.output) {
                // An input near 100 carries an error of 4e-6.
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-4,
                    "{found} {expected}"
                );
            }
            let factor = positions as f64 / (positions as f64 - 1.0);
            for (found, biased) in statistics
                .unbiased_variance()
                .iter()
                .zip(&expected.variance)
            {
                assert!(
                    (f64::from(*found) - biased * factor).abs() < 1e-5,
                    "{found} {biased}"
                );
            }
        }
    }
}

#[test]
fn normalisation_gradients_are_the_numerical_ones() {
    let (positions, channels, epsilon) = (11, 5, 1e-5);
    let input = noise(1, positions * channels);
    let (weight, bias) = (noise(2, channels), noise(3, channels));
    let slope = noise(4, positions * channels);
    for relu in [false, true] {
        let loss = |input: &[f64], weight: &[f64], bias: &[f64]| -> f64 {
            let output = normalise(input, weight, bias, epsilon, relu).output;
            output
                .iter()
                .zip(&slope)
                .map(|(y, &slope)| y * f64::from(slope))
                .sum()
        };
        let (_, statistics) = batch_norm::forward(&input, &weight, &bias, epsilon, relu);
        let found =
            batch_norm::backward(&input, &weight, &bias, epsilon, relu, &statistics, &slope);
        let at = [wide(&input), wide(&weight), wide(&bias)];
        let found = [found.input, found.weight, found.bias];
        for which in 0..3 {
            for i in 0..at[which].len() {
                let moved = |step: f64| {
                    let mut at = at.clone();
                    at[which][i] += step;
                    loss(&at[0], &at[1], &at[2])
                };
                let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                let found = f64::from(found[which][i]);
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{which}[{i}]: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn a_folded_convolution_is_convolution_then_normalisation() {
    let g = geometry([1, 4, 6], 3, 7, [3, 3], [1, 1]);
    let input = noise(1, g.input_len());
    let (weight, bias) = (noise(2, g.weight_len()), noise(3, 7));
    let variance: Vec<f32> = noise(4, 7).iter().map(|x| 1.5 + x).collect();
    let normaliser =
        batch_norm::Normaliser::new(&noise(5, 7), &variance, &noise(6, 7), &noise(7, 7), 1e-5);
    let level = Level::best();
    let apart = normaliser.apply(&forward_at(level, &g, &input, &weight, Some(&bias)), false);
    let (weight, bias) = normaliser.fold(&weight, &bias);
    let folded = forward_at(level, &g, &input, &weight, Some(&bias));
    assert_close("folded", &folded, &wide(&apart));
}

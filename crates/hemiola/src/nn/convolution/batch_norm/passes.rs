//! The passes over the data, compiled for each instruction set.
//!
//! The channels' values come repeated over a period, so that all of a pass are loops over long slices.

use crate::nn::convolution::kernel::Level;
use crate::nn::convolution::levels::for_each_level;

for_each_level! {
    fn normalise(
        output: &mut [f32],
        input: &[f32],
        mean: &[f32],
        scale: &[f32],
        bias: &[f32],
        floor: f32,
    ) {
        let period = mean.len();
        let (scale, bias) = (&scale[..period], &bias[..period]);
        for (output, input) in output.chunks_mut(period).zip(input.chunks(period)) {
            let n = output.len().min(period);
            let input = &input[..n];
            for i in 0..n {
                let value = (input[i] - mean[i]) * scale[i] + bias[i];
                // A comparison that lets NaN through, so that a diverged training shows.
                output[i] = if value < floor { floor } else { value };
            }
        }
    }
}

for_each_level! {
    fn add_up(sums: &mut [f32], input: &[f32]) {
        for input in input.chunks(sums.len()) {
            for (sum, x) in sums.iter_mut().zip(input) {
                *sum += x;
            }
        }
    }
}

for_each_level! {
    fn add_squares(sums: &mut [f32], input: &[f32], centre: &[f32]) {
        for input in input.chunks(sums.len()) {
            for ((sum, x), centre) in sums.iter_mut().zip(input).zip(centre) {
                let distance = x - centre;
                *sum += distance * distance;
            }
        }
    }
}

for_each_level! {
    /// Adds up the gradients that pass the ReLU, and their products with the centred input.
    fn add_slopes(
        sums: &mut [f32],
        products: &mut [f32],
        input: &[f32],
        slope: &[f32],
        scale: &[f32],
        bias: &[f32],
        mean: &[f32],
    ) {
        let period = sums.len();
        let (products, scale) = (&mut products[..period], &scale[..period]);
        let (bias, mean) = (&bias[..period], &mean[..period]);
        for (input, slope) in input.chunks(period).zip(slope.chunks(period)) {
            let slope = &slope[..input.len()];
            for i in 0..input.len() {
                let centred = input[i] - mean[i];
                let passed = if centred * scale[i] + bias[i] > 0.0 { slope[i] } else { 0.0 };
                sums[i] += passed;
                products[i] += passed * centred;
            }
        }
    }
}

for_each_level! {
    fn slopes(
        gradient: &mut [f32],
        input: &[f32],
        slope: &[f32],
        scale: &[f32],
        bias: &[f32],
        mean: &[f32],
        slope_mean: &[f32],
        slope_input: &[f32],
    ) {
        let period = scale.len();
        let (bias, mean) = (&bias[..period], &mean[..period]);
        let (slope_mean, slope_input) = (&slope_mean[..period], &slope_input[..period]);
        for ((gradient, input), slope) in
            gradient.chunks_mut(period).zip(input.chunks(period)).zip(slope.chunks(period))
        {
            let n = gradient.len().min(period);
            let (input, slope) = (&input[..n], &slope[..n]);
            for i in 0..n {
                let centred = input[i] - mean[i];
                let passed = if centred * scale[i] + bias[i] > 0.0 { slope[i] } else { 0.0 };
                gradient[i] = passed * scale[i] - slope_mean[i] - centred * slope_input[i];
            }
        }
    }
}

//! The passes over the data, compiled for each instruction set.
//!
//! Each works on one row of windows. `row` is the length of an input row in floats, `window` height and width of a
//! window; the channels' values are as long as there are channels.

use crate::nn::convolution::kernel::Level;
use crate::nn::convolution::levels::for_each_level;

/// Channels whose best value and place are held in registers.
const LANES: usize = 16;

for_each_level! {
    /// The largest normalised value of every window above `floor`, and its place; `nobody` where there is none.
    fn pool_row(
        output: &mut [f32],
        winners: &mut [u8],
        input: &[f32],
        row: usize,
        window: [usize; 2],
        mean: &[f32],
        scale: &[f32],
        bias: &[f32],
        floor: f32,
        nobody: u8,
    ) {
        let n = mean.len();
        let contest = Contest { row, window, mean, scale, bias, floor, nobody };
        let whole = n - n % LANES;
        for (x, (output, winners)) in
            output.chunks_exact_mut(n).zip(winners.chunks_exact_mut(n)).enumerate()
        {
            let input = &input[x * window[1] * n..];
            for first in (0..whole).step_by(LANES) {
                contest.hold::<LANES>(input, first, output, winners);
            }
            for first in whole..n {
                contest.hold::<1>(input, first, output, winners);
            }
        }
    }
}

/// What decides who wins a window; as the arguments of [`pool_row`].
struct Contest<'a> {
    row: usize,
    window: [usize; 2],
    mean: &'a [f32],
    scale: &'a [f32],
    bias: &'a [f32],
    floor: f32,
    nobody: u8,
}

impl Contest<'_> {
    /// Channels `first .. first + N` of the window at which `input` begins.
    #[inline(always)]
    fn hold<const N: usize>(
        &self,
        input: &[f32],
        first: usize,
        output: &mut [f32],
        winners: &mut [u8],
    ) {
        let lanes = |from: &[f32]| -> [f32; N] {
            let mut lanes = [0.0; N];
            lanes.copy_from_slice(&from[..N]);
            lanes
        };
        let [mean, scale, bias] =
            [self.mean, self.scale, self.bias].map(|values| lanes(&values[first..]));
        let mut best = [self.floor; N];
        let mut who = [u32::from(self.nobody); N];
        let [rows, columns] = self.window;
        for place in 0..rows * columns {
            let (y, x) = (place / columns, place % columns);
            let input = lanes(&input[y * self.row + x * self.mean.len() + first..]);
            for c in 0..N {
                let value = (input[c] - mean[c]) * scale[c] + bias[c];
                // NaN wins, so that a diverged training shows.
                let wins = value > best[c] || value.is_nan();
                best[c] = if wins { value } else { best[c] };
                who[c] = if wins { place as u32 } else { who[c] };
            }
        }
        output[first..][..N].copy_from_slice(&best);
        for (winner, who) in winners[first..][..N].iter_mut().zip(who) {
            *winner = who as u8;
        }
    }
}

for_each_level! {
    /// The largest value of every window, at least 0.
    fn relu_pool_row(
        output: &mut [f32],
        input: &[f32],
        row: usize,
        window: [usize; 2],
        channels: usize,
    ) {
        output.fill(0.0);
        for (x, output) in output.chunks_exact_mut(channels).enumerate() {
            for y in 0..window[0] {
                let input = &input[y * row + x * window[1] * channels..][..window[1] * channels];
                for input in input.chunks_exact(channels) {
                    for (output, &value) in output.iter_mut().zip(input) {
                        *output = if value > *output || value.is_nan() { value } else { *output };
                    }
                }
            }
        }
    }
}

for_each_level! {
    /// Adds every window's gradient to where its value came from.
    fn give_row(
        gradient: &mut [f32],
        winners: &[u8],
        slope: &[f32],
        row: usize,
        window: [usize; 2],
        channels: usize,
    ) {
        let n = channels;
        for (x, (winners, slope)) in
            winners.chunks_exact(n).zip(slope.chunks_exact(n)).enumerate()
        {
            let (winners, slope) = (&winners[..n], &slope[..n]);
            for place in 0..window[0] * window[1] {
                let (y, dx) = (place / window[1], place % window[1]);
                let gradient = &mut gradient[y * row + (x * window[1] + dx) * n..][..n];
                for c in 0..n {
                    gradient[c] += if winners[c] == place as u8 { slope[c] } else { 0.0 };
                }
            }
        }
    }
}

for_each_level! {
    /// Adds up the gradients of the winners, and their products with the winners' centred input.
    fn add_won_row(
        sums: &mut [f32],
        products: &mut [f32],
        input: &[f32],
        winners: &[u8],
        slope: &[f32],
        row: usize,
        window: [usize; 2],
        mean: &[f32],
    ) {
        let n = mean.len();
        let (sums, products) = (&mut sums[..n], &mut products[..n]);
        for (x, (winners, slope)) in
            winners.chunks_exact(n).zip(slope.chunks_exact(n)).enumerate()
        {
            let (winners, slope) = (&winners[..n], &slope[..n]);
            for place in 0..window[0] * window[1] {
                let (y, dx) = (place / window[1], place % window[1]);
                let input = &input[y * row + (x * window[1] + dx) * n..][..n];
                for c in 0..n {
                    let won = if winners[c] == place as u8 { slope[c] } else { 0.0 };
                    sums[c] += won;
                    products[c] += won * (input[c] - mean[c]);
                }
            }
        }
    }
}

for_each_level! {
    /// The input's gradient where all are linked by the batch statistics: winners have their window's share, and
    /// everything its share of the mean.
    fn won_slopes_row(
        gradient: &mut [f32],
        input: &[f32],
        winners: &[u8],
        slope: &[f32],
        row: usize,
        window: [usize; 2],
        scale: &[f32],
        mean: &[f32],
        slope_mean: &[f32],
        slope_input: &[f32],
    ) {
        let n = mean.len();
        let (scale, slope_mean, slope_input) = (&scale[..n], &slope_mean[..n], &slope_input[..n]);
        for (x, (winners, slope)) in
            winners.chunks_exact(n).zip(slope.chunks_exact(n)).enumerate()
        {
            let (winners, slope) = (&winners[..n], &slope[..n]);
            for place in 0..window[0] * window[1] {
                let (y, dx) = (place / window[1], place % window[1]);
                let at = y * row + (x * window[1] + dx) * n;
                let (gradient, input) = (&mut gradient[at..][..n], &input[at..][..n]);
                for c in 0..n {
                    let won = if winners[c] == place as u8 { slope[c] } else { 0.0 };
                    gradient[c] =
                        won * scale[c] - slope_mean[c] - (input[c] - mean[c]) * slope_input[c];
                }
            }
        }
    }
}

for_each_level! {
    /// The same for positions that are in no window.
    fn lost_slopes(
        gradient: &mut [f32],
        input: &[f32],
        mean: &[f32],
        slope_mean: &[f32],
        slope_input: &[f32],
    ) {
        let n = mean.len();
        let (slope_mean, slope_input) = (&slope_mean[..n], &slope_input[..n]);
        for (gradient, input) in gradient.chunks_exact_mut(n).zip(input.chunks_exact(n)) {
            let (gradient, input) = (&mut gradient[..n], &input[..n]);
            for c in 0..n {
                gradient[c] = -slope_mean[c] - (input[c] - mean[c]) * slope_input[c];
            }
        }
    }
}

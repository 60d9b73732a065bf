//! Labels of a sequence, judged together.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// The negative logarithm of how likely a linear-chain conditional random field finds the right states, mean over positions,
/// in nats.
///
/// `scores` [positions, states] are of one or more sequences one after another, of `lengths`, which add up to the positions;
/// `transitions` [states, states] of going from each state to each. `states` are the right ones.
///
/// Source: Lafferty, McCallum and Pereira, "Conditional Random Fields" (ICML 2001), equations 1 and 2.
///
/// # Panics
/// When the lengths do not add up to the positions, one is 0, or a state does not exist.
pub fn chain_loss(
    scores: Tensor<2>,
    transitions: Tensor<2>,
    states: &[usize],
    lengths: &[usize],
) -> Tensor<1> {
    let [n, n_states] = scores.dims();
    assert_eq!(
        lengths.iter().sum::<usize>(),
        n,
        "positions of the sequences"
    );
    assert_eq!(states.len(), n, "right states");
    let of_right = right_way(&scores, &transitions, states, lengths);
    let of_all = all_ways(scores, transitions, lengths);
    assert!(states.iter().all(|&state| state < n_states), "states");
    (of_all - of_right) / n as f64
}

fn integers(values: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.map(|value| value as i64).collect();
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

/// The score of the right states of all sequences, added up, \[1\].
fn right_way(
    scores: &Tensor<2>,
    transitions: &Tensor<2>,
    states: &[usize],
    lengths: &[usize],
) -> Tensor<1> {
    let device = scores.device();
    let [n, n_states] = scores.dims();
    let places = integers(
        states
            .iter()
            .enumerate()
            .map(|(at, state)| at * n_states + state),
        &device,
    );
    let sum = scores
        .clone()
        .reshape([n * n_states])
        .select(0, places)
        .sum();
    let mut moves = Vec::new();
    let mut first = 0;
    for &length in lengths {
        let of_sequence = states[first..first + length].windows(2);
        moves.extend(of_sequence.map(|pair| pair[0] * n_states + pair[1]));
        first += length;
    }
    if moves.is_empty() {
        return sum;
    }
    let flat = transitions.clone().reshape([n_states * n_states]);
    sum + flat.select(0, integers(moves.into_iter(), &device)).sum()
}

/// The logarithm of the sum over all ways of the exponential of their scores, of all sequences, added up, \[1\].
fn all_ways(scores: Tensor<2>, transitions: Tensor<2>, lengths: &[usize]) -> Tensor<1> {
    let device = scores.device();
    let firsts = lengths.iter().scan(0, |next, length| {
        let first = *next;
        *next += length;
        Some(first)
    });
    let firsts: Vec<usize> = firsts.collect();
    let longest = lengths.iter().copied().max().unwrap_or_default();
    // Of a sequence that has ended, its last position again; it is not counted.
    let at = |time: usize| {
        let rows = firsts.iter().zip(lengths);
        let rows = rows.map(|(first, &length)| first + time.min(length - 1));
        scores.clone().select(0, integers(rows, &device))
    };
    let transitions = transitions.unsqueeze_dim::<3>(0); // [1, from, to]
    let mut ways = at(0); // [sequences, states]
    for time in 1..longest {
        let arriving = ways.clone().unsqueeze_dim::<3>(2) + transitions.clone();
        let next = log_sum_exp(arriving, 1).squeeze_dim::<2>(1) + at(time);
        let goes_on = lengths
            .iter()
            .map(|&length| f32::from(u8::from(time < length)));
        let goes_on: Vec<f32> = goes_on.collect();
        let goes_on = TensorData::new(goes_on, [lengths.len(), 1]);
        let goes_on = Tensor::<2>::from_data(goes_on, &device);
        ways = next * goes_on.clone() + ways * (-goes_on + 1.0);
    }
    log_sum_exp(ways, 1).sum()
}

/// Over one dimension, which stays with length 1.
fn log_sum_exp<const D: usize>(x: Tensor<D>, dim: usize) -> Tensor<D> {
    let highest = x.clone().max_dim(dim).detach();
    (x - highest.clone()).exp().sum_dim(dim).log() + highest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of three states.
    fn value(i: usize) -> f32 {
        ((i * 7919 + 13) % 101) as f32 / 25.0 - 2.0
    }

    /// By trying all ways.
    fn expected(scores: &[[f32; 3]], transitions: &[[f32; 3]; 3], right: &[usize]) -> f64 {
        let score = |way: &[usize]| -> f64 {
            let here: f32 = way.iter().zip(scores).map(|(&state, row)| row[state]).sum();
            let moves: f32 = way.windows(2).map(|w| transitions[w[0]][w[1]]).sum();
            f64::from(here + moves)
        };
        let n = scores.len() as u32;
        let ways = (0..3usize.pow(n)).map(|number| {
            let way: Vec<usize> = (0..n).map(|at| number / 3usize.pow(at) % 3).collect();
            score(&way).exp()
        });
        ways.sum::<f64>().ln() - score(right)
    }

    #[test]
    fn the_loss_is_that_of_all_ways_tried() {
        let device = Device::flex();
        let scores: Vec<[f32; 3]> = (0..8)
            .map(|t| std::array::from_fn(|s| value(3 * t + s)))
            .collect();
        let transitions =
            std::array::from_fn(|from| std::array::from_fn(|to| value(50 + 3 * from + to)));
        let right = [0, 2, 1, 1, 2, 0, 0, 1];
        let lengths = [4, 1, 3];
        let rows: Vec<f32> = scores.concat();
        let found = chain_loss(
            Tensor::from_data(TensorData::new(rows, [8, 3]), &device),
            Tensor::from_floats(transitions, &device),
            &right,
            &lengths,
        );
        let sum: f64 = [(0, 4), (4, 5), (5, 8)]
            .map(|(from, to)| expected(&scores[from..to], &transitions, &right[from..to]))
            .iter()
            .sum();
        let found = found.into_scalar::<f64>();
        assert!((found - sum / 8.0).abs() < 1e-5, "{found} {}", sum / 8.0);
    }
}

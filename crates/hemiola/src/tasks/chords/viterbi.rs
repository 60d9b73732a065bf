//! The likeliest path through hidden states.

/// The likeliest sequence of states, one for each row of `emissions`, and its log-probability.
///
/// All are logarithms: `emissions` [time, states] row-major, `transitions` [from, to] row-major, `initial` one for each state.
/// A. J. Viterbi, IEEE Transactions on Information Theory 13(2), 1967.
///
/// # Panics
/// If the sizes do not go together.
pub fn viterbi(emissions: &[f32], transitions: &[f32], initial: &[f32]) -> (Vec<usize>, f64) {
    let states = initial.len();
    assert_eq!(
        transitions.len(),
        states * states,
        "a square of transitions"
    );
    assert!(
        emissions.len().is_multiple_of(states.max(1)),
        "whole rows of emissions"
    );
    let n_frames = emissions.len() / states.max(1);
    if n_frames == 0 {
        return (Vec::new(), 0.0);
    }
    // Columns together, so that the inner loop runs over neighbours.
    let mut into = vec![0f32; states * states];
    for from in 0..states {
        for to in 0..states {
            into[to * states + from] = transitions[from * states + to];
        }
    }
    let mut came_from = vec![0u16; n_frames * states];
    let mut total = 0.0f64;
    let mut best: Vec<f32> = initial
        .iter()
        .zip(&emissions[..states])
        .map(|(a, b)| a + b)
        .collect();
    let mut next = vec![0f32; states];
    for frame in 1..n_frames {
        // Differences alone matter; without this, hours of log-probabilities would lose their last digits.
        let top = best.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        total += f64::from(top);
        best.iter_mut().for_each(|score| *score -= top);
        for to in 0..states {
            let (mut score, mut source) = (f32::NEG_INFINITY, 0);
            let costs = &into[to * states..(to + 1) * states];
            for (from, (&before, &cost)) in best.iter().zip(costs).enumerate() {
                let candidate = before + cost;
                if candidate > score {
                    (score, source) = (candidate, from);
                }
            }
            next[to] = score + emissions[frame * states + to];
            came_from[frame * states + to] = source as u16;
        }
        std::mem::swap(&mut best, &mut next);
    }
    let (mut state, mut score) = (0, f32::NEG_INFINITY);
    for (index, &candidate) in best.iter().enumerate() {
        if candidate > score {
            (state, score) = (index, candidate);
        }
    }
    let mut path = vec![state; n_frames];
    for frame in (1..n_frames).rev() {
        state = usize::from(came_from[frame * states + state]);
        path[frame - 1] = state;
    }
    (path, total + f64::from(score))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_best_of_all() {
        // The example of Wikipedia's article on the algorithm: healthy or feverish; normal, cold, dizzy.
        let ln = |rows: &[f32]| rows.iter().map(|p| p.ln()).collect::<Vec<f32>>();
        let emissions = ln(&[0.5, 0.1, 0.4, 0.3, 0.1, 0.6]);
        let transitions = ln(&[0.7, 0.3, 0.4, 0.6]);
        let (path, score) = viterbi(&emissions, &transitions, &ln(&[0.6, 0.4]));
        assert_eq!(path, [0, 0, 1]);
        assert!((score - 0.01512f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn every_path_of_a_small_model_is_worse() {
        let mut seed = 1u64;
        let mut number = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            -((seed >> 40) as f32) / 1e6
        };
        for _ in 0..20 {
            let emissions: Vec<f32> = (0..15).map(|_| number()).collect();
            let transitions: Vec<f32> = (0..9).map(|_| number()).collect();
            let initial: Vec<f32> = (0..3).map(|_| number()).collect();
            let score_of = |path: &[usize]| -> f64 {
                let mut sum = f64::from(initial[path[0]]);
                for (t, &state) in path.iter().enumerate() {
                    sum += f64::from(emissions[t * 3 + state]);
                    if t > 0 {
                        sum += f64::from(transitions[path[t - 1] * 3 + state]);
                    }
                }
                sum
            };
            let (path, score) = viterbi(&emissions, &transitions, &initial);
            assert!((score_of(&path) - score).abs() < 1e-4);
            for number in 0..243usize {
                let other: Vec<usize> = (0..5).map(|t| number / 3usize.pow(t) % 3).collect();
                assert!(score_of(&other) <= score + 1e-4);
            }
        }
    }

    #[test]
    fn nothing_has_an_empty_path() {
        assert_eq!(viterbi(&[], &[0.0], &[0.0]), (vec![], 0.0));
    }
}

//! The likeliest way through keys.

use super::{LocalKey, N_KEYS};

/// Natural logarithms of how likely each key follows each.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyTransitions {
    /// `[from][to]` by [`LocalKey::index`].
    pub log: [[f64; N_KEYS]; N_KEYS],
}

impl KeyTransitions {
    /// Staying costs nothing; going to another key costs `change`, and `step` for each step between the signatures.
    pub fn by_distance(change: f64, step: f64) -> Self {
        let cost = |from: usize, to: usize| {
            let distance = LocalKey::of_index(from).signature_distance(LocalKey::of_index(to));
            match from == to {
                true => 0.0,
                false => -(change + step * f64::from(distance)),
            }
        };
        Self {
            log: std::array::from_fn(|from| std::array::from_fn(|to| cost(from, to))),
        }
    }

    /// Adds what other transitions say.
    pub fn add(&mut self, other: &Self) {
        let sums = self.log.iter_mut().flatten();
        for (sum, more) in sums.zip(other.log.iter().flatten()) {
            *sum += more;
        }
    }
}

/// The key at each position, by logarithms of how likely each is there alone, `[positions][keys]`; any key may be the first
/// (Viterbi, "Error Bounds for Convolutional Codes", 1967).
pub fn likeliest_keys(emissions: &[[f64; N_KEYS]], transitions: &KeyTransitions) -> Vec<LocalKey> {
    let Some((first, rest)) = emissions.split_first() else {
        return Vec::new();
    };
    let mut best = *first;
    let mut came_from: Vec<[usize; N_KEYS]> = Vec::with_capacity(rest.len());
    for emission in rest {
        let before = best;
        let mut origins = [0; N_KEYS];
        for to in 0..N_KEYS {
            let score = |from: usize| before[from] + transitions.log[from][to];
            let from = highest(score);
            origins[to] = from;
            best[to] = score(from) + emission[to];
        }
        came_from.push(origins);
    }
    let mut key = highest(|key| best[key]);
    let mut path = vec![LocalKey::of_index(key)];
    for origins in came_from.iter().rev() {
        key = origins[key];
        path.push(LocalKey::of_index(key));
    }
    path.reverse();
    path
}

fn highest(score: impl Fn(usize) -> f64) -> usize {
    (1..N_KEYS).fold(0, |best, key| match score(key) > score(best) {
        true => key,
        false => best,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Emissions that favour each key by so much.
    fn favour(keys: &[(usize, f64)]) -> Vec<[f64; N_KEYS]> {
        let row =
            |&(key, by): &(usize, f64)| std::array::from_fn(|k| if k == key { by } else { 0.0 });
        keys.iter().map(row).collect()
    }

    fn path(keys: &[(usize, f64)], change: f64, step: f64) -> Vec<usize> {
        let found = likeliest_keys(&favour(keys), &KeyTransitions::by_distance(change, step));
        found.into_iter().map(LocalKey::index).collect()
    }

    #[test]
    fn a_passing_hint_does_not_change_the_key_and_a_lasting_one_does() {
        let passing = [(0, 2.0), (0, 2.0), (7, 2.0), (0, 2.0)];
        assert_eq!(path(&passing, 1.5, 0.0), [0; 4]);
        let lasting = [(0, 2.0), (0, 2.0), (7, 2.0), (7, 2.0)];
        assert_eq!(path(&lasting, 3.0, 0.0), [0, 0, 7, 7]);
        assert_eq!(path(&lasting, 0.0, 0.0), [0, 0, 7, 7]);
        // G major is one step away, F# major six.
        let far = [(0, 2.0), (0, 2.0), (6, 2.0), (6, 2.0)];
        assert_eq!(path(&lasting, 1.0, 0.6), [0, 0, 7, 7]);
        assert_ne!(path(&far, 1.0, 0.6), [0, 0, 6, 6]);
        assert!(likeliest_keys(&[], &KeyTransitions::by_distance(1.0, 1.0)).is_empty());
    }

    #[test]
    fn no_other_way_is_likelier() {
        // Three positions, four keys: all 64 ways are tried.
        let value = |i: usize| ((i * 7919 + 13) % 101) as f64 / 25.0;
        let emissions: Vec<[f64; N_KEYS]> = (0..3)
            .map(|t| std::array::from_fn(|k| if k < 4 { value(5 * t + k) } else { -100.0 }))
            .collect();
        let transitions = KeyTransitions::by_distance(0.7, 0.2);
        let score = |way: &[usize]| {
            let here: f64 = way.iter().zip(&emissions).map(|(&k, e)| e[k]).sum();
            let moves: f64 = way.windows(2).map(|w| transitions.log[w[0]][w[1]]).sum();
            here + moves
        };
        let found = likeliest_keys(&emissions, &transitions);
        let found: Vec<usize> = found.into_iter().map(LocalKey::index).collect();
        for way in 0..64 {
            let way = [way % 4, way / 4 % 4, way / 16];
            assert!(score(&found) >= score(&way), "{way:?}");
        }
    }
}

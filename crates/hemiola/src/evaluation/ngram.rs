//! Counted models of events: what a sequence model has to beat.
//!
//! Interpolated Kneser–Ney smoothing with one discount an order (Kneser and Ney, "Improved Backing-Off for M-gram Language
//! Modeling", ICASSP 1995; Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1999,
//! section 2.7).
//!
//! ```
//! use hemiola::evaluation::ngram::Ngram;
//!
//! let model = Ngram::new(4, [[0, 1], [0, 1], [0, 2], [1, 0]]);
//! let after_0 = model.distribution(&[0]);
//! assert!(after_0[1] > after_0[2] && after_0[2] > after_0[3]);
//! assert!((after_0.iter().sum::<f64>() - 1.0).abs() < 1e-12);
//! ```

use crate::tokens::{BOS, EOS};

/// Bits of a symbol in a key.
const BITS: u32 = 9;
/// Symbols must fit their bits, and as many of them as a sample has must fit a key.
const MOST_SYMBOLS: u16 = 1 << BITS;
const LONGEST: usize = (u64::BITS / BITS) as usize;

/// A model of the last symbol of `N`, given those before it; the first of them is forgotten first.
#[derive(Debug, Clone)]
pub struct Ngram<const N: usize> {
    classes: usize,
    /// By length of the context, from none to N − 1.
    orders: Vec<Order>,
}

/// Contexts of one length and what followed them.
#[derive(Debug, Clone)]
struct Order {
    /// Context and follower, sorted, with how often they were counted.
    counts: Vec<(u64, u32)>,
    discount: f64,
}

impl<const N: usize> Ngram<N> {
    /// Counts samples, each a context and, last, what follows it, below `classes`.
    ///
    /// # Panics
    /// If `N` is 0 or above 7, or a symbol above 511.
    pub fn new(classes: usize, samples: impl IntoIterator<Item = [u16; N]>) -> Self {
        assert!(N > 0 && N <= LONGEST, "{N} symbols do not fit a key");
        let mut keys: Vec<u64> = samples.into_iter().map(|sample| key(&sample)).collect();
        let mut orders = Vec::with_capacity(N);
        for length in (0..N).rev() {
            let counts = counted(keys);
            // Shorter contexts count in how many longer ones they were seen, not how often.
            let shorter = (1 << (BITS * length as u32)) - 1;
            keys = counts.iter().map(|(key, _)| key & shorter).collect();
            orders.push(Order::new(counts));
        }
        orders.reverse();
        Self { classes, orders }
    }

    /// The probability of each class after a context of N − 1 symbols.
    ///
    /// # Panics
    /// If the context has another length or a symbol above 511.
    pub fn distribution(&self, context: &[u16]) -> Vec<f64> {
        assert_eq!(context.len(), N - 1, "symbols of a context");
        let mut shares = vec![1.0 / self.classes as f64; self.classes];
        for (length, order) in self.orders.iter().enumerate() {
            let followers = order.followers(key(&context[N - 1 - length..]));
            let total: f64 = followers.iter().map(|(_, count)| f64::from(*count)).sum();
            if total == 0.0 {
                break;
            }
            let rest = order.discount * followers.len() as f64 / total;
            shares.iter_mut().for_each(|share| *share *= rest);
            for (key, count) in followers {
                let follower = (key % u64::from(MOST_SYMBOLS)) as usize;
                if let Some(share) = shares.get_mut(follower) {
                    *share += (f64::from(*count) - order.discount) / total;
                }
            }
        }
        shares
    }
}

impl Order {
    fn new(counts: Vec<(u64, u32)>) -> Self {
        let of = |n: u32| counts.iter().filter(|(_, count)| *count == n).count() as f64;
        let (once, twice) = (of(1), of(2));
        let discount = match once {
            0.0 => 0.5,
            _ => once / (once + 2.0 * twice),
        };
        // A discount of 1 would leave nothing to what was seen once.
        Self {
            discount: discount.min(0.95),
            counts,
        }
    }

    fn followers(&self, context: u64) -> &[(u64, u32)] {
        let first = self
            .counts
            .partition_point(|(key, _)| key >> BITS < context);
        let rest = &self.counts[first..];
        &rest[..rest.partition_point(|(key, _)| key >> BITS == context)]
    }
}

fn key(symbols: &[u16]) -> u64 {
    symbols.iter().fold(0, |key, &symbol| {
        assert!(
            symbol < MOST_SYMBOLS,
            "symbol {symbol} does not fit {BITS} bits"
        );
        key << BITS | u64::from(symbol)
    })
}

fn counted(mut keys: Vec<u64>) -> Vec<(u64, u32)> {
    keys.sort_unstable();
    let runs = keys.chunk_by(|a, b| a == b);
    runs.map(|run| (run[0], run.len() as u32)).collect()
}

/// Every event of a piece behind the N − 1 before it; before the first stands BOS.
pub fn forward_samples<const N: usize>(ids: &[u16]) -> impl Iterator<Item = [u16; N]> + '_ {
    (0..ids.len()).map(move |at| {
        std::array::from_fn(|index| {
            let place = (at + 1 + index).checked_sub(N);
            place.map_or(BOS, |place| ids[place])
        })
    })
}

/// Every event of a piece behind the two on either side of it, the nearest last: one outside the piece is BOS or EOS.
pub fn both_sides_samples(ids: &[u16]) -> impl Iterator<Item = [u16; 5]> + '_ {
    (0..ids.len()).map(move |at| {
        let before = |n: usize| at.checked_sub(n).map_or(BOS, |place| ids[place]);
        let after = |n: usize| ids.get(at + n).copied().unwrap_or(EOS);
        [before(2), after(2), before(1), after(1), ids[at]]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_counted_by_hand() {
        // After 0: 1 three times, 2 once; after 1: 0 twice. Pairs seen once: 1, twice: 1; discount 1 / 3.
        let samples = [[0, 1], [0, 1], [0, 1], [0, 2], [1, 0], [1, 0]];
        let model = Ngram::new(3, samples);
        // Without context each of 0, 1, 2 follows one symbol: three pairs, all seen once, so that the discount is 0.95.
        let none = |_| (1.0 - 0.95) / 3.0 + 0.95 * 3.0 / 3.0 / 3.0;
        let after_0: Vec<f64> = [0.0, 3.0 - 1.0 / 3.0, 1.0 - 1.0 / 3.0]
            .iter()
            .enumerate()
            .map(|(class, left)| left / 4.0 + (2.0 / 3.0) / 4.0 * none(class))
            .collect();
        for (found, expected) in model.distribution(&[0]).iter().zip(&after_0) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        // A context that was never seen.
        for share in model.distribution(&[7]) {
            assert!((share - 1.0 / 3.0).abs() < 1e-12);
        }
    }

    #[test]
    fn samples_have_their_contexts_in_order() {
        let forward: Vec<[u16; 3]> = forward_samples(&[5, 6, 7]).collect();
        assert_eq!(forward, [[BOS, BOS, 5], [BOS, 5, 6], [5, 6, 7]]);
        let both: Vec<[u16; 5]> = both_sides_samples(&[5, 6, 7]).collect();
        assert_eq!(
            both,
            [
                [BOS, 7, BOS, 6, 5],
                [BOS, EOS, 5, 7, 6],
                [5, EOS, 6, EOS, 7]
            ]
        );
    }
}

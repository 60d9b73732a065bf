//! Maximum matchings in bipartite graphs.

/// What may be matched with what: pairs of a reference and an estimate, both by index.
pub(super) struct Graph {
    /// For each estimate, the references it may be matched with, in ascending order.
    references: Vec<Vec<u32>>,
    /// The estimates that have any, in the order in which the references lead to them.
    estimates: Vec<u32>,
    reference_count: usize,
}

impl Graph {
    /// `candidates(reference, out)` fills `out` with the estimates that a reference may be matched with, in any order.
    pub(super) fn new(
        reference_count: usize,
        estimate_count: usize,
        mut candidates: impl FnMut(usize, &mut Vec<u32>),
    ) -> Self {
        let mut graph = Self {
            references: vec![Vec::new(); estimate_count],
            estimates: Vec::new(),
            reference_count,
        };
        let mut of_reference = Vec::new();
        for reference in 0..reference_count {
            of_reference.clear();
            candidates(reference, &mut of_reference);
            of_reference.sort_unstable();
            for &estimate in &of_reference {
                let neighbours = &mut graph.references[estimate as usize];
                if neighbours.is_empty() {
                    graph.estimates.push(estimate);
                }
                neighbours.push(reference as u32);
            }
        }
        graph
    }

    /// A matching with as many pairs as possible: (reference, estimate), ascending.
    ///
    /// The algorithm is Hopcroft and Karp's (SIAM Journal on Computing 2(4), 1973).
    /// Often several matchings are largest, and measures of how well matched notes agree depend on which one is taken;
    /// vertices are visited in mir_eval's order, so that it is mir_eval's.
    pub(super) fn maximum_matching(&self) -> Vec<(usize, usize)> {
        let mut matching = self.greedy_matching();
        while let Some(mut layers) = self.layers(&matching) {
            for free in std::mem::take(&mut layers.free) {
                layers.augment(free, &mut matching);
            }
        }
        let pairs = matching.iter().enumerate();
        pairs
            .filter_map(|(reference, estimate)| Some((reference, (*estimate)? as usize)))
            .collect()
    }

    /// For each reference, its estimate.
    fn greedy_matching(&self) -> Vec<Option<u32>> {
        let mut matching = vec![None; self.reference_count];
        for &estimate in &self.estimates {
            let mut neighbours = self.references[estimate as usize].iter();
            if let Some(&free) = neighbours.find(|&&r| matching[r as usize].is_none()) {
                matching[free as usize] = Some(estimate);
            }
        }
        matching
    }

    /// The layers of shortest alternating paths from unmatched estimates to unmatched references; `None` if there is no such path.
    fn layers(&self, matching: &[Option<u32>]) -> Option<Layers> {
        let mut layers = Layers {
            before_reference: vec![None; self.reference_count],
            before_estimate: vec![Before::Outside; self.references.len()],
            free: Vec::new(),
        };
        let mut matched = vec![false; self.references.len()];
        for &estimate in matching.iter().flatten() {
            matched[estimate as usize] = true;
        }
        let unmatched = self.estimates.iter().copied();
        let mut layer: Vec<u32> = unmatched.filter(|&e| !matched[e as usize]).collect();
        for &estimate in &layer {
            layers.before_estimate[estimate as usize] = Before::Start;
        }
        // Which layer found a reference first; later layers leave it alone.
        let mut found_in: Vec<Option<usize>> = vec![None; self.reference_count];
        let mut depth = 0;
        while !layer.is_empty() && layers.free.is_empty() {
            let mut found = Vec::new();
            for &estimate in &layer {
                for &reference in &self.references[estimate as usize] {
                    let of_reference = reference as usize;
                    match found_in[of_reference] {
                        None => {
                            found_in[of_reference] = Some(depth);
                            found.push(reference);
                        }
                        Some(earlier) if earlier < depth => continue,
                        Some(_) => {}
                    }
                    layers.before_reference[of_reference]
                        .get_or_insert_with(Vec::new)
                        .push(estimate);
                }
            }
            layer.clear();
            for reference in found {
                match matching[reference as usize] {
                    Some(estimate) => {
                        layer.push(estimate);
                        layers.before_estimate[estimate as usize] = Before::Reference(reference);
                    }
                    None => layers.free.push(reference),
                }
            }
            depth += 1;
        }
        (!layers.free.is_empty()).then_some(layers)
    }
}

#[derive(Clone, Copy)]
enum Before {
    /// In no layer, or already part of a path.
    Outside,
    /// Unmatched: where paths start.
    Start,
    Reference(u32),
}

/// Alternating paths, stored backwards.
struct Layers {
    /// For each reference in a layer, the estimates of the layer before it that lead there.
    before_reference: Vec<Option<Vec<u32>>>,
    before_estimate: Vec<Before>,
    /// The unmatched references of the last layer.
    free: Vec<u32>,
}

impl Layers {
    /// Searches backwards from an unmatched reference for a path disjoint from those already taken, and flips it.
    fn augment(&mut self, free: u32, matching: &mut [Option<u32>]) {
        let Some(neighbours) = self.before_reference[free as usize].take() else {
            return;
        };
        // A reference on the path, the estimate chosen for it, and those left to try.
        let mut path = vec![(free, None, neighbours.into_iter())];
        while let Some((_, chosen, neighbours)) = path.last_mut() {
            let Some(estimate) = neighbours.next() else {
                path.pop();
                continue;
            };
            let before = &mut self.before_estimate[estimate as usize];
            match std::mem::replace(before, Before::Outside) {
                Before::Outside => {}
                Before::Start => {
                    *chosen = Some(estimate);
                    for (reference, estimate, _) in path {
                        matching[reference as usize] = estimate;
                    }
                    return;
                }
                Before::Reference(reference) => {
                    if let Some(next) = self.before_reference[reference as usize].take() {
                        *chosen = Some(estimate);
                        path.push((reference, None, next.into_iter()));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of the largest matching by trying everything.
    fn exhaustive(edges: &[Vec<u32>], taken: u32) -> usize {
        let Some((first, rest)) = edges.split_first() else {
            return 0;
        };
        let with = first.iter().filter(|&&e| taken & (1 << e) == 0);
        let best = with.map(|&e| 1 + exhaustive(rest, taken | (1 << e))).max();
        best.unwrap_or(0).max(exhaustive(rest, taken))
    }

    proptest::proptest! {
        #[test]
        fn matching_is_valid_and_largest(
            edges in proptest::collection::vec(proptest::collection::btree_set(0_u32..7, 0..7), 0..7)
        ) {
            let edges: Vec<Vec<u32>> = edges.into_iter().map(|e| e.into_iter().collect()).collect();
            let graph = Graph::new(edges.len(), 7, |r, out| out.extend(&edges[r]));
            let matching = graph.maximum_matching();
            let mut taken = [false; 7];
            for &(reference, estimate) in &matching {
                assert!(edges[reference].contains(&(estimate as u32)));
                assert!(!std::mem::replace(&mut taken[estimate], true));
            }
            assert!(matching.windows(2).all(|w| w[0].0 < w[1].0));
            assert_eq!(matching.len(), exhaustive(&edges, 0));
        }
    }

    #[test]
    fn long_chains_do_not_exhaust_the_stack() {
        // Greedily, estimate i takes reference i, though i + 1 would do; the last estimate has reference 0 alone, so that all must move on.
        let n = 200_000_u32;
        let size = n as usize + 1;
        let graph = Graph::new(size, size, |r, out| {
            let r = r as u32;
            out.extend((r < n).then_some(r));
            out.push(r.checked_sub(1).unwrap_or(n));
        });
        assert_eq!(graph.maximum_matching().len(), size);
    }
}

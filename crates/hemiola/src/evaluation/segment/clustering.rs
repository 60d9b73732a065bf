//! Which frames are alike: two labellings of the same frames compared as clusterings.

use std::collections::BTreeMap;

use crate::music::Segment;

/// Length of a frame in seconds.
const FRAME_S: f64 = 0.1;

/// Frames that are compared at most: a million seconds.
const MAX_FRAMES: usize = 10_000_000;

/// The class of each whole frame by its beginning; labels without regard to capital letters.
pub(super) fn frame_classes(segments: &[Segment<String>]) -> Vec<usize> {
    let end_s = segments.last().map_or(0.0, |last| last.end_s);
    let count = ((end_s / FRAME_S) as usize).min(MAX_FRAMES);
    // mir_eval has the times of frames in single precision, and some of them on the other side of a boundary for it.
    let time_s = |frame: usize| f64::from(frame as f32 * FRAME_S as f32);
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut class_of = |label: &str| {
        let next = names.len();
        *names.entry(label.to_lowercase()).or_insert(next)
    };
    // What no segment covers has the name that Python gives to nothing, as in mir_eval.
    let mut classes = vec![class_of("None"); count];
    let mut from = 0;
    for segment in segments {
        while from < count && time_s(from) < segment.start_s {
            from += 1;
        }
        let class = class_of(&segment.label);
        let covered = (from..count).take_while(|&frame| time_s(frame) <= segment.end_s);
        for frame in covered {
            classes[frame] = class;
        }
    }
    classes
}

/// How many frames have which class in the reference and which in the estimate.
pub(super) struct Contingency {
    /// The pairs of classes that occur: (reference, estimate, frames).
    cells: Vec<(usize, usize, usize)>,
    /// Frames of each class of the reference.
    reference: Vec<usize>,
    /// Frames of each class of the estimate.
    estimate: Vec<usize>,
    frames: usize,
}

impl Contingency {
    /// Of the classes of as many frames.
    pub(super) fn new(reference: &[usize], estimate: &[usize]) -> Self {
        let (reference, ours) = by_appearance(reference);
        let (estimate, theirs) = by_appearance(estimate);
        let mut cells: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for pair in reference.into_iter().zip(estimate) {
            *cells.entry(pair).or_default() += 1;
        }
        let cells = cells.into_iter();
        Self {
            cells: cells
                .map(|((row, column), frames)| (row, column, frames))
                .collect(),
            frames: ours.iter().sum(),
            reference: ours,
            estimate: theirs,
        }
    }

    fn cell_counts(&self) -> impl Iterator<Item = usize> {
        self.cells.iter().map(|&(_, _, frames)| frames)
    }

    /// Precision and recall of pairs of frames that are alike (Levy and Sandler, "Structural segmentation of musical
    /// audio by constrained clustering", IEEE Transactions on Audio, Speech, and Language Processing 16(2), 2008).
    pub(super) fn pairwise(&self) -> (f64, f64) {
        let both = pairs(self.cell_counts());
        let share = |whole: f64| if whole > 0.0 { both / whole } else { 0.0 };
        let of = |classes: &[usize]| share(pairs(classes.iter().copied()));
        (of(&self.estimate), of(&self.reference))
    }

    /// The share of pairs on which both agree, alike or not (Rand, "Objective criteria for the evaluation of clustering
    /// methods", Journal of the American Statistical Association 66, 1971).
    pub(super) fn rand(&self) -> f64 {
        let all = pairs([self.frames]);
        let both = pairs(self.cell_counts());
        let one = pairs(self.reference.iter().copied()) + pairs(self.estimate.iter().copied());
        match all > 0.0 {
            // Of the pairs alike in one of the two, those alike in both are counted twice.
            true => (all - one + 2.0 * both) / all,
            false => 0.0,
        }
    }

    /// The Rand index, 0 for what chance gives (Hubert and Arabie, "Comparing partitions", Journal of Classification 2,
    /// 1985).
    pub(super) fn adjusted_rand(&self) -> f64 {
        let one_each = self.reference.len() == self.frames && self.estimate.len() == self.frames;
        if self.is_undivided() || one_each {
            return 1.0;
        }
        let (ours, theirs) = (
            pairs(self.reference.iter().copied()),
            pairs(self.estimate.iter().copied()),
        );
        let expected = ours * theirs / pairs([self.frames]);
        (pairs(self.cell_counts()) - expected) / ((ours + theirs) / 2.0 - expected)
    }

    /// In nats.
    pub(super) fn mutual_information(&self) -> f64 {
        let all = self.frames as f64;
        let terms = self.cells.iter().map(|&(row, column, frames)| {
            let frames = frames as f64;
            let independent = self.reference[row] as f64 * self.estimate[column] as f64;
            frames / all * ((frames * all).ln() - independent.ln())
        });
        terms.sum()
    }

    /// By the geometric mean of the entropies (Strehl and Ghosh, "Cluster ensembles", Journal of Machine Learning
    /// Research 3, 2002).
    pub(super) fn normalized_mutual_information(&self) -> f64 {
        if self.is_undivided() {
            return 1.0;
        }
        let mean = (entropy(&self.reference) * entropy(&self.estimate)).sqrt();
        self.mutual_information() / mean.max(1e-10)
    }

    /// 0 for what chance gives, 1 at most (Vinh, Epps and Bailey, "Information theoretic measures for clusterings
    /// comparison", Journal of Machine Learning Research 11, 2010, with the larger entropy as the bound).
    pub(super) fn adjusted_mutual_information(&self) -> f64 {
        if self.is_undivided() {
            return 1.0;
        }
        let expected = self.expected_mutual_information();
        let bound = entropy(&self.reference).max(entropy(&self.estimate));
        (self.mutual_information() - expected) / (bound - expected)
    }

    /// Of two random labellings with classes of these sizes: cells are then hypergeometrically distributed.
    fn expected_mutual_information(&self) -> f64 {
        let all = self.frames;
        let mut log_factorial = vec![0.0; all + 1];
        for number in 1..=all {
            log_factorial[number] = log_factorial[number - 1] + (number as f64).ln();
        }
        let log_factorial = |number: usize| log_factorial[number];
        let mut expected = 0.0;
        for &row in &self.reference {
            for &column in &self.estimate {
                let fixed = log_factorial(row)
                    + log_factorial(column)
                    + log_factorial(all - row)
                    + log_factorial(all - column)
                    - log_factorial(all);
                let independent = (row as f64 * column as f64).ln();
                for frames in (row + column).saturating_sub(all).max(1)..=row.min(column) {
                    let log_probability = fixed
                        - log_factorial(frames)
                        - log_factorial(row - frames)
                        - log_factorial(column - frames)
                        - log_factorial(all + frames - row - column);
                    let information = (frames as f64 * all as f64).ln() - independent;
                    expected += frames as f64 / all as f64 * information * log_probability.exp();
                }
            }
        }
        expected
    }

    /// Over- and under-segmentation scores: one less the entropy of the estimate given the reference, and of the
    /// reference given the estimate, as shares of the most it can be for so many classes (Lukashevich, "Towards
    /// quantitative measures of evaluating song segmentation", ISMIR 2008), or of what it is without anything given
    /// (`marginal`; Rosenberg and Hirschberg, "V-measure", EMNLP 2007). 0 for one class.
    pub(super) fn conditional_entropy(&self, marginal: bool) -> (f64, f64) {
        let (mut of_estimate, mut of_reference) = (0.0, 0.0);
        for &(row, column, frames) in &self.cells {
            let share = frames as f64 / self.frames as f64;
            of_estimate -= share * (frames as f64 / self.reference[row] as f64).ln();
            of_reference -= share * (frames as f64 / self.estimate[column] as f64).ln();
        }
        let score = |left: f64, classes: &[usize]| {
            let most = match marginal {
                true => entropy(classes),
                false => (classes.len() as f64).ln(),
            };
            match classes.len() > 1 {
                true => 1.0 - left / most,
                false => 0.0,
            }
        };
        (
            score(of_estimate, &self.estimate),
            score(of_reference, &self.reference),
        )
    }

    fn is_undivided(&self) -> bool {
        self.reference.len() <= 1 && self.estimate.len() <= 1
    }
}

/// The same classes numbered without gaps, and how many frames each has.
fn by_appearance(classes: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let mut counts = Vec::new();
    let numbered = classes.iter().map(|class| {
        let number = *numbers.entry(*class).or_insert(counts.len());
        if number == counts.len() {
            counts.push(0);
        }
        counts[number] += 1;
        number
    });
    (numbered.collect(), counts)
}

/// Pairs within classes of these sizes.
fn pairs(sizes: impl IntoIterator<Item = usize>) -> f64 {
    let sizes = sizes.into_iter().map(|size| size as f64);
    sizes.map(|size| size * (size - 1.0) / 2.0).sum()
}

/// Of a labelling with classes of these sizes, in nats.
fn entropy(sizes: &[usize]) -> f64 {
    let all = sizes.iter().sum::<usize>() as f64;
    let terms = sizes.iter().map(|&size| {
        let share = size as f64 / all;
        -share * share.ln()
    });
    terms.sum()
}

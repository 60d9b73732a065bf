//! The shape of a layer and the order of frames in its sequences.

use std::borrow::Cow;

use rayon::prelude::*;

/// Sizes of one call of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub batch: usize,
    /// Frames
    pub time: usize,
    /// Features of the input
    pub input: usize,
    /// Units per direction
    pub hidden: usize,
}

impl Shape {
    pub fn frames(self) -> usize {
        self.batch * self.time
    }
}

/// What a sequence's outermost dimension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[batch, time, features]`
    BatchFirst,
    /// `[time, batch, features]`
    TimeFirst,
}

impl Order {
    /// The row of the frame at `time` of sequence `batch`.
    pub fn row(self, shape: Shape, batch: usize, time: usize) -> usize {
        match self {
            Self::BatchFirst => batch * shape.time + time,
            Self::TimeFirst => time * shape.batch + batch,
        }
    }
}

/// One direction of some of a batch's sequences: what one thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// 0, or 1 for the direction from the last frame to the first
    pub direction: usize,
    /// Of the part: `batch` is the number of its sequences
    pub shape: Shape,
    /// The first of its sequences, and of how many
    first: usize,
    batch: usize,
}

impl Part {
    /// Sequences below which a part is not divided: in a step, the weights are read for all of them at once.
    const FEWEST: usize = 2;

    /// A layer's work for rayon's threads.
    pub fn all(shape: Shape, directions: usize) -> Vec<Self> {
        let threads = rayon::current_num_threads() / directions;
        let pieces = threads.min(shape.batch / Self::FEWEST).max(1);
        (0..directions)
            .flat_map(|direction| (0..pieces).map(move |piece| (direction, piece)))
            .map(|(direction, piece)| {
                let start = |piece: usize| piece * shape.batch / pieces;
                Self {
                    direction,
                    shape: Shape {
                        batch: start(piece + 1) - start(piece),
                        ..shape
                    },
                    first: start(piece),
                    batch: shape.batch,
                }
            })
            .collect()
    }

    pub fn slots(self) -> Slots {
        Slots {
            time: self.shape.time,
            reverse: self.direction == 1,
        }
    }

    /// The row of the part's sequence `b` in states of `[directions, batch, …]`.
    pub fn state_row(self, b: usize) -> usize {
        self.direction * self.batch + self.first + b
    }

    /// The row of the frame at `time` of the part's sequence `b` among the whole batch's.
    #[inline(always)]
    pub fn row(self, order: Order, b: usize, time: usize) -> usize {
        let whole = Shape {
            batch: self.batch,
            ..self.shape
        };
        order.row(whole, self.first + b, time)
    }

    /// The part of a batch of sequences of `width` features, with time first.
    pub fn take(self, order: Order, sequences: &[f32], width: usize) -> Cow<'_, [f32]> {
        let Shape { batch, time, .. } = self.shape;
        let in_order = order == Order::TimeFirst || batch == 1 || time == 1;
        if batch == self.batch && in_order {
            return Cow::Borrowed(sequences);
        }
        let mut taken = Vec::with_capacity(self.shape.frames() * width);
        for t in 0..time {
            for b in 0..batch {
                taken.extend_from_slice(&sequences[self.row(order, b, t) * width..][..width]);
            }
        }
        Cow::Owned(taken)
    }

    /// Adds what belongs to the part to a batch of sequences: the way back from [`Part::take`].
    pub fn add(self, order: Order, part: &[f32], sequences: &mut [f32], width: usize) {
        let Shape { batch, time, .. } = self.shape;
        for t in 0..time {
            for b in 0..batch {
                let to = &mut sequences[self.row(order, b, t) * width..][..width];
                let from = &part[(t * batch + b) * width..][..width];
                for (to, from) in to.iter_mut().zip(from) {
                    *to += from;
                }
            }
        }
    }
}

/// Where a direction keeps its states: `time + 1` slots in the order of time, so that the states before all frames are
/// neighbours, and so are those after them.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    time: usize,
    reverse: bool,
}

impl Slots {
    /// The frame of the given step.
    pub fn frame(self, step: usize) -> usize {
        if self.reverse {
            self.time - 1 - step
        } else {
            step
        }
    }

    /// The slot of the state that the step at `frame` starts from.
    pub fn before(self, frame: usize) -> usize {
        frame + usize::from(self.reverse)
    }

    /// The slot of the state that the step at `frame` results in.
    pub fn after(self, frame: usize) -> usize {
        frame + usize::from(!self.reverse)
    }

    /// The slot of the initial state.
    pub fn first(self) -> usize {
        if self.reverse { self.time } else { 0 }
    }

    /// The slot of the final state.
    pub fn last(self) -> usize {
        if self.reverse { 0 } else { self.time }
    }
}

/// Runs `work` for each part, on as many threads as there are parts.
///
/// The flag tells `work` whether threads are left for it to use.
pub fn for_each_part<P: Sync, T: Send>(parts: &[P], work: impl Fn(&P, bool) -> T + Sync) -> Vec<T> {
    let idle = rayon::current_num_threads() > parts.len();
    match parts {
        [part] => vec![work(part, idle)],
        _ => parts.par_iter().map(|part| work(part, idle)).collect(),
    }
}

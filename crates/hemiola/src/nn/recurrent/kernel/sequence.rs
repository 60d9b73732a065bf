//! The shape of a layer and the order of frames in its sequences.

use std::borrow::Cow;

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

    /// A sequence of `width` features with time first.
    pub fn to_time_first(self, shape: Shape, sequence: &[f32], width: usize) -> Cow<'_, [f32]> {
        assert_eq!(sequence.len(), shape.frames() * width);
        if self == Self::TimeFirst || shape.batch == 1 || shape.time == 1 {
            return Cow::Borrowed(sequence);
        }
        let mut reordered = Vec::with_capacity(sequence.len());
        for time in 0..shape.time {
            for batch in 0..shape.batch {
                let row = self.row(shape, batch, time);
                reordered.extend_from_slice(&sequence[row * width..][..width]);
            }
        }
        Cow::Owned(reordered)
    }

    /// The inverse of [`Order::to_time_first`].
    pub fn from_time_first(self, shape: Shape, sequence: Vec<f32>, width: usize) -> Vec<f32> {
        if self == Self::TimeFirst {
            return sequence;
        }
        // Exchanging the two outer dimensions twice restores them.
        let exchanged = Shape {
            batch: shape.time,
            time: shape.batch,
            ..shape
        };
        self.to_time_first(exchanged, &sequence, width).into_owned()
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
    pub fn new(time: usize, reverse: bool) -> Self {
        Self { time, reverse }
    }

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

/// Runs `work` for each of one or two directions, two of them on two threads.
///
/// The flag tells `work` whether threads are left for it to use.
pub fn for_each_direction<T: Send>(
    directions: usize,
    work: impl Fn(usize, bool) -> T + Sync,
) -> Vec<T> {
    let threads = rayon::current_num_threads();
    if directions == 2 && threads > 1 {
        let idle = threads > 2;
        let (first, second) = rayon::join(|| work(0, idle), || work(1, idle));
        vec![first, second]
    } else {
        (0..directions)
            .map(|direction| work(direction, threads > 1))
            .collect()
    }
}

//! Sound on its way from who receives it to who computes with it, with a measured length.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

/// A stretch of sound.
#[derive(Debug, Default, PartialEq)]
pub struct Block {
    /// Samples that came before these and found no room.
    pub lost_before: u64,
    pub samples: Vec<f32>,
}

/// What is next.
#[derive(Debug)]
pub enum Next {
    Block(Block),
    /// What the receiver wants the user to know.
    Note(String),
    /// Nothing has come for as long as one wanted to wait.
    Nothing,
    /// Nothing will come any more: the sound is over, or could not be received any further.
    End(Result<()>),
}

/// What a source does that finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// It waits.
    Wait,
    /// It cannot wait: what it has received meanwhile is lost, and counted.
    Lose,
}

/// A bounded queue between two threads.
pub struct SampleQueue {
    overflow: Overflow,
    /// Samples from which on there is no room.
    capacity: usize,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    blocks: VecDeque<Block>,
    notes: VecDeque<String>,
    queued: usize,
    /// Since the last block that found room.
    lost: u64,
    end: Option<Result<()>>,
    /// Nobody listens any more.
    closed: bool,
}

impl SampleQueue {
    pub fn new(capacity: usize, overflow: Overflow) -> Self {
        Self {
            overflow,
            capacity,
            inner: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands samples over; false where nobody listens any more.
    pub fn push(&self, samples: &[f32]) -> bool {
        let mut inner = self.lock();
        while self.overflow == Overflow::Wait && inner.queued >= self.capacity && !inner.closed {
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if inner.closed {
            return false;
        }
        if inner.queued >= self.capacity {
            inner.lost += samples.len() as u64;
            return true;
        }
        inner.queued += samples.len();
        let lost_before = std::mem::take(&mut inner.lost);
        inner.blocks.push_back(Block {
            lost_before,
            samples: samples.to_vec(),
        });
        self.changed.notify_all();
        true
    }

    /// Has the user told something.
    pub fn note(&self, note: String) {
        self.lock().notes.push_back(note);
        self.changed.notify_all();
    }

    /// Says that no more will come; what is said first holds.
    pub fn end(&self, result: Result<()>) {
        let mut inner = self.lock();
        if inner.end.is_none() {
            inner.end = Some(result);
        }
        self.changed.notify_all();
    }

    /// Says that nobody listens any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// What is next, waited for no longer than that. After the end, the end again without its fault.
    pub fn next(&self, patience: Duration) -> Next {
        let until = Instant::now() + patience;
        let mut inner = self.lock();
        loop {
            if let Some(note) = inner.notes.pop_front() {
                return Next::Note(note);
            }
            if let Some(block) = inner.blocks.pop_front() {
                inner.queued -= block.samples.len();
                self.changed.notify_all();
                return Next::Block(block);
            }
            if inner.end.is_some() {
                if inner.lost > 0 {
                    return Next::Block(Block {
                        lost_before: std::mem::take(&mut inner.lost),
                        samples: Vec::new(),
                    });
                }
                let end = inner.end.replace(Ok(()));
                return Next::End(end.unwrap_or(Ok(())));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Nothing;
            }
            (inner, _) = self
                .changed
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Samples received that nobody has taken yet.
    pub fn queued(&self) -> usize {
        self.lock().queued
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn block(queue: &SampleQueue) -> Block {
        match queue.next(PATIENCE) {
            Next::Block(block) => block,
            other => panic!("expected a block, found {other:?}"),
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_where_it_is_missing() {
        let queue = SampleQueue::new(5, Overflow::Lose);
        for samples in [&[1.0; 4][..], &[2.0; 3], &[3.0; 10], &[4.0; 2]] {
            assert!(queue.push(samples));
        }
        assert_eq!(queue.queued(), 7);
        assert_eq!(block(&queue).samples, [1.0; 4]);
        assert_eq!(queue.queued(), 3);
        assert!(queue.push(&[5.0]));
        assert_eq!(block(&queue).samples, [2.0; 3]);
        let after = block(&queue);
        assert_eq!((after.lost_before, after.samples), (12, vec![5.0]));
        // What is lost at the very end is told, too.
        queue.push(&[6.0; 5]);
        queue.push(&[7.0; 9]);
        queue.end(Ok(()));
        assert_eq!(block(&queue).lost_before, 0);
        let last = block(&queue);
        assert_eq!((last.lost_before, last.samples.len()), (9, 0));
        assert!(matches!(queue.next(PATIENCE), Next::End(Ok(()))));
    }

    #[test]
    fn who_can_wait_waits_and_loses_nothing() {
        let queue = SampleQueue::new(2, Overflow::Wait);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in 0..50 {
                    assert!(queue.push(&[value as f32; 2]));
                }
                queue.end(Err(anyhow::anyhow!("unplugged")));
                queue.end(Ok(()));
            });
            for value in 0..50 {
                let block = block(&queue);
                assert_eq!(block.samples, [value as f32; 2]);
                assert_eq!(block.lost_before, 0);
                assert!(queue.queued() <= 2);
            }
            let Next::End(end) = queue.next(PATIENCE) else {
                panic!("expected the end");
            };
            assert_eq!(end.unwrap_err().to_string(), "unplugged");
        });
    }

    #[test]
    fn nobody_waits_for_those_who_have_gone() {
        let queue = SampleQueue::new(1, Overflow::Wait);
        assert!(matches!(queue.next(Duration::ZERO), Next::Nothing));
        assert!(queue.push(&[0.0]));
        std::thread::scope(|scope| {
            let pushed = scope.spawn(|| queue.push(&[1.0]));
            queue.close();
            assert!(!pushed.join().unwrap());
        });
    }
}

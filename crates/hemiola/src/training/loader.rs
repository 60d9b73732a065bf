//! Batches prepared in the background, in an order that depends on nothing but their number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;

use crate::error::{Error, Result};

/// Makes batch number n, the same one every time.
pub type MakeBatch<B> = Arc<dyn Fn(usize) -> Result<B> + Send + Sync>;

/// Batches `next..total`, made ahead by worker threads and handed out in order.
#[derive(Clone)]
pub struct NumberedLoader<B> {
    make: MakeBatch<B>,
    next: usize,
    total: usize,
    threads: usize,
}

impl<B: Send + 'static> NumberedLoader<B> {
    pub fn new(make: MakeBatch<B>, next: usize, total: usize, threads: usize) -> Self {
        Self {
            make,
            next,
            total,
            threads,
        }
    }
}

/// Batches that may wait for the one that is due, for each worker.
const AHEAD_PER_THREAD: usize = 3;

struct NumberedIterator<B> {
    receiver: mpsc::Receiver<(usize, Result<B>)>,
    waiting: BTreeMap<usize, Result<B>>,
    next: usize,
    first: usize,
    total: usize,
    taken: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl<B: Send + 'static> DataLoader<B> for NumberedLoader<B> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<B> + 'a> {
        let (sender, receiver) = mpsc::channel();
        let claimed = Arc::new(AtomicUsize::new(self.next));
        let taken = Arc::new(AtomicUsize::new(self.next));
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..self.threads {
            let (make, sender, total) = (self.make.clone(), sender.clone(), self.total);
            let (claimed, taken, stop) = (claimed.clone(), taken.clone(), stop.clone());
            let ahead = AHEAD_PER_THREAD * self.threads;
            std::thread::spawn(move || {
                loop {
                    let number = claimed.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return;
                    }
                    while number >= taken.load(Ordering::Relaxed) + ahead {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                    if stop.load(Ordering::Relaxed) || sender.send((number, make(number))).is_err()
                    {
                        return;
                    }
                }
            });
        }
        Box::new(NumberedIterator {
            receiver,
            waiting: BTreeMap::new(),
            next: self.next,
            first: self.next,
            total: self.total,
            taken,
            stop,
        })
    }

    fn num_items(&self) -> usize {
        self.total - self.next
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<B>> {
        Arc::new(self.clone_loader())
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<B>> {
        let mut part = self.clone_loader();
        part.next = self.next + start;
        part.total = (self.next + end).min(self.total);
        Arc::new(part)
    }
}

impl<B> NumberedLoader<B> {
    fn clone_loader(&self) -> Self {
        Self {
            make: self.make.clone(),
            next: self.next,
            total: self.total,
            threads: self.threads,
        }
    }
}

impl<B> Iterator for NumberedIterator<B> {
    type Item = std::result::Result<B, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.total {
            return None;
        }
        let batch = loop {
            if let Some(batch) = self.waiting.remove(&self.next) {
                break batch;
            }
            match self.receiver.recv() {
                Ok((number, batch)) => {
                    self.waiting.insert(number, batch);
                }
                Err(_) => {
                    return Some(Err(DatasetError::new(Error::config(format!(
                        "batch {} was not made: its worker stopped",
                        self.next
                    )))));
                }
            }
        };
        self.next += 1;
        self.taken.store(self.next, Ordering::Relaxed);
        Some(batch.map_err(DatasetError::new))
    }
}

impl<B> DataLoaderIterator<B> for NumberedIterator<B> {
    fn progress(&self) -> Progress {
        Progress::new(
            self.next - self.first,
            self.total - self.first,
            Some("batches".to_owned()),
        )
    }
}

impl<B> Drop for NumberedIterator<B> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_come_in_order_whatever_the_threads_do() {
        for threads in [1, 3] {
            let make: MakeBatch<usize> = Arc::new(|n| {
                std::thread::sleep(std::time::Duration::from_micros(
                    (n * 7919 % 5) as u64 * 100,
                ));
                Ok(n)
            });
            let loader = NumberedLoader::new(make, 4, 40, threads);
            let numbers: Vec<usize> = loader.iter().map(|b| b.unwrap()).collect();
            assert_eq!(numbers, (4..40).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_batch_that_cannot_be_made_is_an_error_in_its_place() {
        let make: MakeBatch<usize> = Arc::new(|n| match n {
            2 => Err(crate::Error::config("no such recording")),
            n => Ok(n),
        });
        let loader = NumberedLoader::new(make, 0, 4, 2);
        let results: Vec<bool> = loader.iter().map(|b| b.is_ok()).collect();
        assert_eq!(results, [true, true, false, true]);
    }
}

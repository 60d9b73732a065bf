//! Many items read at once, and ahead of need.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use rayon::prelude::*;

use super::Item;
use crate::Result;

/// What could be read, and what could not.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading<T> {
    /// Names of items with what was read of them, in the order of the items.
    pub pieces: Vec<(String, T)>,
    /// One sentence for each item that was passed over, naming it.
    pub skipped: Vec<String>,
}

/// Reads items on all threads; one that cannot be read does not stop the others.
pub fn read_all<'a, T: Send>(
    items: impl IntoIterator<Item = &'a Item>,
    read: impl Fn(&Item) -> Result<T> + Sync,
) -> Reading<T> {
    let items: Vec<&Item> = items.into_iter().collect();
    let read: Vec<Result<T>> = items.par_iter().map(|item| read(item)).collect();
    let mut reading = Reading {
        pieces: Vec::with_capacity(items.len()),
        skipped: Vec::new(),
    };
    for (item, piece) in items.into_iter().zip(read) {
        match piece {
            Ok(piece) => reading.pieces.push((item.name.clone(), piece)),
            Err(error) => reading.skipped.push(error.to_string()),
        }
    }
    reading
}

/// Items read in the background while earlier ones are in use, in their order; ends early when dropped.
///
/// A panic while reading an item is passed on to whoever asks for the next.
#[derive(Debug)]
pub struct ReadAhead<T> {
    receiver: Receiver<(Item, Result<T>)>,
    reader: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> ReadAhead<T> {
    /// Reads no more than about twice `ahead` items before they are asked for.
    pub fn new(
        items: Vec<Item>,
        ahead: usize,
        read: impl Fn(&Item) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let ahead = ahead.max(1);
        let (sender, receiver) = sync_channel(ahead);
        let reader = std::thread::spawn(move || {
            for part in items.chunks(ahead) {
                let pieces: Vec<Result<T>> = part.par_iter().map(&read).collect();
                for (item, piece) in part.iter().zip(pieces) {
                    if sender.send((item.clone(), piece)).is_err() {
                        return;
                    }
                }
            }
        });
        Self {
            receiver,
            reader: Some(reader),
        }
    }
}

impl<T> Iterator for ReadAhead<T> {
    type Item = (Item, Result<T>);

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.receiver.recv().ok();
        if next.is_none()
            && let Some(reader) = self.reader.take()
            && let Err(panic) = reader.join()
        {
            resume_unwind(panic);
        }
        next
    }
}

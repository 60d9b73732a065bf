//! The recording that others are compared with.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use hemiola::audio::AudioStream;
use hemiola::index::{ContentHash, Embedding, Index, Passages, Track, hash_file};
use hemiola::tasks::embed::Embedder;
use sha2::{Digest, Sha256};

use super::Args;
use crate::{embed, progress};

pub struct Query {
    pub name: String,
    pub passages: Passages,
    pub duration_s: f64,
    /// The same recording, where the index has it.
    pub itself: Option<Track>,
}

impl Query {
    /// Hears a recording, unless the index has it already.
    pub fn of(args: &Args, path: &Path, index: &Index) -> Result<Self> {
        if path == Path::new("-") {
            let (embedding, content) = hear_stdin(&open(args, index)?)?;
            let itself = index.find(&content)?;
            return Ok(Self {
                name: "standard input".to_owned(),
                passages: embedding.passages,
                duration_s: embedding.duration_s,
                itself: itself.map(|track| index.track(track)).transpose()?,
            });
        }
        let name = path.display().to_string();
        if path.is_file()
            && let Some(track) = index.find(&hash_file(path)?)?
        {
            let passages = index.passages(track)?;
            let track = index.track(track)?;
            // A model that is named must be the right one though it has nothing to do.
            if args.model.is_some() {
                open(args, index)?;
            }
            return Ok(Self {
                name,
                passages,
                duration_s: track.duration_s,
                itself: Some(track),
            });
        }
        let embedder = open(args, index)?;
        let mut stream = AudioStream::open(path, embedder.sample_rate())?;
        let embedding = hear(&embedder, &mut stream, &name)?;
        Ok(Self {
            name,
            passages: embedding.passages,
            duration_s: embedding.duration_s,
            itself: None,
        })
    }
}

fn open(args: &Args, index: &Index) -> Result<Embedder> {
    embed::open_embedder(args.model.as_deref(), Some(index), args.device)
}

fn hear(embedder: &Embedder, stream: &mut AudioStream, name: &str) -> Result<Embedding> {
    let bar = progress::bar(
        stream.duration_s().unwrap_or(0.0).ceil() as u64,
        "{msg} {wide_bar} {percent}% {eta}",
    );
    bar.set_message(name.to_owned());
    let embedding = embedder.embed(stream, |now_s| bar.set_position(now_s as u64));
    bar.finish_and_clear();
    let embedding = embedding.with_context(|| name.to_owned())?;
    for warning in stream.warnings() {
        eprintln!("warning: {name}: {warning}");
    }
    Ok(embedding)
}

fn hear_stdin(embedder: &Embedder) -> Result<(Embedding, ContentHash)> {
    let name = "standard input";
    let hashed = Hashed(Arc::new(Mutex::new(Sha256::new())));
    let hasher = Arc::clone(&hashed.0);
    let mut stream = AudioStream::from_reader(hashed, name, embedder.sample_rate())?;
    let embedding = hear(embedder, &mut stream, name)?;
    drop(stream);
    // What follows the sound is part of the file, too.
    io::copy(&mut Hashed(Arc::clone(&hasher)), &mut io::sink()).with_context(|| name.to_owned())?;
    let hasher = hasher.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((embedding, hasher.clone().finalize().into()))
}

/// Standard input, with the hash of what was read of it.
struct Hashed(Arc<Mutex<Sha256>>);

impl Read for Hashed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = io::stdin().read(into)?;
        let mut hasher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hasher.update(&into[..n]);
        Ok(n)
    }
}

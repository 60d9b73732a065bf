//! What sounds like a query.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rayon::prelude::*;

use super::neighbours::{GraphFile, Kind, Neighbours};
use super::passages::Passages;
use super::similarity::{TrackVectors, dot, largest, products};
use super::{Index, TrackId};
use crate::error::{Error, Result};

/// A recording that sounds like the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub track: TrackId,
    /// Cosine of what was ranked by: of whole recordings, or of the best pair of passages.
    pub similarity: f64,
    /// The passages of both that are most alike.
    pub passage: PassagePair,
}

/// A passage of the query and one of a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PassagePair {
    /// Where each begins, in seconds.
    pub query_start_s: f64,
    pub start_s: f64,
    /// Cosine of the two.
    pub similarity: f64,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The most similar first.
    pub hits: Vec<Hit>,
    /// Whether everything was compared; otherwise a graph of neighbours told what was.
    pub exact: bool,
    /// A graph that could have told, but is not there, damaged or of another index; [`Index::update_graphs`] makes it anew.
    pub unusable_graph: Option<PathBuf>,
}

/// An index made ready for queries: what they need is read once, when it is needed.
pub struct Search<'a> {
    index: &'a Index,
    exact: bool,
    vectors: OnceCell<TrackVectors>,
    tracks: OnceCell<GraphFile>,
    passages: OnceCell<GraphFile>,
}

impl<'a> Search<'a> {
    /// Where the index has graphs of neighbours ([`Index::update_graphs`]), they tell what is compared.
    pub fn new(index: &'a Index) -> Self {
        Self {
            index,
            exact: false,
            vectors: OnceCell::new(),
            tracks: OnceCell::new(),
            passages: OnceCell::new(),
        }
    }

    /// Compares everything, though there may be graphs.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    /// The `n` recordings most like the query as a whole, but for `without`.
    ///
    /// # Errors
    /// When the query has no direction; when the index cannot be read, or is damaged.
    pub fn tracks_like(
        &self,
        query: &Passages,
        n: usize,
        without: Option<TrackId>,
    ) -> Result<Found> {
        let vector = query.mean().filter(|v| v.len() == self.index.model().width);
        let Some(vector) = vector else {
            return Err(nothing_heard());
        };
        let graph = self.graph(Kind::Tracks)?;
        let like = match graph {
            GraphFile::Ready(near) => self.tracks_near(near, &vector, n.saturating_add(1))?,
            _ => self.vectors()?.nearest(&vector, n.saturating_add(1)),
        };
        let mut hits = Vec::new();
        for (track, similarity) in like {
            if Some(track) == without || hits.len() == n {
                continue;
            }
            let passages = self.index.passages(track)?;
            hits.extend(best_pair(query, &passages).map(|passage| Hit {
                track,
                similarity: f64::from(similarity),
                passage,
            }));
        }
        Ok(found(hits, graph))
    }

    /// The `n` recordings that have the passages most like one of the query's, but for `without`. Without a graph it reads every
    /// passage.
    ///
    /// # Errors
    /// As [`Self::tracks_like`].
    pub fn passages_like(
        &self,
        query: &Passages,
        n: usize,
        without: Option<TrackId>,
    ) -> Result<Found> {
        if query.is_empty() || query.width() != self.index.model().width {
            return Err(nothing_heard());
        }
        let graph = self.graph(Kind::Passages)?;
        let hits = match graph {
            GraphFile::Ready(near) => self.passages_near(near, query, n, without)?,
            _ => {
                let tracks = self.index.heard()?.into_iter();
                self.best_of(query, tracks.filter(|&track| Some(track) != without), n)?
            }
        };
        Ok(found(hits, graph))
    }

    /// The `n` of these tracks that have the passages most like one of the query's.
    fn best_of(
        &self,
        query: &Passages,
        tracks: impl Iterator<Item = TrackId>,
        n: usize,
    ) -> Result<Vec<Hit>> {
        let mut pairs = Vec::new();
        for track in tracks {
            let pair = best_pair(query, &self.index.passages(track)?);
            pairs.extend(pair.map(|pair| (track, pair)));
        }
        let by_place = (0..pairs.len()).zip(pairs.iter().map(|(_, p)| p.similarity as f32));
        let best = largest(by_place.collect(), n).into_iter();
        Ok(best
            .map(|(place, _)| {
                let (track, passage) = pairs[place];
                Hit {
                    track,
                    similarity: passage.similarity,
                    passage,
                }
            })
            .collect())
    }

    /// Of what a graph tells and does not know, the `n` tracks with the largest products.
    fn tracks_near(
        &self,
        near: &Neighbours,
        vector: &[f32],
        n: usize,
    ) -> Result<Vec<(TrackId, f32)>> {
        let told = near.graph.nearest(vector, several(n))?.into_iter();
        let mut tracks: BTreeSet<TrackId> = told.map(|(key, _)| Kind::Tracks.track(key)).collect();
        tracks.extend(&near.changed);
        let mut like = Vec::new();
        for track in tracks {
            let found = self.index.vector(track)?;
            like.extend(found.map(|found| (track, dot(vector, &found))));
        }
        Ok(largest(like, n))
    }

    /// Of what a graph tells and does not know, the `n` recordings with the passages most like one of the query's.
    fn passages_near(
        &self,
        near: &Neighbours,
        query: &Passages,
        n: usize,
        without: Option<TrackId>,
    ) -> Result<Vec<Hit>> {
        let usable = |track: &TrackId| Some(*track) != without;
        let mut wanted = several(n);
        loop {
            let told = (0..query.len())
                .into_par_iter()
                .map(|place| near.graph.nearest(query.vector(place), wanted))
                .collect::<Result<Vec<_>>>()?;
            let mut best: BTreeMap<TrackId, f32> = BTreeMap::new();
            for &(key, similarity) in told.iter().flatten() {
                let most = best.entry(Kind::Passages.track(key)).or_insert(similarity);
                *most = most.max(similarity);
            }
            best.retain(|track, _| usable(track) && !near.changed.contains(track));
            let known = best.len() + near.changed.len() + usize::from(without.is_some());
            let enough = best.len() >= several(n) || known >= self.index.count(Kind::Tracks)?;
            // One recording may have many passages alike, which leave no place for others.
            let further = wanted < near.graph.len() && wanted < MOST_TOLD;
            if enough || !further {
                let best = largest(best.into_iter().collect(), several(n));
                let tracks = best.into_iter().map(|(track, _)| track);
                let changed = near.changed.iter().copied().filter(usable);
                return self.best_of(query, tracks.chain(changed), n);
            }
            wanted *= 2;
        }
    }

    /// The vectors of all tracks, 4 bytes for each number.
    fn vectors(&self) -> Result<&TrackVectors> {
        get_or_read(&self.vectors, || self.index.vectors())
    }

    fn graph(&self, kind: Kind) -> Result<&GraphFile> {
        let cell = match kind {
            Kind::Tracks => &self.tracks,
            Kind::Passages => &self.passages,
        };
        get_or_read(cell, || match self.exact {
            true => Ok(GraphFile::None),
            false => self.index.neighbours(kind),
        })
    }
}

/// A graph's vectors are rounded, and some of the nearest are missed at its borders: so more are compared than are asked for.
fn several(n: usize) -> usize {
    n.saturating_mul(4).max(64)
}

/// The most that a graph is asked for, for each passage.
const MOST_TOLD: usize = 4096;

fn found(hits: Vec<Hit>, graph: &GraphFile) -> Found {
    Found {
        hits,
        exact: !matches!(graph, GraphFile::Ready(_)),
        unusable_graph: match graph {
            GraphFile::Unusable(file) => Some(file.clone()),
            _ => None,
        },
    }
}

fn get_or_read<T>(cell: &OnceCell<T>, read: impl FnOnce() -> Result<T>) -> Result<&T> {
    match cell.get() {
        Some(value) => Ok(value),
        None => {
            let value = read()?;
            Ok(cell.get_or_init(|| value))
        }
    }
}

fn nothing_heard() -> Error {
    Error::config("there is nothing to hear in the query, so nothing is like it")
}

/// The passages of two recordings that are most alike, the earliest where several are.
fn best_pair(query: &Passages, other: &Passages) -> Option<PassagePair> {
    let products = products(query.vectors(), other.vectors(), query.width());
    let mut best = (0, products.first()?);
    for (place, product) in products.iter().enumerate() {
        if product > best.1 {
            best = (place, product);
        }
    }
    let (query_place, place) = (best.0 / other.len(), best.0 % other.len());
    Some(PassagePair {
        query_start_s: query.starts_s()[query_place],
        start_s: other.starts_s()[place],
        similarity: f64::from(best.1.clamp(-1.0, 1.0)),
    })
}

//! What sounds like a query.

use super::passages::Passages;
use super::similarity::{TrackVectors, largest, products};
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

/// An index made ready for queries.
#[derive(Debug)]
pub struct Search<'a> {
    index: &'a Index,
    tracks: TrackVectors,
}

impl<'a> Search<'a> {
    /// Reads the vectors of all tracks, 4 bytes for each number.
    ///
    /// # Errors
    /// When the index cannot be read, or is damaged.
    pub fn new(index: &'a Index) -> Result<Self> {
        Ok(Self {
            index,
            tracks: index.vectors()?,
        })
    }

    /// Tracks that can be found: those in which something is heard.
    pub fn tracks(&self) -> &TrackVectors {
        &self.tracks
    }

    /// The `n` recordings most like the query as a whole, but for `without`; exact.
    ///
    /// # Errors
    /// When the query has no direction; when the index cannot be read, or is damaged.
    pub fn tracks_like(
        &self,
        query: &Passages,
        n: usize,
        without: Option<TrackId>,
    ) -> Result<Vec<Hit>> {
        let vector = query.mean().filter(|v| v.len() == self.tracks.width());
        let Some(vector) = vector else {
            return Err(nothing_heard());
        };
        let found = self.tracks.nearest(&vector, n.saturating_add(1));
        let mut hits = Vec::new();
        for (track, similarity) in found {
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
        Ok(hits)
    }

    /// The `n` recordings that have the passages most like one of the query's, but for `without`; exact. Reads every passage.
    ///
    /// # Errors
    /// As [`Self::tracks_like`].
    pub fn passages_like(
        &self,
        query: &Passages,
        n: usize,
        without: Option<TrackId>,
    ) -> Result<Vec<Hit>> {
        if query.is_empty() || query.width() != self.tracks.width() {
            return Err(nothing_heard());
        }
        let mut pairs = Vec::new();
        for &track in self.tracks.ids() {
            if Some(track) != without {
                let pair = best_pair(query, &self.index.passages(track)?);
                pairs.extend(pair.map(|pair| (track, pair)));
            }
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

//! A library of recordings as vectors, in one SQLite file: what sounds like what, where, and what is there twice.
//!
//! A recording is cut into overlapping passages, each of which a model turns into a vector of unit length
//! ([`tasks::embed`](crate::tasks::embed)); the recording's own vector is their mean, brought to unit length. Similarity is the
//! cosine of the angle between vectors: 1 for the same direction, 0 for nothing in common.
//!
//! Nothing in here needs a network: vectors come from anywhere.

mod alignment;
mod duplicates;
mod fault;
mod files;
mod graph;
mod neighbours;
mod passages;
mod paths;
mod plane;
mod schema;
mod search;
mod similarity;
mod store;
#[cfg(test)]
mod tests;

pub use duplicates::{DuplicateConfig, DuplicateGroup, Twin, duplicates};
pub use files::{ContentHash, FileState, IndexedFile, Stamp, Track, hash_file};
pub use neighbours::GraphConfig;
pub use passages::{Embedding, Passages};
pub use plane::{Place, plane};
pub use schema::{FORMAT, ModelIdentity};
pub use search::{Found, Hit, PassagePair, Search};
pub use similarity::TrackVectors;
pub use store::Index;

/// The number of a track within an index.
pub type TrackId = i64;

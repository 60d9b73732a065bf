//! Many vectors as a graph of neighbours, which is walked from one to the next towards a query: most of the nearest are
//! found, and few vectors are read (HNSW; Malkov and Yashunin 2018).

use std::path::Path;

use rayon::prelude::*;
use usearch::{IndexOptions, MetricKind, ScalarKind};

use crate::error::{Error, Result};

/// Neighbours of a vector in the lower layers.
const CONNECTIVITY: usize = 16;
/// Vectors looked at when one is put in.
const EXPANSION_ADD: usize = 128;
/// Vectors looked at when one is looked for; the benchmark of neighbours tells what is found.
const EXPANSION_SEARCH: usize = 256;

/// The first vectors are put in one after another: in a small graph, those that come at once do not see one another, and some
/// are never found.
const FEW: usize = 4096;

/// Vectors under numbers. They are kept in 8 bits a number, so what is found is to be compared again.
pub struct Graph {
    points: usearch::Index,
}

impl Graph {
    /// Without a vector.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new(width: usize) -> Result<Self> {
        let options = IndexOptions {
            dimensions: width,
            metric: MetricKind::Cos,
            quantization: ScalarKind::I8,
            connectivity: CONNECTIVITY,
            expansion_add: EXPANSION_ADD,
            expansion_search: EXPANSION_SEARCH,
            multi: false,
        };
        let points = usearch::Index::new(&options).map_err(|fault| unusable(&fault))?;
        let graph = Self { points };
        // Kept when a file is opened.
        graph.reserve(0)?;
        Ok(graph)
    }

    /// Whether a file begins as graphs do.
    pub fn is_one(path: &Path) -> bool {
        path.to_str()
            .is_some_and(|name| usearch::Index::metadata(name).is_ok())
    }

    /// Makes room for vectors, and for as many threads as may ask at once.
    fn reserve(&self, vectors: usize) -> Result<()> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = rayon::current_num_threads().max(processors);
        self.points
            .reserve_capacity_and_threads(vectors, threads)
            .map_err(|fault| unusable(&fault))
    }

    /// Reads a graph to change it.
    ///
    /// # Errors
    /// When the file is none, or has vectors of another width.
    pub fn load(path: &Path, width: usize) -> Result<Self> {
        Self::open(path, width, |points, name| points.load(name))
    }

    /// Opens a graph to search it: vectors are read when they are needed.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn view(path: &Path, width: usize) -> Result<Self> {
        Self::open(path, width, |points, name| points.view(name))
    }

    fn open<E: std::fmt::Display>(
        path: &Path,
        width: usize,
        open: impl FnOnce(&usearch::Index, &str) -> std::result::Result<(), E>,
    ) -> Result<Self> {
        let graph = Self::new(width)?;
        let found =
            |fault: String| Error::input(path, format!("is no graph of neighbours: {fault}"));
        open(&graph.points, name(path)?).map_err(|fault| found(fault.to_string()))?;
        match graph.points.dimensions() {
            dimensions if dimensions == width => Ok(graph),
            other => Err(found(format!("vectors of {other} numbers, not of {width}"))),
        }
    }

    pub fn len(&self) -> usize {
        self.points.size()
    }

    /// Puts vectors in, several at once where there are many.
    ///
    /// # Errors
    /// When there is no memory, or a number is taken.
    pub fn add(&self, vectors: &[(u64, Vec<f32>)]) -> Result<()> {
        let vectors_then = self.len() + vectors.len();
        self.reserve(match self.points.capacity() < vectors_then {
            true => vectors_then.next_power_of_two(),
            false => self.points.capacity(),
        })?;
        let add = |(key, vector): &(u64, Vec<f32>)| self.points.add(*key, vector);
        let alone = FEW.saturating_sub(self.len()).min(vectors.len());
        let (first, rest) = vectors.split_at(alone);
        first
            .iter()
            .try_for_each(add)
            .and_then(|()| rest.par_iter().try_for_each(add))
            .map_err(|fault| unusable(&fault))
    }

    /// Takes a vector out; tells whether there was one.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn remove(&self, key: u64) -> Result<bool> {
        let removed = self.points.remove(key).map_err(|fault| unusable(&fault))?;
        Ok(removed > 0)
    }

    /// About the `n` nearest and their cosines, nearly; the nearest first.
    ///
    /// # Errors
    /// When the query has another width.
    pub fn nearest(&self, query: &[f32], n: usize) -> Result<Vec<(u64, f32)>> {
        let found = self.points.search(query, n.min(self.len()));
        let found = found.map_err(|fault| unusable(&fault))?;
        let cosines = found.distances.iter().map(|distance| 1.0 - distance);
        Ok(found.keys.iter().copied().zip(cosines).collect())
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.points
            .save(name(path)?)
            .map_err(|fault| unusable(&fault))?;
        // Its writer does not tell when the last bytes find no room.
        Self::view(path, self.points.dimensions()).map(drop)
    }
}

/// A path as usearch takes it.
pub fn name(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Error::input(
            path,
            "the name of a graph of neighbours must be Unicode; rename the index or its folder",
        )
    })
}

fn unusable(fault: &dyn std::fmt::Display) -> Error {
    Error::config(format!("the graph of neighbours: {fault}"))
}

//! Graphs of neighbours beside a large index, and what keeps them in step with it.
//!
//! There are two, of recordings and of passages, each a file of its own beside the index, so that a search reads little of
//! them. The index tells which files they are and which recordings came or went since they were made; those are compared
//! one by one. So a graph need not be made anew with every recording, and one that is lost, damaged or of another index costs
//! time only: everything is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::files::{ContentHash, Stamp, hash_file};
use super::graph::Graph;
use super::schema::begin;
use super::{Index, TrackId, paths};
use crate::error::{Error, Result};

/// When an index gets graphs of neighbours, and when they are brought up to date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphConfig {
    /// From how many recordings on there is a graph of them.
    pub tracks: usize,
    /// From how many passages on there is a graph of them.
    pub passages: usize,
    /// The share of recordings that may have come or gone since.
    pub tolerance: f64,
}

impl GraphConfig {
    /// A graph of whatever there is, never behind.
    pub const ALWAYS: Self = Self {
        tracks: 1,
        passages: 1,
        tolerance: 0.0,
    };
}

impl Default for GraphConfig {
    /// Where comparing everything takes about a second.
    fn default() -> Self {
        Self {
            tracks: 100_000,
            passages: 1_000_000,
            tolerance: 0.01,
        }
    }
}

/// What a graph has the vectors of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Tracks,
    Passages,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Tracks, Self::Passages];
    /// Of the number of a passage in a graph, those for its place in the recording: 18 days of them.
    const PLACE_BITS: u32 = 20;

    fn name(self) -> &'static str {
        match self {
            Self::Tracks => "tracks",
            Self::Passages => "passages",
        }
    }

    /// `library.hml.tracks` beside `library.hml`.
    fn file(self, index: &Path) -> PathBuf {
        let mut name = index.as_os_str().to_owned();
        name.push(".");
        name.push(self.name());
        name.into()
    }

    fn least(self, config: &GraphConfig) -> usize {
        match self {
            Self::Tracks => config.tracks,
            Self::Passages => config.passages,
        }
    }

    fn key(self, track: TrackId, place: usize) -> u64 {
        match self {
            Self::Tracks => track as u64,
            Self::Passages => (track as u64) << Self::PLACE_BITS | place as u64,
        }
    }

    /// The track of a number in a graph.
    pub fn track(self, key: u64) -> TrackId {
        match self {
            Self::Tracks => key as TrackId,
            Self::Passages => (key >> Self::PLACE_BITS) as TrackId,
        }
    }
}

/// A graph, and what it does not know.
pub struct Neighbours {
    pub graph: Graph,
    /// Tracks that came, went or changed since.
    pub changed: BTreeSet<TrackId>,
}

/// What an index has in the way of a graph.
pub enum GraphFile {
    None,
    /// There is to be one, but not as this file is.
    Unusable(PathBuf),
    Ready(Neighbours),
}

/// The file of a graph as it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    stamp: Stamp,
    content: ContentHash,
}

impl Made {
    fn is(&self, file: &Path) -> bool {
        match Stamp::of(file) {
            Ok(stamp) if stamp == self.stamp => true,
            // Such as a copy.
            Ok(stamp) if stamp.size == self.stamp.size => {
                hash_file(file).is_ok_and(|content| content == self.content)
            }
            _ => false,
        }
    }
}

/// What an index knows of its graphs. A track's number may be given again when it has gone: so it counts as changed, not as new.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS graph (
    kind TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS graph_change (number INTEGER PRIMARY KEY AUTOINCREMENT, track INTEGER NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS track_came AFTER INSERT ON track
    BEGIN INSERT INTO graph_change (track) VALUES (new.id); END;
CREATE TRIGGER IF NOT EXISTS track_went AFTER DELETE ON track
    BEGIN INSERT INTO graph_change (track) VALUES (old.id); END;
";
const WITHOUT: &str = "
DROP TRIGGER IF EXISTS track_came; DROP TRIGGER IF EXISTS track_went;
DROP TABLE IF EXISTS graph; DROP TABLE IF EXISTS graph_change;
";

impl Index {
    /// The graph of a kind.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub(super) fn neighbours(&self, kind: Kind) -> Result<GraphFile> {
        // One moment of the index: what a graph knows, and what it does not.
        let moment = self.connection.unchecked_transaction();
        let moment = moment.map_err(self.fail())?;
        let state = State::read(&moment).map_err(self.fail())?;
        drop(moment);
        let Some(made) = state.made.get(kind.name()) else {
            return Ok(GraphFile::None);
        };
        let file = kind.file(self.path());
        let graph = made
            .is(&file)
            .then(|| Graph::view(&file, self.model().width).ok());
        Ok(match graph.flatten() {
            Some(graph) => GraphFile::Ready(Neighbours {
                graph,
                changed: state.changed,
            }),
            None => GraphFile::Unusable(file),
        })
    }

    /// Makes the graphs that are due and brings those that are there up to date, in files beside the index: `library.hml.tracks`
    /// and `library.hml.passages` for `library.hml`. Tells whether anything was done. `progress` is told the vectors that are
    /// in, and those there will be.
    ///
    /// # Errors
    /// When the index cannot be read or written to; when a graph finds no room in memory or on the disk. Then all is
    /// as it was before.
    pub fn update_graphs(
        &mut self,
        config: &GraphConfig,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<bool> {
        let state = State::read(&self.connection).map_err(self.fail())?;
        let due = self.due(config, &state)?;
        if due.is_empty() {
            return Ok(false);
        }
        // From here on changes are written down.
        self.connection.execute_batch(SCHEMA).map_err(self.fail())?;
        let state = State::read(&self.connection).map_err(self.fail())?;
        let mut made = Vec::new();
        for kind in due {
            let base = state.made.get(kind.name()).copied();
            let graph = self.graph_up_to_date(kind, base, &state.changed, &mut progress)?;
            let folder = paths::folder_of(self.path());
            let file = tempfile::NamedTempFile::new_in(folder).map_err(|e| Error::io(folder, e))?;
            let target = kind.file(self.path());
            graph.save(file.path()).map_err(|fault| {
                let words = format!("cannot be written; is there room on the disk? ({fault})");
                Error::input(&target, words)
            })?;
            // Whoever may read the index may read it.
            std::fs::metadata(self.path())
                .and_then(|index| std::fs::set_permissions(file.path(), index.permissions()))
                .and_then(|()| file.as_file().sync_all())
                .map_err(|e| Error::io(&target, e))?;
            let found = Made {
                stamp: Stamp::of(file.path())?,
                content: hash_file(file.path())?,
            };
            made.push((kind, file, found));
        }
        let path = self.path().to_path_buf();
        let fail = |error| super::fault::of(&path, error);
        let change = begin(&mut self.connection).map_err(fail)?;
        if State::read(&change).map_err(fail)?.made != state.made {
            // Another program made others meanwhile; those stay.
            return Ok(false);
        }
        for (kind, file, found) in made {
            change
                .execute(
                    "INSERT OR REPLACE INTO graph VALUES (?1, ?2, ?3, ?4)",
                    (
                        kind.name(),
                        found.stamp.size,
                        found.stamp.modified_ns,
                        found.content,
                    ),
                )
                .map_err(fail)?;
            let target = kind.file(&path);
            file.persist(&target)
                .map_err(|e| Error::io(&target, e.error))?;
        }
        change
            .execute("DELETE FROM graph_change WHERE number <= ?1", [state.last])
            .and_then(|_| change.commit())
            .map_err(fail)?;
        Ok(true)
    }

    /// Does away with the graphs; then everything is compared.
    ///
    /// # Errors
    /// When the index cannot be written to, or a file not removed.
    pub fn remove_graphs(&mut self) -> Result<()> {
        self.connection
            .execute_batch(WITHOUT)
            .map_err(self.fail())?;
        for kind in Kind::ALL {
            let file = kind.file(self.path());
            match std::fs::remove_file(&file) {
                Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(file, fault));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The graphs that are to be written: all that there are to be, once one of them is missing or too far behind.
    fn due(&self, config: &GraphConfig, state: &State) -> Result<Vec<Kind>> {
        let sql =
            "SELECT count(vector), (SELECT sum(length(starts_s)) / 8 FROM passages) FROM track";
        let counts =
            |row: &rusqlite::Row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?));
        let counts = self.connection.query_row(sql, [], counts);
        let (tracks, passages) = counts.map_err(self.fail())?;
        let count = |kind| match kind {
            Kind::Tracks => tracks as usize,
            Kind::Passages => passages.unwrap_or(0) as usize,
        };
        let wanted = |kind: &Kind| {
            let there = state.made.contains_key(kind.name());
            there || count(*kind) >= kind.least(config).max(1)
        };
        let wanted: Vec<Kind> = Kind::ALL.into_iter().filter(wanted).collect();
        let missing = |kind: &Kind| {
            let made = state.made.get(kind.name());
            made.is_none_or(|made| !made.is(&kind.file(self.path())))
        };
        let behind = state.changed.len() as f64 > config.tolerance * tracks as f64;
        Ok(match behind || wanted.iter().any(missing) {
            true => wanted,
            false => Vec::new(),
        })
    }

    /// The graph of a kind as of now: that of a file with what changed since, or a new one.
    fn graph_up_to_date(
        &self,
        kind: Kind,
        base: Option<Made>,
        changed: &BTreeSet<TrackId>,
        progress: &mut impl FnMut(usize, usize),
    ) -> Result<Graph> {
        let (file, width) = (kind.file(self.path()), self.model().width);
        let base = base.filter(|made| made.is(&file));
        let base = base.and_then(|_| Graph::load(&file, width).ok());
        let (graph, tracks) = match base {
            Some(graph) => {
                for &track in changed {
                    let mut place = 0;
                    while graph.remove(kind.key(track, place))? && kind == Kind::Passages {
                        place += 1;
                    }
                }
                (graph, changed.iter().copied().collect())
            }
            None => (Graph::new(width)?, self.heard()?),
        };
        let mut waiting = Vec::new();
        for (place, &track) in tracks.iter().enumerate() {
            waiting.extend(self.vectors_for(kind, track)?);
            if waiting.len() >= AT_ONCE || place + 1 == tracks.len() {
                graph.add(&waiting)?;
                waiting.clear();
                progress(place + 1, tracks.len());
            }
        }
        Ok(graph)
    }

    /// The vectors of a track under their numbers; none of a track that has gone.
    fn vectors_for(&self, kind: Kind, track: TrackId) -> Result<Vec<(u64, Vec<f32>)>> {
        Ok(match kind {
            Kind::Tracks => {
                let vector = self.vector(track)?;
                vector
                    .map(|vector| (kind.key(track, 0), vector))
                    .into_iter()
                    .collect()
            }
            Kind::Passages => {
                let passages = self.passages(track)?;
                (0..passages.len().min(1 << Kind::PLACE_BITS))
                    .map(|place| (kind.key(track, place), passages.vector(place).to_vec()))
                    .collect()
            }
        })
    }

    /// The tracks in which something is heard.
    pub(super) fn heard(&self) -> Result<Vec<TrackId>> {
        let sql = "SELECT id FROM track WHERE vector IS NOT NULL ORDER BY id";
        let mut statement = self.connection.prepare(sql).map_err(self.fail())?;
        let ids = statement.query_map([], |row| row.get(0));
        ids.and_then(Iterator::collect).map_err(self.fail())
    }
}

/// Vectors that are put into a graph at once.
const AT_ONCE: usize = 4096;

/// What an index says of its graphs.
#[derive(Debug)]
struct State {
    /// By the names of their kinds.
    made: BTreeMap<String, Made>,
    changed: BTreeSet<TrackId>,
    /// The number of the last of these changes.
    last: i64,
}

impl State {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut state = Self {
            made: BTreeMap::new(),
            changed: BTreeSet::new(),
            last: 0,
        };
        let there = "SELECT 1 FROM sqlite_schema WHERE name = 'graph_change'";
        let there = connection.query_row(there, [], |_| Ok(()));
        if there.optional()?.is_none() {
            return Ok(state);
        }
        let sql = "SELECT kind, size, modified_ns, content FROM graph";
        let mut statement = connection.prepare(sql)?;
        let made = statement.query_map([], |row| {
            let stamp = Stamp {
                size: row.get(1)?,
                modified_ns: row.get(2)?,
            };
            let content = row.get(3)?;
            Ok((row.get(0)?, Made { stamp, content }))
        })?;
        state.made = made.collect::<rusqlite::Result<_>>()?;
        let mut statement = connection.prepare("SELECT number, track FROM graph_change")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            state.last = state.last.max(row.get(0)?);
            state.changed.insert(row.get(1)?);
        }
        Ok(state)
    }
}

//! Graphs of neighbours beside a large index, and what keeps them in step with it.
//!
//! There are two, of recordings and of passages, each a file of its own beside the index. The index tells which files they are and which recordings came or went since they were made; those are compared
//! one by one. So a graph need not be made anew with every recording, and one that is lost, damaged by accident or of another
//! index costs time only: everything is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::graph::{self, Graph};
use super::schema::begin;
use super::{Index, TrackId, paths};
use crate::error::{Error, Result};

/// When an index gets graphs of neighbours, and when they are brought up to date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphConfig {
    /// Of more recordings than this there is a graph.
    pub tracks: usize,
    /// Of more passages than this there is a graph.
    pub passages: usize,
    /// The share of recordings that may have come or gone since a graph was made, large or small.
    pub tolerance: f64,
}

impl GraphConfig {
    /// A graph of whatever there is, never behind.
    pub const ALWAYS: Self = Self {
        tracks: 0,
        passages: 0,
        tolerance: 0.0,
    };
}

impl Default for GraphConfig {
    /// Where comparing everything takes about a tenth of a second (recordings) or two (passages).
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

    fn most_without(self, config: &GraphConfig) -> usize {
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
    /// Tracks that came, went or changed since; one that went may have left its number to another.
    pub changed: BTreeSet<TrackId>,
}

/// What an index has in the way of a graph.
pub enum GraphFile {
    None,
    /// There is to be one, but not as this file is.
    Unusable(PathBuf),
    Ready(Neighbours),
}

/// The file of a graph as it was made. A stamp would not do: what reads a damaged graph does not notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    /// Bytes.
    size: i64,
    crc32: u32,
}

impl Made {
    fn of(file: &Path) -> Result<Self> {
        let mut crc32 = crc32fast::Hasher::new();
        let mut size = 0;
        let mut bytes = vec![0; 1 << 18];
        let fail = |e| Error::io(file, e);
        let mut from = File::open(file).map_err(fail)?;
        loop {
            match from.read(&mut bytes).map_err(fail)? {
                0 => break,
                n => {
                    crc32.update(&bytes[..n]);
                    size += n as i64;
                }
            }
        }
        Ok(Self {
            size,
            crc32: crc32.finalize(),
        })
    }

    fn is(self, file: &Path) -> bool {
        let size = std::fs::metadata(file).map(|found| found.len() as i64);
        size.is_ok_and(|size| size == self.size) && Self::of(file).is_ok_and(|found| found == self)
    }
}

/// What an index knows of its graphs: their files, and the numbers of tracks that came or went since, in the order in which
/// they did. Triggers write these down whichever version of the program changes the index.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS graph (
    kind TEXT PRIMARY KEY, size INTEGER NOT NULL, crc32 INTEGER NOT NULL
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
        let file = self.graph_file(kind);
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
    /// and `library.hml.passages` for `library.hml`. Tells whether anything was done. `progress` is told the tracks that are
    /// in a graph, and those there will be; for each graph anew.
    ///
    /// # Errors
    /// When the index cannot be read or written to; when a file of a graph's name is there that is none; when a graph finds
    /// no room in memory or on the disk. The index is as it was before, and what is wrong with a graph's file is noticed.
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
        for &kind in &due {
            let file = self.graph_file(kind);
            graph::name(&file)?;
            if !state.made.contains_key(kind.name()) && file.exists() && !Graph::is_one(&file) {
                return Err(Error::input(
                    file,
                    "a graph of neighbours would get this name, but there is a file of it that is none; move it away",
                ));
            }
        }
        // From here on changes are written down.
        self.connection.execute_batch(SCHEMA).map_err(self.fail())?;
        let state = State::read(&self.connection).map_err(self.fail())?;
        let mut graphs = Vec::new();
        for kind in due {
            let base = state.made.get(kind.name()).copied();
            let graph = self.graph_up_to_date(kind, base, &state.changed, &mut progress)?;
            graphs.push((kind, graph));
        }
        // Late, so that one who is stopped leaves no file.
        let files = graphs.into_iter().map(|(kind, graph)| {
            let file = self.saved(kind, &graph)?;
            Ok((kind, Made::of(file.path())?, file))
        });
        let files = files.collect::<Result<Vec<_>>>()?;
        let places: Vec<PathBuf> = files.iter().map(|file| self.graph_file(file.0)).collect();
        let path = self.path().to_path_buf();
        let fail = |error| super::fault::of(&path, error);
        let change = begin(&mut self.connection).map_err(fail)?;
        let now = State::read(&change).map_err(fail)?;
        if now.made != state.made || !now.is_kept {
            // Another program made others meanwhile, or removed them; so be it.
            return Ok(false);
        }
        for ((kind, made, file), place) in files.into_iter().zip(places) {
            let sql = "INSERT OR REPLACE INTO graph VALUES (?1, ?2, ?3)";
            change
                .execute(sql, (kind.name(), made.size, made.crc32))
                .map_err(fail)?;
            file.persist(&place)
                .map_err(|e| Error::io(&place, e.error))?;
        }
        change
            .execute("DELETE FROM graph_change WHERE number <= ?1", [state.last])
            .and_then(|_| change.commit())
            .map_err(fail)?;
        Ok(true)
    }

    /// A graph in a file that goes away unless it is given its name.
    fn saved(&self, kind: Kind, graph: &Graph) -> Result<tempfile::NamedTempFile> {
        let place = self.graph_file(kind);
        let folder = paths::folder_of(&place);
        let hidden = place.file_name().unwrap_or_default().to_string_lossy();
        let file = tempfile::Builder::new()
            .prefix(&format!(".{hidden}."))
            .suffix(".part")
            .tempfile_in(folder)
            .map_err(|e| Error::io(folder, e))?;
        graph.save(file.path()).map_err(|fault| {
            let words = format!("cannot be written; is there room on the disk? ({fault})");
            Error::input(&place, words)
        })?;
        // Whoever may read the index may read it, where the file system knows of such things.
        let _ = std::fs::metadata(self.path())
            .and_then(|index| std::fs::set_permissions(file.path(), index.permissions()));
        let written = file.as_file().sync_all();
        written.map_err(|e| Error::io(&place, e))?;
        Ok(file)
    }

    /// Does away with the graphs; then everything is compared.
    ///
    /// # Errors
    /// When the index cannot be written to, or a file not removed.
    pub fn remove_graphs(&mut self) -> Result<()> {
        let state = State::read(&self.connection).map_err(self.fail())?;
        self.connection
            .execute_batch(WITHOUT)
            .map_err(self.fail())?;
        let known = |kind: &Kind| state.made.contains_key(kind.name());
        for kind in Kind::ALL.into_iter().filter(known) {
            let file = self.graph_file(kind);
            match std::fs::remove_file(&file) {
                Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(file, fault));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// `library.hml.tracks` beside `library.hml`, or beside what a link of this name points to.
    fn graph_file(&self, kind: Kind) -> PathBuf {
        let index = match self.path().is_symlink() {
            true => std::fs::canonicalize(self.path()).unwrap_or_else(|_| self.path().into()),
            false => self.path().into(),
        };
        let mut name = index.into_os_string();
        name.push(".");
        name.push(kind.name());
        name.into()
    }

    /// Vectors of a kind; reads all of them of tracks.
    pub(super) fn count(&self, kind: Kind) -> Result<usize> {
        let sql = match kind {
            Kind::Tracks => "SELECT count(vector) FROM track",
            Kind::Passages => "SELECT coalesce(sum(length(starts_s)), 0) / 8 FROM passages",
        };
        let count = self
            .connection
            .query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(count.map_err(self.fail())? as usize)
    }

    /// The graphs that are to be written: all that there are to be, once one of them is missing or too far behind.
    fn due(&self, config: &GraphConfig, state: &State) -> Result<Vec<Kind>> {
        let (tracks, passages) = (self.count(Kind::Tracks)?, self.count(Kind::Passages)?);
        let count = |kind| match kind {
            Kind::Tracks => tracks,
            Kind::Passages => passages,
        };
        let wanted = |kind: &Kind| {
            let there = state.made.contains_key(kind.name());
            there || count(*kind) > kind.most_without(config)
        };
        let wanted: Vec<Kind> = Kind::ALL.into_iter().filter(wanted).collect();
        let missing = |kind: &Kind| {
            let made = state.made.get(kind.name());
            made.is_none_or(|made| !made.is(&self.graph_file(*kind)))
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
        let (file, width) = (self.graph_file(kind), self.model().width);
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
    /// Whether there is any, or was to be.
    is_kept: bool,
    /// By the names of their kinds.
    made: BTreeMap<String, Made>,
    changed: BTreeSet<TrackId>,
    /// The number of the last of these changes.
    last: i64,
}

impl State {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut state = Self {
            is_kept: false,
            made: BTreeMap::new(),
            changed: BTreeSet::new(),
            last: 0,
        };
        let there = "SELECT 1 FROM sqlite_schema WHERE name = 'graph_change'";
        let there = connection.query_row(there, [], |_| Ok(()));
        if there.optional()?.is_none() {
            return Ok(state);
        }
        state.is_kept = true;
        let mut statement = connection.prepare("SELECT kind, size, crc32 FROM graph")?;
        let made = statement.query_map([], |row| {
            let (size, crc32) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, Made { size, crc32 }))
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

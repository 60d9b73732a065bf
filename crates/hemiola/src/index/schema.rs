//! The tables of an index, and what is written to them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use super::files::{ContentHash, IndexedFile, Stamp};
use super::passages::Embedding;
use super::{TrackId, fault};
use crate::error::{Error, Result};

/// Version of the layout, and of how recordings are cut into passages.
pub const FORMAT: i32 = 1;
/// "hmla": what marks a SQLite file as an index.
const APPLICATION: i32 = i32::from_be_bytes(*b"hmla");
/// How long to wait for another writer; each holds an index for the moment of writing one recording.
const PATIENCE: Duration = Duration::from_secs(20);

/// Numbers in a vector: more would be no vector of a passage.
const LARGEST_WIDTH: f64 = 65_536.0;

const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
-- What a recording sounds like, by the SHA-256 of its bytes. No vector: there is nothing to hear.
CREATE TABLE track (
    id INTEGER PRIMARY KEY, content BLOB NOT NULL UNIQUE, duration_s REAL NOT NULL, vector BLOB
) STRICT;
-- Times as f64, vectors as f32, little-endian, one after another.
CREATE TABLE passages (
    track INTEGER PRIMARY KEY REFERENCES track (id) ON DELETE CASCADE, starts_s BLOB NOT NULL, vectors BLOB NOT NULL
) STRICT;
-- Paths relative to the folder of the index, or absolute.
CREATE TABLE file (
    path BLOB PRIMARY KEY, track INTEGER NOT NULL REFERENCES track (id), size INTEGER NOT NULL, modified_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX file_track ON file (track);
";

/// What vectors were made with; those of another model cannot be compared with them.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelIdentity {
    /// What `--model` is to be given.
    pub name: String,
    /// SHA-256 of sizes, front end and weights, hexadecimal.
    pub weights: String,
    /// Numbers in a vector.
    pub width: usize,
    /// Seconds of a passage, and from the start of one to the start of the next.
    pub passage_s: f64,
    pub hop_s: f64,
}

pub fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let fail = |error| fault::of(path, error);
    // Absolute, so that no name means anything else to SQLite.
    let absolute = std::path::absolute(path).map_err(|e| Error::io(path, e))?;
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(absolute, flags).map_err(fail)?;
    connection.busy_timeout(PATIENCE).map_err(fail)?;
    connection
        .execute_batch(
            "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL",
        )
        .map_err(fail)?;
    Ok(connection)
}

/// Waits for its turn to write.
pub fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Whether nothing has been made of a file yet.
pub fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    Ok(tables == 0 && application(connection)? == 0)
}

fn application(connection: &Connection) -> rusqlite::Result<i32> {
    connection.query_row("PRAGMA application_id", [], |row| row.get(0))
}

pub fn create(change: &Transaction, model: &ModelIdentity) -> rusqlite::Result<()> {
    change.execute_batch(SCHEMA)?;
    change.pragma_update(None, "application_id", APPLICATION)?;
    change.pragma_update(None, "user_version", FORMAT)?;
    let values = [
        ("model", model.name.clone()),
        ("weights", model.weights.clone()),
        ("width", model.width.to_string()),
        ("passage_s", model.passage_s.to_string()),
        ("hop_s", model.hop_s.to_string()),
    ];
    for (key, value) in values {
        change.execute("INSERT INTO meta VALUES (?1, ?2)", (key, value))?;
    }
    Ok(())
}

/// The model that an index was made with; none where the file is no index.
///
/// # Errors
/// When it is an index of another format, or damaged.
pub fn read_model(connection: &Connection, path: &Path) -> Result<Option<ModelIdentity>> {
    let fail = |error| fault::of(path, error);
    if application(connection).map_err(fail)? != APPLICATION {
        return Ok(None);
    }
    let format: i32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(fail)?;
    if format != FORMAT {
        return Err(Error::input(
            path,
            format!(
                "this index has the format {format}, this hemiola ({}) reads format {FORMAT}; use the hemiola that made it, \
                 or make another index with hemiola embed RECORDINGS -o NEW.hml",
                env!("CARGO_PKG_VERSION")
            ),
        ));
    }
    let value = |key: &str| -> Result<String> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let found = connection.query_row(sql, [key], |row| row.get(0));
        let missing = || fault::damaged(path, &format!("meta has no {key}"));
        found.optional().map_err(fail)?.ok_or_else(missing)
    };
    let number = |key: &str| -> Result<f64> {
        let text = value(key)?;
        let number = text
            .parse()
            .ok()
            .filter(|n: &f64| n.is_finite() && *n > 0.0);
        number.ok_or_else(|| fault::damaged(path, &format!("meta: {key} is {text}")))
    };
    let width = number("width")?;
    if width.fract() != 0.0 || width > LARGEST_WIDTH {
        return Err(fault::damaged(path, &format!("meta: width is {width}")));
    }
    Ok(Some(ModelIdentity {
        name: value("model")?,
        weights: value("weights")?,
        width: width as usize,
        passage_s: number("passage_s")?,
        hop_s: number("hop_s")?,
    }))
}

/// Refuses a model other than that of an index.
pub fn check_model(path: &Path, made_with: &ModelIdentity, model: &ModelIdentity) -> Result<()> {
    if made_with.weights == model.weights && made_with.width == model.width {
        return Ok(());
    }
    let short = |model: &ModelIdentity| -> String {
        let weights: String = model.weights.chars().take(12).collect();
        format!("{} (weights {weights})", model.name)
    };
    Err(Error::input(
        path,
        format!(
            "was made with the model {}, and vectors of {} cannot be compared with it; give the model that it was made \
             with, or make another index with hemiola embed RECORDINGS -o NEW.hml",
            short(made_with),
            short(model)
        ),
    ))
}

/// A recording, unless it is there already.
pub fn insert(
    change: &Transaction,
    content: &ContentHash,
    embedding: &Embedding,
) -> rusqlite::Result<TrackId> {
    let find = "SELECT id FROM track WHERE content = ?1";
    let found = change.query_row(find, [content], |row| row.get(0));
    if let Some(track) = found.optional()? {
        return Ok(track);
    }
    let passages = &embedding.passages;
    let vector = passages.mean().map(|vector| bytes(&vector));
    change.execute(
        "INSERT INTO track (content, duration_s, vector) VALUES (?1, ?2, ?3)",
        (content, embedding.duration_s, vector),
    )?;
    let track = change.last_insert_rowid();
    let starts: Vec<u8> = passages
        .starts_s()
        .iter()
        .flat_map(|s| s.to_le_bytes())
        .collect();
    change.execute(
        "INSERT INTO passages VALUES (?1, ?2, ?3)",
        (track, starts, bytes(passages.vectors())),
    )?;
    Ok(track)
}

/// Gives a track the name of a file; what had this name before and has no other is forgotten.
pub fn name_file(
    change: &Transaction,
    key: &[u8],
    track: TrackId,
    stamp: Stamp,
) -> rusqlite::Result<()> {
    let before = "SELECT track FROM file WHERE path = ?1";
    let before = change.query_row(before, [key], |row| row.get::<_, TrackId>(0));
    let before = before.optional()?;
    change.execute(
        "INSERT OR REPLACE INTO file VALUES (?1, ?2, ?3, ?4)",
        (key, track, stamp.size, stamp.modified_ns),
    )?;
    let forget =
        "DELETE FROM track WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM file WHERE track = ?1)";
    change.execute(forget, [before]).map(drop)
}

/// Takes names from tracks.
pub fn unname(change: &Transaction, files: &[IndexedFile]) -> rusqlite::Result<()> {
    files.iter().try_for_each(|file| {
        let sql = "DELETE FROM file WHERE path = ?1";
        change.execute(sql, [&file.key]).map(drop)
    })
}

pub fn forget_nameless(change: &Transaction) -> rusqlite::Result<()> {
    let sql = "DELETE FROM track WHERE id NOT IN (SELECT track FROM file)";
    change.execute(sql, []).map(drop)
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|v| v.to_le_bytes()).collect()
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

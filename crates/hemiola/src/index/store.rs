//! The file of an index.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::files::{ContentHash, FileState, IndexedFile, Stamp, Track};
use super::passages::{Embedding, Passages};
use super::schema::{
    ModelIdentity, begin, check_model, connect, create, floats, forget_nameless, insert, is_empty,
    name_file, read_model, unname,
};
use super::similarity::TrackVectors;
use super::{TrackId, fault, paths};
use crate::error::{Error, Result};

/// An index that is open.
#[derive(Debug)]
pub struct Index {
    pub(super) connection: Connection,
    path: PathBuf,
    /// The folder of the index, without symbolic links.
    root: PathBuf,
    model: ModelIdentity,
}

impl Index {
    /// Opens an index to search it.
    ///
    /// # Errors
    /// When there is no such file, it is no index, is damaged, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        let found = fs::metadata(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::input(
                path,
                format!(
                    "there is no index of this name; hemiola embed RECORDINGS -o {} makes one",
                    path.display()
                ),
            ),
            _ => Error::io(path, source),
        })?;
        if !found.is_file() {
            return Err(fault::no_index(path));
        }
        // A writer that was killed has left its unfinished change beside the index; to undo it takes a writer.
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let model = read_model(&connection, path)?.ok_or_else(|| fault::no_index(path))?;
        Self::of(connection, path, model)
    }

    /// Opens an index to add to it; makes it where there is none.
    ///
    /// # Errors
    /// As [`Self::open`] but for an absent file; when the index was made with another model; when it cannot be written to.
    pub fn update(path: &Path, model: &ModelIdentity) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::input(
                path,
                "is a folder; expected the name of an index, such as library.hml",
            ));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = connect(path, flags)?;
        let fail = |error| fault::of(path, error);
        let change = begin(&mut connection).map_err(fail)?;
        let found = match is_empty(&change).map_err(fail)? {
            true => create(&change, model).map(|()| None).map_err(fail)?,
            false => Some(read_model(&change, path)?.ok_or_else(|| fault::no_index(path))?),
        };
        if let Some(found) = &found {
            check_model(path, found, model)?;
        }
        // Written though it may be the same: nobody wants to hear after an hour that nothing can be written.
        change
            .execute(
                "INSERT OR REPLACE INTO meta VALUES ('written_by', ?1)",
                [env!("CARGO_PKG_VERSION")],
            )
            .and_then(|_| change.commit())
            .map_err(fail)?;
        Self::of(connection, path, found.unwrap_or_else(|| model.clone()))
    }

    fn of(connection: Connection, path: &Path, model: ModelIdentity) -> Result<Self> {
        let folder = paths::folder_of(path);
        Ok(Self {
            connection,
            root: fs::canonicalize(folder).map_err(|e| Error::io(folder, e))?,
            path: path.to_path_buf(),
            model,
        })
    }

    /// Refuses a model other than the one that the index was made with.
    ///
    /// # Errors
    /// When it is another; the message says what to do.
    pub fn check_model(&self, model: &ModelIdentity) -> Result<()> {
        check_model(&self.path, &self.model, model)
    }

    pub fn model(&self) -> &ModelIdentity {
        &self.model
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Recordings and files.
    pub fn counts(&self) -> Result<(usize, usize)> {
        let sql = "SELECT (SELECT count(*) FROM track), (SELECT count(*) FROM file)";
        let counts = |row: &rusqlite::Row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let (tracks, files) = self
            .connection
            .query_row(sql, [], counts)
            .map_err(self.fail())?;
        Ok((tracks as usize, files as usize))
    }

    /// Whether the index has a file as it looks now.
    ///
    /// # Errors
    /// When there is no such file; when the index cannot be read.
    pub fn has_unchanged(&self, file: &Path, stamp: Stamp) -> Result<bool> {
        let sql = "SELECT size, modified_ns FROM file WHERE path = ?1";
        let found = self
            .connection
            .query_row(sql, [self.key(file)?], |row| {
                Ok(Stamp {
                    size: row.get(0)?,
                    modified_ns: row.get(1)?,
                })
            })
            .optional()
            .map_err(self.fail())?;
        Ok(found == Some(stamp))
    }

    /// The track of these bytes.
    pub fn find(&self, content: &ContentHash) -> Result<Option<TrackId>> {
        let sql = "SELECT id FROM track WHERE content = ?1";
        let found = self.connection.query_row(sql, [content], |row| row.get(0));
        found.optional().map_err(self.fail())
    }

    /// The vectors of all tracks in which something is heard.
    ///
    /// # Errors
    /// When the index cannot be read, or is damaged.
    pub fn vectors(&self) -> Result<TrackVectors> {
        let mut tracks = TrackVectors::new(self.model.width);
        let sql = "SELECT id, vector FROM track WHERE vector IS NOT NULL ORDER BY id";
        let mut statement = self.connection.prepare(sql).map_err(self.fail())?;
        let mut rows = statement.query([]).map_err(self.fail())?;
        while let Some(row) = rows.next().map_err(self.fail())? {
            let id = row.get(0).map_err(self.fail())?;
            let vector = row.get_ref(1).map_err(self.fail())?.as_blob();
            tracks.push(id, &self.checked_vector(id, vector.unwrap_or_default())?);
        }
        Ok(tracks)
    }

    /// The vector of a track; none where there is no such track or nothing is heard.
    ///
    /// # Errors
    /// When the index cannot be read, or is damaged.
    pub fn vector(&self, track: TrackId) -> Result<Option<Vec<f32>>> {
        let sql = "SELECT vector FROM track WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(self.fail())?;
        let found = statement.query_row([track], |row| row.get::<_, Option<Vec<u8>>>(0));
        let found = found.optional().map_err(self.fail())?.flatten();
        found
            .map(|bytes| self.checked_vector(track, &bytes))
            .transpose()
    }

    fn checked_vector(&self, track: TrackId, bytes: &[u8]) -> Result<Vec<f32>> {
        let vector = floats(bytes);
        match vector.len() == self.model.width && vector.iter().all(|v| v.is_finite()) {
            true => Ok(vector),
            false => Err(self.damaged(&format!("the vector of track {track}"))),
        }
    }

    /// Whether nothing is heard in any track.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn is_silent(&self) -> Result<bool> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM track WHERE vector IS NOT NULL)";
        let silent = self.connection.query_row(sql, [], |row| row.get(0));
        silent.map_err(self.fail())
    }

    /// The passages of a track; none where nothing is heard.
    ///
    /// # Errors
    /// When the index cannot be read, or is damaged.
    pub fn passages(&self, track: TrackId) -> Result<Passages> {
        let sql = "SELECT starts_s, vectors FROM passages WHERE track = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(self.fail())?;
        let blobs =
            |row: &rusqlite::Row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
        let found = statement.query_row([track], blobs).optional();
        let Some((starts, vectors)) = found.map_err(self.fail())? else {
            return Ok(Passages::new(self.model.width));
        };
        let starts = starts.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b));
        Passages::from_parts(self.model.width, starts.collect(), floats(&vectors))
            .ok_or_else(|| self.damaged(&format!("the passages of track {track}")))
    }

    /// A track and its files.
    ///
    /// # Errors
    /// When there is no such track; when the index cannot be read.
    pub fn track(&self, id: TrackId) -> Result<Track> {
        let sql = "SELECT t.id, t.duration_s, f.path, f.size, f.modified_ns FROM track t JOIN file f ON f.track = t.id \
                   WHERE t.id = ?1 ORDER BY f.path";
        let mut found = self.read_tracks(sql, [id])?;
        found
            .pop()
            .ok_or_else(|| self.damaged(&format!("no file of track {id}")))
    }

    /// All tracks, in the order of their numbers.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn tracks(&self) -> Result<Vec<Track>> {
        let sql = "SELECT t.id, t.duration_s, f.path, f.size, f.modified_ns FROM track t JOIN file f ON f.track = t.id \
                   ORDER BY t.id, f.path";
        self.read_tracks(sql, [])
    }

    fn read_tracks(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<Track>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(self.fail())?;
        let mut rows = statement.query(parameters).map_err(self.fail())?;
        let mut tracks: Vec<Track> = Vec::new();
        while let Some(row) = rows.next().map_err(self.fail())? {
            let (id, duration_s, file) = self.file_row(row).map_err(self.fail())?;
            match tracks.last_mut() {
                Some(last) if last.id == id => last.files.push(file),
                _ => tracks.push(Track {
                    id,
                    duration_s,
                    files: vec![file],
                }),
            }
        }
        Ok(tracks)
    }

    fn file_row(&self, row: &rusqlite::Row) -> rusqlite::Result<(TrackId, f64, IndexedFile)> {
        let key: Vec<u8> = row.get(2)?;
        let file = IndexedFile {
            path: self.shown(&key),
            stamp: Stamp {
                size: row.get(3)?,
                modified_ns: row.get(4)?,
            },
            key,
        };
        Ok((row.get(0)?, row.get(1)?, file))
    }

    /// Adds a recording under the name of a file.
    ///
    /// # Errors
    /// When there is no such file; when the index cannot be written to. Then it is as it was before.
    pub fn add(
        &mut self,
        file: &Path,
        stamp: Stamp,
        content: &ContentHash,
        embedding: &Embedding,
    ) -> Result<()> {
        let key = self.key(file)?;
        let path = self.path.clone();
        let fail = fault_in(&path);
        let change = begin(&mut self.connection).map_err(&fail)?;
        insert(&change, content, embedding)
            .and_then(|track| name_file(&change, &key, track, stamp))
            .and_then(|()| change.commit())
            .map_err(&fail)
    }

    /// Gives a recording that the index has the name of a file, in place of those of its names that are no more. Tells the
    /// latter, or nothing where the index does not have the recording.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn name(
        &mut self,
        file: &Path,
        stamp: Stamp,
        content: &ContentHash,
    ) -> Result<Option<Vec<IndexedFile>>> {
        let Some(track) = self.find(content)? else {
            return Ok(None);
        };
        let key = self.key(file)?;
        let mut gone = self.track(track).map_or(Vec::new(), |track| track.files);
        gone.retain(|file| file.state() == FileState::Missing);
        let path = self.path.clone();
        let fail = fault_in(&path);
        let change = begin(&mut self.connection).map_err(&fail)?;
        unname(&change, &gone)
            .and_then(|()| name_file(&change, &key, track, stamp))
            .and_then(|()| change.commit())
            .map_err(&fail)?;
        Ok(Some(gone))
    }

    /// The files that are no more.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn missing(&self) -> Result<Vec<IndexedFile>> {
        let files = self.tracks()?.into_iter().flat_map(|track| track.files);
        Ok(files
            .filter(|file| file.state() == FileState::Missing)
            .collect())
    }

    /// Forgets the files that are no more, and the recordings that have no other, and tells which.
    ///
    /// # Errors
    /// When the index cannot be written to. Then it is as it was before.
    pub fn prune(&mut self) -> Result<Vec<IndexedFile>> {
        let missing = self.missing()?;
        let path = self.path.clone();
        let fail = fault_in(&path);
        let change = begin(&mut self.connection).map_err(&fail)?;
        unname(&change, &missing)
            .and_then(|()| forget_nameless(&change))
            .and_then(|()| change.commit())
            .map_err(&fail)?;
        Ok(missing)
    }

    /// The name of a file within the index.
    fn key(&self, file: &Path) -> Result<Vec<u8>> {
        let file = fs::canonicalize(file).map_err(|e| Error::io(file, e))?;
        let kept = file.strip_prefix(&self.root).unwrap_or(&file);
        paths::to_bytes(kept)
            .ok_or_else(|| Error::input(&file, "the name of this file is not Unicode; rename it"))
    }

    fn shown(&self, key: &[u8]) -> PathBuf {
        paths::shown(paths::folder_of(&self.path), &paths::from_bytes(key))
    }

    pub(super) fn fail(&self) -> impl Fn(rusqlite::Error) -> Error + '_ {
        fault_in(&self.path)
    }

    fn damaged(&self, what: &str) -> Error {
        fault::damaged(&self.path, what)
    }
}

fn fault_in(path: &Path) -> impl Fn(rusqlite::Error) -> Error + use<'_> {
    move |error| fault::of(path, error)
}

//! Indexes as they are used, with vectors made up.

mod neighbours;
mod sounds;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::error::Result;

const WIDTH: usize = 12;
const HOP_S: f64 = 1.5;

fn model() -> ModelIdentity {
    ModelIdentity {
        name: "made-up".into(),
        weights: "5eed".repeat(16),
        width: WIDTH,
        passage_s: 2.0 * HOP_S,
        hop_s: HOP_S,
    }
}

/// Music that never repeats itself: each number of its vector is a sine of another frequency, the mean of it over a passage.
/// `style` is what a piece has in common with others.
fn listen(piece: f64, style: f64, from_s: f64, to_s: f64) -> Embedding {
    let mut passages = Passages::new(WIDTH);
    let number = |k: usize, start_s: f64| {
        let omega = 0.05 + 0.03 * (k as f64) + 0.001 * piece;
        // Nothing that another time would make of another piece's.
        let phase = 100.0 * (12.9898 * piece + 78.233 * k as f64).sin();
        let end_s = start_s + 2.0 * HOP_S;
        let mean = ((omega * start_s + phase).cos() - (omega * end_s + phase).cos())
            / (2.0 * HOP_S * omega);
        (mean + style * (k as f64).cos()) as f32
    };
    let mut start_s = from_s;
    while start_s + 2.0 * HOP_S <= to_s {
        let vector: Vec<f32> = (0..WIDTH).map(|k| number(k, start_s)).collect();
        passages.push(start_s - from_s, &vector).unwrap();
        start_s += HOP_S;
    }
    Embedding {
        duration_s: to_s - from_s,
        passages,
    }
}

struct Shelf {
    folder: tempfile::TempDir,
}

impl Shelf {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn index(&self) -> Index {
        Index::update(&self.path("library.hml"), &model()).unwrap()
    }

    /// Writes a file and takes it in.
    fn add(&self, index: &mut Index, name: &str, content: &str, embedding: &Embedding) {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        let hash = hash_file(&path).unwrap();
        index
            .add(&path, Stamp::of(&path).unwrap(), &hash, embedding)
            .unwrap();
    }

    fn names(&self, index: &Index) -> Vec<Vec<String>> {
        let name = |file: &IndexedFile| {
            let below = file
                .path
                .strip_prefix(self.folder.path())
                .unwrap_or(&file.path);
            below.to_string_lossy().into_owned()
        };
        let tracks = index.tracks().unwrap();
        tracks
            .iter()
            .map(|t| t.files.iter().map(name).collect())
            .collect()
    }
}

fn message<T: std::fmt::Debug>(result: Result<T>, words: &[&str]) {
    let message = result.unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
}

#[test]
fn what_is_put_in_comes_out_and_one_file_is_left() {
    let shelf = Shelf::new();
    let mut index = shelf.index();
    let (one, other) = (listen(1.0, 0.0, 0.0, 60.0), listen(2.0, 0.0, 0.0, 20.0));
    shelf.add(&mut index, "a.wav", "a", &one);
    shelf.add(&mut index, "b.wav", "b", &other);
    let silence = Embedding {
        duration_s: 3.0,
        passages: Passages::new(WIDTH),
    };
    shelf.add(&mut index, "c.wav", "c", &silence);
    drop(index);
    let mut left: Vec<_> = fs::read_dir(shelf.folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["a.wav", "b.wav", "c.wav", "library.hml"]);

    let index = Index::open(&shelf.path("library.hml")).unwrap();
    assert_eq!(index.model(), &model());
    assert_eq!(index.counts().unwrap(), (3, 3));
    let tracks = index.tracks().unwrap();
    assert_eq!(tracks[0].duration_s, 60.0);
    assert_eq!(index.passages(tracks[0].id).unwrap(), one.passages);
    assert_eq!(index.passages(tracks[1].id).unwrap(), other.passages);
    assert!(index.passages(tracks[2].id).unwrap().is_empty());
    // What is silent cannot be found.
    let vectors = index.vectors().unwrap();
    assert_eq!(vectors.ids(), [tracks[0].id, tracks[1].id]);
    assert_eq!(&vectors.vectors()[..WIDTH], one.passages.mean().unwrap());
}

#[test]
fn files_move_change_and_go() {
    let shelf = Shelf::new();
    let mut index = shelf.index();
    shelf.add(&mut index, "a.wav", "a", &listen(1.0, 0.0, 0.0, 20.0));
    shelf.add(&mut index, "b.wav", "b", &listen(2.0, 0.0, 0.0, 20.0));
    let (a, moved) = (shelf.path("a.wav"), shelf.path("moved.wav"));
    let stamp = Stamp::of(&a).unwrap();
    assert!(index.has_unchanged(&a, stamp).unwrap());
    assert!(!index.has_unchanged(&a, Stamp { size: 7, ..stamp }).unwrap());

    // Moved: the same track under the new name only.
    let hash = hash_file(&a).unwrap();
    let track = index.find(&hash).unwrap().unwrap();
    fs::rename(&a, &moved).unwrap();
    assert_eq!(index.missing().unwrap().len(), 1);
    let gone = index.name(&moved, stamp, &hash).unwrap().unwrap();
    assert_eq!(gone[0].path, a);
    assert_eq!(index.find(&hash).unwrap(), Some(track));
    assert_eq!(shelf.names(&index), [["moved.wav"], ["b.wav"]]);

    // Copied: one track under both names. What is new is unknown.
    fs::copy(&moved, shelf.path("copy.wav")).unwrap();
    assert_eq!(
        index.name(&shelf.path("copy.wav"), stamp, &hash).unwrap(),
        Some(vec![])
    );
    assert_eq!(shelf.names(&index)[0], ["copy.wav", "moved.wav"]);
    assert_eq!(index.name(&moved, stamp, &[0; 32]).unwrap(), None);

    // Changed: another track; what it was is forgotten unless it has another name.
    shelf.add(&mut index, "b.wav", "other", &listen(3.0, 0.0, 0.0, 20.0));
    shelf.add(
        &mut index,
        "moved.wav",
        "another",
        &listen(4.0, 0.0, 0.0, 20.0),
    );
    assert_eq!(index.counts().unwrap(), (3, 3));

    fs::remove_file(shelf.path("copy.wav")).unwrap();
    assert_eq!(index.prune().unwrap()[0].path, shelf.path("copy.wav"));
    assert_eq!(index.counts().unwrap(), (2, 2));
    assert_eq!(index.find(&hash).unwrap(), None);
}

#[test]
fn files_tell_whether_they_are_what_was_heard() {
    let shelf = Shelf::new();
    let mut index = shelf.index();
    shelf.add(&mut index, "a.wav", "a", &listen(1.0, 0.0, 0.0, 20.0));
    let file = index.tracks().unwrap()[0].files[0].clone();
    assert_eq!(file.state(), FileState::There);
    fs::write(&file.path, "longer").unwrap();
    assert_eq!(file.state(), FileState::Changed);
    fs::remove_file(&file.path).unwrap();
    assert_eq!(file.state(), FileState::Missing);
}

#[test]
fn an_index_moves_with_its_music() {
    let shelf = Shelf::new();
    fs::create_dir_all(shelf.path("one/music")).unwrap();
    let mut index = Index::update(&shelf.path("one/library.hml"), &model()).unwrap();
    shelf.add(
        &mut index,
        "one/music/a.wav",
        "a",
        &listen(1.0, 0.0, 0.0, 20.0),
    );
    shelf.add(
        &mut index,
        "elsewhere.wav",
        "b",
        &listen(2.0, 0.0, 0.0, 20.0),
    );
    drop(index);
    fs::rename(shelf.path("one"), shelf.path("two")).unwrap();
    let index = Index::open(&shelf.path("two/library.hml")).unwrap();
    assert_eq!(index.missing().unwrap(), []);
    assert_eq!(
        index.tracks().unwrap()[0].files[0].path,
        shelf.path("two/music/a.wav")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let shelf = Shelf::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.wav");
    let path = shelf.folder.path().join(name);
    fs::write(&path, "a").unwrap();
    let mut index = shelf.index();
    let (stamp, hash) = (Stamp::of(&path).unwrap(), hash_file(&path).unwrap());
    index
        .add(&path, stamp, &hash, &listen(1.0, 0.0, 0.0, 20.0))
        .unwrap();
    assert!(index.has_unchanged(&path, stamp).unwrap());
    assert_eq!(index.tracks().unwrap()[0].files[0].path, path);
}

#[test]
fn other_models_and_formats_are_refused() {
    let shelf = Shelf::new();
    drop(shelf.index());
    let path = shelf.path("library.hml");
    let other = ModelIdentity {
        name: "other".into(),
        weights: "ab".repeat(32),
        ..model()
    };
    message(
        Index::update(&path, &other),
        &[
            "library.hml",
            "made-up (weights 5eed5eed5eed)",
            "other (weights abab",
            "embed",
        ],
    );
    // The same weights in another place are the same model.
    let elsewhere = ModelIdentity {
        name: "elsewhere".into(),
        ..model()
    };
    Index::update(&path, &elsewhere).unwrap();

    let connection = Connection::open(&path).unwrap();
    connection
        .pragma_update(None, "user_version", FORMAT + 1)
        .unwrap();
    drop(connection);
    message(
        Index::open(&path),
        &["library.hml", "format 2", "format 1", "embed"],
    );
}

#[test]
fn what_is_no_index_stays_as_it_is() {
    let shelf = Shelf::new();
    let path = shelf.path("library.hml");
    message(
        Index::open(&path),
        &["library.hml", "no index of this name", "embed"],
    );
    message(Index::open(shelf.folder.path()), &["no index of hemiola"]);
    message(
        Index::update(shelf.folder.path(), &model()),
        &["is a folder"],
    );
    message(
        Index::update(&shelf.path("nowhere/library.hml"), &model()),
        &["nowhere", "folder"],
    );
    let foreign = |path: &Path| {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch("CREATE TABLE meta (key, value); INSERT INTO meta VALUES (1, 2)")
            .unwrap();
    };
    let text = |path: &Path| fs::write(path, "These are words.\n".repeat(100)).unwrap();
    for make in [&foreign as &dyn Fn(&Path), &text] {
        let _ = fs::remove_file(&path);
        make(&path);
        let before = fs::read(&path).unwrap();
        message(Index::open(&path), &["library.hml", "no index of hemiola"]);
        message(
            Index::update(&path, &model()),
            &["library.hml", "stays as it is"],
        );
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    // What was killed before it had written anything left a file without a byte.
    fs::write(&path, "").unwrap();
    message(Index::open(&path), &["no index of hemiola"]);
    shelf.index();
    Index::open(&path).unwrap();
}

#[test]
fn damage_is_told() {
    let shelf = Shelf::new();
    let path = shelf.path("library.hml");
    let mut index = shelf.index();
    for piece in 0..40 {
        let name = format!("{piece}.wav");
        shelf.add(
            &mut index,
            &name,
            &name,
            &listen(f64::from(piece), 0.0, 0.0, 60.0),
        );
    }
    drop(index);
    let whole = fs::read(&path).unwrap();
    let harm = |sql: &str| {
        fs::write(&path, &whole).unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    harm("UPDATE track SET vector = x'00' WHERE id = 3");
    message(
        Index::open(&path).unwrap().vectors(),
        &["damaged", "track 3", "embed"],
    );
    let not_a_number = format!("{}0000c07f", "00".repeat(4 * WIDTH - 4));
    harm(&format!(
        "UPDATE track SET vector = x'{not_a_number}' WHERE id = 3"
    ));
    message(
        Index::open(&path).unwrap().vectors(),
        &["damaged", "track 3"],
    );
    harm("UPDATE passages SET starts_s = x'00' WHERE track = 2");
    message(
        Index::open(&path).unwrap().passages(2),
        &["damaged", "track 2"],
    );
    harm("UPDATE meta SET value = '1e99' WHERE key = 'width'");
    message(Index::open(&path), &["damaged", "width"]);
    harm("DELETE FROM meta WHERE key = 'hop_s'");
    message(Index::open(&path), &["damaged", "hop_s"]);
    // Cut anywhere, or overwritten: refused or read, but never a panic.
    for cut in (0..whole.len()).step_by(1777) {
        fs::write(&path, &whole[..cut]).unwrap();
        let _ = Index::open(&path).and_then(|index| {
            index.vectors()?;
            index.tracks()?;
            duplicates(&index, &DuplicateConfig::default())
        });
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let shelf = Shelf::new();
    let mut index = shelf.index();
    shelf.add(&mut index, "a.wav", "a", &listen(1.0, 0.0, 0.0, 60.0));
    let before = index.vectors().unwrap();
    let path = shelf.path("b.wav");
    fs::write(&path, "b").unwrap();
    let (stamp, hash) = (Stamp::of(&path).unwrap(), hash_file(&path).unwrap());
    let long = listen(2.0, 0.0, 0.0, 6000.0);
    let pages: i64 = index
        .connection
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    let limit = |index: &Index, pages: i64| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        index.connection.query_row(&sql, [], |_| Ok(())).unwrap();
    };
    limit(&index, pages + 3);
    message(
        index.add(&path, stamp, &hash, &long),
        &["library.hml", "disk is full", "kept"],
    );
    assert_eq!(index.counts().unwrap(), (1, 1));
    assert_eq!(index.vectors().unwrap().vectors(), before.vectors());
    limit(&index, 1_000_000);
    index.add(&path, stamp, &hash, &long).unwrap();
    assert_eq!(index.counts().unwrap(), (2, 2));
}

#[test]
fn writers_wait_for_one_another() {
    let shelf = Shelf::new();
    drop(shelf.index());
    let shared = shelf.path("shared.wav");
    fs::write(&shared, "shared").unwrap();
    let (stamp, hash) = (Stamp::of(&shared).unwrap(), hash_file(&shared).unwrap());
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (shelf, shared) = (&shelf, &shared);
            scope.spawn(move || {
                let mut index = shelf.index();
                for piece in 0..8 {
                    let name = format!("{writer}-{piece}.wav");
                    let embedding = listen(f64::from(writer * 8 + piece), 0.0, 0.0, 20.0);
                    shelf.add(&mut index, &name, &name, &embedding);
                    // And one that all of them have.
                    let embedding = listen(99.0, 0.0, 0.0, 20.0);
                    index.add(shared, stamp, &hash, &embedding).unwrap();
                }
            });
        }
        let mut holder = Connection::open(shelf.path("library.hml")).unwrap();
        holder.busy_timeout(Duration::from_secs(20)).unwrap();
        let held = holder
            .transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)
            .unwrap();
        std::thread::sleep(Duration::from_millis(100));
        drop(held);
    });
    let index = Index::open(&shelf.path("library.hml")).unwrap();
    assert_eq!(index.counts().unwrap(), (25, 25));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn passages_come_back_bit_by_bit(
        rows in prop::collection::vec((0.0f64..1e5, prop::collection::vec(-1e3f32..1e3, WIDTH)), 0..40)
    ) {
        let mut passages = Passages::new(WIDTH);
        for (start_s, row) in &rows {
            // Rows of zeros have no direction.
            let _ = passages.push(*start_s, row);
        }
        let shelf = Shelf::new();
        let mut index = shelf.index();
        shelf.add(&mut index, "a.wav", "a", &Embedding { duration_s: 1.0, passages: passages.clone() });
        let track = index.tracks().unwrap()[0].id;
        prop_assert_eq!(index.passages(track).unwrap(), passages);
    }
}

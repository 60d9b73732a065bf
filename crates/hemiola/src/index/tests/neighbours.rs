//! Graphs of neighbours, and whether they keep in step.

use super::*;

/// A shelf of so many pieces, and queries that each sound like one of them.
fn shelf_of(pieces: u32) -> (Shelf, Index) {
    let shelf = Shelf::new();
    let mut index = shelf.index();
    for piece in 0..pieces {
        add(&shelf, &mut index, piece);
    }
    (shelf, index)
}

fn add(shelf: &Shelf, index: &mut Index, piece: u32) {
    let name = format!("{piece}.wav");
    shelf.add(
        index,
        &name,
        &name,
        &listen(f64::from(piece), 0.3, 0.0, 40.0),
    );
}

fn update(index: &mut Index) -> bool {
    index
        .update_graphs(&GraphConfig::ALWAYS, |done, all| assert!(done <= all))
        .unwrap()
}

fn graph(shelf: &Shelf, kind: &str) -> PathBuf {
    shelf.path(&format!("library.hml.{kind}"))
}

/// Compares what graphs find with what is found without, for pieces that may be there or not.
fn finds_what_is_there(index: &Index, pieces: impl Iterator<Item = u32>) {
    let (near, exact) = (Search::new(index), Search::new(index).exact());
    for piece in pieces {
        let query = listen(f64::from(piece), 0.3, 10.2, 25.2).passages;
        for (found, expected) in [
            (
                near.tracks_like(&query, 3, None),
                exact.tracks_like(&query, 3, None),
            ),
            (
                near.passages_like(&query, 3, None),
                exact.passages_like(&query, 3, None),
            ),
        ] {
            let (found, expected) = (found.unwrap(), expected.unwrap());
            assert!(!found.exact && expected.exact);
            assert_eq!(found.unusable_graph, None);
            let tracks = |found: &Found| -> Vec<TrackId> {
                found.hits.iter().map(|hit| hit.track).collect()
            };
            assert_eq!(tracks(&found), tracks(&expected), "piece {piece}");
            for (found, expected) in found.hits.iter().zip(&expected.hits) {
                assert_eq!(found.passage, expected.passage);
                assert!((found.similarity - expected.similarity).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn a_graph_finds_what_comparing_everything_finds() {
    let (shelf, mut index) = shelf_of(150);
    assert!(
        Search::new(&index)
            .tracks_like(&listen(1.0, 0.3, 0.0, 9.0).passages, 1, None)
            .unwrap()
            .exact
    );
    assert!(update(&mut index));
    let permissions = |path: PathBuf| fs::metadata(path).unwrap().permissions();
    for kind in ["tracks", "passages"] {
        let of_index = permissions(shelf.path("library.hml"));
        assert_eq!(permissions(graph(&shelf, kind)), of_index, "{kind}");
    }
    finds_what_is_there(&index, (0..150).step_by(7));
    // Whoever opens the index later finds the same; there is nothing to do.
    drop(index);
    let mut index = shelf.index();
    finds_what_is_there(&index, 3..6);
    assert!(!update(&mut index));
}

#[test]
fn what_came_and_went_since_is_known() {
    let (shelf, mut index) = shelf_of(60);
    update(&mut index);
    for piece in 60..66 {
        add(&shelf, &mut index, piece);
    }
    for piece in [3, 4, 65] {
        fs::remove_file(shelf.path(&format!("{piece}.wav"))).unwrap();
    }
    // The last number that was given is free again, and given to another.
    index.prune().unwrap();
    add(&shelf, &mut index, 70);
    // Another recording under the name of one.
    shelf.add(&mut index, "5.wav", "new", &listen(80.0, 0.3, 0.0, 40.0));
    let behind = GraphConfig {
        tolerance: 0.5,
        ..GraphConfig::ALWAYS
    };
    assert!(!index.update_graphs(&behind, |_, _| {}).unwrap());
    let pieces = || (0..6).chain(58..71).chain([80]);
    finds_what_is_there(&index, pieces());
    assert!(update(&mut index));
    assert!(!update(&mut index));
    finds_what_is_there(&index, pieces());
}

#[test]
fn graphs_come_when_they_are_worth_it() {
    let (shelf, mut index) = shelf_of(20);
    assert!(
        !index
            .update_graphs(&GraphConfig::default(), |_, _| {})
            .unwrap()
    );
    let many_passages = GraphConfig {
        tracks: 29,
        passages: 100,
        tolerance: 0.01,
    };
    assert!(index.update_graphs(&many_passages, |_, _| {}).unwrap());
    assert!(!graph(&shelf, "tracks").exists() && graph(&shelf, "passages").is_file());
    for piece in 20..30 {
        add(&shelf, &mut index, piece);
    }
    assert!(index.update_graphs(&many_passages, |_, _| {}).unwrap());
    finds_what_is_there(&index, 0..30);

    index.remove_graphs().unwrap();
    assert!(!graph(&shelf, "tracks").exists() && !graph(&shelf, "passages").exists());
    let query = listen(1.0, 0.3, 0.0, 9.0).passages;
    let found = Search::new(&index).passages_like(&query, 1, None).unwrap();
    assert!(found.exact && found.unusable_graph.is_none());
    assert!(update(&mut index));
    finds_what_is_there(&index, 0..30);
}

#[test]
fn a_graph_that_is_another_is_not_believed() {
    let (shelf, mut index) = shelf_of(30);
    update(&mut index);
    let (tracks, passages) = (graph(&shelf, "tracks"), graph(&shelf, "passages"));
    let (kept, query) = (
        fs::read(&tracks).unwrap(),
        listen(7.0, 0.3, 0.0, 9.0).passages,
    );
    let mut broken = kept.clone();
    let middle = broken.len() / 2;
    broken[middle..].fill(0xff);
    let keep_time = |bytes: &[u8]| {
        let before = fs::metadata(&tracks).unwrap().modified().unwrap();
        fs::write(&tracks, bytes).unwrap();
        let file = fs::File::options().write(true).open(&tracks).unwrap();
        file.set_modified(before).unwrap();
    };
    let damages: [&dyn Fn(); 5] = [
        &|| fs::remove_file(&tracks).unwrap(),
        &|| fs::write(&tracks, &kept[..middle]).unwrap(),
        &|| fs::write(&tracks, &broken).unwrap(),
        &|| keep_time(&broken),
        &|| assert!(fs::copy(&passages, &tracks).unwrap() > 0),
    ];
    for damage in damages {
        damage();
        let found = Search::new(&index).tracks_like(&query, 2, None).unwrap();
        assert!(found.exact);
        assert_eq!(found.unusable_graph.as_deref(), Some(tracks.as_path()));
        let exact = Search::new(&index).exact();
        assert_eq!(found.hits, exact.tracks_like(&query, 2, None).unwrap().hits);
        assert!(update(&mut index));
        finds_what_is_there(&index, 5..8);
    }
}

#[test]
fn files_that_are_no_graphs_stay() {
    let (shelf, mut index) = shelf_of(10);
    let tracks = graph(&shelf, "tracks");
    fs::write(&tracks, "a list of tracks").unwrap();
    message(
        index.update_graphs(&GraphConfig::ALWAYS, |_, _| {}),
        &["library.hml.tracks", "move it away"],
    );
    index.remove_graphs().unwrap();
    assert_eq!(fs::read_to_string(&tracks).unwrap(), "a list of tracks");
    fs::remove_file(&tracks).unwrap();
    assert!(update(&mut index));

    // A graph of an index that is no more gives way.
    drop(index);
    fs::remove_file(shelf.path("library.hml")).unwrap();
    let mut index = shelf.index();
    add(&shelf, &mut index, 3);
    assert!(update(&mut index));
    finds_what_is_there(&index, 3..4);
}

#[test]
fn as_many_threads_as_there_are_may_ask() {
    let (shelf, mut index) = shelf_of(60);
    update(&mut index);
    drop(index);
    let threads = rayon::ThreadPoolBuilder::new().num_threads(16).build();
    let query = listen(7.0, 0.3, 0.0, 40.0).passages;
    threads.unwrap().install(|| {
        let index = shelf.index();
        for _ in 0..20 {
            let search = Search::new(&index);
            assert!(!search.passages_like(&query, 3, None).unwrap().exact);
        }
    });
}

#[cfg(unix)]
#[test]
fn an_index_has_its_graphs_under_other_names_too() {
    use std::os::unix::ffi::OsStrExt;
    let (shelf, mut index) = shelf_of(20);
    update(&mut index);
    fs::create_dir(shelf.path("elsewhere")).unwrap();
    let link = shelf.path("elsewhere/link.hml");
    std::os::unix::fs::symlink(shelf.path("library.hml"), &link).unwrap();
    finds_what_is_there(&Index::open(&link).unwrap(), 0..3);

    let odd = shelf
        .folder
        .path()
        .join(std::ffi::OsStr::from_bytes(b"l\xff.hml"));
    fs::copy(shelf.path("library.hml"), &odd).unwrap();
    let mut odd = Index::open(&odd).unwrap();
    message(
        odd.update_graphs(&GraphConfig::ALWAYS, |_, _| {}),
        &["Unicode", "rename"],
    );
}

#[test]
fn two_programs_make_graphs_at_once() {
    let (shelf, index) = shelf_of(40);
    drop(index);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| update(&mut shelf.index()));
        }
    });
    finds_what_is_there(&shelf.index(), 0..40);
    let parts = fs::read_dir(shelf.folder.path()).unwrap();
    let parts = parts.map(|part| part.unwrap().file_name());
    let others = parts.filter(|name| !name.to_string_lossy().ends_with(".wav"));
    assert_eq!(others.count(), 3, "the index and its graphs only");
}

//! What is found by its sound.

use super::*;

#[test]
fn the_recording_and_the_passage_are_found() {
    let shelf = Shelf::new();
    let mut index = shelf.index();
    for piece in 0..20 {
        let name = format!("{piece}.wav");
        shelf.add(
            &mut index,
            &name,
            &name,
            &listen(f64::from(piece), 0.3, 0.0, 120.0),
        );
    }
    let search = Search::new(&index);
    let ids = index.vectors().unwrap().ids().to_vec();
    // A stretch of a piece, not on its hops.
    let query = listen(7.0, 0.3, 40.2, 52.2).passages;
    let hits = search.passages_like(&query, 3, None).unwrap().hits;
    assert_eq!((hits.len(), hits[0].track), (3, ids[7]));
    let lag = hits[0].passage.start_s - hits[0].passage.query_start_s;
    assert!((lag - 40.2).abs() <= HOP_S / 2.0 + 1e-9, "{lag}");
    assert!(hits[0].similarity > hits[1].similarity && hits[1].similarity >= hits[2].similarity);

    // The whole piece is most like itself, unless it shall be left out.
    let whole = listen(7.0, 0.3, 0.0, 120.0).passages;
    let hits = search.tracks_like(&whole, 20, None).unwrap().hits;
    assert_eq!((hits.len(), hits[0].track), (20, ids[7]));
    assert!((hits[0].similarity - 1.0).abs() < 1e-6);
    let others = search.tracks_like(&whole, 19, Some(ids[7])).unwrap().hits;
    assert_eq!(others, hits[1..]);
    let others = search.passages_like(&whole, 50, Some(ids[7])).unwrap().hits;
    assert!(others.len() == 19 && others.iter().all(|hit| hit.track != ids[7]));
    message(
        search.tracks_like(&Passages::new(WIDTH), 3, None),
        &["nothing to hear"],
    );
    message(
        search.passages_like(&Passages::new(WIDTH), 3, None),
        &["nothing to hear"],
    );
}

#[test]
fn duplicates_are_the_same_sound_and_not_the_same_style() {
    let shelf = Shelf::new();
    let mut index = shelf.index();
    let mut add = |name: &str, embedding: &Embedding| shelf.add(&mut index, name, name, embedding);
    for piece in 0..12 {
        add(
            &format!("{piece}.wav"),
            &listen(f64::from(piece), 1.5, 0.0, 90.0),
        );
    }
    // Trimmed at both ends; a little other, as an encoder makes it; and the middle of a longer one.
    add("trimmed.wav", &listen(3.0, 1.5, 7.3, 80.0));
    let mut noisy = Passages::new(WIDTH);
    let clean = listen(5.0, 1.5, 0.0, 90.0);
    for (i, start_s) in clean.passages.starts_s().iter().enumerate() {
        let vector = clean.passages.vector(i).iter().enumerate();
        let noise = |k: usize| 0.02 * ((i * 31 + k * 17) as f32).sin();
        let vector: Vec<f32> = vector.map(|(k, v)| v + noise(k)).collect();
        noisy.push(*start_s, &vector).unwrap();
    }
    add(
        "noisy.wav",
        &Embedding {
            passages: noisy,
            ..clean
        },
    );
    add("long.wav", &listen(8.0, 1.5, -33.0, 120.0));
    let groups = duplicates(&index, &DuplicateConfig::default()).unwrap();
    let tracks = index.tracks().unwrap();
    let name = |id: TrackId| {
        let track = tracks.iter().find(|t| t.id == id).unwrap();
        track.files[0]
            .path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let found: Vec<Vec<(String, f64)>> = groups
        .iter()
        .map(|group| {
            group
                .twins
                .iter()
                .map(|t| (name(t.track), t.offset_s))
                .collect()
        })
        .collect();
    let near = |found: f64, expected: f64| (found - expected).abs() <= HOP_S / 4.0;
    assert_eq!(found.len(), 3, "{found:?}");
    for (names, offset) in [
        (["3.wav", "trimmed.wav"], 7.3),
        (["5.wav", "noisy.wav"], 0.0),
        (["long.wav", "8.wav"], 33.0),
    ] {
        let group = found.iter().find(|group| group[0].0 == names[0]).unwrap();
        assert!(group.len() == 2 && group[1].0 == names[1], "{found:?}");
        assert!(near(group[1].1, offset), "{group:?}");
    }
    let no_share = DuplicateConfig {
        agreement: 0.0,
        ..DuplicateConfig::default()
    };
    message(duplicates(&index, &no_share), &["0", "at most 1"]);
}

//! A page with all recordings on a plane.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Result, bail};
use hemiola::index::{Index, TrackId, plane};
use hemiola::plot::{MapTrack, library_map};

use super::{Args, present, rounded};
use crate::wrong_use;

/// Recordings that are told of each as most like it.
const NEAR: usize = 5;
/// In a library of more, that would take long and make a large page.
const MOST_WITH_NEAR: usize = 10_000;

pub fn run(args: &Args, index: &Index) -> Result<String> {
    let to_terminal = match args.output.as_deref() {
        None => std::io::stdout().is_terminal(),
        Some(path) => path == Path::new("-") && std::io::stdout().is_terminal(),
    };
    if to_terminal {
        return Err(wrong_use(
            "a page is not for a terminal: name a file with -o, such as map.html",
        ));
    }
    let vectors = &index.vectors()?;
    if vectors.is_empty() {
        bail!(
            "{}: there is nothing to hear in this index, so nothing to draw",
            index.path().display()
        );
    }
    let tracks = index.tracks()?;
    let tracks: BTreeMap<TrackId, _> = tracks.iter().map(|track| (track.id, track)).collect();
    let ids = vectors.ids().iter().enumerate();
    let places: BTreeMap<TrackId, usize> = ids.map(|(place, &id)| (id, place)).collect();
    let rows = vectors.vectors().chunks_exact(vectors.width());
    let mut drawn = Vec::new();
    for (place, vector) in plane(vectors).into_iter().zip(rows) {
        let Some(track) = tracks.get(&place.track) else {
            bail!(
                "{}: this index is damaged (track {} has no file)",
                index.path().display(),
                place.track
            );
        };
        let (file, _) = present(track)?;
        let folder = file.path.parent().unwrap_or(Path::new(""));
        let near = match vectors.len() <= MOST_WITH_NEAR {
            true => vectors.nearest(vector, NEAR + 1),
            false => Vec::new(),
        };
        let near = near.into_iter().filter(|(other, _)| *other != place.track);
        drawn.push(MapTrack {
            name: file.path.display().to_string(),
            group: folder.display().to_string(),
            x: rounded(place.x, 5),
            y: rounded(place.y, 5),
            duration_s: rounded(track.duration_s, 1),
            near: near
                .take(NEAR)
                .map(|(other, cosine)| (places[&other], rounded(f64::from(cosine), 4)))
                .collect(),
        });
    }
    let name = index.path().file_stem().unwrap_or_default();
    let note = format!(
        "{} recordings; hemiola {}, model {}",
        drawn.len(),
        env!("CARGO_PKG_VERSION"),
        index.model().name
    );
    Ok(library_map(&name.to_string_lossy(), &note, &drawn))
}

//! What is there more than once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::Result;
use hemiola::index::{
    DuplicateConfig, DuplicateGroup, FileState, Index, Track, TrackId, Twin, duplicates,
};
use serde::Serialize;

use super::{Args, clock, mark, rounded};
use crate::wrong_use;

/// Duplicates as JSON.
#[derive(Serialize)]
struct Written<'a> {
    hemiola: &'a str,
    library: String,
    model: &'a str,
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    /// The longest first.
    recordings: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    /// Bytes that are no text are replaced by U+FFFD.
    path: String,
    duration_s: f64,
    /// What is at t seconds in this recording is at t + this in the first.
    offset_s: f64,
    /// At this offset: 1 for the same sound, 0 for what passages of the two have in common at any offset.
    agreement: f64,
    /// Whether a file above has the same bytes.
    same_bytes: bool,
    missing: bool,
    changed: bool,
}

pub fn run(args: &Args, index: &Index) -> Result<String> {
    let mut config = DuplicateConfig::default();
    if let Some(agreement) = args.agreement {
        if !(agreement > 0.0 && agreement <= 1.0) {
            return Err(wrong_use(format!(
                "--agreement {agreement}: expected more than 0 and at most 1"
            )));
        }
        config.agreement = agreement;
    }
    let tracks: BTreeMap<TrackId, Track> = index
        .tracks()?
        .into_iter()
        .map(|track| (track.id, track))
        .collect();
    let mut found = duplicates(index, &config)?;
    add_copies(&mut found, &tracks);
    let groups: Vec<Group> = found
        .iter()
        .map(|group| rows(group, &tracks))
        .filter(|group| group.recordings.iter().filter(|row| !row.missing).count() > 1)
        .collect();
    if groups.is_empty() {
        eprintln!(
            "note: none of the {} recordings of {} is there twice",
            tracks.len(),
            index.path().display()
        );
    }
    if !args.json {
        return table(&groups);
    }
    let written = Written {
        hemiola: env!("CARGO_PKG_VERSION"),
        library: index.path().display().to_string(),
        model: &index.model().name,
        groups,
    };
    Ok(serde_json::to_string_pretty(&written)? + "\n")
}

/// Groups of files with the same bytes that nothing else is a duplicate of.
fn add_copies(groups: &mut Vec<DuplicateGroup>, tracks: &BTreeMap<TrackId, Track>) {
    let members = groups.iter().flat_map(|group| &group.twins);
    let grouped: BTreeSet<TrackId> = members.map(|twin| twin.track).collect();
    let alone = tracks
        .values()
        .filter(|t| t.files.len() > 1 && !grouped.contains(&t.id));
    groups.extend(alone.map(|track| DuplicateGroup {
        twins: vec![Twin {
            track: track.id,
            offset_s: 0.0,
            agreement: 1.0,
        }],
    }));
}

fn rows(group: &DuplicateGroup, tracks: &BTreeMap<TrackId, Track>) -> Group {
    let mut recordings = Vec::new();
    for twin in &group.twins {
        let Some(track) = tracks.get(&twin.track) else {
            continue;
        };
        for (place, file) in track.files.iter().enumerate() {
            let state = file.state();
            recordings.push(Row {
                path: file.path.display().to_string(),
                duration_s: rounded(track.duration_s, 3),
                offset_s: rounded(twin.offset_s, 2),
                agreement: rounded(twin.agreement, 4),
                same_bytes: place > 0,
                missing: state == FileState::Missing,
                changed: state == FileState::Changed,
            });
        }
    }
    Group { recordings }
}

fn table(groups: &[Group]) -> Result<String> {
    let mut text = String::new();
    if !groups.is_empty() {
        writeln!(text, "group  length    offset_s  agreement   file")?;
    }
    for (number, group) in groups.iter().enumerate() {
        for row in &group.recordings {
            let agreement = match row.same_bytes {
                true => "same bytes".to_owned(),
                false => format!("{:.3}", row.agreement),
            };
            let state = match (row.missing, row.changed) {
                (true, _) => FileState::Missing,
                (false, true) => FileState::Changed,
                (false, false) => FileState::There,
            };
            writeln!(
                text,
                "{:5}  {:8}  {:+8.2}  {agreement:10}  {}{}",
                number + 1,
                clock(row.duration_s),
                row.offset_s,
                row.path,
                mark(state)
            )?;
        }
    }
    Ok(text)
}

//! What is like a recording.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use hemiola::index::{FileState, Hit, Index, Search};
use serde::Serialize;

use super::query::Query;
use super::{Args, By, clock, mark, present, rounded};

/// What is like a query, as JSON.
#[derive(Serialize)]
struct Written<'a> {
    hemiola: &'a str,
    query: &'a str,
    library: String,
    model: &'a str,
    /// `track` or `passage`: what `similarity` is of.
    by: &'a str,
    /// Whether everything was compared, or what a graph of neighbours told.
    exact: bool,
    /// The most similar first.
    results: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    rank: usize,
    /// Bytes that are no text are replaced by U+FFFD.
    path: String,
    /// Other files with the same bytes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    copies: Vec<String>,
    /// Cosine: 1 for the same direction, 0 for nothing in common.
    similarity: f64,
    /// The passages of both that are most alike.
    passage: PassageRow,
    duration_s: f64,
    /// Whether there is no such file any more.
    missing: bool,
    /// Whether the file is another than the one that was heard.
    changed: bool,
}

#[derive(Serialize)]
struct PassageRow {
    query_start_s: f64,
    query_end_s: f64,
    start_s: f64,
    end_s: f64,
    similarity: f64,
}

pub fn run(args: &Args, path: &Path, index: &Index) -> Result<String> {
    if index.is_silent()? {
        bail!(
            "{}: there is nothing to hear in this index; hemiola embed RECORDINGS -o {} puts recordings into it",
            index.path().display(),
            index.path().display()
        );
    }
    let query = Query::of(args, path, index)?;
    let itself = query.itself.as_ref().map(|track| track.id);
    let without = itself.filter(|_| !args.itself);
    if without.is_some() {
        eprintln!(
            "note: {} is in {} and is not listed; --itself lists it",
            query.name,
            index.path().display()
        );
    }
    let n = args.n.get();
    let search = match args.exact {
        true => Search::new(index).exact(),
        false => Search::new(index),
    };
    let found = match args.by {
        By::Track => search.tracks_like(&query.passages, n, without),
        By::Passage => search.passages_like(&query.passages, n, without),
    }
    .with_context(|| query.name.clone())?;
    if let Some(file) = &found.unusable_graph {
        tell_unusable(file, index);
    }
    let rows = found
        .hits
        .iter()
        .enumerate()
        .map(|(place, hit)| row(index, &query, place + 1, hit))
        .collect::<Result<Vec<Row>>>()?;
    if rows.is_empty() {
        eprintln!("note: {} has no other recording", index.path().display());
    }
    if !args.json {
        return table(&rows);
    }
    let written = Written {
        hemiola: env!("CARGO_PKG_VERSION"),
        query: &query.name,
        library: index.path().display().to_string(),
        model: &index.model().name,
        by: args.by.name(),
        exact: found.exact,
        results: rows,
    };
    Ok(serde_json::to_string_pretty(&written)? + "\n")
}

fn tell_unusable(file: &Path, index: &Index) {
    let library = index.path().display();
    eprintln!(
        "note: {} is not the graph of neighbours that was made for {library}, so everything was compared; \
         hemiola embed --graph always -o {library} makes it anew",
        file.display()
    );
}

fn row(index: &Index, query: &Query, rank: usize, hit: &Hit) -> Result<Row> {
    let track = index.track(hit.track)?;
    let (file, state) = present(&track)?;
    let passage_s = index.model().passage_s;
    let pair = &hit.passage;
    let copies = track.files.iter().filter(|other| *other != file);
    Ok(Row {
        rank,
        path: file.path.display().to_string(),
        copies: copies.map(|file| file.path.display().to_string()).collect(),
        similarity: rounded(hit.similarity, 4),
        passage: PassageRow {
            query_start_s: rounded(pair.query_start_s, 3),
            query_end_s: rounded((pair.query_start_s + passage_s).min(query.duration_s), 3),
            start_s: rounded(pair.start_s, 3),
            end_s: rounded((pair.start_s + passage_s).min(track.duration_s), 3),
            similarity: rounded(pair.similarity, 4),
        },
        duration_s: rounded(track.duration_s, 3),
        missing: state == FileState::Missing,
        changed: state == FileState::Changed,
    })
}

fn table(rows: &[Row]) -> Result<String> {
    let mut text = String::new();
    if !rows.is_empty() {
        writeln!(
            text,
            "rank  similarity  {:17}  {:17}  file",
            "in the query", "in the file"
        )?;
    }
    for row in rows {
        let passage = &row.passage;
        let state = match (row.missing, row.changed) {
            (true, _) => FileState::Missing,
            (false, true) => FileState::Changed,
            (false, false) => FileState::There,
        };
        let span = |start_s, end_s| format!("{}–{}", clock(start_s), clock(end_s));
        writeln!(
            text,
            "{:4}  {:10.3}  {:17}  {:17}  {}{}",
            row.rank,
            row.similarity,
            span(passage.query_start_s, passage.query_end_s),
            span(passage.start_s, passage.end_s),
            row.path,
            mark(state)
        )?;
        for copy in &row.copies {
            writeln!(text, "{:54}{copy}  (same bytes)", "")?;
        }
    }
    Ok(text)
}

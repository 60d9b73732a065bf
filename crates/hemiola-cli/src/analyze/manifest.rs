//! Tables of recordings.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use crate::inputs::Input;

/// One row: the file, and the id where there is such a column.
type Row = (String, Option<String>);

/// The recordings of a CSV or Parquet table, in its order.
pub fn read(path: &Path) -> Result<Vec<Input>> {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let rows = match ending.to_ascii_lowercase().as_str() {
        "csv" => csv_rows(path),
        "parquet" => parquet_rows(path),
        _ => bail!(
            "{}: a manifest is a .csv or a .parquet file",
            path.display()
        ),
    };
    let rows = rows.with_context(|| path.display().to_string())?;
    if rows.is_empty() {
        bail!("{}: the table has no row", path.display());
    }
    let below = path.parent().unwrap_or(Path::new(""));
    let inputs = rows.into_iter().enumerate().map(|(i, (file, id))| {
        let stem = match id {
            Some(id) => PathBuf::from(id),
            None => Path::new(&file).file_stem().map(PathBuf::from).unwrap_or_default(),
        };
        let is_name = stem.components().count() > 0
            && stem.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if file.is_empty() || !is_name {
            bail!(
                "{}: row {}: expected a file and an id that can name a folder; found {file:?} and {:?}",
                path.display(),
                i + 1,
                stem
            );
        }
        Ok(Input {
            path: below.join(file),
            stem,
        })
    });
    inputs.collect()
}

fn no_file_column<'a>(names: impl Iterator<Item = &'a str>) -> anyhow::Error {
    let names: Vec<&str> = names.collect();
    anyhow::anyhow!(
        "expected a column file (and, if wanted, id); found {}",
        names.join(", ")
    )
}

fn csv_rows(path: &Path) -> Result<Vec<Row>> {
    let bytes = std::fs::read(path)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header = reader.headers()?.clone();
    let column = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
    let Some(file) = column("file") else {
        return Err(no_file_column(header.iter()));
    };
    let id = column("id");
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let cell = |i: usize| record.get(i).unwrap_or("").to_owned();
        rows.push((cell(file), id.map(cell)));
    }
    Ok(rows)
}

fn parquet_rows(path: &Path) -> Result<Vec<Row>> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None)? {
        let row = row?;
        let cell = |name: &str| {
            let found = row
                .get_column_iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map(|(_, field)| match field {
                Field::Str(text) => text.clone(),
                other => other.to_string(),
            })
        };
        let Some(file) = cell("file") else {
            return Err(no_file_column(
                row.get_column_iter().map(|(n, _)| n.as_str()),
            ));
        };
        rows.push((file, cell("id")));
    }
    Ok(rows)
}

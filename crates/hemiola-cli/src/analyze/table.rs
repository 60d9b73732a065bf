//! A row for each recording, as Parquet.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use hemiola::formats::write_atomically;
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::Place;
use super::folder::AnalysisFolder;
use super::summary::Summary;

/// The values of a column; `None` is null.
enum Column<'a> {
    Text(Vec<Option<&'a str>>),
    Whole(Vec<Option<i64>>),
    Number(Vec<Option<f64>>),
    Vectors(Vec<Option<&'a [f32]>>),
}

/// Writes what is known of every recording of a batch, in its order: those analysed, whoever did it, and those that failed. What
/// has not been listened to yet has no row.
pub fn write(path: &Path, places: &[Place]) -> Result<()> {
    let known: Vec<(&Place, AnalysisFolder)> = places
        .iter()
        .map(|place| (place, AnalysisFolder::at(&place.folder)))
        .collect();
    let rows: Vec<(&Place, &Summary)> = known
        .iter()
        .filter_map(|(place, folder)| Some((*place, folder.summary()?)))
        .collect();
    let bytes = encode(&columns(&rows))?;
    write_atomically(path, |out| std::io::Write::write_all(out, &bytes))?;
    Ok(())
}

fn columns<'a>(rows: &[(&'a Place, &'a Summary)]) -> Vec<(&'static str, Column<'a>)> {
    let text = |of: fn(&Summary) -> Option<&str>| {
        Column::Text(rows.iter().map(|(_, row)| of(row)).collect())
    };
    let whole = |of: fn(&Summary) -> Option<i64>| {
        Column::Whole(rows.iter().map(|(_, row)| of(row)).collect())
    };
    let number = |of: fn(&Summary) -> Option<f64>| {
        Column::Number(rows.iter().map(|(_, row)| of(row)).collect())
    };
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let names = rows.iter().map(|(place, _)| Some(place.name.as_str()));
    let count_of = |of: fn(&Summary) -> Option<usize>| {
        Column::Whole(rows.iter().map(|(_, row)| of(row).map(count)).collect())
    };
    let vectors = rows.iter().map(|(_, row)| row.embedding.as_deref());
    vec![
        ("id", Column::Text(names.collect())),
        ("file", text(|row| Some(&row.recording))),
        ("sha256", text(|row| row.sha256.as_deref())),
        ("version", text(|row| Some(&row.version))),
        ("error", text(|row| row.error.as_deref())),
        (
            "duration_s",
            number(|row| row.error.is_none().then_some(row.duration_s)),
        ),
        (
            "sample_rate",
            whole(|row| row.error.is_none().then(|| row.sample_rate.into())),
        ),
        (
            "channels",
            count_of(|row| row.error.is_none().then_some(row.channels)),
        ),
        ("notes", count_of(|row| row.notes)),
        ("lowest_pitch", whole(|row| row.lowest_pitch.map(i64::from))),
        (
            "highest_pitch",
            whole(|row| row.highest_pitch.map(i64::from)),
        ),
        ("onsets", count_of(|row| row.onsets)),
        ("tempo_bpm", number(|row| row.tempo_bpm)),
        (
            "beats_per_bar",
            whole(|row| row.beats_per_bar.map(i64::from)),
        ),
        ("beats", count_of(|row| row.beats)),
        ("key", text(|row| row.key.as_deref())),
        ("chords", count_of(|row| row.chords)),
        ("instrument", text(|row| row.instrument.as_deref())),
        ("instrument_score", number(|row| row.instrument_score)),
        ("embedding", Column::Vectors(vectors.collect())),
    ]
}

fn encode(columns: &[(&str, Column)]) -> Result<Vec<u8>> {
    let fields = columns
        .iter()
        .map(|(name, column)| Ok(Arc::new(field(name, column)?)))
        .collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder("schema")
        .with_fields(fields)
        .build()?;
    let properties = WriterProperties::builder()
        .set_created_by(format!("hemiola {}", env!("CARGO_PKG_VERSION")))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let mut columns = columns.iter();
    while let Some(mut writer) = group.next_column()? {
        let Some((_, column)) = columns.next() else {
            break;
        };
        put(column, writer.untyped())?;
        writer.close()?;
    }
    group.close()?;
    Ok(writer.into_inner()?)
}

fn field(name: &str, column: &Column) -> Result<Type> {
    let optional = |physical| {
        Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL)
    };
    Ok(match column {
        Column::Text(_) => optional(Physical::BYTE_ARRAY)
            .with_logical_type(Some(LogicalType::String))
            .build()?,
        Column::Whole(_) => optional(Physical::INT64).build()?,
        Column::Number(_) => optional(Physical::DOUBLE).build()?,
        Column::Vectors(_) => {
            // A list as the format's specification has it, of elements that are never null.
            let element = Type::primitive_type_builder("element", Physical::FLOAT)
                .with_repetition(Repetition::REQUIRED)
                .build()?;
            let list = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![Arc::new(element)])
                .build()?;
            Type::group_type_builder(name)
                .with_repetition(Repetition::OPTIONAL)
                .with_converted_type(ConvertedType::LIST)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![Arc::new(list)])
                .build()?
        }
    })
}

fn put(column: &Column, writer: &mut ColumnWriter) -> Result<()> {
    match (column, writer) {
        (Column::Text(values), ColumnWriter::ByteArrayColumnWriter(to)) => {
            let found: Vec<ByteArray> = values.iter().flatten().map(|v| (*v).into()).collect();
            to.write_batch(&found, Some(&levels(values)), None)?;
        }
        (Column::Whole(values), ColumnWriter::Int64ColumnWriter(to)) => {
            let found: Vec<i64> = values.iter().flatten().copied().collect();
            to.write_batch(&found, Some(&levels(values)), None)?;
        }
        (Column::Number(values), ColumnWriter::DoubleColumnWriter(to)) => {
            let found: Vec<f64> = values.iter().flatten().copied().collect();
            to.write_batch(&found, Some(&levels(values)), None)?;
        }
        (Column::Vectors(rows), ColumnWriter::FloatColumnWriter(to)) => {
            let (mut found, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
            for row in rows {
                // 0 is null, 1 an empty list, 2 an element.
                match row {
                    None => defined.push(0),
                    Some([]) => defined.push(1),
                    Some(vector) => {
                        found.extend_from_slice(vector);
                        defined.extend(vector.iter().map(|_| 2));
                        repeated.push(0);
                        repeated.extend(vector.iter().skip(1).map(|_| 1));
                        continue;
                    }
                }
                repeated.push(0);
            }
            to.write_batch(&found, Some(&defined), Some(&repeated))?;
        }
        _ => anyhow::bail!("a column of the table is of another type than its schema says"),
    }
    Ok(())
}

/// 1 where there is a value.
fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|v| i16::from(v.is_some())).collect()
}

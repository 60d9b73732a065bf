//! Scores for the eye.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::Value;

/// Columns under one heading.
pub struct Group {
    pub heading: &'static str,
    pub columns: &'static [Column],
}

pub struct Column {
    pub heading: &'static str,
    /// Where the number is in a file's scores.
    pub path: &'static [&'static str],
}

/// Characters of a number and the blank before it.
const WIDTH: usize = 8;

/// One line a file and one for the mean; groups without any number are left out.
pub fn write(
    out: &mut impl Write,
    groups: &[Group],
    files: &BTreeMap<String, Value>,
    mean: &Value,
) -> std::io::Result<()> {
    let groups: Vec<&Group> = groups
        .iter()
        .filter(|group| group.columns.iter().any(|c| c.number(mean).is_some()))
        .collect();
    let lengths = files.keys().map(|stem| stem.chars().count());
    let first = lengths.max().unwrap_or(0).max("file".len());

    let mut line = " ".repeat(first);
    for group in &groups {
        let width = group.columns.len() * WIDTH;
        line += &format!(
            "  {:<width$}",
            group.heading,
            width = width.max(group.heading.len())
        );
    }
    writeln!(out, "{}", line.trim_end())?;
    let rows = |name: &str, cell: &dyn Fn(&Column) -> String| {
        let mut line = format!("{name:first$}");
        for group in &groups {
            let cells: String = group
                .columns
                .iter()
                .map(|c| format!("{:<WIDTH$}", cell(c)))
                .collect();
            line += &format!("  {cells:<width$}", width = group.heading.len());
        }
        line.trim_end().to_owned()
    };
    writeln!(out, "{}", rows("file", &|c| c.heading.to_owned()))?;
    let all = files.iter().map(|(stem, scores)| (stem.as_str(), scores));
    for (name, scores) in all.chain([("mean", mean)]) {
        let cell = |column: &Column| match column.number(scores) {
            Some(number) => format!("{number:.4}"),
            None => "-".to_owned(),
        };
        writeln!(out, "{}", rows(name, &cell))?;
    }
    Ok(())
}

/// A number, or 1 where something is so and 0 where it is not.
pub fn number(score: &Value) -> Option<f64> {
    let truth = || Some(f64::from(u8::from(score.as_bool()?)));
    score.as_f64().or_else(truth)
}

impl Column {
    fn number(&self, scores: &Value) -> Option<f64> {
        let found = self.path.iter().try_fold(scores, |at, name| at.get(name));
        found.and_then(number)
    }
}

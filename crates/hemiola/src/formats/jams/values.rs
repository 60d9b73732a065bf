//! Observations as the versions of JAMS have them.

use serde_json::Value;

/// What is said of a stretch of time.
#[derive(Debug)]
pub(super) struct Observation<'a> {
    pub(super) time_s: f64,
    pub(super) duration_s: f64,
    pub(super) value: &'a Value,
    pub(super) confidence: Option<f64>,
}

impl Observation<'_> {
    pub(super) fn end_s(&self) -> f64 {
        self.time_s + self.duration_s
    }
}

/// A list of observations, an object with a list of each of their fields (dense data and version 0.2), or the events and
/// ranges of version 0.1.
///
/// # Errors
/// Something else; the message says which observation, counted from 1, and what was expected.
pub(super) fn observations(data: &Value) -> Result<Vec<Observation<'_>>, String> {
    let found = match data {
        Value::Array(list) => {
            let numbered = (1..).zip(list);
            let each = numbered.map(|(number, each)| {
                of_object(each).map_err(|fault| format!("observation {number}: {fault}"))
            });
            each.collect::<Result<Vec<_>, String>>()?
        }
        Value::Object(_) => of_columns(data)?,
        other => {
            return Err(format!(
                "expected a list of observations, found {}",
                brief(other)
            ));
        }
    };
    for (number, each) in (1..).zip(&found) {
        let Observation {
            time_s, duration_s, ..
        } = *each;
        if !(time_s >= 0.0 && duration_s >= 0.0 && each.end_s().is_finite()) {
            return Err(format!(
                "observation {number}: expected a time and a duration of 0 s or more, found {time_s} s and {duration_s} s"
            ));
        }
    }
    Ok(found)
}

fn of_object(each: &Value) -> Result<Observation<'_>, String> {
    let field = |name: &str| {
        each.get(name)
            .map(|field| field.get("value").unwrap_or(field))
    };
    let seconds = |name: &str| field(name).filter(|found| !found.is_null());
    let start = seconds("time").or_else(|| seconds("start"));
    let start = start.ok_or_else(|| format!("expected a time, found {}", brief(each)))?;
    let time_s = number(start)?;
    let duration_s = match (seconds("duration"), seconds("end")) {
        (Some(duration), _) => number(duration)?,
        (None, Some(end)) => number(end)? - time_s,
        (None, None) => 0.0,
    };
    // In version 0.3 the field itself, which may be an object.
    let value = each.get("value").or_else(|| field("label"));
    Ok(Observation {
        time_s,
        duration_s,
        value: value.unwrap_or(&Value::Null),
        confidence: field("confidence").and_then(Value::as_f64),
    })
}

fn of_columns(data: &Value) -> Result<Vec<Observation<'_>>, String> {
    let column = |name: &str| data.get(name).and_then(Value::as_array);
    let times = column("time").ok_or("expected a list of observations or of their times")?;
    let cell = |name: &str, index: usize| column(name).and_then(|cells| cells.get(index));
    let mut found = Vec::with_capacity(times.len());
    for (index, time) in times.iter().enumerate() {
        let fault = |fault| format!("observation {}: {fault}", index + 1);
        let duration = cell("duration", index).filter(|found| !found.is_null());
        found.push(Observation {
            time_s: number(time).map_err(fault)?,
            duration_s: duration.map_or(Ok(0.0), number).map_err(fault)?,
            value: cell("value", index).unwrap_or(&Value::Null),
            confidence: cell("confidence", index).and_then(Value::as_f64),
        });
    }
    Ok(found)
}

pub(super) fn number(value: &Value) -> Result<f64, String> {
    let expected = || format!("expected a number, found {}", brief(value));
    value.as_f64().ok_or_else(expected)
}

pub(super) fn text(value: &Value) -> Result<&str, String> {
    let expected = || format!("expected a text, found {}", brief(value));
    value.as_str().ok_or_else(expected)
}

/// As much of a value as a message has room for.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

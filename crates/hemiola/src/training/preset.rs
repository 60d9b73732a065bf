//! Sections of a recipe that are written over a preset.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Reads a section; keys that it lacks keep the values they have in `preset`.
pub(super) fn over<'de, T, D>(preset: &T, section: D) -> Result<T, D::Error>
where
    T: Serialize + DeserializeOwned,
    D: Deserializer<'de>,
{
    let given = Map::deserialize(section)?;
    let mut whole = serde_json::to_value(preset).map_err(D::Error::custom)?;
    if let Value::Object(whole) = &mut whole {
        whole.extend(given);
    }
    serde_json::from_value(whole).map_err(D::Error::custom)
}

use super::axis::{Axis, Ticks};
use super::heat_map::{HeatMapOptions, heat_map};
use super::matrix::Matrix;
use super::picture::Picture;
use crate::error::{Error, Result};

/// With more positions than that, these are numbered and not named.
const MAX_NAMED: usize = 64;

/// Attention weights [queries, keys] of a sequence to itself, the first query on top.
///
/// `tokens` names the positions; they are drawn up to 64. Of many positions, the largest weight in each pixel is shown.
///
/// # Errors
/// There are not as many queries as keys, or another number of names than positions, unless there is none.
pub fn attention_map(title: &str, weights: Matrix, tokens: &[String]) -> Result<Picture> {
    let (queries, keys) = (weights.rows(), weights.columns());
    if queries != keys {
        return Err(Error::config(format!(
            "attention of {queries} queries to {keys} keys; expected as many of each, one for each position"
        )));
    }
    if !tokens.is_empty() && tokens.len() != keys {
        return Err(Error::config(format!(
            "{} names of tokens for attention between {keys} positions; expected one for each, or none",
            tokens.len()
        )));
    }
    let ticks = match tokens.len() {
        1..=MAX_NAMED => Ticks::Names(tokens.to_vec()),
        _ => Ticks::Index,
    };
    let options = HeatMapOptions {
        columns: Axis::new("key", ticks.clone()),
        rows: Axis::new("query", ticks),
        square_cells: true,
        value_label: "weight".to_owned(),
        ..HeatMapOptions::default()
    };
    heat_map(title, weights, &options)
}

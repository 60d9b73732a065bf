use super::axis::{Axis, Ticks};
use super::heat_map::{HeatMapOptions, heat_map};
use super::matrix::Matrix;
use super::picture::Picture;
use crate::error::{Error, Result};

/// With more positions than that, these are numbered and not named.
const MAX_NAMED: usize = 64;

/// The share of the weights above 0 that the colours tell apart. The first positions have few keys to share a weight of 1
/// among, and would leave all others dark.
const TOLD_APART: f64 = 0.99;

/// Attention weights [queries, keys] of a sequence to itself, the first query on top.
///
/// `tokens` names the positions; they are drawn up to 64. Of many positions, the largest weight in each pixel is shown.
/// The largest hundredth of the weights above 0 have the top colour.
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
    let brightest = weights.positive_quantile(TOLD_APART);
    let value_label = match brightest {
        Some(_) => "weight (top colour: or more)",
        None => "weight",
    };
    let options = HeatMapOptions {
        columns: Axis::new("key", ticks.clone()),
        rows: Axis::new("query", ticks),
        square_cells: true,
        range: Some((0.0, brightest.unwrap_or(1.0))),
        value_label: value_label.to_owned(),
        ..HeatMapOptions::default()
    };
    heat_map(title, weights, &options)
}

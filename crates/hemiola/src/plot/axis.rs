use super::text::text_width;
use crate::error::{Error, Result};

/// What stands along one side of a matrix.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// Such as `key` or `frequency (Hz)`; empty for none.
    pub label: String,
    pub ticks: Ticks,
}

impl Axis {
    pub fn new(label: impl Into<String>, ticks: Ticks) -> Self {
        Self {
            label: label.into(),
            ticks,
        }
    }
}

/// What the cells along an axis are.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Ticks {
    /// Numbered from 0.
    #[default]
    Index,
    /// Numbers that grow evenly from the outer edge of the first cell to that of the last.
    Numbers { from: f64, to: f64 },
    /// Seconds that grow evenly from the outer edge of the first cell to that of the last.
    Time { from_s: f64, to_s: f64 },
    /// A name for each cell; as many are written as there is room for.
    Names(Vec<String>),
    /// Names of some cells by their number, all of them written.
    At(Vec<(usize, String)>),
}

/// A text at a place along an axis.
pub(super) struct Tick {
    /// From 0, the outer edge of the first cell, to 1, that of the last.
    pub at: f64,
    pub text: String,
}

impl Ticks {
    /// For an axis of `cells` cells on `length` pixels, whose texts take up to `room` pixels of it each.
    pub(super) fn place(&self, cells: usize, length: f64, room: f64) -> Result<Vec<Tick>> {
        let most = (length / room) as usize;
        let centred = |(cell, text): (usize, String)| Tick {
            at: (cell as f64 + 0.5) / cells as f64,
            text,
        };
        Ok(match self {
            Self::Index => {
                let step = nice_step(cells as f64, most).max(1.0) as usize;
                let shown = (0..cells)
                    .step_by(step)
                    .map(|cell| (cell, cell.to_string()));
                shown.map(centred).collect()
            }
            &Self::Numbers { from, to } => number_ticks(from, to, most)?,
            &Self::Time { from_s, to_s } => time_ticks(from_s, to_s, most)?,
            Self::Names(names) if names.len() != cells => {
                return Err(Error::config(format!(
                    "{} names for an axis of {cells} cells; expected one for each",
                    names.len()
                )));
            }
            Self::Names(names) => {
                let step = (cells as f64 * room / length).ceil().max(1.0) as usize;
                let shown = names.iter().cloned().enumerate().step_by(step);
                shown.map(centred).collect()
            }
            Self::At(names) => {
                if let Some((cell, name)) = names.iter().find(|(cell, _)| *cell >= cells) {
                    return Err(Error::config(format!(
                        "the tick {name:?} stands at cell {cell} of an axis whose cells are 0 to {}",
                        cells.saturating_sub(1)
                    )));
                }
                names.iter().cloned().map(centred).collect()
            }
        })
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that divides a span into at most `most` parts.
fn nice_step(span: f64, most: usize) -> f64 {
    let least = span / most.max(1) as f64;
    let power = 10f64.powf(least.log10().floor());
    let enough = |multiple: &f64| *multiple * power >= least * (1.0 - 1e-9);
    let multiple = [1.0, 2.0, 5.0].into_iter().find(enough);
    multiple.unwrap_or(10.0) * power
}

/// The multiples of a step from one number to another, each with its place between them from 0 to 1.
fn multiples(from: f64, to: f64, step: f64) -> impl Iterator<Item = (f64, f64)> {
    const ROUNDING: f64 = 1e-6;
    let first = (from / step - ROUNDING).ceil();
    let count = (to / step + ROUNDING).floor() - first;
    (0..=count as usize)
        .map(move |i| {
            // Adding 0 makes −0 a 0.
            let value = (first + i as f64) * step + 0.0;
            (value, (value - from) / (to - from))
        })
        .filter(|(_, at)| (-ROUNDING..=1.0 + ROUNDING).contains(at))
}

pub(super) fn number_ticks(from: f64, to: f64, most: usize) -> Result<Vec<Tick>> {
    check_range(from, to)?;
    let step = nice_step(to - from, most);
    let largest = from.abs().max(to.abs());
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let write = |value: f64| match largest >= 1e6 || decimals > 4 {
        true => format!("{value:.1e}"),
        false => format!("{value:.decimals$}").replace('-', "−"),
    };
    let placed = multiples(from, to, step);
    Ok(placed
        .map(|(value, at)| Tick {
            at,
            text: write(value),
        })
        .collect())
}

/// In seconds below a minute, in minutes and hours above.
pub(super) fn time_ticks(from_s: f64, to_s: f64, most: usize) -> Result<Vec<Tick>> {
    check_range(from_s, to_s)?;
    const CLOCK_S: [f64; 14] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
    ];
    let span = to_s - from_s;
    let clock = CLOCK_S
        .into_iter()
        .find(|step| span / step <= most.max(1) as f64);
    let decimal = nice_step(span, most);
    let step = if decimal < 1.0 {
        decimal
    } else {
        clock.unwrap_or(decimal)
    };
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let placed = multiples(from_s, to_s, step);
    let write = |seconds| clock_text(seconds, to_s, decimals);
    Ok(placed
        .map(|(value, at)| Tick {
            at,
            text: write(value),
        })
        .collect())
}

/// The unit of the ticks of an axis of time that ends at `to_s`.
pub(super) fn time_unit(to_s: f64) -> &'static str {
    match to_s {
        _ if to_s < MINUTE_S => "s",
        _ if to_s < HOUR_S => "min:s",
        _ => "h:min:s",
    }
}

const MINUTE_S: f64 = 60.0;
const HOUR_S: f64 = 3600.0;

fn clock_text(time_s: f64, to_s: f64, decimals: usize) -> String {
    if to_s < MINUTE_S {
        return format!("{time_s:.decimals$}").replace('-', "−");
    }
    let sign = if time_s < 0.0 { "−" } else { "" };
    let fraction = 10f64.powi(decimals as i32);
    // Rounded before it is divided, so that no 60 seconds are left.
    let time = (time_s.abs() * fraction).round() / fraction;
    let (minutes, seconds) = ((time / MINUTE_S).floor(), time % MINUTE_S);
    let digits = if decimals > 0 { decimals + 3 } else { 2 };
    if to_s < HOUR_S {
        return format!("{sign}{minutes}:{seconds:0digits$.decimals$}");
    }
    let (hours, minutes) = ((minutes / 60.0).floor(), minutes % 60.0);
    format!("{sign}{hours}:{minutes:02}:{seconds:0digits$.decimals$}")
}

fn check_range(from: f64, to: f64) -> Result<()> {
    if from.is_finite() && to.is_finite() && from < to && (to - from).is_finite() {
        return Ok(());
    }
    Err(Error::config(format!(
        "an axis from {from} to {to}; expected two numbers, the second above the first"
    )))
}

/// Of the widest text.
pub(super) fn widest(ticks: &[Tick], size: f64) -> f64 {
    let widths = ticks.iter().map(|tick| text_width(&tick.text, size));
    widths.fold(0.0, f64::max)
}

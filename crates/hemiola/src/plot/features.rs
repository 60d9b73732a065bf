use super::axis::{Tick, number_ticks};
use super::colour::{Colour, ColourScale};
use super::frame::{MARGIN, Side, TICK_SIZE, draw_frame, draw_title, title_height};
use super::heat_map::{BAR_WIDTH, FirstRow, LINE_ROOM};
use super::matrix::Matrix;
use super::panels::{LEFT, Panels, RIGHT, WIDTH, shades_of};
use super::picture::{Paint, Picture, Rect};
use super::shades::Shades;
use super::text::text_width;
use crate::error::{Error, Result};

/// Cells over a part of a spectrogram's time and frequency.
#[derive(Debug, Clone, Copy)]
pub struct Patch<'a> {
    /// [frequency, time], the lowest frequency first.
    pub cells: Matrix<'a>,
    /// Outer edges of the first and the last column, s.
    pub time_s: (f64, f64),
    /// Outer edges of the first and the last row in bins of the spectrogram, whose own are 0 and the number of its bins.
    pub bins: (f64, f64),
}

/// Numbers of 0 and more for equal parts of a time.
#[derive(Debug, Clone, Copy)]
pub struct StepCurve<'a> {
    pub label: &'a str,
    pub values: &'a [f32],
    /// Outer edges of the first and the last part, s.
    pub time_s: (f64, f64),
}

/// What a layer of a network finds, by channel.
#[derive(Debug, Clone)]
pub struct LayerMaps<'a> {
    pub title: String,
    /// Names and cells of the channels that are shown, at least one.
    pub maps: Vec<(String, Patch<'a>)>,
}

/// Learned filters, one in each row.
#[derive(Debug, Clone)]
pub struct FilterRows<'a> {
    pub title: String,
    /// Names of the rows.
    pub names: Vec<String>,
    /// [filters, taps]
    pub weights: Matrix<'a>,
    /// What the taps are.
    pub label: String,
    /// Outer edges of the first and the last tap in the numbers of the label.
    pub taps: (f64, f64),
    /// A place that is marked in each row, in the same numbers; none are where there are none.
    pub marks: Vec<f64>,
}

/// All that [`feature_picture`] shows.
#[derive(Debug, Clone)]
pub struct FeatureSheet<'a> {
    /// Centres of the spectrogram's bins, Hz, rising.
    pub bins_hz: &'a [f64],
    pub spectrogram: Patch<'a>,
    /// What the numbers of the spectrogram are, such as `ln power`.
    pub spectrogram_label: String,
    pub attention: Option<StepCurve<'a>>,
    pub layers: Vec<LayerMaps<'a>>,
    pub filters: Option<FilterRows<'a>>,
}

/// Pixels of the spectrogram, of a channel, and of a row of filters.
const SPECTROGRAM_HEIGHT: f64 = 256.0;
const MAP_HEIGHT: f64 = 64.0;
const FILTER_HEIGHT: f64 = 18.0;
/// Of all filters together, so that the bar of their colours has room for numbers.
const LEAST_FILTERS_HEIGHT: f64 = 54.0;
const WIDEST_TAP: f64 = 40.0;
/// The share of a layer's numbers whose colours differ; single peaks would leave all others dark.
const TOLD_APART: f64 = 0.99;

/// A spectrogram and what the layers of a network make of it, over one axis of time, and learned filters below.
///
/// The colours of a layer's channels are the same. The highest hundredth of its numbers has the top colour, the lowest the
/// bottom one.
///
/// # Errors
/// Centres that do not rise, patches beyond the spectrogram, a layer without a channel, numbers that do not fit one another.
pub fn feature_picture(title: &str, sheet: &FeatureSheet) -> Result<Picture> {
    check(sheet)?;
    let width = (LEFT + WIDTH + RIGHT).ceil() as u32;
    let mut panels = Panels {
        picture: Picture::new(width, 0, title),
        bins_hz: sheet.bins_hz,
        time_s: sheet.spectrogram.time_s,
        y: MARGIN + title_height(title) + 0.5,
    };
    draw_title(&mut panels.picture, LEFT, title);
    let shades = shades_of(sheet.spectrogram.cells.values().iter().copied(), 1.0);
    let spectrogram = [("", sheet.spectrogram)];
    panels.patches(
        &spectrogram,
        SPECTROGRAM_HEIGHT,
        &shades,
        &sheet.spectrogram_label,
    )?;
    if let Some(curve) = &sheet.attention {
        panels.steps(curve)?;
    }
    panels.times(sheet.layers.is_empty())?;
    for (index, layer) in sheet.layers.iter().enumerate() {
        panels.heading(&layer.title);
        let maps = layer.maps.iter();
        let maps: Vec<(&str, Patch)> = maps.map(|(name, map)| (name.as_str(), *map)).collect();
        let values = maps.iter().flat_map(|(_, map)| map.cells.values());
        let shades = shades_of(values.copied(), TOLD_APART);
        panels.patches(&maps, MAP_HEIGHT, &shades, "activation")?;
        panels.times(index + 1 == sheet.layers.len())?;
    }
    if let Some(filters) = &sheet.filters {
        panels.heading(&filters.title);
        draw_filters(&mut panels, filters)?;
    }
    let mut picture = panels.picture;
    picture.height = (panels.y + MARGIN).ceil() as u32;
    Ok(picture)
}

fn check(sheet: &FeatureSheet) -> Result<()> {
    let fail = |message: String| Err(Error::config(message));
    let (bins_hz, all) = (sheet.bins_hz, sheet.spectrogram);
    if bins_hz.len() < 2 || !bins_hz.windows(2).all(|pair| pair[0] < pair[1]) {
        return fail("the centres of a spectrogram's bins; expected two or more that rise".into());
    }
    if all.cells.rows() != bins_hz.len() || all.bins != (0.0, bins_hz.len() as f64) {
        return fail(format!(
            "a spectrogram of {} rows over {:?} bins; expected {} of both",
            all.cells.rows(),
            all.bins,
            bins_hz.len()
        ));
    }
    for layer in &sheet.layers {
        if layer.maps.is_empty() {
            return fail(format!(
                "the layer {:?} has no channel to show",
                layer.title
            ));
        }
        for (name, map) in &layer.maps {
            if !(within(map.time_s, all.time_s) && within(map.bins, all.bins)) {
                return fail(format!(
                    "{name} of {:?} spans {:?} s and {:?} bins; expected a part of the spectrogram's {:?} s and {:?} bins",
                    layer.title, map.time_s, map.bins, all.time_s, all.bins
                ));
            }
        }
    }
    if let Some(curve) = &sheet.attention {
        let possible = |value: &f32| value.is_finite() && *value >= 0.0;
        if curve.values.is_empty() || !curve.values.iter().all(possible) {
            return fail(format!("{}: expected numbers of 0 and more", curve.label));
        }
        if !within(curve.time_s, all.time_s) {
            return fail(format!(
                "{} spans {:?} s; expected a part of the spectrogram's {:?} s",
                curve.label, curve.time_s, all.time_s
            ));
        }
    }
    if let Some(filters) = &sheet.filters {
        let rows = filters.weights.rows();
        if filters.names.len() != rows || ![0, rows].contains(&filters.marks.len()) {
            return fail(format!(
                "{rows} filters with {} names and {} marks; expected one for each",
                filters.names.len(),
                filters.marks.len()
            ));
        }
    }
    Ok(())
}

fn within(part: (f64, f64), whole: (f64, f64)) -> bool {
    const ROUNDING: f64 = 1e-6;
    part.0 < part.1 && part.0 >= whole.0 - ROUNDING && part.1 <= whole.1 + ROUNDING
}

/// Blue below 0, red above, in the same colours for all.
fn draw_filters(panels: &mut Panels, filters: &FilterRows) -> Result<()> {
    let (rows, taps) = (filters.weights.rows(), filters.weights.columns());
    let names = filters.names.iter();
    let widest = names.map(|name| text_width(name, TICK_SIZE));
    let x = LEFT.max(MARGIN + 12.0 + widest.fold(0.0, f64::max)).ceil() + 0.5;
    let room = LEFT + WIDTH - x;
    let tap = (room / taps as f64).min(WIDEST_TAP);
    let frame = Rect {
        x,
        y: panels.y,
        width: (tap * taps as f64).max(1.0),
        height: (rows as f64 * FILTER_HEIGHT).max(LEAST_FILTERS_HEIGHT),
    };
    let values = filters.weights.values();
    let most = values
        .iter()
        .fold(0.0f32, |most, value| most.max(value.abs()));
    let most = if most > 0.0 { f64::from(most) } else { 1.0 };
    let shades = Shades::new(ColourScale::BlueRed, -most, most);
    let picture = &mut panels.picture;
    shades.draw_cells(picture, frame, values, taps, FirstRow::Top)?;
    let (from, to) = filters.taps;
    let mark = Paint::stroke(Colour::BLACK, 1.5).dashed();
    for (row, number) in filters.marks.iter().enumerate() {
        if (from..=to).contains(number) {
            let x = frame.x + (number - from) / (to - from) * frame.width;
            let height = frame.height / rows as f64;
            let y = frame.y + row as f64 * height;
            picture.line((x, y), (x, y + height), mark);
        }
    }
    draw_frame(picture, frame);
    let names = filters.names.iter().enumerate();
    let left = Side {
        label: String::new(),
        ticks: names
            .map(|(row, name)| Tick {
                at: 1.0 - (row as f64 + 0.5) / rows as f64,
                text: name.clone(),
            })
            .collect(),
        upwards: false,
    };
    left.draw_left(picture, frame);
    let bottom = Side {
        label: filters.label.clone(),
        ticks: number_ticks(from, to, (frame.width / WIDEST_TAP) as usize)?,
        upwards: false,
    };
    bottom.draw_bottom(picture, frame);
    let bar = Rect {
        x: frame.right() + 20.0,
        width: BAR_WIDTH,
        ..frame
    };
    let bar_side = Side {
        label: "weight".to_owned(),
        ticks: number_ticks(
            -most,
            most,
            ((frame.height / LINE_ROOM / 1.25) as usize).clamp(2, 8),
        )?,
        upwards: false,
    };
    shades.draw_bar(picture, bar, &bar_side)?;
    panels.y = frame.bottom() + bottom.depth(true);
    Ok(())
}

//! All that was heard in a recording, in lanes over one axis of time.

mod cells;
mod marks;

use std::fmt;
use std::str::FromStr;

use super::axis::{Tick, time_ticks, time_unit};
use super::frame::{LABEL_SIZE, MARGIN, Side, baseline, draw_frame, draw_title, title_height};
use super::picture::{Anchor, Picture, Rect, TextStyle};
use crate::analysis::{Analysis, Overview};
use crate::error::{Error, Result};

/// A part of an analysis over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    Waveform,
    Spectrogram,
    Notes,
    Chroma,
    /// With Roman numerals and keys where they were looked for.
    Chords,
    Instruments,
    Onsets,
    Beats,
}

impl Lane {
    /// From top to bottom.
    pub const ALL: [Self; 8] = [
        Self::Waveform,
        Self::Spectrogram,
        Self::Notes,
        Self::Chroma,
        Self::Chords,
        Self::Instruments,
        Self::Onsets,
        Self::Beats,
    ];

    /// As [`Lane::from_str`] reads it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waveform => "waveform",
            Self::Spectrogram => "spectrogram",
            Self::Notes => "notes",
            Self::Chroma => "chroma",
            Self::Chords => "chords",
            Self::Instruments => "instruments",
            Self::Onsets => "onsets",
            Self::Beats => "beats",
        }
    }

    /// Whether there is something to draw it from.
    pub fn is_in(self, analysis: &Analysis, overview: &Overview) -> bool {
        match self {
            Self::Waveform => overview.peaks_per_second > 0.0,
            Self::Spectrogram => overview.spectrogram_fps > 0.0 && !overview.bands_hz.is_empty(),
            Self::Notes => analysis.notes.is_some(),
            Self::Chroma => analysis.chroma.is_some(),
            Self::Chords => analysis.chords.is_some(),
            Self::Instruments => analysis.instruments.is_some(),
            Self::Onsets => analysis.onsets.is_some(),
            Self::Beats => analysis.beats.is_some(),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Lane {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|lane| lane.as_str() == text);
        named.ok_or_else(|| {
            Error::config(format!(
                "lane {text:?}: expected {}",
                list(&Self::ALL, "or")
            ))
        })
    }
}

/// What of an analysis is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneOptions {
    /// All that there are where empty.
    pub lanes: Vec<Lane>,
    /// Where the picture begins, in seconds; at 0 where `None`.
    pub start_s: Option<f64>,
    /// Where it ends, in seconds; with the recording where `None`.
    pub end_s: Option<f64>,
}

/// Pixels of the axis of time.
const WIDTH: f64 = 1120.0;
/// Room at the left of all lanes.
const LEFT: f64 = MARGIN + 104.5;
const HEADING_HEIGHT: f64 = 20.0;
/// Below a lane.
const GAP: f64 = 8.0;
/// Room for the text of a tick of time.
const TICK_ROOM: f64 = 80.0;
/// What an analysis without any length is drawn as, in seconds.
const NO_LENGTH_S: f64 = 1.0;

/// What was heard in a recording as lanes one below the other, in the order of [`Lane::ALL`]. A part that is empty says so.
///
/// # Errors
/// A lane is not in the analysis, the times are impossible or not in the recording, or there is nothing to draw.
pub fn lanes(
    title: &str,
    analysis: &Analysis,
    overview: &Overview,
    options: &LaneOptions,
) -> Result<Picture> {
    let shown = chosen(analysis, overview, &options.lanes)?;
    let time_s = range_s(analysis, options)?;
    let heights: Vec<f64> = shown
        .iter()
        .map(|lane| height(*lane, analysis, time_s))
        .collect();
    let bottom = Side {
        label: format!("time ({})", time_unit(time_s.1)),
        ticks: time_ticks(time_s.0, time_s.1, (WIDTH / TICK_ROOM) as usize)?,
        upwards: false,
    };
    let top = MARGIN + title_height(title) + 0.5;
    let all: f64 = heights.iter().map(|one| HEADING_HEIGHT + one + GAP).sum();
    let mut picture = Picture::new(
        (LEFT + WIDTH + MARGIN).ceil() as u32,
        (top + all - GAP + bottom.depth(true) + MARGIN).ceil() as u32,
        title,
    );
    draw_title(&mut picture, LEFT, title);
    let mut y = top;
    let mut last = Rect {
        x: LEFT,
        y,
        width: WIDTH,
        height: 0.0,
    };
    for (lane, height) in shown.into_iter().zip(heights) {
        let style = TextStyle::new(LABEL_SIZE, Anchor::Start);
        let at = (LEFT, baseline(y + HEADING_HEIGHT / 2.0, LABEL_SIZE));
        picture.text(at, heading(lane, analysis), style);
        last = Rect {
            y: y + HEADING_HEIGHT,
            height,
            ..last
        };
        let place = Place {
            frame: last,
            from_s: time_s.0,
            to_s: time_s.1,
        };
        draw(&mut picture, lane, &place, analysis, overview)?;
        draw_frame(&mut picture, last);
        y = last.bottom() + GAP;
    }
    bottom.draw_bottom(&mut picture, last);
    Ok(picture)
}

/// Where a lane is drawn.
struct Place {
    frame: Rect,
    from_s: f64,
    to_s: f64,
}

impl Place {
    fn x(&self, time_s: f64) -> f64 {
        self.frame.x + (time_s - self.from_s) / (self.to_s - self.from_s) * self.frame.width
    }

    /// Whether something that lasts from one time to another is seen.
    fn sees(&self, start_s: f64, end_s: f64) -> bool {
        start_s < self.to_s && end_s >= self.from_s
    }

    fn say_nothing(&self, picture: &mut Picture, text: &str) {
        let middle = (
            self.frame.x + self.frame.width / 2.0,
            baseline(self.frame.y + self.frame.height / 2.0, LABEL_SIZE),
        );
        picture.text(middle, text, TextStyle::new(LABEL_SIZE, Anchor::Middle));
    }

    fn names(&self, picture: &mut Picture, ticks: Vec<Tick>) {
        let side = Side {
            label: String::new(),
            ticks,
            upwards: false,
        };
        side.draw_left(picture, self.frame);
    }
}

fn list(lanes: &[Lane], joint: &str) -> String {
    match lanes {
        [] => "none".to_owned(),
        [one] => one.to_string(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(|lane| lane.as_str()).collect();
            format!("{} {joint} {last}", most.join(", "))
        }
    }
}

fn chosen(analysis: &Analysis, overview: &Overview, asked: &[Lane]) -> Result<Vec<Lane>> {
    let all = Lane::ALL.into_iter();
    let there: Vec<Lane> = all.filter(|lane| lane.is_in(analysis, overview)).collect();
    if let Some(missing) = asked.iter().find(|lane| !there.contains(lane)) {
        let cause = match missing {
            Lane::Waveform | Lane::Spectrogram => "it is drawn from the recording itself",
            _ => "it was not listened for",
        };
        return Err(Error::config(format!(
            "there is nothing to draw {missing} from: {cause}; there is {}",
            list(&there, "and")
        )));
    }
    if there.is_empty() {
        return Err(Error::config(
            "there is nothing to draw: this analysis has no part that lies in time",
        ));
    }
    Ok(match asked {
        [] => there,
        _ => there
            .into_iter()
            .filter(|lane| asked.contains(lane))
            .collect(),
    })
}

fn range_s(analysis: &Analysis, options: &LaneOptions) -> Result<(f64, f64)> {
    let duration_s = analysis.recording.duration_s;
    let duration_s = match duration_s.is_finite() && duration_s > 0.0 {
        true => duration_s,
        false => NO_LENGTH_S,
    };
    let start_s = options.start_s.unwrap_or(0.0);
    let end_s = options.end_s.unwrap_or(duration_s);
    if !(start_s.is_finite() && start_s >= 0.0 && end_s.is_finite()) {
        return Err(Error::config(format!(
            "a picture from {start_s} s to {end_s} s; expected numbers of 0 and more"
        )));
    }
    if start_s >= duration_s {
        return Err(Error::config(format!(
            "a picture from {start_s} s on, but the recording ends at {duration_s:.3} s"
        )));
    }
    if end_s <= start_s {
        return Err(Error::config(format!(
            "a picture from {start_s} s to {end_s} s; expected an end after its start"
        )));
    }
    Ok((start_s, end_s.min(duration_s)))
}

fn heading(lane: Lane, analysis: &Analysis) -> String {
    match lane {
        Lane::Waveform => "waveform",
        Lane::Spectrogram => "spectrogram (Hz), 80 dB from black to the loudest",
        Lane::Notes => "notes",
        Lane::Chroma => "chroma, 0 to 1",
        Lane::Chords if analysis.harmony.is_some() => "chords, Roman numerals, keys",
        Lane::Chords => "chords",
        Lane::Instruments => "instruments, 0 to 1",
        Lane::Onsets => "onsets by strength",
        Lane::Beats => "beats and bars",
    }
    .to_owned()
}

fn height(lane: Lane, analysis: &Analysis, time_s: (f64, f64)) -> f64 {
    match lane {
        Lane::Waveform => 72.0,
        Lane::Spectrogram => 156.0,
        Lane::Notes => marks::notes_height(analysis, time_s),
        Lane::Chroma => 12.0 * cells::ROW,
        Lane::Chords => marks::chords_height(analysis),
        Lane::Instruments => cells::instruments_height(analysis),
        Lane::Onsets => 32.0,
        Lane::Beats => 36.0,
    }
}

fn draw(
    picture: &mut Picture,
    lane: Lane,
    place: &Place,
    analysis: &Analysis,
    overview: &Overview,
) -> Result<()> {
    match lane {
        Lane::Waveform => marks::waveform(picture, place, overview),
        Lane::Spectrogram => cells::spectrogram(picture, place, overview)?,
        Lane::Notes => marks::notes(picture, place, analysis)?,
        Lane::Chroma => cells::chroma(picture, place, analysis)?,
        Lane::Chords => marks::chords(picture, place, analysis),
        Lane::Instruments => cells::instruments(picture, place, analysis)?,
        Lane::Onsets => marks::onsets(picture, place, analysis),
        Lane::Beats => marks::beats(picture, place, analysis),
    }
    Ok(())
}

#[cfg(test)]
mod tests;

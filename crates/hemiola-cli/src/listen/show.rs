//! Moments on standard output: JSON lines, plain lines, or a picture that stays in its place in a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use console::Term;
use hemiola::music::PITCH_CLASS_NAMES;

use super::moment::Moment;

/// Nobody sees a picture that stood for less.
const SHORTEST_PICTURE: Duration = Duration::from_millis(40);
/// The widest bar, in characters.
const WIDEST_BAR: usize = 60;
/// Columns of a terminal that does not tell how many it has.
const USUAL_WIDTH: usize = 80;
/// What stands left and right of a bar, in characters.
const AROUND_BAR: usize = 10;
/// The level at which its bar begins, dB.
const QUIETEST_DB: f64 = -60.0;

/// How moments are shown.
pub enum Show {
    Json,
    Lines,
    Picture(Box<Picture>),
}

impl Show {
    /// JSON where it is asked for, else a picture in a terminal and lines elsewhere.
    pub fn new(json: bool) -> Self {
        match json {
            true => Self::Json,
            false if io::stdout().is_terminal() => Self::Picture(Box::new(Picture::new())),
            false => Self::Lines,
        }
    }

    /// Shows a moment at once.
    ///
    /// # Errors
    /// Standard output cannot be written to.
    pub fn moment(&mut self, moment: &Moment) -> io::Result<()> {
        let text = match self {
            Self::Json => serde_json::to_string(&moment.rounded())?,
            Self::Lines => moment.line(),
            Self::Picture(picture) => return picture.show(moment),
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Says something on standard error.
    pub fn say(&mut self, message: &str) {
        if let Self::Picture(picture) = self {
            // What cannot be wiped away stays above the message.
            let _ = picture.wipe();
        }
        eprintln!("{message}");
    }

    /// Leaves the last moment as it is.
    ///
    /// # Errors
    /// Standard output cannot be written to.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Picture(picture) => picture.finish(),
            _ => Ok(()),
        }
    }
}

/// The lines of a terminal that are drawn over and over.
pub struct Picture {
    terminal: Term,
    lines: usize,
    drawn: Option<Instant>,
    /// Not drawn yet, for the one before has only just been.
    pending: Option<Moment>,
}

impl Picture {
    fn new() -> Self {
        Self {
            terminal: Term::buffered_stdout(),
            lines: 0,
            drawn: None,
            pending: None,
        }
    }

    fn show(&mut self, moment: &Moment) -> io::Result<()> {
        if self.drawn.is_some_and(|at| at.elapsed() < SHORTEST_PICTURE) {
            self.pending = Some(moment.clone());
            return Ok(());
        }
        self.draw(moment)
    }

    fn draw(&mut self, moment: &Moment) -> io::Result<()> {
        self.pending = None;
        let size = self.terminal.size_checked();
        let width = size.map_or(USUAL_WIDTH, |(_, columns)| columns.into());
        let mut lines = picture(moment, width);
        if let Some((rows, _)) = size {
            let room = usize::from(rows).saturating_sub(1).max(1);
            let first = lines.len().saturating_sub(room);
            lines.drain(..first);
        }
        self.terminal.clear_last_lines(self.lines)?;
        for line in &lines {
            self.terminal.write_line(line)?;
        }
        self.lines = lines.len();
        self.terminal.flush()?;
        self.drawn = Some(Instant::now());
        Ok(())
    }

    fn wipe(&mut self) -> io::Result<()> {
        self.terminal.clear_last_lines(self.lines)?;
        self.lines = 0;
        self.drawn = None;
        self.terminal.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.pending.take() {
            Some(moment) => self.draw(&moment),
            None => Ok(()),
        }
    }
}

/// The lines of a picture, none longer than `width` characters.
fn picture(moment: &Moment, width: usize) -> Vec<String> {
    let room = width.saturating_sub(AROUND_BAR).clamp(1, WIDEST_BAR);
    let mut lines: Vec<String> = PITCH_CLASS_NAMES
        .iter()
        .zip(moment.chroma)
        .map(|(name, value)| format!("{name:3}{} {value:.2}", bar(value, room)))
        .collect();
    let loud = 1.0 - moment.level_db / QUIETEST_DB;
    lines.push(format!("dB {} {:.1}", bar(loud, room), moment.level_db));
    lines.push(format!(
        "chord {}   key {}",
        moment.chord,
        moment.key.as_deref().unwrap_or("–")
    ));
    let mut times = format!(
        "{}   latency {:.0} ms   lag {:.0} ms",
        clock(moment.time_s),
        moment.latency_s * 1e3,
        moment.lag_s * 1e3
    );
    if moment.lost_s > 0.0 {
        times.push_str(&format!("   lost {:.2} s", moment.lost_s));
    }
    lines.push(times);
    for line in &mut lines {
        if let Some((end, _)) = line.char_indices().nth(width) {
            line.truncate(end);
        }
    }
    lines
}

/// A bar of `room` characters for a value from 0 to 1, in steps of an eighth of a character.
fn bar(value: f64, room: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (value.clamp(0.0, 1.0) * 8.0 * room as f64).round() as usize;
    let text = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
    format!("{text:room$}")
}

/// Minutes and seconds.
fn clock(time_s: f64) -> String {
    let tenths = (time_s * 10.0).round() as u64;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Moment {
        Moment {
            time_s: 75.26,
            chroma: std::array::from_fn(|i| i as f64 / 11.0),
            level_db: -30.0,
            chord: "A:min".into(),
            key: None,
            latency_s: 0.0697,
            lag_s: 0.012,
            lost_s: 0.0,
        }
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        assert_eq!(bar(0.5, 4), "██  ");
        assert_eq!(bar(1.0 / 32.0, 4), "▏   ");
        assert_eq!((bar(2.0, 3), bar(-1.0, 3)), ("███".into(), "   ".into()));
        assert_eq!(clock(75.26), "1:15.3");
        let lines = picture(&moment(), 30);
        assert_eq!(lines.len(), 15);
        assert_eq!(lines[0], format!("C  {} 0.00", " ".repeat(20)));
        assert_eq!(lines[11], format!("B  {} 1.00", "█".repeat(20)));
        assert_eq!(
            lines[12],
            format!("dB {}{} -30.0", "█".repeat(10), " ".repeat(10))
        );
        assert_eq!(lines[13], "chord A:min   key –");
        let wide = picture(&moment(), 200);
        assert_eq!(wide[14], "1:15.3   latency 70 ms   lag 12 ms");
        for width in [1, 5, 12, 40] {
            let lines = picture(&moment(), width);
            assert!(lines.iter().all(|line| line.chars().count() <= width));
        }
    }

    #[test]
    fn a_line_tells_time_level_and_pitch_classes() {
        let line = moment().line();
        assert!(
            line.starts_with("   75.26 s  -30.0 dB  C 0.00  C# 0.09"),
            "{line}"
        );
        assert!(line.ends_with("B 1.00  chord A:min"), "{line}");
        let json = serde_json::to_value(moment().rounded()).unwrap();
        assert_eq!(
            (json["chroma"][1].as_f64(), &json["key"]),
            (Some(0.0909), &serde_json::Value::Null)
        );
    }
}

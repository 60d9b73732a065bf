//! One display of how far an analysis is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hemiola::tasks::analyze::{Heard, Part};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// All recordings that are heard at once, a line each.
pub struct Watch {
    lines: MultiProgress,
    is_many: bool,
}

/// The line of one recording, which goes with it.
pub struct Watching {
    name: String,
    line: ProgressBar,
    parts: Mutex<BTreeMap<Part, Option<f64>>>,
    is_many: bool,
}

impl Watch {
    pub fn new(is_many: bool) -> Self {
        Self {
            lines: MultiProgress::new(),
            is_many,
        }
    }

    pub fn recording(&self, name: &str) -> Watching {
        let line = self.lines.add(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
            line.set_style(style);
        }
        line.enable_steady_tick(std::time::Duration::from_millis(200));
        line.set_message(name.to_owned());
        Watching {
            name: name.to_owned(),
            line,
            parts: Mutex::default(),
            is_many: self.is_many,
        }
    }
}

impl Watching {
    pub fn heard(&self, heard: Heard) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        match heard {
            Heard::Until(part, seconds) => parts.insert(part, Some(seconds)),
            Heard::All(part) => parts.insert(part, None),
        };
        let shown = parts.iter().map(|(part, seconds)| match seconds {
            Some(seconds) => format!(
                "{part} {}:{:02}",
                *seconds as u64 / 60,
                *seconds as u64 % 60
            ),
            None => format!("{part} done"),
        });
        let shown: Vec<String> = shown.collect();
        let name = match self.is_many {
            true => format!("{}: ", self.name),
            false => String::new(),
        };
        self.line.set_message(format!("{name}{}", shown.join("  ")));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

//! The model card: what a checkpoint is, from what it learnt, how good it is.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::CheckpointConfig;

/// What a card says beyond what the checkpoint itself tells.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Card {
    pub title: String,
    /// What it is for, in a sentence or two.
    pub summary: String,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Everything it was trained on.
    pub sources: Vec<Source>,
    /// Known limits.
    pub limits: Vec<String>,
    /// The command that trained it.
    pub command: String,
    /// Dev figures by metric.
    pub figures: BTreeMap<String, f64>,
    /// What the figures were measured on.
    pub measured_on: String,
}

/// Something a model learnt from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub name: String,
    pub licence: String,
    pub citation: String,
}

const ARCHITECTURE: &str = "- architecture: ";
const LICENCE: &str = "- licence: ";

fn size_line(config: &CheckpointConfig, parameters: usize, bytes: usize) -> String {
    format!(
        "{ARCHITECTURE}{}, {parameters} parameters, {}",
        config.architecture,
        size_text(bytes)
    )
}

/// A size for the eye: `5.4 MB`.
pub fn size_text(bytes: usize) -> String {
    match bytes as f64 {
        few if few < 1e6 => format!("{:.1} kB", few / 1e3),
        many => format!("{:.1} MB", many / 1e6),
    }
}

/// The licence that a card in Markdown states.
pub(super) fn licence(card: &str) -> Option<&str> {
    card.lines().find_map(|line| line.strip_prefix(LICENCE))
}

/// A card in Markdown for the same weights in another precision.
pub(super) fn with_facts(
    card: &str,
    config: &CheckpointConfig,
    parameters: usize,
    bytes: usize,
) -> String {
    let fresh = size_line(config, parameters, bytes);
    let lines = card.lines().map(|line| {
        if line.starts_with(ARCHITECTURE) {
            fresh.as_str()
        } else {
            line
        }
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

impl Card {
    pub(super) fn to_markdown(
        &self,
        config: &CheckpointConfig,
        parameters: usize,
        bytes: usize,
    ) -> String {
        let mut text = String::new();
        let title = if self.title.is_empty() {
            &config.architecture
        } else {
            &self.title
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {title}\n");
        if !self.summary.is_empty() {
            let _ = writeln!(text, "{}\n", self.summary);
        }
        let _ = writeln!(text, "{}", size_line(config, parameters, bytes));
        let _ = writeln!(text, "- written by hemiola {}", config.hemiola);
        if !self.licence.is_empty() {
            let _ = writeln!(text, "{LICENCE}{}", self.licence);
        }
        if !self.command.is_empty() {
            let _ = writeln!(text, "- trained with: `{}`", self.command);
        }
        if !self.sources.is_empty() {
            let _ = writeln!(
                text,
                "\n## Learnt from\n\n| source | licence | cite |\n|---|---|---|"
            );
            for source in &self.sources {
                let _ = writeln!(
                    text,
                    "| {} | {} | {} |",
                    source.name, source.licence, source.citation
                );
            }
        }
        if !self.figures.is_empty() {
            let _ = writeln!(text, "\n## How good\n");
            if !self.measured_on.is_empty() {
                let _ = writeln!(text, "{}\n", self.measured_on);
            }
            let _ = writeln!(text, "| metric | value |\n|---|---|");
            for (metric, value) in &self.figures {
                let _ = writeln!(text, "| {metric} | {value:.4} |");
            }
        }
        if !self.limits.is_empty() {
            let _ = writeln!(text, "\n## Limits\n");
            for limit in &self.limits {
                let _ = writeln!(text, "- {limit}");
            }
        }
        text
    }
}

//! Works that stay out of training because a test on unseen data plays them.

use std::path::Path;

use crate::error::{Error, Result};

/// Words that many titles share and that therefore tell no work.
const COMMON_WORDS: &[&str] = &[
    "words", "without", "piano", "movement", "section", "major", "minor", "suite", "pieces",
    "sonata", "song", "lyric",
];
/// Abbreviations before the number of a work in a catalogue.
const CATALOGUES: &[&str] = &["op", "bwv", "hwv", "hob", "d", "k", "l", "s", "kv", "r"];

/// A list of reserved works.
#[derive(Debug, Clone, Default)]
pub struct Reserved {
    works: Vec<(String, Title)>,
}

/// What a title says, as far as it can be compared.
#[derive(Debug, Clone, Default, PartialEq)]
struct Title {
    text: String,
    words: Vec<String>,
    /// Such as `op66` or `d760`.
    catalogue: Vec<String>,
    /// The number within the work and what it counts: `("no", 3)`.
    part: Option<(&'static str, u32)>,
}

impl Reserved {
    /// Reads a list: one work a line, composer and title separated by a tab; `#` begins a comment.
    ///
    /// # Errors
    /// When the file cannot be read or a line has no tab.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        let mut works = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let (composer, title) = line.split_once('\t').ok_or_else(|| {
                Error::input(
                    path,
                    format!(
                        "line {}: expected composer, tab, title; found {line:?}",
                        number + 1
                    ),
                )
            })?;
            let surname = words(composer.split('(').next().unwrap_or(composer))
                .pop()
                .unwrap_or_default();
            works.push((surname, Title::parse(title)));
        }
        Ok(Self { works })
    }

    /// The reserved work that a piece described by `text` (its file name, its title) is, or may be.
    ///
    /// Only a different number of the same kind tells two parts of one work apart; where one of them has none, the
    /// piece counts as reserved.
    pub fn matches(&self, text: &str) -> Option<&str> {
        let candidate = Title::parse(text);
        self.works
            .iter()
            .find(|(surname, work)| candidate.words.contains(surname) && candidate.may_be(work))
            .map(|(_, work)| work.text.as_str())
    }
}

impl Title {
    fn parse(text: &str) -> Self {
        let words = words(text);
        let mut catalogue = Vec::new();
        let mut part = None;
        for (index, word) in words.iter().enumerate() {
            let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
            let number = &word[letters.len()..];
            let next_number = words
                .get(index + 1)
                .filter(|next| next.starts_with(|c: char| c.is_ascii_digit()));
            if CATALOGUES.contains(&letters) {
                if !number.is_empty() {
                    catalogue.push(word.clone());
                } else if let Some(next) = next_number {
                    catalogue.push(format!(
                        "{letters}{}",
                        next.trim_end_matches(char::is_alphabetic)
                    ));
                }
            }
            let kind = match letters {
                "no" => Some("no"),
                "mov" | "movement" => Some("movement"),
                "part" => Some("part"),
                _ => None,
            };
            let ordinal = index.checked_sub(1).and_then(|before| {
                words[before]
                    .trim_end_matches(char::is_alphabetic)
                    .parse()
                    .ok()
            });
            let after = next_number.and_then(|next| next.parse().ok());
            if let Some(kind) = kind
                && let Some(number) = number.parse().ok().or(after).or(ordinal)
            {
                part = Some((kind, number));
            }
        }
        Self {
            text: text.to_string(),
            words,
            catalogue,
            part,
        }
    }

    fn may_be(&self, work: &Self) -> bool {
        let shares_a_word = work.words.iter().any(|word| {
            word.len() > 3 && !COMMON_WORDS.contains(&word.as_str()) && self.words.contains(word)
        });
        let same_work = if work.catalogue.is_empty() {
            shares_a_word
        } else if self.catalogue.is_empty() {
            shares_a_word
                || work
                    .words
                    .iter()
                    .any(|word| word == "sonata" && self.words.contains(word))
        } else {
            work.catalogue
                .iter()
                .any(|number| self.catalogue.contains(number))
        };
        let other_part = match (self.part, work.part) {
            (Some((kind, number)), Some((other_kind, other_number))) => {
                kind == other_kind && number != other_number
            }
            _ => false,
        };
        same_work && !other_part
    }
}

/// Lower-case words without accents.
fn words(text: &str) -> Vec<String> {
    let plain: String = text
        .to_lowercase()
        .chars()
        .map(|c| match c {
            'à' | 'á' | 'â' | 'ä' | 'ã' => 'a',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            'ò' | 'ó' | 'ô' | 'ö' => 'o',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ç' => 'c',
            'ñ' => 'n',
            other => other,
        })
        .collect();
    plain
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_string)
        .collect()
}

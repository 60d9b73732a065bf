//! Elements as text.

use std::fmt::{Display, Write};

/// A document as it grows.
#[derive(Debug, Default)]
pub(super) struct Xml {
    text: String,
    open: Vec<&'static str>,
}

impl Xml {
    pub(super) fn new(declaration: &str) -> Self {
        Self {
            text: declaration.to_owned(),
            open: Vec::new(),
        }
    }

    /// An element that others follow into; `attributes` are as they are written, or empty.
    pub(super) fn open(&mut self, name: &'static str, attributes: &str) {
        self.indent();
        let blank = if attributes.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "<{name}{blank}{attributes}>");
        self.open.push(name);
    }

    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    /// An element with a text.
    pub(super) fn text(&mut self, name: &str, text: impl Display) {
        self.text_with(name, "", text);
    }

    pub(super) fn text_with(&mut self, name: &str, attributes: &str, text: impl Display) {
        self.indent();
        let blank = if attributes.is_empty() { "" } else { " " };
        let text = escaped(&text.to_string());
        let _ = writeln!(self.text, "<{name}{blank}{attributes}>{text}</{name}>");
    }

    pub(super) fn empty(&mut self, name: &str, attributes: &str) {
        self.indent();
        let blank = if attributes.is_empty() { "" } else { " " };
        let _ = writeln!(self.text, "<{name}{blank}{attributes}/>");
    }

    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn indent(&mut self) {
        for _ in &self.open {
            self.text.push(' ');
        }
    }
}

/// Without what XML cannot hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\r' => out.push(' '),
            control if control.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::colour::Colour;
use super::picture::{Anchor, Dashes, Element, Hundredths, Paint, Picture, Rect, TextStyle};
use super::text::FAMILY;

impl Picture {
    /// A file of its own that refers to no other. Where the font is not installed, Verdana is as wide.
    pub fn to_svg(&self) -> String {
        let (width, height) = (self.width, self.height);
        let title = Escaped(&self.title);
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" font-family="{FAMILY}, Verdana, sans-serif"><title>{title}</title><rect width="{width}" height="{height}" fill="#fff"/>"##
        );
        // Writing to a string does not fail.
        let _ = write_elements(&mut svg, &self.elements);
        svg.push_str("</svg>\n");
        svg
    }
}

fn write_elements(svg: &mut String, elements: &[Element]) -> std::fmt::Result {
    for element in elements {
        match element {
            Element::Path { paint, data } => write!(svg, "<path{paint} d=\"{data}\"/>")?,
            Element::Text { x, y, text, style } => write_text(svg, *x, *y, text, style)?,
            Element::Image { place, png } => {
                svg.push_str("<image");
                write_place(svg, place)?;
                svg.push_str(r#" preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,"#);
                BASE64_STANDARD.encode_string(png, svg);
                svg.push_str("\"/>");
            }
            // A nested drawing clips without a name, which would have to be unique in a page of several pictures.
            Element::Clipped { to, elements } => {
                svg.push_str("<svg");
                write_place(svg, to)?;
                let [x, y, width, height] = numbers(to);
                write!(svg, r#" viewBox="{x} {y} {width} {height}">"#)?;
                write_elements(svg, elements)?;
                svg.push_str("</svg>");
            }
        }
    }
    Ok(())
}

fn write_text(svg: &mut String, x: f64, y: f64, text: &str, style: &TextStyle) -> std::fmt::Result {
    let (x, y) = (Hundredths::from(x), Hundredths::from(y));
    write!(svg, r#"<text x="{x}" y="{y}""#)?;
    if style.upwards {
        write!(svg, r#" transform="rotate(-90 {x} {y})""#)?;
    }
    match style.anchor {
        Anchor::Start => {}
        Anchor::Middle => svg.push_str(r#" text-anchor="middle""#),
        Anchor::End => svg.push_str(r#" text-anchor="end""#),
    }
    let (size, colour) = (Hundredths::from(style.size), style.colour);
    let text = Escaped(text);
    write!(svg, r#" font-size="{size}" fill="{colour}">{text}</text>"#)
}

fn write_place(svg: &mut String, place: &Rect) -> std::fmt::Result {
    let [x, y, width, height] = numbers(place);
    write!(svg, r#" x="{x}" y="{y}" width="{width}" height="{height}""#)
}

fn numbers(rect: &Rect) -> [Hundredths; 4] {
    [rect.x, rect.y, rect.width, rect.height].map(Hundredths::from)
}

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

/// As attributes, with a space before each.
impl std::fmt::Display for Paint {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let colour = self.colour;
        let kind = match self.stroke {
            None => {
                write!(f, r#" fill="{colour}""#)?;
                "fill"
            }
            Some(width) => {
                let width = Hundredths::from(width);
                write!(
                    f,
                    r#" fill="none" stroke="{colour}" stroke-width="{width}""#
                )?;
                "stroke"
            }
        };
        if self.opacity < 1.0 {
            let opacity = Hundredths::from(self.opacity.max(0.0));
            write!(f, r#" {kind}-opacity="{opacity}""#)?;
        }
        match self.dashes {
            Dashes::None => Ok(()),
            Dashes::Dashed => f.write_str(r#" stroke-dasharray="4 3""#),
            Dashes::Dotted => f.write_str(r#" stroke-dasharray="1.5 2.5""#),
        }
    }
}

/// Text for XML 1.0; a character that it cannot hold becomes the replacement character.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                '\u{fffe}' | '\u{ffff}' => f.write_char(char::REPLACEMENT_CHARACTER)?,
                _ if character.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

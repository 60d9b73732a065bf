//! Pictures: where their parts stand in the SVG, and the colours of the PNG.

mod chord_graph;
mod features;
mod heat_map;
mod piano_roll;
mod picture;

use hemiola::plot::{Colour, Picture};
use resvg::tiny_skia::Pixmap;
use resvg::usvg::roxmltree::{Document, Node};

fn number(node: Node, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

fn texts(document: &Document) -> Vec<String> {
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}

fn colour_at(png: &Pixmap, x: u32, y: u32) -> Colour {
    let pixel = png.pixel(x, y).unwrap();
    assert_eq!(pixel.alpha(), 255);
    Colour {
        red: pixel.red(),
        green: pixel.green(),
        blue: pixel.blue(),
    }
}

fn drawn(picture: &Picture, scale: f64) -> Pixmap {
    Pixmap::decode_png(&picture.to_png(scale).unwrap()).unwrap()
}

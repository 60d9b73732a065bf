use std::time::Instant;

use hemiola::plot::{
    Axis, Colour, ColourScale, FirstRow, HeatMapOptions, Matrix, Picture, Reduction, Ticks,
    attention_map, heat_map,
};
use resvg::tiny_skia::Pixmap;
use resvg::usvg::roxmltree::{Document, Node};

use super::{colour_at, drawn, number, texts};

/// The first image, which holds the cells.
fn cells_of<'a>(document: &'a Document) -> Node<'a, 'a> {
    let mut nodes = document.descendants();
    nodes.find(|node| node.has_tag_name("image")).unwrap()
}

/// The raster that a heat map embeds, by row from the top, and its number of columns.
fn raster(picture: &Picture) -> (Vec<Colour>, usize) {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    let image = cells_of(&document);
    let data = image.attribute("href").unwrap();
    let data = data.strip_prefix("data:image/png;base64,").unwrap();
    let png = Pixmap::decode_png(&BASE64_STANDARD.decode(data).unwrap()).unwrap();
    let (width, height) = (png.width(), png.height());
    let cells = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    (
        cells.map(|(x, y)| colour_at(&png, x, y)).collect(),
        width as usize,
    )
}

/// The ends and the middle of matplotlib's tables.
#[test]
fn colour_scales_are_the_published_ones() {
    for (scale, value, colour) in [
        (ColourScale::Viridis, 0.0, 0x440154),
        (ColourScale::Viridis, 0.5, 0x21918c),
        (ColourScale::Viridis, 1.0, 0xfde725),
        (ColourScale::Magma, 0.0, 0x000004),
        (ColourScale::Magma, 0.5, 0xb5367a),
        (ColourScale::Magma, 1.0, 0xfcfdbf),
        (ColourScale::Magma, 7.0, 0xfcfdbf),
    ] {
        assert_eq!(
            scale.colour(value),
            Colour::hex(colour),
            "{scale:?} at {value}"
        );
    }
}

#[test]
fn cells_have_the_colours_of_their_values() {
    let values = [0.0, 0.5, 1.0, 1.0, 0.0, 0.5];
    let matrix = Matrix::new(2, 3, &values).unwrap();
    let scale = ColourScale::Viridis;
    let near = |a: Colour, value: f32| {
        let b = scale.colour(value.into());
        a.red
            .abs_diff(b.red)
            .max(a.green.abs_diff(b.green))
            .max(a.blue.abs_diff(b.blue))
            <= 2
    };
    let mut options = HeatMapOptions::default();
    let (cells, columns) = raster(&heat_map("Top", matrix, &options).unwrap());
    assert_eq!(columns, 3);
    assert!(
        cells
            .iter()
            .zip(values)
            .all(|(cell, value)| near(*cell, value))
    );

    options.first_row = FirstRow::Bottom;
    let picture = heat_map("Bottom", matrix, &options).unwrap();
    let (cells, _) = raster(&picture);
    assert!(near(cells[0], 1.0) && near(cells[3], 0.0) && near(cells[5], 1.0));

    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    let image = cells_of(&document);
    let (x, y) = (number(image, "x") as u32, number(image, "y") as u32);
    let png = drawn(&picture, 1.0);
    assert!(near(colour_at(&png, x + 5, y + 5), 1.0));
    let (width, height) = (
        number(image, "width") as u32,
        number(image, "height") as u32,
    );
    assert!(near(colour_at(&png, x + width / 2, y + height - 5), 0.5));
}

#[test]
fn large_matrices_are_reduced_by_largest_or_mean() {
    let (frames, bins) = (100_000, 128);
    let mut values = vec![0.0; frames * bins];
    values[70 * frames + 50_000] = 1.0;
    let matrix = Matrix::new(bins, frames, &values).unwrap();
    let mut options = HeatMapOptions {
        range: Some((0.0, 1.0)),
        ..HeatMapOptions::default()
    };
    let high = ColourScale::Viridis.colour(1.0);
    let started = Instant::now();
    let picture = heat_map("Peak", matrix, &options).unwrap();
    eprintln!("reduced in {:?}", started.elapsed());
    let (cells, columns) = raster(&picture);
    assert!(columns <= 1200 && cells.len() == columns * bins);
    let peak = cells.iter().position(|cell| *cell == high).unwrap();
    assert_eq!((peak / columns, peak % columns), (70, columns / 2));
    assert!(picture.to_svg().len() < 300_000);

    options.reduction = Reduction::Mean;
    let (cells, _) = raster(&heat_map("Mean", matrix, &options).unwrap());
    assert!(!cells.contains(&high));
}

#[test]
fn impossible_matrices_are_named() {
    let refusal = |rows, columns, values: &[f32]| {
        Matrix::new(rows, columns, values)
            .err()
            .unwrap()
            .to_string()
    };
    assert!(refusal(0, 3, &[]).contains("0 × 3"));
    assert!(refusal(2, 2, &[0.0; 3]).contains("3 values"));
    assert!(refusal(usize::MAX, 2, &[0.0; 3]).contains("3 values"));
    assert!(refusal(2, 2, &[0.0, 1.0, 2.0, f32::NAN]).contains("row 1, column 1"));

    let values = [0.0; 4];
    let matrix = Matrix::new(2, 2, &values).unwrap();
    let with = |ticks| HeatMapOptions {
        columns: Axis::new("", ticks),
        ..HeatMapOptions::default()
    };
    for ticks in [
        Ticks::Names(vec!["one".to_owned()]),
        Ticks::At(vec![(2, "beyond".to_owned())]),
        Ticks::Numbers { from: 1.0, to: 1.0 },
        Ticks::Time {
            from_s: 0.0,
            to_s: f64::INFINITY,
        },
    ] {
        assert!(
            heat_map("", matrix, &with(ticks.clone())).is_err(),
            "{ticks:?}"
        );
    }
    heat_map("One value", matrix, &HeatMapOptions::default())
        .unwrap()
        .to_png(1.0)
        .unwrap();
}

#[test]
fn attention_names_its_tokens_while_there_is_room() {
    let named = |positions: usize| {
        let weights = vec![1.0 / positions as f32; positions * positions];
        let matrix = Matrix::new(positions, positions, &weights).unwrap();
        let tokens: Vec<String> = (0..positions).map(|i| format!("token-{i}")).collect();
        let svg = attention_map("Head 1", matrix, &tokens).unwrap().to_svg();
        let written = texts(&Document::parse(&svg).unwrap());
        written
            .iter()
            .filter(|text| text.starts_with("token-"))
            .count()
    };
    assert_eq!(named(4), 8);
    assert_eq!(named(64), 128);
    assert_eq!(named(65), 0);

    let weights = [0.0; 6];
    let matrix = Matrix::new(2, 3, &weights).unwrap();
    let names = ["one", "two"].map(String::from);
    assert!(attention_map("", Matrix::new(1, 1, &[0.0]).unwrap(), &names).is_err());
    assert!(attention_map("", matrix, &[]).is_err());
}

#[test]
fn a_single_large_weight_leaves_the_others_visible() {
    let positions = 100;
    let mut weights = vec![0.0; positions * positions];
    for query in 0..positions {
        weights[query * positions..][..=query].fill(1.0 / (query + 1) as f32);
    }
    let matrix = Matrix::new(positions, positions, &weights).unwrap();
    let (cells, columns) = raster(&attention_map("Even", matrix, &[]).unwrap());
    let scale = ColourScale::Viridis;
    assert_eq!(cells[0], scale.colour(1.0));
    assert_eq!(cells[1], scale.colour(0.0));
    // A weight of 1/50; 1 % of the weights, those of the first nine queries, exceed 1/10.
    let middle = cells[49 * columns];
    assert!(middle.blue > scale.colour(0.1).blue, "{middle:?}");
}

#[test]
fn an_axis_without_a_round_number_has_no_ticks_outside() {
    let values = [0.0, 1.0];
    let matrix = Matrix::new(1, 2, &values).unwrap();
    let options = HeatMapOptions {
        columns: Axis::new(
            "",
            Ticks::Numbers {
                from: 0.31,
                to: 0.39,
            },
        ),
        ..HeatMapOptions::default()
    };
    let picture = heat_map("", matrix, &options).unwrap();
    let svg = picture.to_svg();
    let document = Document::parse(&svg).unwrap();
    for node in document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
    {
        let (x, y) = (number(node, "x"), number(node, "y"));
        assert!(
            x >= 0.0 && x <= f64::from(picture.width()),
            "{:?} at {x}",
            node.text()
        );
        assert!(
            y >= 0.0 && y <= f64::from(picture.height()),
            "{:?} at {y}",
            node.text()
        );
    }
}

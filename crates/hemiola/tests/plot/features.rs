use hemiola::features::{FrameExtractor, Mel, MelConfig, extract};
use hemiola::plot::{
    ColourScale, FeatureSheet, FilterRows, LayerMaps, Matrix, Patch, Picture, StepCurve,
    feature_picture,
};
use resvg::tiny_skia::Pixmap;
use resvg::usvg::roxmltree::{Document, Node};

use super::{colour_at, number, texts};

const BINS: usize = 128;

fn mel() -> MelConfig {
    MelConfig::default()
}

fn centres() -> Vec<f64> {
    (0..BINS).map(|band| mel().center_hz(band)).collect()
}

/// Log-mel [frequency, time] of a sine of a second.
fn tone(hz: f64) -> (Vec<f32>, usize) {
    let samples: Vec<f32> = (0..22_050)
        .map(|n| (std::f64::consts::TAU * hz * f64::from(n) / 22_050.0).sin() as f32 * 0.5)
        .collect();
    let mut extractor = Mel::new(&mel()).unwrap();
    let frames = extract(&mut extractor, &samples);
    let time = frames.n_frames();
    assert_eq!(extractor.n_bins(), BINS);
    let cells = (0..BINS).flat_map(|band| (0..time).map(move |t| (band, t)));
    let cells = cells.map(|(band, t)| frames.frame(t)[band]).collect();
    (cells, time)
}

fn images<'a>(document: &'a Document) -> Vec<Node<'a, 'a>> {
    let nodes = document.descendants();
    nodes.filter(|node| node.has_tag_name("image")).collect()
}

/// The row of an image's raster whose middle cell has the lightest colour, from the top.
fn brightest_row(image: Node) -> (usize, usize) {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let data = image.attribute("href").unwrap();
    let data = data.strip_prefix("data:image/png;base64,").unwrap();
    let png = Pixmap::decode_png(&BASE64_STANDARD.decode(data).unwrap()).unwrap();
    let light = |y: &u32| {
        let colour = colour_at(&png, png.width() / 2, *y);
        u32::from(colour.red) + u32::from(colour.green)
    };
    let row = (0..png.height()).max_by_key(light).unwrap();
    (row as usize, png.height() as usize)
}

/// The height at which a name of a frequency stands at the left: that of its text's middle.
fn tick_y(document: &Document, name: &str) -> f64 {
    let nodes = document.descendants().filter(|n| n.has_tag_name("text"));
    let mut named = nodes.filter(|n| n.text() == Some(name) && number(*n, "x") < 80.0);
    number(named.next().unwrap(), "y") - 0.34 * 11.0
}

fn picture_of(hz: f64) -> Picture {
    let (cells, time) = tone(hz);
    let bins_hz = centres();
    let matrix = Matrix::new(BINS, time, &cells).unwrap();
    let sheet = FeatureSheet {
        bins_hz: &bins_hz,
        spectrogram: Patch {
            cells: matrix,
            time_s: (0.0, 1.0),
            bins: (0.0, BINS as f64),
        },
        spectrogram_label: "ln power".into(),
        attention: None,
        layers: Vec::new(),
        filters: None,
    };
    feature_picture("a tone", &sheet).unwrap()
}

/// Between the names of 200 Hz and 1 kHz, straight in mel (O'Shaughnessy's formula).
#[test]
fn a_tone_stands_at_its_frequency() {
    let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    for hz in [440.0, 880.0, 3000.0] {
        let svg = picture_of(hz).to_svg();
        let document = Document::parse(&svg).unwrap();
        let image = images(&document)[0];
        let (row, rows) = brightest_row(image);
        let cell = number(image, "height") / rows as f64;
        let y = number(image, "y") + (row as f64 + 0.5) * cell;
        let (low, high) = (tick_y(&document, "200"), tick_y(&document, "5k"));
        let share = (low - y) / (low - high);
        let found = mel(200.0) + share * (mel(5000.0) - mel(200.0));
        let band = mel(11_025.0) / (BINS + 1) as f64;
        assert!(
            (found - mel(hz)).abs() < 0.6 * band,
            "{hz} Hz is drawn {} bands away",
            (found - mel(hz)) / band
        );
    }
}

/// A sheet of 8 bins by 16 frames of a second each, with a layer that halves both and leaves the last two frames out.
fn with_sheet<T>(check: impl FnOnce(FeatureSheet) -> T) -> T {
    let bins_hz: Vec<f64> = (0..8).map(|k| 100.0 * f64::from(k).exp2()).collect();
    let spectrogram: Vec<f32> = (0..128).map(|i| i as f32).collect();
    let map: Vec<f32> = (0..28).map(|i| (i % 5) as f32).collect();
    let weights = [1.0, 0.0, -1.0, 0.5, -2.0, 0.0];
    let patch = Patch {
        cells: Matrix::new(4, 7, &map).unwrap(),
        time_s: (0.0, 14.0),
        bins: (0.0, 8.0),
    };
    check(FeatureSheet {
        bins_hz: &bins_hz,
        spectrogram: Patch {
            cells: Matrix::new(8, 16, &spectrogram).unwrap(),
            time_s: (0.0, 16.0),
            bins: (0.0, 8.0),
        },
        spectrogram_label: "magnitude".into(),
        attention: Some(StepCurve {
            label: "attention",
            values: &[0.25, 0.75],
            time_s: (0.0, 16.0),
        }),
        layers: vec![LayerMaps {
            title: "a layer".into(),
            maps: vec![("channel 3".into(), patch), ("channel 0".into(), patch)],
        }],
        filters: Some(FilterRows {
            title: "filters".into(),
            names: vec!["first".into(), "second".into()],
            weights: Matrix::new(2, 3, &weights).unwrap(),
            label: "offset".into(),
            taps: (-1.5, 1.5),
            marks: Vec::new(),
        }),
    })
}

#[test]
fn panels_share_their_axis_of_time() {
    let svg = with_sheet(|sheet| feature_picture("panels", &sheet).unwrap().to_svg());
    let document = Document::parse(&svg).unwrap();
    let images = images(&document);
    let spectrogram = images[0];
    // Behind the spectrogram comes the bar of its colours.
    for map in &images[2..4] {
        assert_eq!(number(*map, "x"), number(spectrogram, "x"));
        let share = number(*map, "width") / number(spectrogram, "width");
        assert!((share - 14.0 / 16.0).abs() < 1e-3, "{share}");
    }
    assert!(number(images[2], "y") < number(images[3], "y"));
    let written = texts(&document);
    for text in [
        "a layer",
        "channel 3",
        "channel 0",
        "first",
        "second",
        "attention",
    ] {
        assert!(written.iter().any(|t| t == text), "{text} in {written:?}");
    }
    // One axis below the spectrogram, one below the layer, the last one named.
    assert_eq!(written.iter().filter(|t| *t == "10").count(), 2);
    assert_eq!(written.iter().filter(|t| *t == "time (s)").count(), 1);
}

#[test]
fn weights_of_nothing_are_between_blue_and_red() {
    assert_eq!(
        ColourScale::BlueRed.colour(0.5),
        hemiola::plot::Colour::hex(0xf7f7f7)
    );
    assert_eq!(
        ColourScale::BlueRed.colour(0.0),
        hemiola::plot::Colour::hex(0x053061)
    );
    assert_eq!(
        ColourScale::BlueRed.colour(1.0),
        hemiola::plot::Colour::hex(0x67001f)
    );
}

#[test]
fn sheets_that_do_not_fit_together_are_refused() {
    let fault = |change: fn(&mut FeatureSheet)| {
        with_sheet(|mut sheet| {
            change(&mut sheet);
            feature_picture("", &sheet).err().unwrap().to_string()
        })
    };
    assert!(fault(|sheet| sheet.bins_hz = &[3.0, 2.0]).contains("rise"));
    assert!(fault(|sheet| sheet.bins_hz = &[1.0, 2.0]).contains("8 rows"));
    assert!(fault(|sheet| sheet.layers[0].maps.clear()).contains("a layer"));
    assert!(fault(|sheet| sheet.layers[0].maps[1].1.time_s.1 = 17.0).contains("channel 0"));
    assert!(fault(|sheet| sheet.layers[0].maps[0].1.bins.1 = 9.0).contains("channel 3"));
    let attention = |sheet: &mut FeatureSheet| {
        sheet.attention.as_mut().unwrap().values = &[0.5, f32::NAN];
    };
    assert!(fault(attention).contains("attention"));
    let filters = |sheet: &mut FeatureSheet| {
        sheet.filters.as_mut().unwrap().marks = vec![0.0];
    };
    assert!(fault(filters).contains("1 marks"));
}

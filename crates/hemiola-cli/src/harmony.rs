//! `hemiola harmony`: the Roman numerals and keys of chords.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use hemiola::audio::AudioStream;
use hemiola::formats::read_chords;
use hemiola::midi::Score;
use hemiola::models::chord_gnn::Messages;
use hemiola::music::chord::{ChordLabel, Vocabulary};
use hemiola::music::chord_graph::WeightedEdge;
use hemiola::music::key::Key;
use hemiola::music::{Chroma, N_PITCH_CLASSES, Segment, SoundingChord};
use hemiola::plot;
use hemiola::tasks::harmony::Harmony;
use serde_json::json;

use crate::inputs::is_midi;
use crate::{Outcome, models, outputs, wrong_use};

/// Frames a second at which the notes of a MIDI file are read for their chords.
const MIDI_FPS: f64 = 20.0;
/// Pixels of a PNG for one CSS pixel.
const PNG_SCALE: f64 = 2.0;
/// How present a pitch class is that sounds in a MIDI file, and one that does not.
const PRESENT: [f32; 2] = [0.98, 0.02];

#[derive(clap::Args)]
pub struct Args {
    /// Chords (.lab, .csv, .json), a MIDI file, a recording, or the chords themselves: "C:maj A:min F:maj G:maj"
    #[arg(required = true, value_name = "INPUT")]
    input: Vec<String>,
    /// A file; its extension is the format [default: standard output]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// txt (a chord a line, tab separated), json (with the graph that the network reads), or a picture of that graph: svg, png
    /// [default: the extension of OUT, or txt]
    #[arg(long)]
    format: Option<HarmonyFormat>,
    /// A built-in model or a checkpoint folder
    #[arg(long, default_value = "harmony")]
    model: String,
    /// The model of chords that recordings and MIDI files are read with
    #[arg(long, default_value = "triads")]
    chords: String,
    /// The model of chroma that recordings are heard with
    #[arg(long, default_value = "chroma")]
    chroma: String,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum HarmonyFormat {
    Txt,
    Json,
    Svg,
    Png,
}

/// Chords, with their times where they have any.
struct Progression {
    labels: Vec<ChordLabel>,
    times: Option<Vec<(f64, f64)>>,
}

impl Progression {
    fn of(segments: Vec<Segment<ChordLabel>>) -> Self {
        Self {
            times: Some(segments.iter().map(|s| (s.start_s, s.end_s)).collect()),
            labels: segments.into_iter().map(|s| s.label).collect(),
        }
    }
}

pub fn run(args: &Args) -> Result<Outcome> {
    let format = format_of(args)?;
    let progression = read(args)?;
    let n_chords = progression.labels.len();
    let is_picture = matches!(format, HarmonyFormat::Svg | HarmonyFormat::Png);
    if is_picture && n_chords > plot::MAX_CHORDS {
        bail!(
            "{n_chords} chords are too many for a picture; expected at most {}: ask for txt or json, or for a part",
            plot::MAX_CHORDS
        );
    }
    let analyser = models::open_harmony_analyser(&args.model)?;
    let chords: Vec<SoundingChord> = progression
        .labels
        .iter()
        .map(SoundingChord::of_label)
        .collect();
    let harmony = analyser.analyse(&chords).context("no chords to name")?;
    let graph = || analyser.graph(&chords, &harmony);
    let picture = || picture_of(args, &progression, &harmony, graph()?);
    let bytes = match format {
        HarmonyFormat::Txt => text(&progression, &harmony).into_bytes(),
        HarmonyFormat::Json => json_of(args, &progression, &harmony, &graph()?)?,
        HarmonyFormat::Svg => picture()?.to_svg().into_bytes(),
        HarmonyFormat::Png => picture()?.to_png(PNG_SCALE)?,
    };
    outputs::write_one(args.output.as_deref(), &bytes)?;
    Ok(Outcome::Done)
}

fn format_of(args: &Args) -> Result<HarmonyFormat> {
    let ending = args.output.as_ref().and_then(|path| path.extension());
    let of_file = ending.map(|ending| {
        HarmonyFormat::from_str(&ending.to_string_lossy(), false).map_err(|_| {
            wrong_use(format!(
                "-o: {} is no format of harmony; expected txt, json, svg or png",
                ending.display()
            ))
        })
    });
    let of_file = of_file.transpose()?;
    let on_terminal = args.output.is_none() && std::io::stdout().is_terminal();
    if on_terminal && args.format == Some(HarmonyFormat::Png) {
        return Err(wrong_use("PNG is not for a terminal: name a file with -o"));
    }
    match (args.format, of_file) {
        (Some(asked), Some(file)) if asked != file => Err(wrong_use(
            "--format does not fit the extension of -o; drop one of them",
        )),
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) => Ok(HarmonyFormat::Txt),
    }
}

/// A file where there is one of that name; else the chords themselves.
fn read(args: &Args) -> Result<Progression> {
    let [one] = args.input.as_slice() else {
        return written(&args.input.join(" "));
    };
    let path = Path::new(one);
    if !path.exists() {
        let looks_like_a_file = path.extension().is_some() && !one.contains([':', ' ']);
        if looks_like_a_file {
            bail!(
                "{one}: No such file; expected a file, or chords such as \"C:maj A:min F:maj G:maj\""
            );
        }
        return written(one);
    }
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    match ending.to_ascii_lowercase().as_str() {
        "lab" | "csv" | "json" | "txt" | "tsv" => Ok(Progression::of(read_chords(path)?)),
        _ => Ok(Progression::of(heard(args, path)?)),
    }
}

/// Chords in Harte's syntax, separated by spaces, commas or bars.
fn written(text: &str) -> Result<Progression> {
    let words = text.split(|c: char| c.is_whitespace() || c == '|');
    let labels = words
        .filter(|word| !word.is_empty())
        .enumerate()
        .map(|(index, word)| {
            let label: hemiola::Result<ChordLabel> = word.parse();
            label.with_context(|| format!("chord {} of the progression", index + 1))
        });
    let labels = labels.collect::<Result<Vec<_>>>()?;
    if labels.is_empty() {
        bail!("an empty progression; expected chords such as \"C:maj A:min F:maj G:maj\"");
    }
    Ok(Progression {
        labels,
        times: None,
    })
}

fn heard(args: &Args, path: &Path) -> Result<Vec<Segment<ChordLabel>>> {
    let reader = models::open_chord_reader(&args.chords)?;
    let chroma = match is_midi(path) {
        true => chroma_of(&Score::read(path)?),
        false => {
            let extractor = models::open_chroma_extractor(&args.chroma, &hemiola::Device::flex())?;
            let mut stream = AudioStream::open(path, extractor.sample_rate())?;
            extractor.extract(&mut stream, |_| {})?
        }
    };
    Ok(reader.read(&chroma, Vocabulary::MajMin)?)
}

/// Which pitch classes sound in a MIDI file, the sustain pedal applied.
fn chroma_of(score: &Score) -> Chroma {
    let notes = score.notes_with_pedal();
    let end_s = notes.iter().map(|note| note.offset_s).fold(0.0, f64::max);
    let mut chroma = Chroma::new(MIDI_FPS);
    let n_frames = (end_s * MIDI_FPS).ceil() as usize;
    chroma.frames = vec![[PRESENT[1]; N_PITCH_CLASSES]; n_frames];
    for note in notes {
        let first = (note.onset_s * MIDI_FPS).floor() as usize;
        let last = ((note.offset_s * MIDI_FPS).ceil() as usize).min(n_frames);
        for frame in &mut chroma.frames[first.min(last)..last] {
            frame[usize::from(note.pitch) % N_PITCH_CLASSES] = PRESENT[0];
        }
    }
    chroma
}

fn text(progression: &Progression, harmony: &Harmony) -> String {
    let mut text = String::new();
    for (index, (label, named)) in progression.labels.iter().zip(&harmony.chords).enumerate() {
        if let Some(times) = &progression.times {
            let (start_s, end_s) = times[index];
            text.push_str(&format!("{start_s:.3}\t{end_s:.3}\t"));
        }
        let numeral = named
            .numeral
            .as_ref()
            .map_or("–".to_owned(), ToString::to_string);
        text.push_str(&format!("{label}\t{numeral}\t{}\n", Key::from(named.key)));
    }
    text
}

fn json_of(
    args: &Args,
    progression: &Progression,
    harmony: &Harmony,
    graph: &Messages,
) -> Result<Vec<u8>> {
    let chords = progression.labels.iter().zip(&harmony.chords).enumerate();
    let chords: Vec<serde_json::Value> = chords
        .map(|(index, (label, named))| {
            let mut row = json!({
                "label": label.to_string(),
                "numeral": named.numeral.as_ref().map(ToString::to_string),
                "degree": named.degree,
                "key": Key::from(named.key).to_string(),
                "attention": rounded(graph.attention[index]),
            });
            if let Some(times) = &progression.times {
                row["start_s"] = times[index].0.into();
                row["end_s"] = times[index].1.into();
            }
            row
        })
        .collect();
    let edges = graph.edges.iter().map(|WeightedEdge { edge, weight }| {
        json!({
            "source": edge.source,
            "target": edge.target,
            "type": edge.kind.name(),
            "weight": rounded(*weight),
        })
    });
    let edges: Vec<serde_json::Value> = edges.collect();
    let mut text = serde_json::to_vec_pretty(&json!({
        "hemiola": env!("CARGO_PKG_VERSION"),
        "model": args.model,
        "mode": harmony.mode,
        "chords": chords,
        "edges": edges,
    }))?;
    text.push(b'\n');
    Ok(text)
}

/// A share in millionths.
fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

fn picture_of(
    args: &Args,
    progression: &Progression,
    harmony: &Harmony,
    graph: Messages,
) -> Result<plot::Picture> {
    let chords = progression.labels.iter().zip(&harmony.chords);
    let nodes = chords
        .zip(graph.attention)
        .map(|((label, named), attention)| {
            let numeral = named.numeral.as_ref();
            plot::ChordNode {
                label: label.to_string(),
                numeral: numeral.map(ToString::to_string).unwrap_or_default(),
                degree: numeral.map(|_| named.degree),
                key: named.key.into(),
                attention,
            }
        });
    let nodes: Vec<plot::ChordNode> = nodes.collect();
    let of_what = match &progression.times {
        Some(_) => Path::new(&args.input[0])
            .file_name()
            .unwrap_or_default()
            .to_string_lossy(),
        None => "Chords".into(),
    };
    let title = format!("{of_what}, as the model {} reads them", args.model);
    Ok(plot::chord_graph(&title, &nodes, &graph.edges)?)
}

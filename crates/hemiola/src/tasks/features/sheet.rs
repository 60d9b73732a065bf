//! The picture of [`Features`].

use super::{FeatureMap, Features, Placement};
use crate::error::Result;
use crate::plot::{
    FeatureSheet, FilterRows, LayerMaps, Matrix, Patch, Picture, StepCurve, feature_picture,
};

/// Semitones of an octave.
const SEMITONES: f64 = 12.0;

impl Features {
    /// A picture of an excerpt that begins at `start_s` of a recording: the spectrogram, the attention, the `channels`
    /// strongest channels of each layer, the filters.
    ///
    /// # Errors
    /// A number is not finite, or the picture is impossible.
    pub fn draw(&self, title: &str, start_s: f64, channels: usize) -> Result<Picture> {
        let layers: Result<Vec<LayerMaps>> = self
            .layers
            .iter()
            .map(|layer| self.layer(layer, start_s, channels))
            .collect();
        let weights = self.shown_filters(channels);
        let attention = self.attention.as_deref().zip(self.layers.last());
        let sheet = FeatureSheet {
            bins_hz: &self.bins_hz,
            spectrogram: self.patch(&self.spectrogram, 0, start_s)?,
            spectrogram_label: self.unit.to_owned(),
            attention: attention.map(|(values, last)| StepCurve {
                label: "attention",
                values,
                time_s: self.time_s(last.time, values.len(), start_s),
            }),
            layers: layers?,
            filters: Some(self.filter_rows(channels, &weights)?),
        };
        feature_picture(title, &sheet)
    }

    fn patch<'a>(&self, map: &'a FeatureMap, channel: usize, start_s: f64) -> Result<Patch<'a>> {
        let [_, rows, columns] = map.shape;
        Ok(Patch {
            cells: map.channel(channel)?,
            time_s: self.time_s(map.time, columns, start_s),
            bins: map.frequency.edges(rows),
        })
    }

    /// The edges of `cells` cells of time: a frame spans half a hop to either side of its centre.
    fn time_s(&self, placement: Placement, cells: usize, start_s: f64) -> (f64, f64) {
        let (first, last) = placement.edges(cells);
        let second = |edge: f64| start_s + (edge - 0.5) * self.frame_s;
        (second(first), second(last))
    }

    fn layer<'a>(
        &self,
        map: &'a FeatureMap,
        start_s: f64,
        channels: usize,
    ) -> Result<LayerMaps<'a>> {
        let (all, harmonics) = (map.shape[0], map.name == "harmonic_filters");
        let shown = match harmonics {
            true => (0..all).collect(),
            false => map.strongest(channels),
        };
        let mut title = format!("{}: {}", map.name, map.about);
        match shown.len() {
            _ if harmonics => {}
            1 => title.push_str(&format!("; of {all} channels the one that varies most")),
            n => title.push_str(&format!("; the {n} of {all} channels that vary most")),
        }
        let name = |channel: usize| match harmonics {
            true => format!("harmonic {}", channel + 1),
            false => format!("channel {channel}"),
        };
        let maps: Result<Vec<(String, Patch)>> = shown
            .into_iter()
            .map(|channel| Ok((name(channel), self.patch(map, channel, start_s)?)))
            .collect();
        Ok(LayerMaps { title, maps: maps? })
    }

    /// Output and input channels of the filters that are shown.
    fn shown(&self, channels: usize) -> Vec<(usize, usize)> {
        let outputs = match self.bins_per_octave {
            Some(_) => (0..self.filters.shape[0]).collect(),
            None => {
                let harmonic = self.layers.iter().find(|layer| layer.name == "harmonic");
                harmonic.map_or(Vec::new(), |layer| layer.strongest(channels))
            }
        };
        let input = |output| (output, self.filters.loudest_input(output));
        outputs.into_iter().map(input).collect()
    }

    /// Row by row.
    fn shown_filters(&self, channels: usize) -> Vec<f32> {
        let shown = self.shown(channels).into_iter();
        shown
            .flat_map(|(output, input)| self.filters.taps(output, input))
            .copied()
            .collect()
    }

    fn filter_rows<'a>(&self, channels: usize, weights: &'a [f32]) -> Result<FilterRows<'a>> {
        let taps = self.filters.shape[2];
        let shown = self.shown(channels);
        let weights = Matrix::new(shown.len(), taps, weights)?;
        let edge = |tap: usize, unit: f64| (tap as f64 - self.filters.centre as f64 - 0.5) * unit;
        Ok(match self.bins_per_octave {
            Some(bins) => {
                let unit = SEMITONES / bins as f64;
                let mark = |(output, _): &(usize, usize)| SEMITONES * (*output as f64 + 1.0).log2();
                FilterRows {
                    title: "learned filters; dashed: where the harmonic lies above its fundamental"
                        .to_owned(),
                    names: shown
                        .iter()
                        .map(|(output, _)| format!("harmonic {}", output + 1))
                        .collect(),
                    weights,
                    label: "reads this many semitones above".to_owned(),
                    taps: (edge(0, unit), edge(taps, unit)),
                    marks: shown.iter().map(mark).collect(),
                }
            }
            None => FilterRows {
                title:
                    "learned harmonic filters, each from the channel of conv1 that it weighs most"
                        .to_owned(),
                names: shown
                    .iter()
                    .map(|(output, input)| format!("channel {output} from {input}"))
                    .collect(),
                weights,
                label: "reads this many rows above (a row: 2 mel bands)".to_owned(),
                taps: (edge(0, 1.0), edge(taps, 1.0)),
                marks: Vec::new(),
            },
        })
    }
}

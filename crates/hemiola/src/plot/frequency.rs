use super::axis::Tick;

/// The frequencies that have a name, and how early they are chosen where there is room for few.
const NAMED_HZ: [(f64, &str); 12] = [
    (1000.0, "1k"),
    (100.0, "100"),
    (10_000.0, "10k"),
    (200.0, "200"),
    (5000.0, "5k"),
    (500.0, "500"),
    (2000.0, "2k"),
    (50.0, "50"),
    (20.0, "20"),
    (20_000.0, "20k"),
    (10.0, "10"),
    (50_000.0, "50k"),
];

/// Where a frequency lies among bins, in bins: that of bin `k` lies at k + 1/2, the middle of its cell. `None` outside of the
/// outermost cells.
pub(super) fn place_of_hz(bins_hz: &[f64], hz: f64) -> Option<f64> {
    let above = bins_hz.partition_point(|centre| *centre < hz);
    // Beyond the outermost centres the next step is as wide as the last.
    let lower = above.saturating_sub(1).min(bins_hz.len().checked_sub(2)?);
    let (from, to) = (bins_hz[lower], bins_hz[lower + 1]);
    let place = lower as f64 + 0.5 + (hz - from) / (to - from);
    (0.0..=bins_hz.len() as f64)
        .contains(&place)
        .then_some(place)
}

/// Half the height of a name, in pixels: no name reaches beyond its axis.
const HALF_NAME: f64 = 5.0;

/// Names of frequencies on an axis of `length` pixels over all bins, at least `room` pixels apart, in rising order.
pub(super) fn frequency_ticks(bins_hz: &[f64], length: f64, room: f64) -> Vec<Tick> {
    let mut ticks: Vec<Tick> = Vec::new();
    for (hz, name) in NAMED_HZ {
        let Some(place) = place_of_hz(bins_hz, hz) else {
            continue;
        };
        let at = place / bins_hz.len() as f64;
        let apart = |tick: &Tick| (tick.at - at).abs() * length >= room;
        if at.min(1.0 - at) * length >= HALF_NAME && ticks.iter().all(apart) {
            ticks.push(Tick {
                at,
                text: name.to_owned(),
            });
        }
    }
    ticks.sort_by(|a, b| a.at.total_cmp(&b.at));
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_lie_between_the_centres_of_their_neighbours() {
        let bins_hz = [100.0, 200.0, 400.0, 800.0];
        for (hz, place) in [
            (100.0, Some(0.5)),
            (150.0, Some(1.0)),
            (400.0, Some(2.5)),
            (600.0, Some(3.0)),
            (1000.0, Some(4.0)),
            (50.0, Some(0.0)),
            (49.0, None),
            (1001.0, None),
        ] {
            assert_eq!(place_of_hz(&bins_hz, hz), place, "{hz} Hz");
        }
        assert_eq!(place_of_hz(&[440.0], 440.0), None);
    }

    #[test]
    fn names_that_would_touch_are_left_out() {
        // Ten bins to the octave from 50 Hz to 12.8 kHz.
        let bins_hz: Vec<f64> = (0..=80).map(|k| 50.0 * (k as f64 / 10.0).exp2()).collect();
        let names = |length: f64| -> Vec<String> {
            let ticks = frequency_ticks(&bins_hz, length, 12.0);
            for pair in ticks.windows(2) {
                assert!((pair[1].at - pair[0].at) * length >= 12.0);
            }
            ticks.into_iter().map(|tick| tick.text).collect()
        };
        assert_eq!(names(400.0), ["100", "200", "500", "1k", "2k", "5k", "10k"]);
        // There 10 kHz would reach beyond the axis.
        assert_eq!(names(50.0), ["100", "1k", "5k"]);
    }
}

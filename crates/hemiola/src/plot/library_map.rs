use serde::Serialize;

/// The page but for its data.
const PAGE: &str = include_str!("library_map.html");
/// Where the data goes.
const DATA: &str = "LIBRARY_MAP_DATA";

/// A recording on a [`library_map`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MapTrack {
    pub name: String,
    /// What it belongs to, such as its folder; tracks of the largest groups are of one colour each.
    pub group: String,
    pub x: f64,
    pub y: f64,
    pub duration_s: f64,
    /// Which tracks of the map are most like it, by their places in the list, and how much.
    pub near: Vec<(usize, f64)>,
}

#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    /// What made it.
    note: &'a str,
    tracks: &'a [MapTrack],
}

/// A page, HTML, with recordings on a plane: to move about in, to search, to see which are alike. It is whole in itself and
/// loads nothing.
pub fn library_map(title: &str, note: &str, tracks: &[MapTrack]) -> String {
    let data = Data {
        title,
        note,
        tracks,
    };
    // Finite numbers and text only: nothing that JSON has no way to say.
    let json = serde_json::to_string(&data).unwrap_or_default();
    // A name must not be able to end the script that holds it.
    PAGE.replacen(DATA, &json.replace('<', "\\u003c"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_data() {
        let name = "</script><script>alert('&\"')</script>.wav";
        let track = MapTrack {
            name: name.into(),
            group: String::new(),
            x: 0.5,
            y: -1.0,
            duration_s: 2.0,
            near: Vec::new(),
        };
        let page = library_map("<b>Mine", "", &[track]);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(!page.contains("<b>Mine"));
        let from = page.find("{\"title\"").unwrap();
        let to = from + page[from..].find("</script>").unwrap();
        let data: serde_json::Value = serde_json::from_str(&page[from..to]).unwrap();
        assert_eq!(data["tracks"][0]["name"], name);
        assert_eq!(data["title"], "<b>Mine");
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = library_map("Mine", "", &[]);
        assert!(page.contains("default-src 'none'"));
        for other in ["http:", "https:", "//cdn", "@import", "url(", "src="] {
            assert!(!page.contains(other), "{other}");
        }
    }
}

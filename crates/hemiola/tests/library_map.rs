//! The page of a library, in a browser where Chromium is installed.

#[path = "support/browser.rs"]
mod browser;

use browser::found;
use hemiola::plot::{MapTrack, library_map};

/// Three recordings of two folders, one with a name that would end the script.
fn tracks() -> Vec<MapTrack> {
    let track = |name: &str, group: &str, x: f64, near: &[(usize, f64)]| MapTrack {
        name: name.into(),
        group: group.into(),
        x,
        y: x * x,
        duration_s: 61.0,
        near: near.to_vec(),
    };
    vec![
        track("jazz/blue.flac", "jazz", -1.0, &[(1, 0.9), (2, 0.1)]),
        track("jazz/green.flac", "jazz", 0.0, &[(0, 0.9)]),
        track("</script><b>x.wav", "rock", 1.0, &[]),
    ]
}

#[test]
fn recordings_are_told_under_the_pointer_searched_and_chosen() {
    let page = library_map("Mine", "3 recordings", &tracks());
    let script = r#"
        const point = (type, i) => canvas.dispatchEvent(new PointerEvent(type,
          { clientX: toX(tracks[i]), clientY: toY(tracks[i]), bubbles: true, pointerId: 1, button: 0 }));
        point("pointermove", 1);
        const hovered = tip.hidden ? null : tip.textContent;
        search.value = "GREEN jazz";
        search.dispatchEvent(new Event("input", { bubbles: true }));
        const listed = panel.textContent;
        choose(0, false);
        const chosen = panel.textContent;
        choose(2, false);
        const odd = panel.querySelectorAll("b").length;
        let drawn = false;
        requestAnimationFrame(() => requestAnimationFrame(() => drawn = true));
        while (!drawn) await new Promise(r => setTimeout(r, 1));
        const colours = new Set(pen.getImageData(0, 0, canvas.width, canvas.height).data).size;
        return { hovered, listed, chosen, odd, colours, legend: byId("legend").textContent, title: byId("title").textContent };"#;
    let Some(found) = found(&page, script, &["--window-size=1100,800"]) else {
        return;
    };
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    assert!(text("hovered").contains("jazz/green.flac"), "{found}");
    let listed = text("listed");
    assert!(
        listed.contains("1 recording") && listed.contains("jazz/green.flac"),
        "{found}"
    );
    let chosen = text("chosen");
    assert!(
        chosen.contains("jazz/blue.flac") && chosen.contains("jazz/green.flac"),
        "{found}"
    );
    assert_eq!(found["odd"], 0);
    assert!(text("legend").contains("jazz") && text("legend").contains("rock"));
    assert_eq!(text("title"), "Mine");
    assert!(found["colours"].as_u64() > Some(8), "{found}");
}

//! Pages in a browser.

use std::path::Path;
use std::process::Command;

/// What a script finds in a page, in Chromium; none where that is not installed.
pub fn found(page: &str, script: &str, options: &[&str]) -> Option<serde_json::Value> {
    const PROBE: &str = r#"<script>
const faults = [];
addEventListener("error", e => faults.push(e.message));
addEventListener("unhandledrejection", e => faults.push(String(e.reason)));
addEventListener("securitypolicyviolation", e => faults.push(e.violatedDirective));
console.error = (...all) => faults.push(all.join(" "));
</script>"#;
    let chromium = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists());
    let Some(chromium) = chromium else {
        eprintln!("Chromium is not installed: the page is not tried in a browser");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let end = format!(
        r#"<pre id="found"></pre><script>
(async () => {{
  let found;
  try {{ found = await (async () => {{ {script} }})(); }} catch (fault) {{ faults.push(String(fault)); }}
  const requests = performance.getEntriesByType("resource").map(e => e.name).filter(name => !name.startsWith("blob:") && !name.startsWith("data:"));
  document.getElementById("found").textContent = "FOUND" + JSON.stringify({{ found, faults, requests }}) + "END";
}})();
</script></body>"#
    );
    let page = page.replacen("<style>", &format!("{PROBE}<style>"), 1);
    std::fs::write(&file, page.replacen("</body>", &end, 1)).unwrap();
    let run = Command::new(chromium)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--mute-audio",
            "--dump-dom",
        ])
        .args([
            "--virtual-time-budget=600000",
            "--autoplay-policy=no-user-gesture-required",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .args(options)
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&run.stdout);
    let dom = dom.rsplit_once("END</pre>").expect("the script ends").0;
    let json = dom.rsplit_once("FOUND").unwrap().1;
    let json = json
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["faults"], serde_json::json!([]));
    assert_eq!(value["requests"], serde_json::json!([]));
    Some(value["found"].take())
}

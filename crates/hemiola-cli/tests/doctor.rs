//! `hemiola doctor` and `hemiola man`, run as a user runs them.

mod support;

use std::fs;

use support::{folder, hemiola};

#[test]
fn a_sound_installation_is_told() {
    let at = folder();
    let report = hemiola(at.path(), &["doctor", "--json"]).succeeded().json();
    assert_eq!(report["problems"], serde_json::json!([]));
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let models = report["models"].as_array().unwrap();
    assert_eq!(models.len(), hemiola::checkpoint::bundled_models().len());
    assert!(
        models
            .iter()
            .all(|model| model["parameters"].as_u64() > Some(0))
    );
    assert_eq!(report["temporary_folder"]["is_writable"], true);
    let text = hemiola(at.path(), &["doctor"]).succeeded();
    assert!(text.text().contains("kernels"), "{}", text.text());
}

#[test]
fn each_verb_has_a_page() {
    let at = folder();
    hemiola(at.path(), &["man", "-o", "man"]).succeeded();
    let page = |name: &str| fs::read_to_string(at.path().join("man").join(name)).unwrap();
    assert!(page("hemiola.1").contains(".TH hemiola 1"));
    assert!(page("hemiola-convert.1").contains("sonic"));
    assert!(page("hemiola-models-list.1").contains("json"));
}

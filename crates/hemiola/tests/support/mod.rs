//! Where the reference vectors are.

use std::path::PathBuf;

/// A path below the folder of reference data beside the checkout; `None` where there is none, except under CI, where it must exist.
pub fn shared(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")).join(path);
    if full.exists() {
        return Some(full);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing; under CI the reference data must be there",
        full.display()
    );
    eprintln!("skipped: {} is not here", full.display());
    None
}

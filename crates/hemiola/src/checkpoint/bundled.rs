//! The models that are built into the library.

/// A checkpoint in the program's own bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bundled {
    /// The name for `--model`.
    pub name: &'static str,
    pub config: &'static str,
    pub tensors: &'static [u8],
    pub card: &'static str,
}

/// Every built-in model; none without the feature `bundled-weights`.
pub fn bundled_models() -> &'static [Bundled] {
    MODELS
}

/// The built-in model of that name.
pub fn bundled(name: &str) -> Option<&'static Bundled> {
    MODELS.iter().find(|model| model.name == name)
}

#[cfg(not(feature = "bundled-weights"))]
const MODELS: &[Bundled] = &[];

#[cfg(feature = "bundled-weights")]
const MODELS: &[Bundled] = &[Bundled {
    name: "piano",
    config: include_str!("../../../../weights/piano/config.json"),
    tensors: include_bytes!("../../../../weights/piano/model.safetensors"),
    card: include_str!("../../../../weights/piano/README.md"),
}];

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
macro_rules! built_in {
    ($name:literal) => {
        Bundled {
            name: $name,
            config: include_str!(concat!("../../../../weights/", $name, "/config.json")),
            tensors: include_bytes!(concat!("../../../../weights/", $name, "/model.safetensors")),
            card: include_str!(concat!("../../../../weights/", $name, "/README.md")),
        }
    };
}

#[cfg(feature = "bundled-weights")]
const MODELS: &[Bundled] = &[
    built_in!("piano"),
    built_in!("instruments"),
    built_in!("onsets"),
    built_in!("chroma"),
    built_in!("embedding"),
    built_in!("triads"),
    built_in!("chords"),
    built_in!("harmony"),
    built_in!("performer"),
    built_in!("bert"),
    built_in!("vae"),
];

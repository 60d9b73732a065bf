//! What a model that tells classes of symbolic music needs beside its weights.

use serde::{Deserialize, Serialize};

use crate::tokens::TokenOptions;

/// The classes and the language of the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventClassifierConfig {
    /// Names of the classes, in the order of the model's.
    pub classes: Vec<String>,
    /// How pieces became events.
    pub tokens: TokenOptions,
}

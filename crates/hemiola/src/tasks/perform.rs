//! What a model that makes music needs beside its weights.

use serde::{Deserialize, Serialize};

use crate::tokens::TokenOptions;

/// The language of the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerformerConfig {
    /// Names of the styles, in the order of the model's; those beyond were not trained.
    pub styles: Vec<String>,
    /// How pieces became events.
    pub tokens: TokenOptions,
}

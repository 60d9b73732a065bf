//! The recipes in `recipes/smoke`: each model learns a little music by heart, and a run that is resumed ends as one that was
//! not.

mod audio;
mod harmony;
mod labels;
mod lesson;
#[path = "../support/mod.rs"]
mod support;
mod symbolic;

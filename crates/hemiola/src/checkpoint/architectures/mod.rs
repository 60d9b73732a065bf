//! How each architecture stands in a checkpoint: its name, its configuration, PyTorch's names of its tensors, and the
//! sizes that can be read off them.

mod chord_gnn;
mod chord_hmm;
mod contrastive;
mod harmonic_cnn;
mod music_bert;
mod music_bert_classifier;
mod music_cnn;
mod music_transformer;
mod music_vae;
mod realtime_rnn;
mod transcription_rnn;

use std::collections::BTreeMap;

use super::TensorFile;

/// The shapes of tensors by name, to read sizes from.
struct Shapes<'a> {
    by_name: BTreeMap<&'a str, &'a [usize]>,
    /// The model that the tensors should be of, for messages.
    model: &'static str,
}

impl<'a> Shapes<'a> {
    fn of(file: &'a TensorFile, model: &'static str) -> Self {
        let tensors = file.tensors.iter();
        Self {
            by_name: tensors
                .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
                .collect(),
            model,
        }
    }

    /// The shape of a tensor that must be there with that many dimensions.
    fn get<const D: usize>(&self, name: &str) -> Result<[usize; D], String> {
        let found = self.by_name.get(name).copied();
        found
            .and_then(|shape| shape.try_into().ok())
            .ok_or_else(|| {
                let found = found.map_or("nothing".to_owned(), |shape| format!("{shape:?}"));
                format!(
                    "tensor {name}: expected {D} dimensions, found {found}; is it a {}?",
                    self.model
                )
            })
    }

    /// Whether the name of any tensor begins so.
    fn any(&self, prefix: &str) -> bool {
        self.by_name.keys().any(|name| name.starts_with(prefix))
    }

    /// How many of `{before}0{after}`, `{before}1{after}` … there are, up to the first that is not.
    fn count(&self, before: &str, after: &str) -> usize {
        (0..)
            .take_while(|i| {
                self.by_name
                    .contains_key(format!("{before}{i}{after}").as_str())
            })
            .count()
    }
}

/// PyTorch's name of the parameter at `path`, where each of `modules` is a `Sequential` there in which an activation follows
/// every layer: layer `i` of such a module is its entry `2 · i`. Other names stay.
fn name_in_sequential(path: &str, modules: &[&str]) -> String {
    let mut parts = path.splitn(3, '.');
    if let (Some(module), Some(layer), Some(rest)) = (parts.next(), parts.next(), parts.next())
        && modules.contains(&module)
        && let Ok(layer) = layer.parse::<usize>()
    {
        return format!("{module}.{}.{rest}", 2 * layer);
    }
    path.to_owned()
}

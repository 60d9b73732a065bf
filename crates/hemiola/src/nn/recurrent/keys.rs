//! PyTorch's names of recurrent layers' parameters, such as `weight_ih_l1_reverse`, and the paths of ours, such as
//! `layers.1.reverse.weight_ih`.

/// The tensors that PyTorch's LSTM and GRU have per layer and direction.
const TENSORS: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

/// Which of a recurrent module's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub layer: usize,
    pub reverse: bool,
    /// `weight_ih`, `weight_hh`, `bias_ih` or `bias_hh`
    pub tensor: &'static str,
}

impl Key {
    /// Of PyTorch's name, without the path of the module.
    pub fn from_pytorch(name: &str) -> Option<Self> {
        let (name, reverse) = match name.strip_suffix("_reverse") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (name, layer) = name.rsplit_once("_l")?;
        let tensor = TENSORS.into_iter().find(|&tensor| tensor == name)?;
        Some(Self {
            layer: layer.parse().ok()?,
            reverse,
            tensor,
        })
    }

    /// Of our path inside the module.
    pub fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("layers.")?.split('.');
        let layer = parts.next()?.parse().ok()?;
        let reverse = match parts.next()? {
            "forward" => false,
            "reverse" => true,
            _ => return None,
        };
        let name = parts.next()?;
        let tensor = TENSORS.into_iter().find(|&tensor| tensor == name)?;
        parts.next().is_none().then_some(Self {
            layer,
            reverse,
            tensor,
        })
    }

    pub fn pytorch(&self) -> String {
        let reverse = if self.reverse { "_reverse" } else { "" };
        format!("{}_l{}{reverse}", self.tensor, self.layer)
    }

    pub fn path(&self) -> String {
        let direction = if self.reverse { "reverse" } else { "forward" };
        format!("layers.{}.{direction}.{}", self.layer, self.tensor)
    }
}

/// Our path of a whole model's parameter that PyTorch calls `name`: `lstm.weight_ih_l0` becomes
/// `lstm.layers.0.forward.weight_ih`. `None` where the name is not a recurrent layer's.
pub fn path_of_pytorch(name: &str) -> Option<String> {
    let (module, last) = name.rsplit_once('.').unwrap_or(("", name));
    Some(join(module, &Key::from_pytorch(last)?.path()))
}

/// The inverse of [`path_of_pytorch`].
pub fn pytorch_of_path(path: &str) -> Option<String> {
    let start = path.rfind("layers.")?;
    let (module, last) = path.split_at(start);
    if !module.is_empty() && !module.ends_with('.') {
        return None;
    }
    let module = module.trim_end_matches('.');
    Some(join(module, &Key::from_path(last)?.pytorch()))
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() {
        name.to_string()
    } else {
        format!("{module}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_map_both_ways() {
        for (name, path) in [
            ("weight_ih_l0", "layers.0.forward.weight_ih"),
            ("lstm.weight_hh_l12", "lstm.layers.12.forward.weight_hh"),
            (
                "encoder.layers.3.rnn.bias_ih_l1_reverse",
                "encoder.layers.3.rnn.layers.1.reverse.bias_ih",
            ),
        ] {
            assert_eq!(path_of_pytorch(name).as_deref(), Some(path));
            assert_eq!(pytorch_of_path(path).as_deref(), Some(name));
        }
    }

    #[test]
    fn other_parameters_are_left_alone() {
        for name in [
            "head.weight",
            "weight_ih",
            "conv_l0",
            "weight_ih_lx",
            "weight_ih_l",
        ] {
            assert_eq!(path_of_pytorch(name), None, "{name}");
        }
        for path in [
            "encoder.layers.0.weight",
            "players.0.forward.weight_ih",
            "layers.0.forward.weight_ih.x",
            "layers.a.forward.weight_ih",
        ] {
            assert_eq!(pytorch_of_path(path), None, "{path}");
        }
    }
}

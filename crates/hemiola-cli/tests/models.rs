//! `hemiola models`: list, show, export, and import of PyTorch's files.

mod support;

use std::fs;
use std::path::Path;

use hemiola::checkpoint::{CheckpointFiles, NamedTensor, TensorFile, named_tensors};
use hemiola::models::transcription_rnn::{Front, HarmonicFrontConfig, MusicTranscriptionRnnConfig};
use support::pickle::torch_save;
use support::{Ran, folder, hemiola, save_model, shared, tiny_sizes, with_model, write_melody};

const ARCH: &str = "music-transcription-rnn";

fn models(folder: &Path, arguments: &[&str]) -> Ran {
    hemiola(folder, &[&["models"], arguments].concat())
}

fn import(folder: &Path, file: &str, out: &str) -> Ran {
    models(folder, &["import", file, "--arch", ARCH, "-o", out])
}

fn tensors_of(folder: &Path) -> Vec<NamedTensor> {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    TensorFile::parse(&bytes, folder).unwrap().tensors
}

/// Sizes that an import finds out by itself: the tutorial's number of heads.
fn eight_heads() -> MusicTranscriptionRnnConfig {
    MusicTranscriptionRnnConfig {
        n_heads: 8,
        ..tiny_sizes()
    }
}

#[test]
fn the_list_is_json_too() {
    let at = folder();
    let list = models(at.path(), &["list", "--json"]).succeeded().json();
    let built_in = hemiola::checkpoint::bundled_models();
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, built_in.iter().map(|m| m.name).collect::<Vec<_>>());
    let text = models(at.path(), &["list"]).succeeded();
    assert_eq!(text.text().lines().count(), built_in.len());
}

#[test]
fn the_reference_preset_has_as_many_parameters_as_its_table_says() {
    let at = folder();
    let model = at.path().join("model");
    save_model(&model, &MusicTranscriptionRnnConfig::default());
    let shown = models(at.path(), &["show", "model", "--json"])
        .succeeded()
        .json();
    assert_eq!(shown["parameters"], 5_436_634);
    assert_eq!(shown["architecture"], ARCH);
    assert_eq!(shown["licence"], "CC0-1.0");
    assert_eq!(shown["model"]["n_layers"], 3);
    let shapes = shown["tensors"].as_array().unwrap();
    let shape = |name: &str| shapes.iter().find(|t| t["name"] == name).unwrap()["shape"].clone();
    assert_eq!(
        shape("feature_conv.0.weight"),
        serde_json::json!([128, 88, 3])
    );
    assert_eq!(
        shape("lstm.weight_hh_l2_reverse"),
        serde_json::json!([1024, 256])
    );
    assert_eq!(
        shape("attention.in_proj_weight"),
        serde_json::json!([1536, 512])
    );
    let text = models(at.path(), &["show", "model"]).succeeded();
    for part in [
        "5436634 parameters",
        "lstm.weight_hh_l2_reverse",
        "\"n_heads\": 8",
        "A tiny model",
    ] {
        assert!(text.text().contains(part), "{part}");
    }
}

#[test]
fn an_export_is_the_same_model() {
    let at = with_model();
    models(at.path(), &["export", "model", "-o", "full"]).succeeded();
    models(
        at.path(),
        &["export", "model", "-o", "half", "--precision", "float16"],
    )
    .succeeded();
    let original = tensors_of(&at.path().join("model"));
    assert_eq!(tensors_of(&at.path().join("full")), original);
    for (half, full) in tensors_of(&at.path().join("half")).iter().zip(&original) {
        assert_eq!((&half.name, &half.shape), (&full.name, &full.shape));
        for (a, b) in half.values.iter().zip(&full.values) {
            // Half precision has 11 bits.
            assert!(
                (a - b).abs() <= b.abs() / 2048.0 + 1e-7,
                "{}: {a} {b}",
                half.name
            );
        }
    }
    let read = |name: &str| fs::read_to_string(at.path().join(name)).unwrap();
    assert_eq!(read("model/config.json"), read("half/config.json"));
    let size = |card: &str| {
        card.lines()
            .find(|l| l.starts_with("- architecture"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(read("model/README.md"), read("full/README.md"));
    assert_ne!(
        size(&read("model/README.md")),
        size(&read("half/README.md"))
    );
}

#[test]
fn pickles_of_pytorch_are_imported_with_and_without_wrappings() {
    let at = folder();
    let model = save_model(&at.path().join("model"), &eight_heads());
    let tensors = named_tensors(&model).unwrap();
    let mut parallel = tensors.clone();
    for tensor in &mut parallel {
        tensor.name = format!("module.{}", tensor.name);
    }
    for (file, tensors, inside) in [
        ("plain.pt", &tensors, None),
        ("nested.pth", &tensors, Some("state_dict")),
        ("parallel.pt", &parallel, None),
        ("both.pt", &parallel, Some("model_state_dict")),
    ] {
        torch_save(&at.path().join(file), tensors, inside);
        let out = format!("{file}.imported");
        let ran = import(at.path(), file, &out).succeeded();
        assert!(ran.stderr.contains("n_heads"), "{}", ran.stderr);
        assert_eq!(
            tensors_of(&at.path().join(&out)),
            named_tensors(&model).unwrap(),
            "{file}"
        );
        let config = CheckpointFiles::read(&at.path().join(&out)).unwrap().config;
        let expected = serde_json::json!({
            "front": "conv1d", "input_dim": 88, "hidden_dim": 8, "n_layers": 1, "n_heads": 8,
            "conv_channels": [8, 8], "onset_outputs": 88, "velocity_outputs": 88, "held_outputs": 88,
        });
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(config.model[key], *value, "{file}: {key}");
        }
    }
    write_melody(&at.path().join("a.wav"), 5);
    let notes = |model: &str| {
        hemiola(at.path(), &["transcribe", "a.wav", "--model", model])
            .succeeded()
            .stdout
    };
    assert_eq!(notes("both.pt.imported"), notes("model"));
}

#[test]
fn an_export_without_a_folder_goes_to_the_checkpoints_own() {
    let at = with_model();
    let weights = at.path().join("model/model.safetensors");
    let before = fs::metadata(&weights).unwrap().len();
    let arguments = ["models", "export", "model", "--to", "safetensors"];
    hemiola(
        at.path(),
        &[&arguments[..], &["--precision", "float16"]].concat(),
    )
    .succeeded();
    assert!(fs::metadata(&weights).unwrap().len() < before * 2 / 3);
    hemiola(at.path(), &["models", "show", "model"]).succeeded();
    let arguments = ["models", "export", "piano", "--to", "safetensors"];
    hemiola(at.path(), &arguments).succeeded();
    assert!(at.path().join("piano/config.json").is_file());
}

#[test]
fn safetensors_are_imported_with_the_sizes_given() {
    let at = folder();
    // Two heads are not told by the tensors.
    save_model(&at.path().join("model"), &tiny_sizes());
    fs::copy(
        at.path().join("model/model.safetensors"),
        at.path().join("w.safetensors"),
    )
    .unwrap();
    let arguments = [
        "import",
        "w.safetensors",
        "--arch",
        ARCH,
        "-o",
        "out",
        "--config",
        "model/config.json",
    ];
    assert_eq!(models(at.path(), &arguments).succeeded().stderr, "");
    assert_eq!(
        tensors_of(&at.path().join("out")),
        tensors_of(&at.path().join("model"))
    );
    let read = |name: &str| fs::read_to_string(at.path().join(name)).unwrap();
    assert_eq!(read("out/config.json"), read("model/config.json"));
}

#[test]
fn what_the_tensors_of_a_harmonic_front_do_not_tell_is_asked_for() {
    let at = folder();
    let sizes = MusicTranscriptionRnnConfig {
        front: Front::Harmonic,
        harmonic: HarmonicFrontConfig {
            bins_per_octave: 12,
            channels: 2,
            reduced: 1,
            projection: 8,
            ..HarmonicFrontConfig::default()
        },
        ..tiny_sizes()
    };
    save_model(&at.path().join("model"), &sizes);
    let weights = "model/model.safetensors";
    import(at.path(), weights, "out").failed(1, &[weights, "harmonic", "--config"]);
    let arguments = [
        "import",
        weights,
        "--arch",
        ARCH,
        "-o",
        "out",
        "--config",
        "model/config.json",
    ];
    models(at.path(), &arguments).succeeded();
    assert_eq!(
        tensors_of(&at.path().join("out")),
        tensors_of(&at.path().join("model"))
    );
}

#[test]
fn weights_of_the_reference_implementation_are_imported() {
    let Some(path) = shared("conformance/parity/transcription_rnn_piano.safetensors") else {
        return;
    };
    let at = folder();
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let parameters = file
        .iter()
        .filter_map(|(name, view)| Some((name.strip_prefix("param.")?.to_owned(), view)));
    let weights = safetensors::serialize(parameters, None).unwrap();
    fs::write(at.path().join("w.safetensors"), weights).unwrap();
    import(at.path(), "w.safetensors", "out").succeeded();
    let shown = models(at.path(), &["show", "out", "--json"])
        .succeeded()
        .json();
    // As the metadata of the file states.
    for (key, value) in [
        ("hidden_dim", 16),
        ("n_layers", 3),
        ("input_dim", 88),
        ("onset_outputs", 88),
    ] {
        assert_eq!(shown["model"][key], value, "{key}");
    }
    assert_eq!(shown["model"]["conv_channels"], serde_json::json!([12, 16]));
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let at = folder();
    let model = save_model(&at.path().join("model"), &eight_heads());
    let tensors = named_tensors(&model).unwrap();
    let without: Vec<_> = tensors
        .iter()
        .filter(|t| t.name != "lstm.bias_hh_l0")
        .cloned()
        .collect();
    torch_save(&at.path().join("less.pt"), &without, None);
    import(at.path(), "less.pt", "out").failed(1, &["less.pt", "lstm.bias_hh_l0", "missing"]);

    let mut more = tensors.clone();
    more.push(NamedTensor {
        name: "extra_head.weight".into(),
        shape: vec![2, 3],
        values: vec![0.0; 6],
    });
    torch_save(&at.path().join("more.pt"), &more, None);
    import(at.path(), "more.pt", "out").failed(1, &["extra_head.weight [2, 3]"]);

    let mut bent = tensors.clone();
    let tensor = bent
        .iter_mut()
        .find(|t| t.name == "attention.out_proj.weight")
        .unwrap();
    tensor.shape = vec![8, 32];
    torch_save(&at.path().join("bent.pt"), &bent, None);
    import(at.path(), "bent.pt", "out")
        .failed(1, &["attention.out_proj.weight", "[16, 16]", "[8, 32]"]);

    fs::write(at.path().join("text.pt"), "not weights").unwrap();
    import(at.path(), "text.pt", "out").failed(1, &["text.pt", "PyTorch"]);
    fs::write(at.path().join("text.safetensors"), "not weights").unwrap();
    import(at.path(), "text.safetensors", "out").failed(1, &["text.safetensors"]);
    let whole = fs::read(at.path().join("more.pt")).unwrap();
    fs::write(at.path().join("cut.pt"), &whole[..whole.len() / 2]).unwrap();
    import(at.path(), "cut.pt", "out").failed(1, &["cut.pt"]);
    import(at.path(), "none.pt", "out").failed(1, &["none.pt", "No such file"]);
    torch_save(&at.path().join("empty.pt"), &[], None);
    import(at.path(), "empty.pt", "out").failed(1, &["empty.pt", "no tensor"]);
    assert!(!at.path().join("out").exists());
}

#[test]
fn wrong_use_has_its_own_exit_code() {
    let at = with_model();
    models(at.path(), &["show", "nobody"]).failed(2, &["nobody", "checkpoint folder"]);
    models(at.path(), &["export", "nobody", "-o", "out"]).failed(2, &["nobody"]);
    for arguments in [
        &["import", "w.pt", "--arch", "perceptron", "-o", "out"][..],
        &["import", "w.pt", "-o", "out"],
        &["export"],
        &["export", "model", "-o", "out", "--to", "pickle"],
    ] {
        assert_eq!(models(at.path(), arguments).code, 2, "{arguments:?}");
    }
    fs::create_dir(at.path().join("bare")).unwrap();
    models(at.path(), &["show", "bare"]).failed(1, &["bare/config.json", "No such file"]);
    fs::write(at.path().join("taken"), "a file").unwrap();
    models(at.path(), &["export", "model", "-o", "taken"]).failed(1, &["taken"]);
}

//! `hemiola doctor`: whether what the program needs is there.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use hemiola::checkpoint::{CheckpointFiles, bundled_models, size_text};
use hemiola::nn::{convolution, recurrent};
use serde::Serialize;

use crate::Outcome;

#[derive(clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// All that is looked at.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    /// Architecture and operating system.
    platform: String,
    processor: Processor,
    /// Of the machine, where the system tells.
    memory: Option<Memory>,
    models: Vec<Model>,
    microphones: Microphones,
    temporary_folder: Folder,
    /// What is broken and what to do about it; empty where all is well.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Processor {
    /// That a program may run at once.
    threads: usize,
    /// Of those that matter to the kernels.
    features: Vec<&'static str>,
    /// Which instructions the kernels chose.
    convolution: &'static str,
    recurrent: &'static str,
}

#[derive(Debug, Serialize)]
struct Memory {
    total_bytes: u64,
    available_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Model {
    name: &'static str,
    bytes: usize,
    parameters: Option<usize>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

#[derive(Debug, Serialize)]
struct Microphones {
    /// Whether the program was built to hear them.
    built_in: bool,
    names: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Folder {
    path: PathBuf,
    is_writable: bool,
    free_bytes: Option<u64>,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let report = Report::make();
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        false => report.print(&mut out)?,
    }
    for problem in &report.problems {
        eprintln!("error: {problem}");
    }
    Ok(match report.problems.is_empty() {
        true => Outcome::Done,
        false => Outcome::SomeFailed,
    })
}

impl Report {
    fn make() -> Self {
        let mut problems = Vec::new();
        let models: Vec<Model> = bundled_models()
            .iter()
            .map(|model| {
                let opened = CheckpointFiles::bundled(model).and_then(|files| files.describe());
                Model {
                    name: model.name,
                    bytes: model.tensors.len(),
                    parameters: opened.as_ref().ok().map(|described| described.parameters),
                    fault: opened.err().map(|fault| fault.to_string()),
                }
            })
            .collect();
        if models.is_empty() {
            problems.push(
                "no model is built into this program; build it with the feature bundled-weights, or name checkpoints with --model"
                    .to_owned(),
            );
        }
        problems.extend(models.iter().filter_map(|model| {
            let fault = model.fault.as_ref()?;
            Some(format!(
                "model {} cannot be used: {fault}; install the program anew",
                model.name
            ))
        }));
        let temporary_folder = temporary_folder(&mut problems);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            platform: format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
            processor: Processor {
                threads: std::thread::available_parallelism().map_or(1, usize::from),
                features: features(),
                convolution: match convolution::kernel::Level::best() {
                    convolution::kernel::Level::Portable => "portable",
                    convolution::kernel::Level::Avx2 => "AVX2",
                    convolution::kernel::Level::Avx512 => "AVX-512",
                },
                recurrent: match recurrent::kernel::Level::best() {
                    recurrent::kernel::Level::PORTABLE => "portable",
                    level if level.lanes() == 8 => "AVX2",
                    _ => "AVX-512",
                },
            },
            memory: memory(),
            models,
            microphones: Microphones {
                built_in: cfg!(feature = "microphone"),
                names: crate::listen::microphone_names(),
            },
            temporary_folder,
            problems,
        }
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "hemiola {}, {}", self.version, self.platform)?;
        let Processor {
            threads,
            features,
            convolution,
            recurrent,
        } = &self.processor;
        writeln!(out, "processor   {threads} threads; {}", features.join(" "))?;
        writeln!(
            out,
            "kernels     convolution: {convolution}, recurrent: {recurrent}"
        )?;
        if let Some(memory) = &self.memory {
            let (total, available) = (
                gigabytes(memory.total_bytes),
                gigabytes(memory.available_bytes),
            );
            writeln!(out, "memory      {available} GB of {total} GB available")?;
        }
        for (index, model) in self.models.iter().enumerate() {
            let heading = if index == 0 { "models" } else { "" };
            let state = match (&model.fault, model.parameters) {
                (Some(_), _) => "broken".to_owned(),
                (None, parameters) => format!("{} parameters", parameters.unwrap_or(0)),
            };
            let size = size_text(model.bytes);
            writeln!(out, "{heading:11} {:14} {size:>8}  {state}", model.name)?;
        }
        let microphones = match (self.microphones.built_in, self.microphones.names.as_slice()) {
            (false, _) => "this program is built without (feature microphone)".to_owned(),
            (true, []) => "none found".to_owned(),
            (true, names) => names.join("; "),
        };
        writeln!(out, "microphones {microphones}")?;
        let folder = &self.temporary_folder;
        let state = match (folder.is_writable, folder.free_bytes) {
            (false, _) => "cannot be written to".to_owned(),
            (true, Some(free)) => format!("{} GB free", gigabytes(free)),
            (true, None) => "can be written to".to_owned(),
        };
        writeln!(out, "temporary   {}: {state}", folder.path.display())?;
        writeln!(
            out,
            "folders     the program keeps no cache and no configuration"
        )
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e9)
}

/// Of the instruction sets that the kernels choose among, those that this processor has.
fn features() -> Vec<&'static str> {
    #[allow(unused_mut)]
    let mut features = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        for (name, is_there) in [
            ("sse4.2", is_x86_feature_detected!("sse4.2")),
            ("avx", is_x86_feature_detected!("avx")),
            ("avx2", is_x86_feature_detected!("avx2")),
            ("fma", is_x86_feature_detected!("fma")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
            ("avx512vl", is_x86_feature_detected!("avx512vl")),
        ] {
            if is_there {
                features.push(name);
            }
        }
    }
    features
}

/// As Linux tells it; `None` elsewhere.
fn memory() -> Option<Memory> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let bytes = |field: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(1024 * kibibytes)
    };
    Some(Memory {
        total_bytes: bytes("MemTotal:")?,
        available_bytes: bytes("MemAvailable:")?,
    })
}

fn temporary_folder(problems: &mut Vec<String>) -> Folder {
    let path = std::env::temp_dir();
    let written = tempfile::NamedTempFile::new_in(&path)
        .and_then(|mut file| file.write_all(b"hemiola").and_then(|()| file.flush()));
    if let Err(fault) = &written {
        problems.push(format!(
            "the temporary folder {} cannot be written to: {}; name another one in the environment variable TMPDIR",
            path.display(),
            fault.kind()
        ));
    }
    Folder {
        free_bytes: free_bytes(&path),
        is_writable: written.is_ok(),
        path,
    }
}

#[cfg(unix)]
fn free_bytes(path: &std::path::Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail * found.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_path: &std::path::Path) -> Option<u64> {
    None
}

//! What to do with results that are there already.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

use super::folder::AnalysisFolder;

pub struct Existing {
    /// Leave complete analyses of the same recordings as they are.
    pub skip: bool,
    /// Replace those of others.
    pub force: bool,
}

impl Existing {
    /// Refuses to replace what is of another recording, unless it is forced or a person says yes.
    pub fn check(
        &self,
        folder: &AnalysisFolder,
        sha256: Option<&str>,
        asking: &Mutex<()>,
    ) -> Result<()> {
        let Some(other) = folder.other(sha256).filter(|_| !self.force) else {
            return Ok(());
        };
        let what = format!("{} has {other}", folder.path().display());
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            bail!("{what}; name another folder with -o, or replace it with --force");
        }
        let _turn = asking.lock().unwrap_or_else(PoisonError::into_inner);
        eprint!("{what}; replace it? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => bail!("{what}, which was left as it is"),
        }
    }
}

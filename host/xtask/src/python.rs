//! The virtual environment in which the official Python client runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    error::Error,
    process::{run, say},
    workspace::Workspace,
};

/// Makes `target/venv` hold what `tests/python/requirements.txt` names, and returns its interpreter.
pub(crate) fn environment(workspace: &Workspace) -> Result<PathBuf, Error> {
    let requirements = workspace.root.join("tests/python/requirements.txt");
    let wanted = fs::read(&requirements).map_err(Error::file("read", &requirements))?;
    let folder = workspace.target.join("venv");
    let python = folder.join("bin/python");
    // Written last, so that a half-made environment is made anew.
    let stamp = folder.join("requirements.txt");
    if fs::read(&stamp).is_ok_and(|present| present == wanted) && answers(&python) {
        return Ok(python);
    }

    say(format!(
        "making {} with {}",
        folder.display(),
        requirements.display()
    ));
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("remove", folder)(error));
        }
        _ => {}
    }
    if !answers(Path::new("python3")) {
        return Err(Error::NoPython {
            problem: "there is no `python3`".to_owned(),
        });
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder)).map_err(|error| Error::NoPython {
        problem: error.to_string(),
    })?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(&requirements))?;
    fs::write(&stamp, wanted).map_err(Error::file("write", &stamp))?;
    Ok(python)
}

/// True if this interpreter runs.
fn answers(python: &Path) -> bool {
    let status = Command::new(python)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

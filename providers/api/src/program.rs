//! Finds the program of a command.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use windlass_model::ErrorClass;

use crate::error::ProviderError;
use crate::runner::Command;

/// The file that a command starts: a name is looked for on the `PATH` of the command's own environment, a path is taken
/// from the directory it runs in.
///
/// # Errors
/// `tool_missing`, with how to get it; `invalid_config` where the directory is not there or the file is no program.
pub(crate) fn find(command: &Command) -> Result<PathBuf, ProviderError> {
    if !command.dir.is_dir() {
        let message =
            format!("cannot run `{}`: its directory {} is not there", command.program, command.dir.display());
        return Err(ProviderError::new(ErrorClass::InvalidConfig, message));
    }
    if command.program.is_empty() {
        return Err(ProviderError::new(ErrorClass::InvalidConfig, "the command names no program"));
    }
    if command.program.contains('/') { at_path(command) } else { on_path(command) }
}

fn at_path(command: &Command) -> Result<PathBuf, ProviderError> {
    let path = command.dir.join(&command.program);
    if path.is_dir() {
        let message = format!("`{}` is a directory, not a program", command.program);
        return Err(ProviderError::new(ErrorClass::InvalidConfig, message));
    }
    if !path.exists() {
        let message =
            format!("the program `{}` is not there (looked for {})", command.program, path.display());
        return Err(missing(command, message));
    }
    if !is_program(&path) {
        let message = format!("`{}` is not executable", command.program);
        let error = ProviderError::new(ErrorClass::InvalidConfig, message);
        return Err(error.hint(format!("chmod +x {}", path.display())));
    }
    Ok(path)
}

fn on_path(command: &Command) -> Result<PathBuf, ProviderError> {
    let path = command.env.get("PATH").map(String::as_str).unwrap_or_default();
    let mut places = path.split(':').filter(|dir| !dir.is_empty());
    let found = places.find_map(|dir| {
        let file = command.dir.join(dir).join(&command.program);
        is_program(&file).then_some(file)
    });
    let why = if path.is_empty() { "PATH is not set" } else { "it is on no directory of PATH" };
    found.ok_or_else(|| missing(command, format!("the program `{}` was not found: {why}", command.program)))
}

fn missing(command: &Command, message: String) -> ProviderError {
    let error = ProviderError::new(ErrorClass::ToolMissing, message);
    if command.get_it.is_empty() { error } else { error.hint(command.get_it.clone()) }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Why a program that was found could not be started.
pub(crate) fn not_started(program: &str, error: &std::io::Error) -> ProviderError {
    const ENOEXEC: i32 = 8;
    const E2BIG: i32 = 7;
    let (class, why) = match error.raw_os_error() {
        Some(ENOEXEC) => (ErrorClass::InvalidConfig, "it is not a program of this machine".to_owned()),
        Some(E2BIG) => (ErrorClass::InvalidConfig, "its arguments and environment are too long".to_owned()),
        _ if error.kind() == std::io::ErrorKind::NotFound => {
            (ErrorClass::ToolMissing, "the interpreter that its first line names is not there".to_owned())
        }
        _ => (ErrorClass::Unknown, error.to_string()),
    };
    let failed = ProviderError::new(class, format!("cannot start `{program}`: {why}"));
    match error.raw_os_error() {
        Some(ENOEXEC) => failed.hint("does a script's first line name its interpreter (`#!/bin/sh`)?"),
        _ => failed,
    }
}

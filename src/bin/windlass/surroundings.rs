//! What the process finds around itself, captured once in `main`: nothing else reads the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The front of an environment variable that gives a stack's variable.
const VARIABLE: &str = "WINDLASS_VAR_";

/// The environment, the user, the machine, the terminal.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Values of variables by name, from `WINDLASS_VAR_name`.
    pub variables: BTreeMap<String, String>,
    /// `WINDLASS_STATE`: the URL of the store.
    pub state: Option<String>,
    /// `WINDLASS_STATE_PASSPHRASE`
    pub passphrase: Option<String>,
    /// `WINDLASS_ACTOR`
    pub actor: Option<String>,
    /// `CI` is set and not `false`.
    pub ci: bool,
    /// `NO_COLOR` is set and not empty, or the terminal is dumb.
    pub no_color: bool,
    /// All of it, for `env("…")` and for tools; without Windlass' own.
    pub env: BTreeMap<String, String>,
    /// Names of variables that are not UTF-8.
    pub unreadable: Vec<String>,
    /// The login name.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The working directory.
    pub cwd: PathBuf,
    /// This program: supervisors are started from it.
    pub exe: Option<PathBuf>,
    /// This process.
    pub pid: u32,
    /// When it started, for `--deadline`.
    pub started: Option<tokio::time::Instant>,
    /// Which streams are terminals.
    pub terminal: Terminals,
}

/// Which streams are terminals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminals {
    /// Questions can be answered.
    pub stdin: bool,
    /// Results are read by a person.
    pub stdout: bool,
    /// Progress is read by a person.
    pub stderr: bool,
}

impl fmt::Debug for Surroundings {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("variables", &self.variables.keys())
            .field("env", &self.env.keys())
            .field("user", &self.user)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Surroundings {
    /// Captures them.
    #[expect(clippy::disallowed_methods, reason = "the one place that captures the process's surroundings")]
    pub fn capture() -> std::io::Result<Surroundings> {
        let terminal = Terminals {
            stdin: std::io::stdin().is_terminal(),
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        };
        let mut found = Surroundings {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            cwd: std::env::current_dir()?,
            exe: std::env::current_exe().ok(),
            pid: std::process::id(),
            started: Some(tokio::time::Instant::now()),
            terminal,
            ..Surroundings::default()
        };
        found.take(
            std::env::vars_os().map(|(name, value)| (name.into_encoded_bytes(), value.into_encoded_bytes())),
        );
        Ok(found)
    }

    fn take(&mut self, env: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        for (name, value) in env {
            let name = String::from_utf8_lossy(&name).into_owned();
            let Ok(value) = String::from_utf8(value) else {
                self.unreadable.push(name);
                continue;
            };
            match name.as_str() {
                "WINDLASS_STATE" => self.state = Some(value).filter(|value| !value.is_empty()),
                "WINDLASS_STATE_PASSPHRASE" => self.passphrase = Some(value),
                "WINDLASS_ACTOR" => self.actor = Some(value).filter(|value| !value.is_empty()),
                _ => match name.strip_prefix(VARIABLE) {
                    Some(variable) => {
                        self.variables.insert(variable.to_owned(), value);
                    }
                    None => {
                        self.env.insert(name, value);
                    }
                },
            }
        }
        self.unreadable.sort();
        let set = |name: &str| self.env.get(name).is_some_and(|value| !value.is_empty());
        self.ci = set("CI") && self.env.get("CI").is_some_and(|value| value != "false");
        self.no_color = set("NO_COLOR") || self.env.get("TERM").is_some_and(|term| term == "dumb");
        let user = ["USER", "LOGNAME"].iter().find_map(|name| self.env.get(*name));
        self.user = user.cloned().unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    }

    /// Who acts: `WINDLASS_ACTOR`, else `user@host`.
    pub fn who(&self) -> String {
        self.actor.clone().unwrap_or_else(|| format!("{}@{}", self.user, self.host))
    }

    /// Whether somebody can be asked.
    pub fn can_ask(&self) -> bool {
        self.terminal.stdin && self.terminal.stderr && !self.ci
    }

    /// Whether progress is drawn live.
    pub fn is_live(&self) -> bool {
        self.terminal.stderr && !self.ci && self.env.get("TERM").is_none_or(|term| term != "dumb")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(env: &[(&str, &[u8])]) -> Surroundings {
        let mut found = Surroundings { host: "desk".into(), ..Surroundings::default() };
        found.take(env.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())));
        found
    }

    #[test]
    fn each_variable_has_its_place() {
        let found = captured(&[
            ("USER", b"ann"),
            ("WINDLASS_VAR_image_tag", b"1.2"),
            ("WINDLASS_STATE", b"s3://bucket"),
            ("WINDLASS_STATE_PASSPHRASE", b"hunter2"),
            ("CI", b"true"),
            ("BAD", b"\xff"),
        ]);
        assert_eq!(found.variables["image_tag"], "1.2");
        assert_eq!(found.state.as_deref(), Some("s3://bucket"));
        assert!(found.ci && !found.no_color);
        assert_eq!(found.unreadable, ["BAD"]);
        assert_eq!(found.who(), "ann@desk");
        assert!(
            !found.env.keys().any(|name| name.starts_with("WINDLASS_")),
            "a tool must not see the passphrase"
        );
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[test]
    fn an_actor_beats_the_user() {
        let found = captured(&[
            ("USER", b"ann"),
            ("WINDLASS_ACTOR", b"deploy bot"),
            ("NO_COLOR", b"1"),
            ("CI", b"false"),
        ]);
        assert_eq!(found.who(), "deploy bot");
        assert!(found.no_color && !found.ci);
    }
}

//! A directory of its own for one test.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::output::Output;
use super::redact::Redaction;
use super::running::Running;
use super::wait::wait_until;

/// Who acts in a sandbox.
pub const ACTOR: &str = "tester@sandbox";

/// A stack's directory, a home and a place for temporary files; gone with the value.
pub struct Sandbox {
    root: TempDir,
    stack: PathBuf,
}

impl Sandbox {
    /// An empty one.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("windlass-test-").tempdir().unwrap();
        // What is printed holds real paths: the root is asked for once, with links resolved.
        let stack = root.path().canonicalize().unwrap().join("stack");
        for dir in ["stack", "home", "tmp", "said"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        fs::write(root.path().join("empty.tfrc"), "").unwrap();
        Self { root, stack }
    }

    /// One with a copy of a folder of the repository: `examples/quickstart`.
    pub fn of(relative: &str) -> Self {
        let sandbox = Self::new();
        copy(&super::repository(relative), &sandbox.stack);
        sandbox
    }

    /// A path in the stack's directory.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.stack.join(relative)
    }

    /// The directory around the stack's.
    pub fn root(&self) -> PathBuf {
        self.stack.parent().unwrap().to_path_buf()
    }

    /// Writes a file in the stack's directory, and the folders on the way.
    pub fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes an executable file in the stack's directory.
    pub fn script(&self, relative: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.write(relative, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The text of a file in the stack's directory.
    pub fn read(&self, relative: impl AsRef<Path>) -> String {
        let path = self.path(relative);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
    }

    /// Whether it is there.
    pub fn exists(&self, relative: impl AsRef<Path>) -> bool {
        self.path(relative).exists()
    }

    /// All files below the stack's directory, sorted, without what lies in `.windlass`.
    pub fn files(&self) -> Vec<String> {
        let mut found = self.all_files();
        found.retain(|path| !path.starts_with(".windlass/"));
        found
    }

    /// All files below the stack's directory, sorted.
    pub fn all_files(&self) -> Vec<String> {
        let mut found = Vec::new();
        list(&self.stack, &self.stack, &mut found);
        found.sort();
        found
    }

    /// A call of `windlass` in the stack's directory.
    pub fn windlass<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Invocation<'_> {
        self.command(env!("CARGO_BIN_EXE_windlass"), args)
    }

    /// A call of any program, as cleanly.
    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = A>,
    ) -> Invocation<'_> {
        let root = self.root();
        let text = |name: &str| root.join(name).into_os_string();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let env = BTreeMap::from([
            ("PATH".into(), path),
            ("HOME".into(), text("home")),
            ("TMPDIR".into(), text("tmp")),
            ("TF_CLI_CONFIG_FILE".into(), text("empty.tfrc")),
            ("CHECKPOINT_DISABLE".into(), "1".into()),
            ("WINDLASS_ACTOR".into(), ACTOR.into()),
            ("USER".into(), "tester".into()),
            ("LANG".into(), "C.UTF-8".into()),
            ("TZ".into(), "UTC".into()),
        ]);
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        Invocation { sandbox: self, program: program.into(), args, env, dir: self.stack.clone(), stdin: None }
    }

    /// What makes texts of this sandbox the same everywhere.
    pub fn redaction(&self) -> Redaction {
        Redaction::new(&self.root())
    }

    /// The process ids in whose command line a text stands.
    pub fn processes_with(&self, text: &str) -> Vec<u32> {
        let pids =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
        let holds = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(text)
        };
        pids.filter(holds).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A supervised tool may outlive its engine: its folder is only removed when it is done, else it would make it anew.
        let dir = self.root().to_string_lossy().into_owned();
        let gone = || self.processes_with(&dir).is_empty();
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until("all processes end", 5, gone)
        }));
    }
}

/// A call to be made.
#[must_use = "nothing runs before `run` or `start`"]
pub struct Invocation<'a> {
    sandbox: &'a Sandbox,
    program: PathBuf,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    dir: PathBuf,
    stdin: Option<Vec<u8>>,
}

impl Invocation<'_> {
    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.into(), value.as_ref().to_owned());
        self
    }

    /// Sets several.
    pub fn envs(mut self, all: &BTreeMap<String, String>) -> Self {
        self.env.extend(all.iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Takes one away.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.env.remove(OsStr::new(name));
        self
    }

    /// Puts a folder in front of `PATH`: fake tools.
    pub fn path_first(self, dir: &Path) -> Self {
        let old = self.env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        let all =
            std::env::join_paths([dir.to_path_buf()].into_iter().chain(std::env::split_paths(&old))).unwrap();
        self.env("PATH", all)
    }

    /// Another build of it.
    pub fn binary(mut self, binary: &Path) -> Self {
        self.program = binary.to_path_buf();
        self
    }

    /// Another working directory, relative to the stack's.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = self.sandbox.path(dir);
        self
    }

    /// What it reads; nothing if not said.
    pub fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = Some(text.as_ref().to_vec());
        self
    }

    /// Runs it to its end (at most two minutes).
    #[must_use = "snapshot what it said (`text`) or assert how it ended (`success`, `exits`)"]
    pub fn run(self) -> Output {
        self.start().wait()
    }

    /// Starts it.
    pub fn start(self) -> Running {
        // Files and not pipes: a tool that lives on must not keep the test waiting.
        let said = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(self.sandbox.root().join("said"))
            .unwrap()
            .keep();
        let stdin = self.stdin.as_ref().map_or_else(Stdio::null, |text| {
            fs::write(said.join("stdin"), text).unwrap();
            fs::File::open(said.join("stdin")).unwrap().into()
        });
        let file = |name: &str| fs::File::create(said.join(name)).unwrap();
        let child = Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.dir)
            .stdin(stdin)
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap_or_else(|error| panic!("start {}: {error}", self.program.display()));
        let args: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        Running::new(child, said, args.join(" "), self.sandbox.redaction())
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if !entry.file_type().unwrap().is_dir() {
            fs::copy(entry.path(), target).unwrap();
        } else if entry.file_name() != ".windlass" && entry.file_name() != ".terraform" {
            copy(&entry.path(), &target);
        }
    }
}

fn list(root: &Path, dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            list(root, &entry.path(), found);
        } else {
            found.push(entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}

//! A tool that is counted: a directory for the front of `PATH` with a wrapper that writes its arguments down and then is the
//! real tool.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A counted tool.
#[derive(Clone, Debug)]
pub struct Counted {
    bin: PathBuf,
    log: PathBuf,
}

/// Wraps a tool. `dir` is made if need be; one directory for one tool.
///
/// # Panics
/// Where the wrapper cannot be written.
#[expect(clippy::panic, reason = "for tests: there is no ground without it")]
pub fn counting(real: &Path, dir: &Path) -> Counted {
    let counted = Counted { bin: dir.join("bin"), log: dir.join("calls") };
    counted.write(real).unwrap_or_else(|error| panic!("wrap {}: {error}", real.display()));
    counted
}

impl Counted {
    /// What has to stand first on `PATH`.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The arguments of each call so far, one call a line, joined by spaces.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Forgets the calls.
    ///
    /// # Panics
    /// Where the log cannot be emptied.
    #[expect(clippy::panic, reason = "for tests: a count that is not reset would lie")]
    pub fn forget(&self) {
        fs::write(&self.log, "").unwrap_or_else(|error| panic!("empty {}: {error}", self.log.display()));
    }

    fn write(&self, real: &Path) -> std::io::Result<()> {
        fs::create_dir_all(&self.bin)?;
        fs::write(&self.log, "")?;
        let name = real.file_name().unwrap_or_default();
        let wrapper = self.bin.join(name);
        fs::write(&wrapper, script(real, &self.log))?;
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))
    }
}

/// One write a call: calls at the same time do not mix.
fn script(real: &Path, log: &Path) -> String {
    let (real, log) = (quoted(real), quoted(log));
    format!(
        "#!/bin/sh\nline=$(printf '%s ' \"$@\" | tr '\\n' ' ')\nprintf '%s\\n' \"${{line% }}\" >>{log}\nexec {real} \"$@\"\n"
    )
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn each_call_is_a_line_and_goes_on_to_the_tool() {
        let dir = tempfile::tempdir().unwrap();
        let counted = counting(Path::new("/bin/echo"), &dir.path().join("it's"));
        let run = |args: &[&str]| Command::new(counted.bin().join("echo")).args(args).output().unwrap();
        assert_eq!(run(&["a", "b c"]).stdout, b"a b c\n");
        run(&["two\nlines"]);
        run(&[]);
        assert_eq!(counted.calls(), ["a b c", "two lines", ""]);
        counted.forget();
        assert!(counted.calls().is_empty());
    }
}

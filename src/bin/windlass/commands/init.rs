//! `windlass init`: a commented starter stack that is valid as it is.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use windlass_model::Diagnostic;

use super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// What the stack file is called.
const FILE: &str = "main.stack.hcl";

/// Flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The stack's name; else the name of the directory
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// Runs it.
pub fn run(context: &mut Context, args: Args) -> Outcome {
    let dir = &context.options.dir;
    let name = args.name.unwrap_or_else(|| stack_name(dir));
    if !is_name(&name) {
        return Err(Failure::usage(format!(
            "`{name}` is not a name: letters, digits, `-` and `_`, a letter first"
        )));
    }
    write(dir, &name)?;
    if context.options.json {
        context.output.document(&serde_json::json!({"stack": name, "files": [FILE]}));
    } else {
        let command = &context.options.command;
        context.output.result(&format!(
            "wrote {}\nnext: `{command} plan` shows what it would do, `{command} apply` does it\n",
            dir.join(FILE).display()
        ));
    }
    Ok(Exit::Done)
}

/// The directory's name, made a name.
fn stack_name(dir: &Path) -> String {
    let base = dir.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let text: String =
        base.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let text = text.trim_matches(|c: char| !c.is_ascii_alphabetic()).to_owned();
    if text.is_empty() { "demo".to_owned() } else { text }
}

fn is_name(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(rest)
}

fn write(dir: &Path, name: &str) -> Result<(), Failure> {
    if let Some(existing) = existing(dir)? {
        let diagnostic = Diagnostic::error(format!("there is a stack here already: {existing}"))
            .help("nothing was written; use `-C DIR` for another directory");
        return Err(Failure::new(Exit::Failed, diagnostic));
    }
    let failed = |action: &str, path: &Path, error: std::io::Error| {
        Failure::failed(format!("cannot {action} {}: {error}", path.display()))
    };
    fs::create_dir_all(dir).map_err(|error| failed("make", dir, error))?;
    let path = dir.join(FILE);
    // `create_new`: what somebody else writes meanwhile is not overwritten either.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| failed("write", &path, error))?;
    file.write_all(starter(name).as_bytes()).map_err(|error| failed("write", &path, error))
}

/// A stack file that is there.
fn existing(dir: &Path) -> Result<Option<String>, Failure> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::failed(format!("cannot read {}: {error}", dir.display()))),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.ends_with(".stack.hcl")).min())
}

/// The starter stack.
fn starter(name: &str) -> String {
    STARTER.replace("{name}", name)
}

const STARTER: &str = r#"# A Windlass stack: every *.stack.hcl file in this directory is part of it.
#
#   windlass plan      shows what would be done, and why
#   windlass apply     shows it, asks, and does it
#   windlass destroy   takes it all down again

stack "{name}" {
  description = "a first stack"
}

# Give it another value with `--var greeting=hi`, WINDLASS_VAR_greeting, or in an environment block.
variable "greeting" {
  type    = string
  default = "hello"
}

# With more than one environment, choose with `-e`. `approval = "manual"` asks for a recorded approval of each plan.
# environment "production" {
#   approval  = "manual"
#   variables = { greeting = "good day" }
# }

# A value that is kept in state; its id is made when it is.
resource "local_data" "release" {
  input = { greeting = var.greeting }
}

# A file. The reference makes it depend on the value above.
resource "local_file" "readme" {
  path    = "out/hello.txt"
  content = "${local_data.release.output.greeting} from {name}\n"
}

# A Terraform root module, as it is; its outputs are values here.
# resource "terraform_root" "network" {
#   source    = "./network"
#   variables = { cidr = "10.0.0.0/16" }
# }

output "readme" {
  value = local_file.readme.path
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::context;

    #[test]
    fn a_stack_is_written_once() {
        let home = tempfile::tempdir().unwrap();
        let (mut context, out, _) = context();
        context.options.dir = home.path().join("My shop 2");
        run(&mut context, Args { name: None }).unwrap();
        let path = context.options.dir.join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#"stack "my-shop" {"#) && !text.contains("{name}"));
        assert!(out.text().contains("main.stack.hcl"));
        fs::write(&path, "mine").unwrap();
        let failure = run(&mut context, Args { name: Some("x".into()) }).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn any_stack_file_is_a_stack() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("other.stack.hcl"), "").unwrap();
        assert!(write(home.path(), "x").unwrap_err().diagnostics[0].title.contains("other.stack.hcl"));
        assert!(!home.path().join(FILE).exists());
    }

    #[test]
    fn names() {
        let name = |dir: &str| stack_name(Path::new(dir));
        assert_eq!(["/a/Shop", "/a/9 lives", "/", "/a/ü"].map(name), ["shop", "lives", "demo", "demo"]);
        assert!(is_name("a-1_b") && !is_name("1a") && !is_name("") && !is_name("a b"));
    }
}

//! A root, a session and a record: what a test of the real terraform needs.

use std::collections::BTreeMap;
use std::path::Path;

use windlass_model::{Address, Value};
use windlass_provider::trial::{self, Trial};

/// Whether terraform is there; says so in a line where it is not, and fails under CI.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub fn terraform_is_there() -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let there = path.split(':').any(|dir| Path::new(dir).join("terraform").is_file());
    if !there {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "terraform is not on PATH, and CI expects it");
        println!("skipped: terraform is not on PATH");
    }
    there
}

/// This test binary as another process: the test `another_process` is its main function.
pub fn again(role: &str) -> Vec<String> {
    trial::again(&std::env::current_exe().unwrap(), role)
}

pub struct World {
    trial: Trial,
    _temporary: Option<tempfile::TempDir>,
}

impl std::ops::Deref for World {
    type Target = Trial;

    fn deref(&self) -> &Trial {
        &self.trial
    }
}

impl World {
    pub async fn new(files: &[(&str, &str)]) -> World {
        World::with(files, &[], Value::object::<&str>([])).await
    }

    pub async fn with(files: &[(&str, &str)], env: &[(&str, &str)], config: Value) -> World {
        let temporary = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = temporary.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let world = World::at(temporary.path(), env, config).await;
        World { _temporary: Some(temporary), ..world }
    }

    /// The world in a directory that another process may have worked in.
    pub async fn at(dir: &Path, env: &[(&str, &str)], config: Value) -> World {
        let mut all = BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]);
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let provider = windlass_provider_terraform::provider();
        let address = Address::new("terraform_root", "net");
        let trial = Trial::open(&provider, &config, address, dir, all, again("AS_SUPERVISOR=1")).await;
        World { trial: trial.unwrap(), _temporary: None }
    }

    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.dir.join(path), text).unwrap();
    }
}

/// A root's inputs.
pub fn inputs(variables: Value) -> Value {
    with(&[("variables", variables)])
}

/// A root's inputs, any of them.
pub fn with(more: &[(&str, Value)]) -> Value {
    let source = [("source", Value::from("./net"))];
    Value::object(source.into_iter().chain(more.iter().cloned()))
}

pub fn output<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get("outputs").unwrap().get(name).unwrap()
}

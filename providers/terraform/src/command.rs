//! Argument vectors and environments of the tool. Pure: nothing sensitive ever stands in them but in the environment that the
//! user asks for.

use std::collections::BTreeMap;

/// What a plan is to be about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Make the world as the root says.
    Normal,
    /// Delete everything.
    Destroy,
    /// Only take in what is seen.
    RefreshOnly,
}

/// How plan and apply differ from root to root.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A file with the variables.
    pub var_file: Option<String>,
    /// How many objects at once.
    pub parallelism: Option<i64>,
    /// The state is a copy of our own, which needs no lock; else the backend's lock is taken.
    pub own_copy: bool,
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Settings {
    fn common(&self, args: &mut Vec<String>) {
        if let Some(parallelism) = self.parallelism {
            args.push(format!("-parallelism={parallelism}"));
        }
        args.push(if self.own_copy { "-lock=false" } else { "-lock-timeout=60s" }.to_owned());
    }

    /// `plan`: JSON lines on standard output, exit code 2 where something changes.
    pub fn plan(&self, mode: Mode, refresh: bool, out: &str) -> Vec<String> {
        let mut args = words(&["plan", "-json", "-input=false", "-detailed-exitcode"]);
        match mode {
            Mode::Normal => {}
            Mode::Destroy => args.push("-destroy".to_owned()),
            Mode::RefreshOnly => args.push("-refresh-only".to_owned()),
        }
        if !refresh && mode != Mode::RefreshOnly {
            args.push("-refresh=false".to_owned());
        }
        self.common(&mut args);
        args.extend(self.var_file.iter().map(|file| format!("-var-file={file}")));
        args.push(format!("-out={out}"));
        args
    }

    /// `apply` of a saved plan: JSON lines. Variables are in the plan.
    pub fn apply(&self, plan: &str) -> Vec<String> {
        let mut args = words(&["apply", "-json", "-input=false"]);
        self.common(&mut args);
        args.push(plan.to_owned());
        args
    }
}

/// `show -json` of a saved plan.
pub fn show(plan: &str) -> Vec<String> {
    words(&["show", "-json", plan])
}

/// `state pull`: the state of the root's own backend.
pub fn pull() -> Vec<String> {
    words(&["state", "pull"])
}

/// `version -json`.
pub fn version() -> Vec<String> {
    words(&["version", "-json"])
}

/// `init`. `-reconfigure` makes it forget a backend that an earlier plan used in the same directory.
pub fn init(has_backend: bool, backend_config: Option<&str>) -> Vec<String> {
    let mut args = words(&["init", "-input=false", "-no-color"]);
    if has_backend {
        args.push("-reconfigure".to_owned());
    }
    args.extend(backend_config.map(|file| format!("-backend-config={file}")));
    args
}

/// What the tool's environment has besides what it inherits.
#[derive(Clone, Debug, Default)]
pub struct Surroundings<'a> {
    /// `TF_DATA_DIR`, relative to where the tool runs.
    pub data_dir: &'a str,
    /// The shared plugin cache.
    pub plugin_cache: Option<&'a str>,
    /// The workspace, unless it is the default one.
    pub workspace: Option<&'a str>,
}

/// The whole environment: what is inherited, ours over it, the user's own over that.
pub fn environment(
    inherited: BTreeMap<String, String>,
    ours: &Surroundings<'_>,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut env = inherited;
    let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
    set("TF_DATA_DIR", ours.data_dir);
    set("TF_IN_AUTOMATION", "1");
    set("TF_INPUT", "0");
    set("CHECKPOINT_DISABLE", "1");
    if let Some(cache) = ours.plugin_cache {
        set("TF_PLUGIN_CACHE_DIR", cache);
    }
    if let Some(workspace) = ours.workspace {
        set("TF_WORKSPACE", workspace);
    }
    env.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    env
}

/// What the error of a missing tool says.
pub fn get_it(binary: &str, wanted: Option<&str>) -> String {
    let wanted = wanted.map(|version| format!(" {version}")).unwrap_or_default();
    match binary {
        "tofu" => format!("OpenTofu{wanted} is wanted; get it from https://opentofu.org/docs/intro/install"),
        _ => format!(
            "Terraform{wanted} is wanted; get it from https://developer.hashicorp.com/terraform/install, or set \
             binary = \"tofu\""
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argument_vectors() {
        let ours =
            Settings { var_file: Some("v.tfvars.json".to_owned()), parallelism: Some(3), own_copy: true };
        assert_eq!(
            ours.plan(Mode::Destroy, false, "p").join(" "),
            "plan -json -input=false -detailed-exitcode -destroy -refresh=false -parallelism=3 -lock=false \
             -var-file=v.tfvars.json -out=p"
        );
        assert_eq!(ours.apply("p").join(" "), "apply -json -input=false -parallelism=3 -lock=false p");
        let backend = Settings::default();
        assert_eq!(backend.apply("p").join(" "), "apply -json -input=false -lock-timeout=60s p");
        assert!(!backend.plan(Mode::RefreshOnly, false, "p").contains(&"-refresh=false".to_owned()));
        assert_eq!(
            init(true, Some("b")).join(" "),
            "init -input=false -no-color -reconfigure -backend-config=b"
        );
    }

    #[test]
    fn the_users_environment_wins() {
        let own = BTreeMap::from([("TF_PLUGIN_CACHE_DIR".to_owned(), "/mine".to_owned())]);
        let ours = Surroundings { data_dir: "d", plugin_cache: Some("/ours"), workspace: Some("dev") };
        let env = environment(BTreeMap::new(), &ours, &own);
        assert_eq!(env["TF_PLUGIN_CACHE_DIR"], "/mine");
        assert_eq!(env["TF_WORKSPACE"], "dev");
    }
}

//! Where a root's state is: with Windlass, or in the root's own backend. Pure.

use std::collections::BTreeMap;

use windlass_model::ErrorClass;
use windlass_provider::ProviderError;

use crate::schema::Spec;
use crate::sources::{Backend, Root, join};

/// Where a root's state is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StatePlace {
    /// Kept in the record; terraform finds it at this path of the root while it runs.
    Record(String),
    /// In the root's own backend.
    Backend {
        /// `s3`
        kind: String,
        /// The same text for the same place (rule P8), where the settings say which it is.
        place: Option<String>,
    },
}

/// What tells one place of a backend from another: settings that are no secret. Those with a `!` must be there.
const IDENTITY: &[(&str, &[&str])] = &[
    ("local", &["!path"]),
    ("s3", &["!bucket", "!key", "workspace_key_prefix"]),
    ("gcs", &["!bucket", "prefix"]),
    ("azurerm", &["!storage_account_name", "!container_name", "!key"]),
    ("http", &["!address"]),
    ("consul", &["address", "!path"]),
    ("cos", &["!bucket", "prefix", "key"]),
    ("oss", &["!bucket", "prefix", "key"]),
    ("kubernetes", &["!secret_suffix", "namespace"]),
    ("cloud", &["hostname", "!organization", "!workspaces.name"]),
    ("remote", &["hostname", "!organization", "!workspaces.name"]),
];

/// Where the state of a root is.
///
/// # Errors
/// Where a local backend's path leaves the snapshot.
pub fn of(root: &Root, spec: &Spec) -> Result<StatePlace, ProviderError> {
    let workspace = spec.workspace.as_deref();
    let Some(backend) = &root.backend else {
        return Ok(StatePlace::Record(local_path(None, None, workspace)));
    };
    let mut settings = backend.settings.clone();
    settings.extend(spec.backend_config.clone());
    let setting = |name: &str| settings.get(name).map(String::as_str);
    let absolute = |name: &str| setting(name).is_some_and(|path| path.starts_with('/'));
    if backend.kind != "local" || absolute("path") || (workspace.is_some() && absolute("workspace_dir")) {
        let place = identity(backend, &settings, workspace);
        return Ok(StatePlace::Backend { kind: backend.kind.clone(), place });
    }
    let path = local_path(setting("path"), setting("workspace_dir"), workspace);
    match join(&root.dir, &path) {
        Some(_) => Ok(StatePlace::Record(path)),
        None => Err(ProviderError::new(
            ErrorClass::InvalidConfig,
            format!("the local backend's path `{path}` leaves the tree that a snapshot is taken of"),
        )
        .hint("leave the backend out: the state is then kept with the environment's")
        .at("source")),
    }
}

fn local_path(path: Option<&str>, workspace_dir: Option<&str>, workspace: Option<&str>) -> String {
    match workspace {
        Some(name) => format!("{}/{name}/terraform.tfstate", workspace_dir.unwrap_or("terraform.tfstate.d")),
        None => path.unwrap_or("terraform.tfstate").to_owned(),
    }
}

fn identity(
    backend: &Backend,
    settings: &BTreeMap<String, String>,
    workspace: Option<&str>,
) -> Option<String> {
    let (_, names) = IDENTITY.iter().find(|(kind, _)| *kind == backend.kind)?;
    let mut parts = Vec::new();
    for name in *names {
        let (name, needed) = name.strip_prefix('!').map_or((*name, false), |name| (name, true));
        match settings.get(name) {
            Some(value) => parts.push(format!("{name}={value}")),
            None if needed => return None,
            None => {}
        }
    }
    let workspace = workspace.map(|name| format!(" workspace={name}")).unwrap_or_default();
    Some(format!("terraform backend {} {}{workspace}", backend.kind, parts.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(kind: &str, settings: &[(&str, &str)], workspace: Option<&str>) -> StatePlace {
        let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let backend = (!kind.is_empty()).then(|| Backend { kind: kind.to_owned(), settings });
        let root = Root { dir: "net".to_owned(), backend, ..Root::default() };
        of(&root, &Spec { workspace: workspace.map(str::to_owned), ..Spec::default() }).unwrap()
    }

    #[test]
    fn a_relative_local_state_is_the_records() {
        let record = |path: &str| StatePlace::Record(path.to_owned());
        assert_eq!(place("", &[], None), record("terraform.tfstate"));
        assert_eq!(place("", &[], Some("dev")), record("terraform.tfstate.d/dev/terraform.tfstate"));
        assert_eq!(place("local", &[("path", "s/x.tfstate")], None), record("s/x.tfstate"));
    }

    #[test]
    fn a_backend_is_named_only_where_its_settings_tell() {
        let at = |kind: &str, settings: &[(&str, &str)]| match place(kind, settings, None) {
            StatePlace::Backend { place, .. } => place,
            StatePlace::Record(path) => panic!("{path}"),
        };
        let s3 = at("s3", &[("bucket", "b"), ("key", "k"), ("secret_key", "geheim")]);
        assert_eq!(s3.as_deref(), Some("terraform backend s3 bucket=b key=k"));
        assert_eq!(at("s3", &[("bucket", "b")]), None);
        assert_eq!(at("cloud", &[("organization", "o")]), None);
        assert!(at("local", &[("path", "/x/y.tfstate")]).is_some());
    }
}

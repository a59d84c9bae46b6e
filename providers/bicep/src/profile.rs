//! Which account `az` acts as: read from its own files, without starting it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use windlass_model::ErrorClass;
use windlass_provider::ProviderError;

/// A subscription that the login can see.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The tenant's id.
    #[serde(default)]
    pub tenant_id: String,
    /// The one that is used where none is named.
    #[serde(default)]
    is_default: bool,
    /// The cloud that it is in.
    #[serde(default)]
    environment_name: String,
}

#[derive(Deserialize, Default)]
struct Profile {
    #[serde(default)]
    subscriptions: Vec<Subscription>,
}

/// Where az keeps its files; `None`: neither it nor a home is named.
pub fn config_dir(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let named = |name: &str| env.get(name).filter(|value| !value.is_empty());
    match named("AZURE_CONFIG_DIR") {
        Some(dir) => Some(PathBuf::from(dir)),
        None => named("HOME").map(|home| Path::new(home).join(".azure")),
    }
}

/// The subscription that is meant: by id or name, or the default one.
///
/// # Errors
/// `auth` where nobody is logged in, `invalid_config` where the subscription is not among those of the login.
pub fn subscription(
    env: &BTreeMap<String, String>,
    wanted: Option<&str>,
    cloud: Option<&str>,
) -> Result<Subscription, ProviderError> {
    let dir = config_dir(env).ok_or_else(not_logged_in)?;
    let cloud = cloud.map(str::to_owned).or_else(|| active_cloud(env, &dir));
    let path = dir.join("azureProfile.json");
    match std::fs::read(&path) {
        Ok(bytes) => choose(&bytes, wanted, cloud.as_deref()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(not_logged_in()),
        Err(error) => {
            let message = format!("az's profile {}: {error}", path.display());
            Err(ProviderError::new(ErrorClass::Auth, message).hint("run `az login`"))
        }
    }
}

fn not_logged_in() -> ProviderError {
    ProviderError::new(ErrorClass::Auth, "nobody is logged in to Azure").hint("run `az login`")
}

/// The cloud that az is set to.
fn active_cloud(env: &BTreeMap<String, String>, dir: &Path) -> Option<String> {
    if let Some(cloud) = env.get("AZURE_CLOUD_NAME") {
        return Some(cloud.clone());
    }
    cloud_in(&std::fs::read_to_string(dir.join("config")).ok()?)
}

fn cloud_in(config: &str) -> Option<String> {
    let mut section = "";
    for line in config.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').trim();
        } else if let ("cloud", Some((key, value))) = (section, line.split_once('='))
            && key.trim() == "name"
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

fn choose(bytes: &[u8], wanted: Option<&str>, cloud: Option<&str>) -> Result<Subscription, ProviderError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let profile: Profile = serde_json::from_slice(bytes).map_err(|error| {
        let message = format!("az's azureProfile.json cannot be read: {error}");
        ProviderError::new(ErrorClass::Auth, message).hint("run `az login`")
    })?;
    let all = profile.subscriptions;
    if all.is_empty() {
        return Err(not_logged_in());
    }
    let in_cloud = |one: &&Subscription| {
        cloud.is_none_or(|cloud| {
            one.environment_name.is_empty() || one.environment_name.eq_ignore_ascii_case(cloud)
        })
    };
    let here: Vec<&Subscription> = all.iter().filter(in_cloud).collect();
    if let (true, Some(cloud)) = (here.is_empty(), cloud) {
        let message = format!("nobody is logged in to the cloud `{cloud}`");
        let hint = format!("run `az cloud set --name {cloud}`, then `az login`");
        return Err(ProviderError::new(ErrorClass::Auth, message).hint(hint));
    }
    let fits = |one: &&&Subscription| match wanted {
        Some(wanted) => one.id.eq_ignore_ascii_case(wanted) || one.name.eq_ignore_ascii_case(wanted),
        None => one.is_default,
    };
    let found: Vec<&Subscription> = here.iter().filter(fits).copied().collect();
    match (found.as_slice(), wanted) {
        ([one], _) => Ok((*one).clone()),
        ([], Some(wanted)) => Err(unknown(wanted, &here)),
        ([], None) => {
            let message = format!("no subscription is set; the login sees {}", list(&here));
            Err(ProviderError::new(ErrorClass::InvalidConfig, message)
                .hint("set `subscription`, or run `az account set --subscription ID`")
                .at("subscription"))
        }
        (_, _) => {
            let wanted = wanted.unwrap_or("the default one");
            let message = format!("more than one subscription is meant by `{wanted}`: {}", list(&found));
            Err(ProviderError::new(ErrorClass::InvalidConfig, message).hint("give its id").at("subscription"))
        }
    }
}

fn unknown(wanted: &str, here: &[&Subscription]) -> ProviderError {
    let message = format!("the subscription `{wanted}` is not among those of this login: {}", list(here));
    ProviderError::new(ErrorClass::InvalidConfig, message)
        .hint("set `subscription` to one of them (`az account set --subscription ID` sets the default), or `az login` as somebody who sees it")
        .at("subscription")
}

fn list(all: &[&Subscription]) -> String {
    let mut texts: Vec<String> = all.iter().map(|one| format!("`{}` ({})", one.name, one.id)).collect();
    texts.sort();
    let more = texts.len().saturating_sub(8);
    texts.truncate(8);
    let mut text = texts.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"{"installationId":"x","subscriptions":[
        {"id":"11","name":"Dev","tenantId":"t","isDefault":true,"state":"Enabled","environmentName":"AzureCloud","user":{"name":"me","type":"user"}},
        {"id":"22","name":"Prod","tenantId":"t","isDefault":false,"environmentName":"AzureCloud"},
        {"id":"33","name":"Dev","tenantId":"u","isDefault":true,"environmentName":"local"}]}"#;

    #[test]
    fn the_default_one_or_one_by_id_or_name() {
        let bytes = [b"\xef\xbb\xbf".as_slice(), PROFILE.as_bytes()].concat();
        let id = |wanted: Option<&str>| choose(&bytes, wanted, Some("AzureCloud")).map(|one| one.id);
        assert_eq!(id(None).unwrap(), "11");
        assert_eq!(id(Some("prod")).unwrap(), "22");
        assert_eq!(id(Some("22")).unwrap(), "22");
        let error = id(Some("33")).unwrap_err();
        assert_eq!(error.class, ErrorClass::InvalidConfig);
        assert!(error.message.contains("`Dev` (11), `Prod` (22)"), "{}", error.message);
        assert!(error.hint.unwrap().contains("az account set --subscription"));
        assert_eq!(choose(&bytes, None, Some("local")).unwrap().id, "33");
        assert!(choose(&bytes, Some("dev"), None).unwrap_err().hint.unwrap().contains("its id"));
    }

    #[test]
    fn nobody_logged_in_is_told_to_log_in() {
        for error in [
            choose(br#"{"subscriptions":[]}"#, None, None).unwrap_err(),
            choose(b"nonsense", None, None).unwrap_err(),
            subscription(&BTreeMap::from([("HOME".to_owned(), "/nowhere".to_owned())]), None, None)
                .unwrap_err(),
            choose(PROFILE.as_bytes(), None, Some("AzureChinaCloud")).unwrap_err(),
        ] {
            assert_eq!(error.class, ErrorClass::Auth);
            assert!(error.hint.unwrap().contains("az login"));
        }
    }

    #[test]
    fn the_cloud_is_the_one_that_az_is_set_to() {
        assert_eq!(cloud_in("[core]\nname = x\n[cloud]\nname = local\n").as_deref(), Some("local"));
        assert_eq!(cloud_in("[core]\n"), None);
    }
}

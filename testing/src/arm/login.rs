//! Who asks: tokens, and the files that spare `az` a login.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::http::{Reply, Request, pairs};
use super::world::World;

/// The one tenant.
pub const TENANT: &str = "10000000-0000-4000-8000-000000000001";

/// The subscriptions, with their names; the first is the default.
pub const SUBSCRIPTIONS: [(&str, &str); 2] =
    [("20000000-0000-4000-8000-000000000001", "one"), ("20000000-0000-4000-8000-000000000002", "two")];

/// The service principal.
pub const CLIENT: &str = "30000000-0000-4000-8000-000000000001";

/// Its secret.
pub const SECRET: &str = "arm-test-secret";

/// The cloud's name in the files of `az`.
const CLOUD: &str = "local";

/// How `az` is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// As the service principal: one token, kept.
    ServicePrincipal,
    /// The same with a wrong secret.
    WrongSecret,
    /// As the machine's identity: a token each run.
    ManagedIdentity,
    /// Not at all.
    No,
}

/// Answers what is not ARM's: where it is, and tokens.
pub fn handle(world: &World, request: &Request) -> Option<Reply> {
    let segments = request.segments();
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    Some(match names.as_slice() {
        ["metadata", "endpoints"] => Reply::json(200, endpoints(&world.base)),
        [.., ".well-known", "openid-configuration"] => Reply::json(200, openid(&world.base, names[0])),
        [_, "oauth2", .., "token"] => token(request),
        ["msi", "token"] => identity_token(request),
        _ => return None,
    })
}

/// Whether a request bears a token of ours.
pub fn is_known(request: &Request) -> bool {
    request.headers.get("authorization").is_some_and(|header| header.starts_with("Bearer ey"))
}

fn endpoints(base: &str) -> Value {
    json!({
        "name": CLOUD,
        "authentication": {"loginEndpoint": base, "audiences": [base, format!("{base}/")], "tenant": TENANT, "identityProvider": "AAD"},
        "resourceManager": format!("{base}/"),
        "portal": base,
        "graph": base,
        "graphAudience": base,
        "gallery": base,
        "batch": base,
        "media": base,
        "suffixes": {"storage": "storage.local", "keyVaultDns": "vault.local", "sqlServerHostname": "sql.local"}
    })
}

fn openid(base: &str, tenant: &str) -> Value {
    json!({
        "issuer": format!("{base}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/devicecode"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"]
    })
}

fn token(request: &Request) -> Reply {
    let form = pairs(&request.body);
    if form.get("client_secret").is_none_or(|secret| secret != SECRET) {
        let description = format!(
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{CLIENT}'."
        );
        return Reply::json(
            401,
            json!({"error": "invalid_client", "error_description": description, "error_codes": [7_000_215]}),
        );
    }
    Reply::json(
        200,
        json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": jwt()}),
    )
}

fn identity_token(request: &Request) -> Reply {
    let expires = jiff::Timestamp::now().as_second() + 86_400;
    let resource = request.query.get("resource").cloned().unwrap_or_default();
    Reply::json(
        200,
        json!({"access_token": jwt(), "expires_on": expires.to_string(), "resource": resource, "token_type": "Bearer", "client_id": CLIENT}),
    )
}

/// A token as clients look into it; nobody signs or checks it.
fn jwt() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let expires = jiff::Timestamp::now().as_second() + 3_600;
    let claims =
        json!({"tid": TENANT, "oid": CLIENT, "appid": CLIENT, "sub": CLIENT, "idtyp": "app", "exp": expires});
    format!(
        "{}.{}.{}",
        part(json!({"alg": "RS256", "typ": "JWT"})),
        part(claims),
        URL_SAFE_NO_PAD.encode("sign")
    )
}

/// Writes the files that make `az` know the cloud and who it is.
///
/// # Errors
/// Where they cannot be written.
pub fn write_files(dir: &Path, base: &str, login: Login, default: &str) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let clouds = [
        ("endpoint_management", base),
        ("endpoint_resource_manager", base),
        ("endpoint_active_directory", base),
        ("endpoint_active_directory_resource_id", base),
        ("endpoint_active_directory_graph_resource_id", base),
        ("endpoint_gallery", base),
        ("suffix_storage_endpoint", "storage.local"),
        ("suffix_keyvault_dns", "vault.local"),
    ];
    let lines: Vec<String> = clouds.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    fs::write(dir.join("clouds.config"), format!("[{CLOUD}]\n{}", lines.concat()))?;
    let quiet = "collect_telemetry = no\nno_color = true\nonly_show_errors = true\ninstance_discovery = false\nencrypt_token_cache = false\n";
    fs::write(
        dir.join("config"),
        format!(
            "[cloud]\nname = {CLOUD}\n[core]\n{quiet}[auto-upgrade]\nenable = no\n[logging]\nenable_log_file = no\n"
        ),
    )?;
    write_profile(dir, login, default)?;
    let secret = if login == Login::WrongSecret { "wrong" } else { SECRET };
    let entries = json!([{"client_id": CLIENT, "tenant": TENANT, "client_secret": secret}]);
    fs::write(dir.join("service_principal_entries.json"), entries.to_string())
}

/// Writes who `az` is and which subscription it takes.
///
/// # Errors
/// Where it cannot be written.
pub fn write_profile(dir: &Path, login: Login, default: &str) -> std::io::Result<()> {
    let user = match login {
        Login::ManagedIdentity => {
            json!({"name": "systemAssignedIdentity", "type": "servicePrincipal", "assignedIdentityInfo": "MSI"})
        }
        _ => json!({"name": CLIENT, "type": "servicePrincipal"}),
    };
    let subscription = |(id, name): &(&str, &str)| {
        json!({"id": id, "name": name, "state": "Enabled", "user": user, "isDefault": *id == default, "tenantId": TENANT,
            "environmentName": CLOUD, "homeTenantId": TENANT, "managedByTenants": []})
    };
    let subscriptions: Vec<Value> =
        if login == Login::No { Vec::new() } else { SUBSCRIPTIONS.iter().map(subscription).collect() };
    let profile = json!({"installationId": TENANT, "subscriptions": subscriptions});
    fs::write(dir.join("azureProfile.json"), profile.to_string())
}

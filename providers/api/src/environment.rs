//! What of the user's environment a tool inherits (rule T3).

use std::collections::BTreeMap;

/// Variables that would bend what a tool does. A `*` at the end stands for any rest.
const NOT_INHERITED: &[&str] = &[
    // Windlass's own: variables, the store's passphrase, the actor.
    "WINDLASS_*",
    // Terraform and OpenTofu: inputs, arguments, workspace, data directory, and what changes where it reads or writes.
    // Kept: TF_TOKEN_* (credentials), TF_LOG* (asked for), TF_CLI_CONFIG_FILE and TF_PLUGIN_CACHE_DIR (how it is installed).
    "TF_VAR_*",
    "TF_CLI_ARGS*",
    "TF_WORKSPACE",
    "TF_DATA_DIR",
    "TF_INPUT",
    "TF_IN_AUTOMATION",
    "TF_STATE_PERSIST_INTERVAL",
    "TF_REATTACH_PROVIDERS",
    "TF_ENCRYPTION",
    "TF_IGNORE",
    // Docker: which daemon, which project.
    "DOCKER_*",
    "COMPOSE_*",
    // The AWS command line: a pager would wait for a terminal, an output format would break parsing.
    "AWS_PAGER",
    "AWS_DEFAULT_OUTPUT",
    "AWS_CLI_AUTO_PROMPT",
    "AWS_CLI_FILE_ENCODING",
    // The Azure command line: the same, and defaults that would aim it elsewhere.
    "AZURE_CORE_*",
    "AZURE_DEFAULTS_*",
    // Fly: which app.
    "FLY_APP",
    // What shells read before a script.
    "BASH_ENV",
    "ENV",
    "CDPATH",
    // Pagers and colours.
    "PAGER",
    "GIT_PAGER",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "CLICOLOR_FORCE",
    "FORCE_COLOR",
];

/// The user's environment without what would bend a tool. What a tool is meant to get is added by its provider.
pub fn inherit(env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let kept = env.iter().filter(|(name, _)| !bends(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn bends(name: &str) -> bool {
    NOT_INHERITED.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bends_a_tool_is_left_out() {
        let names = [
            "PATH",
            "HOME",
            "AWS_PROFILE",
            "AWS_PAGER",
            "TF_VAR_region",
            "TF_CLI_ARGS_plan",
            "TF_TOKEN_app_example_com",
            "TF_WORKSPACE",
            "TF_WORKSPACES_KEPT",
            "DOCKER_HOST",
            "COMPOSE_FILE",
            "WINDLASS_STATE_PASSPHRASE",
        ];
        let env = names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        let kept: Vec<String> = inherit(&env).into_keys().collect();
        assert_eq!(kept, ["AWS_PROFILE", "HOME", "PATH", "TF_TOKEN_app_example_com", "TF_WORKSPACES_KEPT"]);
    }
}

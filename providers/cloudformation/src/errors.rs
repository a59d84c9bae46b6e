//! What `aws` says when something goes wrong, and what that means.

use windlass_model::ErrorClass;
use windlass_provider::{Exit, KnownError, ProviderError, Redactor};

/// Codes and words, in order: the first that is found decides. Codes stand as `aws` prints them, in parentheses.
pub const ERRORS: &[KnownError] = &[
    known("(ExpiredToken", ErrorClass::Auth, LOG_IN),
    known("(RequestExpired)", ErrorClass::Auth, "set this host's clock right"),
    known(
        "(InvalidClientTokenId)",
        ErrorClass::Auth,
        "the access key is not known: check AWS_ACCESS_KEY_ID or the profile",
    ),
    known(
        "(UnrecognizedClientException)",
        ErrorClass::Auth,
        "the access key is not known: check AWS_ACCESS_KEY_ID or the profile",
    ),
    known(
        "(SignatureDoesNotMatch)",
        ErrorClass::Auth,
        "the secret key is wrong: check AWS_SECRET_ACCESS_KEY or the profile",
    ),
    known("(AuthFailure)", ErrorClass::Auth, LOG_IN),
    known(
        "Unable to locate credentials",
        ErrorClass::Auth,
        "log in (`aws configure`, `aws sso login`), set AWS_PROFILE, or give `profile`",
    ),
    known(
        "Partial credentials found",
        ErrorClass::Auth,
        "both key id and secret are needed: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    known("Error loading SSO Token", ErrorClass::Auth, LOG_IN),
    known("The SSO session associated with this profile has expired", ErrorClass::Auth, LOG_IN),
    known("Token has expired and refresh failed", ErrorClass::Auth, LOG_IN),
    known("Error when retrieving credentials", ErrorClass::Auth, LOG_IN),
    known(
        "The config profile (",
        ErrorClass::Auth,
        "`aws configure list-profiles` shows those that there are",
    ),
    known(
        "You must specify a region",
        ErrorClass::InvalidConfig,
        "set `region` here or in the provider block, or AWS_REGION",
    ),
    known(
        "Could not connect to the endpoint URL",
        ErrorClass::Unavailable,
        "check the network, the region's name and `endpoint_url`",
    ),
    known(
        "Connect timeout on endpoint URL",
        ErrorClass::Unavailable,
        "check the network, a proxy, and `endpoint_url`",
    ),
    known("Read timeout on endpoint URL", ErrorClass::Unavailable, "try again"),
    known("Connection was closed before we received a valid response", ErrorClass::Unavailable, "try again"),
    known("SSL validation failed", ErrorClass::Unavailable, "check the proxy and AWS_CA_BUNDLE"),
    known("(Throttling", ErrorClass::RateLimited, "try again, or lower the provider's `concurrency`"),
    known(
        "(RequestLimitExceeded)",
        ErrorClass::RateLimited,
        "try again, or lower the provider's `concurrency`",
    ),
    known(
        "(TooManyRequestsException)",
        ErrorClass::RateLimited,
        "try again, or lower the provider's `concurrency`",
    ),
    known("(ServiceUnavailable", ErrorClass::Unavailable, "try again"),
    known("(InternalFailure)", ErrorClass::Unavailable, "try again"),
    known("(InternalError)", ErrorClass::Unavailable, "try again"),
    known("(InvalidAction)", ErrorClass::Unavailable, "the endpoint cannot do this: check `endpoint_url`"),
    known("(500) when calling", ErrorClass::Unavailable, "try again"),
    known(
        "Unable to parse response",
        ErrorClass::Unavailable,
        "the endpoint answered with something else than CloudFormation does: check `endpoint_url`",
    ),
    known(
        "(AccessDenied",
        ErrorClass::Permission,
        "who is logged in lacks a permission: `aws sts get-caller-identity` shows who that is",
    ),
    known(
        "(UnauthorizedOperation)",
        ErrorClass::Permission,
        "who is logged in lacks a permission: `aws sts get-caller-identity` shows who that is",
    ),
    known(
        "is not authorized to perform",
        ErrorClass::Permission,
        "who is logged in lacks a permission: `aws sts get-caller-identity` shows who that is",
    ),
    known("(OptInRequired)", ErrorClass::Permission, "the account has not turned this region or service on"),
    known(
        "(InsufficientCapabilitiesException)",
        ErrorClass::InvalidConfig,
        "add what it requires to `capabilities`",
    ),
    known(
        "(AlreadyExistsException)",
        ErrorClass::NameTaken,
        "take it in with `windlass state import`, or use another name",
    ),
    known(
        "(LimitExceededException)",
        ErrorClass::Conflict,
        "an account's quota is used up: delete stacks or change sets that are not needed, or ask for more in Service Quotas",
    ),
    known(
        "(TokenAlreadyExistsException)",
        ErrorClass::Conflict,
        "the same operation was asked for before: `windlass resume` finds it",
    ),
    known("(ChangeSetNotFound)", ErrorClass::NotFound, "make a new plan"),
    known("(InvalidChangeSetStatus)", ErrorClass::Conflict, "make a new plan"),
    known(
        "(OperationInProgressException)",
        ErrorClass::Conflict,
        "wait until the other operation on this stack is over",
    ),
    known(
        "is in use by",
        ErrorClass::Conflict,
        "take the import out of the stacks that use it, apply those first",
    ),
    known(
        "cannot be deleted while TerminationProtection is enabled",
        ErrorClass::Conflict,
        "set termination_protection = false and apply that first",
    ),
    known(
        "_IN_PROGRESS state and can not be updated",
        ErrorClass::Conflict,
        "wait until the other operation on this stack is over",
    ),
    known(
        "ROLLBACK_COMPLETE state and can not be updated",
        ErrorClass::Conflict,
        "plan again: the stack has to be deleted and made anew",
    ),
    known(
        "UPDATE_ROLLBACK_FAILED state",
        ErrorClass::Conflict,
        "`aws cloudformation continue-update-rollback` brings it back, with --resources-to-skip for what cannot go back",
    ),
    known(
        "(NoSuchBucket)",
        ErrorClass::NotFound,
        "make the bucket that `template_bucket` names, in the stack's region",
    ),
    known(
        "Access Denied",
        ErrorClass::Permission,
        "who acts (the one who is logged in, or `role_arn`) lacks a permission",
    ),
    known("already exists", ErrorClass::NameTaken, "give it another name, or take the other one away"),
    known("does not exist", ErrorClass::NotFound, "plan again"),
    known("(ValidationError)", ErrorClass::InvalidConfig, "correct what it names"),
    known("Template format error", ErrorClass::InvalidConfig, "correct what it names"),
    known(
        "Unknown options",
        ErrorClass::ToolMissing,
        "this `aws` is too old: get version 2 or 1.42 and later",
    ),
    known(
        "Unknown parameter in input",
        ErrorClass::ToolMissing,
        "this `aws` is too old: get version 2 or 1.42 and later",
    ),
    known(
        "Invalid choice",
        ErrorClass::ToolMissing,
        "this `aws` is too old: get version 2 or 1.42 and later",
    ),
    known("Parameter validation failed", ErrorClass::InvalidConfig, "correct what it names"),
];

const LOG_IN: &str = "log in again: `aws sso login` or `aws configure`, with --profile where one is set";

const fn known(says: &'static str, class: ErrorClass, hint: &'static str) -> KnownError {
    KnownError { says, class, hint }
}

/// What a failed command said, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `ValidationError`, where the service answered.
    pub code: Option<String>,
    /// Its words, whole.
    pub text: String,
}

impl Said {
    /// Of what a command put out. Exit codes tell nothing: they differ between versions.
    pub fn of(exit: &Exit) -> Said {
        let text = String::from_utf8_lossy(&exit.output).trim().to_owned();
        let code = text.split_once("An error occurred (").and_then(|(_, rest)| rest.split_once(')'));
        Said { code: code.map(|(code, _)| code.to_owned()), text }
    }

    /// Whether it has this code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether it says that the stack or change set is not there.
    pub fn is_gone(&self) -> bool {
        self.is("ChangeSetNotFound") || (self.is("ValidationError") && self.text.contains("does not exist"))
    }

    /// Whether the service does not know what it was asked to do.
    pub fn is_not_implemented(&self) -> bool {
        [
            "(InvalidAction)",
            "(NotImplemented)",
            "(UnknownOperationException)",
            "Unable to parse response",
            "(501)",
        ]
        .iter()
        .any(|words| self.text.contains(words))
    }

    /// The message of the service, without what `aws` puts around it; else the first lines.
    pub fn reason(&self) -> String {
        let retried =
            || self.text.split_once(" operation (reached").and_then(|(_, rest)| rest.split_once("): "));
        let told = self.text.split_once(" operation: ").or_else(retried);
        let reason = told.map_or(self.text.as_str(), |(_, rest)| rest);
        let lines = reason.lines().map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("b'")).collect();
        // Where it was called in a wrong way, what is wrong stands below how it is to be called.
        let lines = match lines.split_last() {
            Some((last, _)) if lines.first().is_some_and(|first| first.starts_with("usage:")) => vec![*last],
            _ => lines.into_iter().take(4).collect(),
        };
        match self.code.as_deref() {
            Some(code) if told.is_some() => format!("{} ({code})", lines.join("\n")),
            _ => lines.join("\n"),
        }
    }
}

/// The row of the table that a text matches.
pub fn lookup(text: &str) -> Option<&'static KnownError> {
    ERRORS.iter().find(|row| text.contains(row.says))
}

/// A failure of `aws`, as an error.
pub fn error(what: &str, exit: &Exit, redact: &Redactor) -> ProviderError {
    if exit.timed_out {
        let message = format!("{what}: `aws` did not answer in time");
        return ProviderError::new(ErrorClass::Timeout, message).hint("try again");
    }
    if exit.interrupted {
        return ProviderError::new(ErrorClass::Cancelled, format!("{what}: interrupted"));
    }
    let said = Said::of(exit);
    let reason = said.reason();
    let message = match (exit.code, reason.is_empty()) {
        (_, false) => format!("{what}: {reason}"),
        (Some(code), true) => format!("{what}: `aws` ended with exit code {code} and no word"),
        (None, true) => format!("{what}: `aws` was killed by signal {}", exit.signal.unwrap_or_default()),
    };
    let message = redact.redact(&message);
    match lookup(&said.text) {
        Some(row) => ProviderError::new(row.class, message).hint(row.hint),
        None => ProviderError::new(ErrorClass::Unknown, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(text: &str) -> Exit {
        Exit { code: Some(255), output: text.as_bytes().to_vec(), ..Exit::default() }
    }

    #[test]
    fn every_row_is_found_by_its_own_words() {
        for row in ERRORS {
            let found = lookup(&format!("before {} after", row.says)).unwrap();
            assert_eq!(found.says, row.says, "an earlier row hides it");
            assert!(!row.hint.is_empty());
        }
    }

    #[test]
    fn what_aws_says_becomes_an_error() {
        let text = "\nAn error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id x does not exist\n";
        let said = Said::of(&exit(text));
        assert!(said.is_gone() && !said.is_not_implemented());
        assert_eq!(said.reason(), "Stack with id x does not exist (ValidationError)");
        let throttled = "An error occurred (Throttling) when calling the DescribeStacks operation (reached max retries: 4): Rate exceeded";
        let error = error("describe", &exit(throttled), &Redactor::default());
        assert_eq!(error.class, ErrorClass::RateLimited);
        assert_eq!(error.message, "describe: Rate exceeded (Throttling)");
    }

    #[test]
    fn what_the_real_aws_printed_is_classified() {
        use ErrorClass::*;
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/errors");
        let table = [
            ("access_denied", Permission, "cloudformation:CreateChangeSet"),
            ("already_exists", NameTaken, "mismatch"),
            ("change_set_not_found", NotFound, "does not exist"),
            ("does_not_exist", NotFound, "Stack with id shop does not exist"),
            ("expired_token", Auth, "expired"),
            ("export_in_use", Conflict, "in use by orders and invoices"),
            ("html_500", Unavailable, "Unable to parse response"),
            ("in_progress", Conflict, "UPDATE_IN_PROGRESS"),
            ("insufficient_capabilities", InvalidConfig, "CAPABILITY_NAMED_IAM"),
            ("internal_failure", Unavailable, "unknown error"),
            ("invalid_change_set_status", Conflict, "OBSOLETE"),
            ("invalid_client_token", Auth, "invalid"),
            ("limit_exceeded", Conflict, "limit exceeded"),
            ("no_bucket", NotFound, "bucket"),
            ("no_credentials", Auth, "Unable to locate credentials"),
            ("no_profile", Auth, "nope"),
            ("no_region", InvalidConfig, "region"),
            ("old_option", ToolMissing, "Unknown options"),
            ("old_parameter", ToolMissing, "NoSuchKey"),
            ("operation_in_progress", Conflict, "in progress"),
            ("opt_in", Permission, "subscription"),
            ("partial_credentials", Auth, "Partial credentials"),
            ("rollback_complete", Conflict, "ROLLBACK_COMPLETE"),
            ("service_unavailable", Unavailable, "unable to handle"),
            ("signature", Auth, "signature"),
            ("sso", Auth, "SSO Token"),
            ("template_error", InvalidConfig, "Unresolved resource dependencies"),
            ("termination_protection", Conflict, "TerminationProtection"),
            ("throttling", RateLimited, "Rate exceeded"),
            ("token_already_exists", Conflict, "Token already exists"),
            ("unreachable", Unavailable, "http://127.0.0.1:9/"),
            ("unsupported_action", Unavailable, "DetectStackDrift"),
        ];
        let files = std::fs::read_dir(&dir).unwrap().count();
        assert_eq!(files, table.len(), "a fixture that no row looks at");
        for (name, class, words) in table {
            let text = std::fs::read_to_string(dir.join(format!("{name}.txt"))).unwrap();
            let error = error("it failed", &exit(&text), &Redactor::default());
            assert_eq!(error.class, class, "{name}: {}", error.message);
            assert!(error.message.contains(words), "{name}: {}", error.message);
            assert!(error.hint.is_some(), "{name} has no hint");
            assert!(
                !error.message.contains("<html") && error.message.lines().count() <= 4,
                "{name}: {}",
                error.message
            );
        }
    }
}

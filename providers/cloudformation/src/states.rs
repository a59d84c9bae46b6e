//! Every status of a stack, and what it means here. Pure.

/// What can be done with a stack in a status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    /// It holds no resources: only change sets that were never executed.
    Empty,
    /// It is as it was last asked to be.
    Good,
    /// Its last update failed and was taken back: it is as before, and can be updated.
    Back,
    /// Something failed and nothing was taken back (`on_failure = "keep"`): it can be updated, or deleted.
    Kept,
    /// It was never made whole: it can only be deleted.
    Dead,
    /// The way back failed too: it has to be continued before anything else.
    Stuck,
    /// It could not be deleted.
    NotDeleted,
    /// It is gone.
    Gone,
    /// An operation is under way.
    Busy,
}

/// What a status means. One that is not known here counts by its end.
pub fn means(status: &str) -> Means {
    match status {
        "REVIEW_IN_PROGRESS" => Means::Empty,
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Means::Good,
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => Means::Back,
        "CREATE_FAILED" | "UPDATE_FAILED" => Means::Kept,
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => Means::Dead,
        "UPDATE_ROLLBACK_FAILED" | "IMPORT_ROLLBACK_FAILED" => Means::Stuck,
        "DELETE_FAILED" => Means::NotDeleted,
        "DELETE_COMPLETE" => Means::Gone,
        other if other.ends_with("_IN_PROGRESS") => Means::Busy,
        other if other.ends_with("_FAILED") => Means::Stuck,
        _ => Means::Good,
    }
}

/// Whether an operation has ended with this status of the stack.
pub fn is_end(status: &str) -> bool {
    !status.ends_with("_IN_PROGRESS")
}

/// Whether an operation begins with this status of the stack.
pub fn is_start(status: &str) -> bool {
    matches!(
        status,
        "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS" | "IMPORT_IN_PROGRESS"
    )
}

/// Whether a resource has failed with this status.
pub fn is_failure(status: &str) -> bool {
    status.ends_with("_FAILED")
}

/// A status in words for people.
pub fn words(status: &str) -> String {
    status.to_ascii_lowercase().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that the service's model has.
    const ALL: &[&str] = &[
        "CREATE_IN_PROGRESS",
        "CREATE_FAILED",
        "CREATE_COMPLETE",
        "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_FAILED",
        "ROLLBACK_COMPLETE",
        "DELETE_IN_PROGRESS",
        "DELETE_FAILED",
        "DELETE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_FAILED",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
        "REVIEW_IN_PROGRESS",
        "IMPORT_IN_PROGRESS",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_IN_PROGRESS",
        "IMPORT_ROLLBACK_FAILED",
        "IMPORT_ROLLBACK_COMPLETE",
    ];

    #[test]
    fn every_status_means_something() {
        let of = |meaning: Means| ALL.iter().filter(|status| means(status) == meaning).count();
        assert_eq!(of(Means::Busy), 9);
        assert_eq!(of(Means::Good), 3);
        assert_eq!([Means::Empty, Means::Gone, Means::NotDeleted].map(of), [1, 1, 1]);
        assert_eq!([Means::Back, Means::Kept, Means::Dead, Means::Stuck].map(of), [2, 2, 2, 2]);
        assert!(
            ALL.iter().all(|status| is_end(status) || matches!(means(status), Means::Busy | Means::Empty))
        );
        assert!(ALL.iter().filter(|status| is_start(status)).count() == 4);
    }
}

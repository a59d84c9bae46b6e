//! The exit codes. They are public: scripts and CI rely on them.

use std::process::ExitCode;

use windlass_model::RunStatus;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed; it beats `Interrupted`.
    Failed = 1,
    /// Changes or drift were found, and `--detailed-exitcode` asked for it.
    Changes = 2,
    /// The state is locked by somebody else.
    Locked = 3,
    /// The plan is stale: what it was made against has changed.
    Stale = 4,
    /// An approval is missing or was refused; also the answer "no".
    NotApproved = 5,
    /// Interrupted with work left; `resume` goes on.
    Interrupted = 6,
    /// The command line is wrong.
    Usage = 64,
    /// Ctrl-C before anything began.
    Cancelled = 130,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Of a run that ended; `failed` steps beat an interruption, and where all that failed is `stale`, so is the plan.
    pub fn of_run(status: RunStatus, failed: usize, stale: usize) -> Exit {
        match status {
            RunStatus::Applied => Exit::Done,
            RunStatus::Failed if failed > 0 && failed == stale => Exit::Stale,
            RunStatus::Failed => Exit::Failed,
            RunStatus::Interrupted if failed > 0 => Exit::Failed,
            RunStatus::Interrupted => Exit::Interrupted,
            RunStatus::NeedsApproval => Exit::NotApproved,
        }
    }

    /// What scripts take for success: nothing more is wrong than what they asked to be told.
    pub fn is_success(self) -> bool {
        matches!(self, Exit::Done | Exit::Changes)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// The table as `windlass --help` shows it.
pub const TABLE: &str = "\
Exit codes:
  0    done
  1    failed
  2    changes or drift found (--detailed-exitcode)
  3    the state is locked
  4    the plan is stale
  5    an approval is missing or was refused
  6    interrupted with work left; `windlass resume` goes on
  64   wrong usage
  130  interrupted before anything began";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_code() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Changes,
            Exit::Locked,
            Exit::Stale,
            Exit::NotApproved,
            Exit::Interrupted,
            Exit::Usage,
            Exit::Cancelled,
        ];
        let codes: Vec<u8> = all.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 64, 130]);
        let listed: Vec<u8> = TABLE
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(listed, codes);
    }

    #[test]
    fn failure_beats_interruption() {
        assert_eq!(Exit::of_run(RunStatus::Interrupted, 1, 0), Exit::Failed);
        assert_eq!(Exit::of_run(RunStatus::Interrupted, 0, 0), Exit::Interrupted);
        assert_eq!(Exit::of_run(RunStatus::NeedsApproval, 0, 0), Exit::NotApproved);
        assert_eq!(Exit::of_run(RunStatus::Failed, 2, 2), Exit::Stale);
        assert_eq!(Exit::of_run(RunStatus::Failed, 2, 1), Exit::Failed);
    }
}

//! Exit codes: the one place where they are defined and where errors become one.

/// How the program ends (DESIGN section 9). The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Something nobody expected.
    Unexpected = 1,
    /// Usage, or a project file that cannot be used.
    Usage = 2,
    /// Lint findings in components.
    Findings = 3,
    /// The plan has changes (with `--detailed-exitcode`).
    Changes = 4,
    /// The build failed.
    BuildFailed = 5,
    /// The test phase failed.
    TestsFailed = 6,
    /// A gate did not pass.
    GateFailed = 7,
    /// Evidence is missing, stale or not approved.
    NoEvidence = 8,
    /// Partly done; can be resumed.
    Partly = 9,
    /// Something differs from what was recorded.
    Drift = 10,
    /// Locked by somebody else, or a conflict.
    Locked = 11,
    /// Credentials or permission.
    Denied = 12,
    /// The deadline passed; the work goes on.
    TimedOut = 13,
    /// Interrupted by the user.
    Interrupted = 130,
    /// The machine must be restarted and the same command run again; the SSM Agent, which knows awstoe's code, does so.
    Restart = 194,
}

/// The exit of a code that the library names.
#[must_use]
pub fn exit(code: u8) -> Exit {
    Exit::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Unexpected)
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: [Self; 16] = [
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::Findings,
        Self::Changes,
        Self::BuildFailed,
        Self::TestsFailed,
        Self::GateFailed,
        Self::NoEvidence,
        Self::Partly,
        Self::Drift,
        Self::Locked,
        Self::Denied,
        Self::TimedOut,
        Self::Interrupted,
        Self::Restart,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The catalogue code that `amiforge explain` knows: `A` and the exit code.
    #[must_use]
    pub const fn catalogue(self) -> &'static str {
        match self {
            Self::Done => "A000",
            Self::Unexpected => "A001",
            Self::Usage => "A002",
            Self::Findings => "A003",
            Self::Changes => "A004",
            Self::BuildFailed => "A005",
            Self::TestsFailed => "A006",
            Self::GateFailed => "A007",
            Self::NoEvidence => "A008",
            Self::Partly => "A009",
            Self::Drift => "A010",
            Self::Locked => "A011",
            Self::Denied => "A012",
            Self::TimedOut => "A013",
            Self::Interrupted => "A130",
            Self::Restart => "A194",
        }
    }
}

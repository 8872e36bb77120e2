use std::time::Duration;

/// Is told what happens, for those who operate Larder: an adapter turns it into metrics.
///
/// Called on the path of every request, so an implementer neither waits nor fails.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: Event);
}

/// Something that happened. It never says to whom (`ID-71`, `CF-46`): every text in it is a word of the program's own, of which
/// there are few.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Event {
    /// A client connected to the listener of this name.
    ConnectionOpened(&'static str),
    /// That connection ended.
    ConnectionClosed(&'static str),
    /// A request came in.
    RequestBegan,
    /// It ended.
    RequestEnded {
        /// The operation's id in the contract; `none` where the path and method are no operation.
        operation: &'static str,
        /// The method, in capitals; `other` for one that HTTP doesn't define.
        method: &'static str,
        /// The status that was answered; `None` when the client went away before.
        status: Option<u16>,
        /// How long it took, the reading of its body included.
        took: Duration,
    },
    /// An operation of the compatibility surface was asked for something that it has under a name of its own (`CO-10`).
    LegacyAction {
        /// The operation's id in the contract.
        operation: &'static str,
        /// What it was asked for.
        action: &'static str,
    },
    /// A statement was answered by the database.
    StatementEnded {
        /// The context whose store it ran on.
        context: &'static str,
        /// Its name in the catalogue of statements.
        statement: &'static str,
        /// Whether it succeeded.
        is_ok: bool,
        /// From sending to the answer.
        took: Duration,
    },
    /// A unit of work ended.
    UnitEnded {
        /// The context whose store it was on.
        context: &'static str,
        /// How.
        end: UnitEnd,
    },
    /// A password waits for somebody to hash it.
    HashingQueued,
    /// Its turn came.
    HashingBegan {
        /// How long it waited.
        waited: Duration,
    },
    /// It waited in vain, or nobody waits for it any more.
    HashingGivenUp,
    /// Somebody tried to log in with a password.
    LogIn(LogInEnd),
    /// A password hash was replaced by one of the configured cost, at a good login (`ID-06`).
    PasswordRehashed,
    /// A refresh token that was used before came again, and its login was ended (`ID-33`).
    RefreshReused,
    /// A bearer token was refused.
    TokenRefused(TokenRefusal),
}

/// How a unit of work ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnitEnd {
    /// It only read.
    Read,
    /// Committed.
    Committed,
    /// Undone by whoever opened it, or dropped; also because a rule was broken.
    RolledBack,
    /// Another unit was in the way. It is run again, unless that happened too often.
    Contended,
    /// A statement or the commit failed for another reason.
    Failed,
}

/// How an attempt to log in ended. One that failed inside is neither.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LogInEnd {
    /// Logged in.
    Ok,
    /// The credentials were wrong.
    Failed,
    /// Too many attempts came before.
    Throttled,
}

/// Why a bearer token was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TokenRefusal {
    /// Its time is over.
    Expired,
    /// It is none of ours, or not one that counts.
    Invalid,
    /// Its login has ended.
    LoginEnded,
    /// Its subject has no account.
    AccountUnknown,
    /// An account has its email and must be linked first.
    LinkRequired,
    /// The keys of its issuer can't be had.
    IssuerUnavailable,
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _: Event) {}
}

use crate::chat::words;
use crate::{Instant, LoginId, OwnerId};

words! {
    /// How a login was made.
    LoginMethod {
        /// Name and password.
        Password = "password",
        /// Together with the account.
        SignUp = "sign_up",
        /// Through the compatibility surface.
        Compat = "compat",
    }
}

words! {
    /// Why a login was ended.
    RevokeReason {
        /// By its user.
        Logout = "logout",
        /// A used refresh token came again (`ID-32`).
        Reuse = "reuse",
        /// The password changed (`ID-40`).
        PasswordChange = "password_change",
        /// The account was disabled (`ID-42`).
        Disabled = "disabled",
        /// By an administrator.
        Admin = "admin",
        /// Too many logins; this one was used longest ago (`ID-14`).
        Evicted = "evicted",
    }
}

/// One signed-in device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// Whose it is.
    pub owner_id: OwnerId,
    /// The `sid` of its access tokens.
    pub id: LoginId,
    /// How it was made.
    pub method: LoginMethod,
    /// At most 400 characters, cut.
    pub user_agent: Option<String>,
    /// At most 45 characters, cut.
    pub ip_address: Option<String>,
    /// When it was made.
    pub created_at: Instant,
    /// When it was last used to sign in or refresh.
    pub last_used_at: Instant,
    /// When it ends in any case.
    pub expires_at: Instant,
    /// When and why it was ended early.
    pub revoked: Option<(Instant, RevokeReason)>,
}

impl Login {
    /// Whether tokens of this login count at `now`.
    pub fn is_live(&self, now: Instant) -> bool {
        self.revoked.is_none() && now < self.expires_at
    }
}

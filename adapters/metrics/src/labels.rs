use std::fmt::{Error, Write};

use larder_ports::outbound::{LogInEnd, TokenRefusal, UnitEnd};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct ListenerLabels {
    pub(crate) listener: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) operation: &'static str,
    pub(crate) method: &'static str,
    pub(crate) status: Status,
}

/// A status, or that there was none.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Status(pub(crate) Option<u16>);

impl EncodeLabelValue for Status {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), Error> {
        match self.0 {
            Some(status) => write!(encoder, "{status}"),
            None => encoder.write_str("cancelled"),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OperationLabels {
    pub(crate) operation: &'static str,
    pub(crate) method: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct ActionLabels {
    pub(crate) operation: &'static str,
    pub(crate) action: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct StatementLabels {
    pub(crate) context: &'static str,
    pub(crate) statement: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct StatementsLabels {
    context: &'static str,
    outcome: &'static str,
}

impl StatementsLabels {
    pub(crate) fn new(context: &'static str, is_ok: bool) -> Self {
        Self {
            context,
            outcome: if is_ok { "ok" } else { "failed" },
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct UnitLabels {
    context: &'static str,
    end: &'static str,
}

impl UnitLabels {
    pub(crate) fn new(context: &'static str, end: UnitEnd) -> Self {
        let end = match end {
            UnitEnd::Read => "read",
            UnitEnd::Committed => "committed",
            UnitEnd::RolledBack => "rolled_back",
            UnitEnd::Contended => "contended",
            UnitEnd::Failed => "failed",
        };
        Self { context, end }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OutcomeLabels {
    outcome: &'static str,
}

impl From<LogInEnd> for OutcomeLabels {
    fn from(end: LogInEnd) -> Self {
        let outcome = match end {
            LogInEnd::Ok => "ok",
            LogInEnd::Failed => "failed",
            LogInEnd::Throttled => "throttled",
        };
        Self { outcome }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct ReasonLabels {
    reason: &'static str,
}

impl From<TokenRefusal> for ReasonLabels {
    fn from(refusal: TokenRefusal) -> Self {
        let reason = match refusal {
            TokenRefusal::Expired => "expired",
            TokenRefusal::Invalid => "invalid",
            TokenRefusal::LoginEnded => "login_ended",
            TokenRefusal::AccountUnknown => "account_unknown",
            TokenRefusal::LinkRequired => "link_required",
            TokenRefusal::IssuerUnavailable => "issuer_unavailable",
        };
        Self { reason }
    }
}

//! What is asked for.

use crate::scope::Operations;

/// The interactions of the RESTful API (http.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interaction {
    Read,
    Vread,
    Update,
    Patch,
    Delete,
    HistoryInstance,
    HistoryType,
    HistorySystem,
    Create,
    Search,
    SearchSystem,
    Operation,
    Capabilities,
    Batch,
    Transaction,
}

impl Interaction {
    /// The code of <http://hl7.org/fhir/restful-interaction>.
    pub fn code(self) -> &'static str {
        match self {
            Interaction::Read => "read",
            Interaction::Vread => "vread",
            Interaction::Update => "update",
            Interaction::Patch => "patch",
            Interaction::Delete => "delete",
            Interaction::HistoryInstance => "history-instance",
            Interaction::HistoryType => "history-type",
            Interaction::HistorySystem => "history-system",
            Interaction::Create => "create",
            Interaction::Search => "search-type",
            Interaction::SearchSystem => "search-system",
            Interaction::Operation => "operation",
            Interaction::Capabilities => "capabilities",
            Interaction::Batch => "batch",
            Interaction::Transaction => "transaction",
        }
    }
}

/// The operations of the specification that this server knows (operations.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `$everything` of a patient or an encounter.
    Everything,
    /// `$lastn` of observations.
    LastN,
    /// `$reindex` of all types, or of one.
    Reindex,
    /// `$break-glass` of a patient.
    BreakGlass,
    /// `$break-glass` without a patient: what was opened.
    Openings,
    /// `$review` of what was opened.
    Review,
    /// `$sharing-preview`: what another hospital would see of a patient.
    SharingPreview,
    /// `$access-log` of a patient: who did what with the record.
    AccessLog,
    /// `$disclosures` of a patient: who elsewhere saw what.
    Disclosures,
    /// `$consent-review`: consents of guardians whose children have come of age.
    ConsentReview,
}

#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub interaction: Interaction,
    /// The resource type, where the interaction is about one.
    pub resource: Option<&'static str>,
    pub operation: Option<Operation>,
}

impl Wish {
    pub fn new(interaction: Interaction, resource: Option<&'static str>) -> Wish {
        Wish { interaction, resource, operation: None }
    }

    /// What a scope has to permit; None where parts of the request are decided one by one, or nobody's record is touched.
    pub(crate) fn operations(&self) -> Option<Operations> {
        match self.interaction {
            Interaction::Read | Interaction::Vread | Interaction::HistoryInstance => {
                Some(Operations::READ)
            }
            Interaction::Search
            | Interaction::SearchSystem
            | Interaction::HistoryType
            | Interaction::HistorySystem => Some(Operations::SEARCH),
            Interaction::Create => Some(Operations::CREATE),
            Interaction::Update | Interaction::Patch => Some(Operations::UPDATE),
            Interaction::Delete => Some(Operations::DELETE),
            Interaction::Operation => match self.operation {
                Some(Operation::Everything | Operation::SharingPreview) => Some(Operations::READ),
                Some(Operation::LastN | Operation::AccessLog | Operation::Disclosures) => {
                    Some(Operations::SEARCH)
                }
                Some(
                    Operation::Reindex
                    | Operation::BreakGlass
                    | Operation::Openings
                    | Operation::Review
                    | Operation::ConsentReview,
                )
                | None => None,
            },
            Interaction::Capabilities | Interaction::Batch | Interaction::Transaction => None,
        }
    }
}

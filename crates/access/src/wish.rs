//! What is asked for.

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

#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub interaction: Interaction,
    /// The resource type, where the interaction is about one.
    pub resource: Option<&'static str>,
}

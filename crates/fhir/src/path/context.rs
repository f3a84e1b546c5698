//! What an expression knows beside its focus: the variables of the environment, the time, the limits (fhirpath.html#variables).

use super::budget::Limits;
use super::node::Node;
use super::temporal::DateTime;
use serde_json::Value;

#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// `%resource`: the resource that the focus is part of.
    pub resource: Option<Node<'a>>,
    /// `%rootResource`: the resource that contains `resource`; the same where nothing does.
    pub root: Option<Node<'a>>,
    /// Where references are looked up by their full URL, when the resource came in a Bundle.
    pub bundle: Option<&'a Value>,
    /// What `now()`, `today()` and `timeOfDay()` answer, with the offset of the server's time zone; without it they fail.
    pub now: Option<DateTime>,
    pub limits: Limits,
}

impl<'a> Context<'a> {
    /// For expressions over `resource` that neither a resource nor a Bundle contains.
    pub fn new(resource: Option<Node<'a>>, now: impl Into<Option<DateTime>>) -> Context<'a> {
        let limits = Limits::default();
        Context { resource, root: resource, bundle: None, now: now.into(), limits }
    }

    /// For a resource contained in `self.root`.
    pub fn contained(self, resource: Node<'a>) -> Context<'a> {
        Context { resource: Some(resource), ..self }
    }
}

//! What a write stores and what a search asks, one file a kind of parameter (search.html#ptypes).

pub(crate) mod composite;
pub(crate) mod date;
pub(crate) mod last_updated;
pub(crate) mod near;
pub(crate) mod number;
pub(crate) mod quantity;
pub(crate) mod reference;
pub(crate) mod string;
pub(crate) mod token;
pub(crate) mod uri;

//! The versions of a resource, of a type, of the whole system (http.html#history).

use crate::Store;
use crate::error::Error;
use crate::row::Version;
use crate::trail::Sealed;
use access::Grant;
use deadpool_postgres::Object;
use search::render::history::versions;
pub use search::render::history::{Order, Scope, Wanted};

impl Store {
    /// One more version than `count` is returned when there is a further page.
    pub async fn history(
        &self,
        grant: &Grant,
        scope: Scope<'_>,
        wanted: &Wanted,
    ) -> Result<Sealed<Vec<Version>>, Error> {
        let client = self.pool.get().await?;
        Ok(Sealed::new(self.history_on(&client, grant, scope, wanted).await?))
    }

    pub(crate) async fn history_on(
        &self,
        client: &Object,
        grant: &Grant,
        scope: Scope<'_>,
        wanted: &Wanted,
    ) -> Result<Vec<Version>, Error> {
        if let Scope::Instance(table, id) = scope
            && !self.is_open_on(client, grant, table, id).await?
        {
            return Ok(Vec::new());
        }
        self.versions_on(client, &versions(scope, wanted, grant)).await
    }
}

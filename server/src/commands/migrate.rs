//! `bund migrate`.

use super::{Database, block_on, prepare, say};
use anyhow::Result;
use std::path::Path;
use store::migrate;
use store::pool::Pool;
use store::role::Server;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    /// Take back the newest migration instead; what its tables held is lost.
    #[arg(long)]
    down: bool,

    /// Grant this role what `bund serve` needs and no more; a role that was granted it once keeps it in later migrations.
    #[arg(long, value_name = "ROLE", conflicts_with = "down")]
    server_role: Option<String>,

    /// Make that role if there is none: it may log in, and has no password until you give it one.
    #[arg(long, requires = "server_role")]
    create_role: bool,
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let pool = Pool::new(&prepared.owner)?;
        if arguments.down {
            let name = migrate::down(&pool).await?;
            say(&format!("took back {name}"));
            return Ok(());
        }
        let given = arguments
            .server_role
            .map(|role| Server { role, is_created: arguments.create_role })
            .or(prepared.server);
        let applied = migrate::up_for(&pool, given.as_ref()).await?;
        for name in &applied {
            say(&format!("applied {name}"));
        }
        say(&format!(
            "the database has schema {} ({} applied now)",
            migrate::newest(),
            applied.len()
        ));
        if let Some(server) = given {
            say(&format!("the role {} may serve it", server.role));
        }
        Ok(())
    })
}

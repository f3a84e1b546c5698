//! Fifty generated patients as transaction bundles: read, valid, and the same after JSON and XML.

use crate::archive;
use crate::examples::check;
use crate::tally::{Tally, Verdict};
use std::io::Write;
use std::path::Path;

pub(crate) fn run(data: &Path, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    let mut tally = Tally::new("synthea")?;
    archive::each(&data.join("synthea/synthea-r4-50-bundles.tar.gz"), &mut |name, bytes| {
        tally.add(name, check(bytes));
        Ok(())
    })?;
    tally.close(100, out)
}

//! Small files that are kept from one run to the next, whole or not at all.

use anyhow::{Context as _, Result, anyhow, bail};
use audit::seal::examine::Position;
use audit::seal::tree::Digest;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use store::seal::examination::Point;

const BYTES_MAX: u64 = 65_536;
const TITLE: &str = "bund audit verify 1";

/// None where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    let place = || path.display().to_string();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(place),
    };
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text).with_context(place)?;
    Ok(Some(text))
}

/// Whoever reads meanwhile, or after a crash, finds the old text or the new one.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let place = || path.display().to_string();
    let fresh = path.with_extension("fresh");
    let mut file = File::create(&fresh).with_context(place)?;
    file.write_all(text.as_bytes()).with_context(place)?;
    file.sync_all().with_context(place)?;
    std::fs::rename(&fresh, path).with_context(place)
}

pub(super) fn point(text: &str) -> Result<Point> {
    let wrong = || anyhow!("it is not a file that `bund audit verify --state` wrote");
    let mut lines = text.lines();
    if lines.next() != Some(TITLE) {
        bail!(wrong());
    }
    let mut value = |name: &str| {
        let line = lines.next().and_then(|line| line.strip_prefix(name));
        line.map(str::trim).ok_or_else(wrong)
    };
    let size = value("size ")?.parse()?;
    let root = Digest::parse(value("root ")?).ok_or_else(wrong)?;
    let mut numbers = value("until ")?.split(' ');
    let mut number = || numbers.next().ok_or_else(wrong);
    let until = Position {
        transaction: number()?.parse()?,
        id: number()?.parse()?,
        shard: number()?.parse()?,
    };
    Ok(Point { size, root, until })
}

pub(super) fn text(point: &Point) -> String {
    let Point { size, root, until } = point;
    let Position { transaction, id, shard } = until;
    format!("{TITLE}\nsize {size}\nroot {root}\nuntil {transaction} {id} {shard}\n")
}

#[cfg(test)]
mod tests {
    use super::{point, text};
    use audit::seal::examine::Position;
    use audit::seal::tree::Digest;
    use store::seal::examination::Point;

    #[test]
    fn a_state_goes_there_and_back() {
        let until = Position { transaction: 9, id: i64::MIN, shard: -4 };
        let state = Point { size: 7, root: Digest([3; 32]), until };
        assert_eq!(point(&text(&state)).unwrap(), state);
        for wrong in
            ["", "bund audit verify 1\nsize x\n", &text(&state).replace("until 9", "until")]
        {
            assert!(point(wrong).is_err(), "{wrong}");
        }
    }
}

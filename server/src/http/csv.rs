//! Tables as text (RFC 4180), safe to be opened by a spreadsheet.

/// One line. A cell that a spreadsheet would take for a formula begins with an apostrophe instead.
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    cells.join(",") + "\r\n"
}

fn cell(text: &str) -> String {
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let apostrophe = if is_formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn own_10_a_cell_is_text_and_never_a_formula() {
        assert_eq!(line(["a", "b,\"c\""]), "\"a\",\"b,\"\"c\"\"\"\r\n");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            assert_eq!(line([formula]), format!("\"'{formula}\"\r\n"));
        }
        assert_eq!(line(["2026-11-28"]), "\"2026-11-28\"\r\n");
    }
}

//! What the XHTML of a narrative may hold (narrative.html#xhtml).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Chapters 7 to 11 and 15 of HTML 4, links and images; neither forms nor scripts nor anything loaded from elsewhere.
const ELEMENTS: [&str; 55] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "map",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

const ATTRIBUTES: [&str; 44] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "border",
    "cellpadding",
    "cellspacing",
    "char",
    "charoff",
    "cite",
    "class",
    "colspan",
    "coords",
    "datetime",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "id",
    "lang",
    "longdesc",
    "name",
    "nohref",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "usemap",
    "valign",
    "width",
    "xml:lang",
    "xmlns",
];

/// Whether the text is one `div` of what is allowed, with something to read or to see in it.
pub(super) fn is_narrative(text: &str) -> bool {
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    let mut closed = false;
    let mut has_content = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                if closed || !is_allowed(&tag, depth == 0) {
                    return false;
                }
                depth += 1;
            }
            Ok(Event::Empty(tag)) => {
                if depth == 0 || !is_allowed(&tag, false) {
                    return false;
                }
                has_content |= tag.name().as_ref() == "img";
            }
            Ok(Event::End(_)) => {
                let Some(outer) = depth.checked_sub(1) else { return false };
                depth = outer;
                closed = depth == 0;
            }
            Ok(Event::Text(text)) => {
                let blank = text.chars().all(char::is_whitespace);
                if !blank && depth == 0 {
                    return false;
                }
                has_content |= !blank;
            }
            Ok(Event::GeneralRef(_) | Event::CData(_)) => {
                if depth == 0 {
                    return false;
                }
                has_content = true;
            }
            Ok(Event::Comment(_)) => {}
            Ok(Event::Decl(_) | Event::PI(_) | Event::DocType(_)) | Err(_) => return false,
            Ok(Event::Eof) => return closed && has_content,
        }
    }
}

fn is_allowed(tag: &BytesStart, is_first: bool) -> bool {
    let name = tag.name();
    let name: &str = name.as_ref();
    if is_first && name != "div" || !ELEMENTS.contains(&name) {
        return false;
    }
    tag.attributes().all(|attribute| {
        attribute.is_ok_and(|attribute| {
            let name: &str = attribute.key.as_ref();
            ATTRIBUTES.contains(&name) && !runs_code(name, &attribute.value)
        })
    })
}

/// Links that run rather than lead: letters may hide behind blanks, case and entities.
fn runs_code(name: &str, value: &str) -> bool {
    if !matches!(name, "href" | "src" | "cite" | "longdesc") {
        return false;
    }
    let shown: String = value
        .chars()
        .filter(|next| !next.is_whitespace() && !next.is_control())
        .collect::<String>()
        .to_ascii_lowercase();
    let scheme = shown.split([':', '/', '?', '#']).next().unwrap_or_default();
    shown.starts_with("&") || matches!(scheme, "javascript" | "vbscript") || scheme.contains('&')
}

#[cfg(test)]
mod tests {
    use super::is_narrative;

    fn check(text: &str, expected: bool) {
        assert_eq!(is_narrative(text), expected, "{text}");
    }

    #[test]
    fn plain_narratives_pass() {
        check(
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Ann &amp; <b>Bob</b></p></div>",
            true,
        );
        check("<div><img src=\"#a\" alt=\"x\"/></div>", true);
        check("<div>&nbsp;</div>", true);
    }

    #[test]
    fn what_runs_or_loads_is_refused() {
        check("<div><script>x</script></div>", false);
        check("<div onclick=\"x\">a</div>", false);
        check("<div><a href=\"java&#115;cript:x\">a</a></div>", false);
        check("<div><a href=\" JavaScript:x\">a</a></div>", false);
        check("<div><iframe src=\"x\"/>a</div>", false);
        check("<!DOCTYPE div><div>a</div>", false);
    }

    #[test]
    fn there_is_one_div_with_content() {
        for text in [
            "",
            "text",
            "<p>a</p>",
            "<div/>",
            "<div> </div>",
            "<div>a</div><div>b</div>",
            "<div>a",
            "<div>a</p></div>",
        ] {
            check(text, false);
        }
    }
}

//! The XHTML of a narrative: formatting only, nothing that runs or loads (narrative.html#xhtml).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

const ELEMENTS: [&str; 57] = [
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
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
    "li",
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
    "kbd",
    "ins",
    "del",
    "address",
    "bdo",
    "center",
    "font",
    "strike",
    "u",
];

const ATTRIBUTES: [&str; 43] = [
    "title",
    "style",
    "class",
    "id",
    "lang",
    "xml:lang",
    "dir",
    "accesskey",
    "tabindex",
    "abbr",
    "axis",
    "span",
    "width",
    "align",
    "valign",
    "char",
    "charoff",
    "cellpadding",
    "cellspacing",
    "border",
    "bgcolor",
    "rules",
    "frame",
    "summary",
    "colspan",
    "rowspan",
    "headers",
    "scope",
    "name",
    "href",
    "rel",
    "rev",
    "hreflang",
    "charset",
    "type",
    "coords",
    "shape",
    "target",
    "src",
    "alt",
    "height",
    "cite",
    "nowrap",
];

/// Elements with nothing inside that are still something to see.
const VISIBLE: [&str; 1] = ["img"];

pub(super) fn check(value: &Value) -> Result<(), String> {
    let Some(text) = value.as_str() else {
        return Err("must be a string: XHTML in a div".to_owned());
    };
    let mut reader = Reader::from_str(text);
    let (mut depth, mut has_content, mut is_over) = (0_u32, false, false);
    loop {
        let event =
            reader.read_event().map_err(|error| format!("not well-formed XHTML: {error}"))?;
        match event {
            Event::Start(tag) => {
                element(&tag, depth, is_over)?;
                depth += 1;
            }
            Event::Empty(tag) => {
                element(&tag, depth, is_over)?;
                has_content |= VISIBLE.contains(&name(&tag).as_str());
                is_over |= depth == 0;
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                is_over |= depth == 0;
            }
            Event::Text(inside) => {
                let has_text = !inside.trim().is_empty();
                if has_text && depth == 0 {
                    return Err("text outside the div".to_owned());
                }
                has_content |= has_text;
            }
            Event::GeneralRef(_) if depth > 0 => has_content = true,
            Event::Comment(_) => {}
            Event::Eof if depth > 0 => {
                return Err("not well-formed XHTML: an element is not closed".to_owned());
            }
            Event::Eof if has_content => return Ok(()),
            Event::Eof => return Err("txt-2: the div is empty; leave the narrative out".to_owned()),
            Event::CData(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {
                return Err("only elements and text can be in a narrative: no declaration, instruction or CDATA".to_owned());
            }
        }
    }
}

fn name(tag: &BytesStart) -> String {
    tag.name().as_ref().to_owned()
}

fn element(tag: &BytesStart, depth: u32, is_over: bool) -> Result<(), String> {
    let name = name(tag);
    if depth == 0 && (name != "div" || is_over) {
        return Err("a narrative is one div".to_owned());
    }
    if !ELEMENTS.contains(&name.as_str()) {
        return Err(format!("txt-1: <{name}> cannot be in a narrative; only basic formatting can"));
    }
    let mut is_xhtml = depth > 0;
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| format!("not well-formed XHTML: {error}"))?;
        let key = attribute.key.as_ref().to_owned();
        let value = attribute.value.into_owned();
        if key == "xmlns" {
            is_xhtml = value == "http://www.w3.org/1999/xhtml";
            continue;
        }
        if !ATTRIBUTES.contains(&key.as_str()) {
            return Err(format!(
                "txt-1: the attribute `{key}` of <{name}> cannot be in a narrative"
            ));
        }
        if matches!(key.as_str(), "href" | "src") && runs(&value) {
            return Err(format!(
                "txt-1: `{key}` of <{name}> must be a link to look at, not a script"
            ));
        }
    }
    if is_xhtml {
        Ok(())
    } else {
        Err("the div must be in the namespace http://www.w3.org/1999/xhtml".to_owned())
    }
}

/// `javascript:` and the like, however it is spelt.
fn runs(link: &str) -> bool {
    let plain: String = link
        .chars()
        .filter(|character| !character.is_whitespace() && !character.is_control())
        .collect();
    let plain = plain.to_ascii_lowercase();
    let is_image = plain.starts_with("data:image/");
    plain.contains("script:") || plain.contains("&#") || plain.starts_with("data:") && !is_image
}

use super::{
    READINGS, SIMPLIFIED, asked, fold, has_han, initials, is_han, readings, sort_key, surnames,
};
use pinyin::ToPinyin as _;
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeSet;

fn split(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn traditional_names_are_their_simplified_ones() {
    for (traditional, simplified) in [
        ("陳張劉楊趙黃吳孫馬", "陈张刘杨赵黄吴孙马"),
        ("羅鄭謝韓馮鄧許蕭葉", "罗郑谢韩冯邓许萧叶"),
        ("鐘鍾锺蘇盧蔣賈閻龍", "钟钟钟苏卢蒋贾阎龙"),
        ("國華麗東偉婭穎瓊燁", "国华丽东伟娅颖琼烨"),
        ("歐陽餘余馀後裏範譚", "欧阳余余余后里范谭"),
        ("王é Ａ한ー", "王é Ａ한ー"),
    ] {
        assert_eq!(fold(traditional), simplified);
    }
    assert!(matches!(fold("王小明 Smith"), Cow::Borrowed(_)));
}

#[test]
fn han_is_told_from_other_scripts() {
    for (text, is) in [
        ("王", true),
        ("Mr 王", true),
        ("𠮷", true),
        ("〇", true),
        ("\u{f9e9}", true),
        ("", false),
        ("wang", false),
        ("ワン", false),
        ("왕", false),
        ("Wáng", false),
    ] {
        assert_eq!(has_han(text), is, "{text}");
    }
}

#[test]
fn names_are_found_by_every_spelling() {
    for (name, spellings, letters) in [
        ("王晓明", "wangxiaoming", "wxm"),
        ("張偉", "zhangwei", "zw"),
        ("方 芳", "fangfang", "ff"),
        ("单丹", "chandan dandan shandan", "cd dd sd"),
        ("單丹", "chandan dandan shandan", "cd dd sd"),
        ("曾平", "cengping zengping", "cp zp"),
        ("解平", "jieping xieping", "jp xp"),
        ("乐平", "leping yueping", "lp yp"),
        ("重平", "chongping zhongping", "cp zp"),
        ("仇平", "chouping qiuping", "cp qp"),
        ("区平", "ouping quping", "op qp"),
        ("翟平", "diping zhaiping", "dp zp"),
        ("长平", "changping zhangping", "cp zp"),
        ("行平", "hangping hengping xingping", "hp xp"),
        ("查平", "chaping zhaping", "cp zp"),
        ("盖平", "gaiping geping", "gp"),
        ("尉迟恭", "weichigong yuchigong", "wcg ycg"),
        ("万俟平", "moqiping mosiping wanqiping wansiping", "mqp msp wqp wsp"),
        ("谌平", "chenping shenping", "cp sp"),
        ("吕布", "lubu lvbu lyubu", "lb"),
        ("女略", "nulue nvlve nyulyue", "nl"),
        ("欧阳·娜娜", "ouyangnana ouyangnanuo ouyangnuona ouyangnuonuo", "oynn"),
        ("郑乾", "zhenggan zhengqian", "zg zq"),
        ("鄭乾", "zhenggan zhengqian", "zg zq"),
        ("王Ｔｏｍ２", "wangtom2", "wt"),
        ("Ann 王", "annwang", "aw"),
        ("\u{f9e9}", "li", ""),
        ("王\u{e0100}明", "wangming", "wm"),
        ("王", "wang", ""),
        ("\u{3fff0}", "", ""),
        ("Tom", "", ""),
        ("", "", ""),
    ] {
        assert_eq!(readings(name), split(spellings), "{name}");
        assert_eq!(initials(name), split(letters), "{name}");
    }
}

#[test]
fn a_text_that_is_no_name_has_one_spelling() {
    let long = "单".repeat(13);
    assert_eq!(readings(&long), [format!("shan{}", "dan".repeat(12))]);
    assert!(initials(&long).is_empty());
    let twelve = "单".repeat(12);
    assert_eq!(readings(&twelve).len(), 16);
    assert!(readings(&twelve).contains(&format!("shan{}", "dan".repeat(11))));
    let longest = readings(&"张".repeat(1_000));
    assert_eq!(longest, ["zhang".repeat(40)]);
}

#[test]
fn names_stand_in_the_order_of_pinyin() {
    let sorted = [
        "1",
        "安",
        "白",
        "Chen",
        "陈安",
        "陳白",
        "陈东",
        "程安",
        "chenx",
        "冯",
        "单丹",
        "孙",
        "王",
        "王\u{3fff0}",
        "Wu",
        "曾平",
        "翟",
        "张伟",
        "张\u{3fff0}",
        "ω",
        "\u{3fff0}",
    ];
    for pair in sorted.windows(2) {
        let [before, after] = [sort_key(pair[0]), sort_key(pair[1])];
        assert!(before < after, "{before} {after}");
    }
    assert_eq!(sort_key("張偉"), sort_key("张伟"));
    for (text, key) in [
        ("陈 Ａ", "chen2陈 a"),
        ("陳", "chen2陈"),
        ("单于", "chan2单yu2于"),
        ("小单", "xiao3小dan1单"),
        ("吕子", "lv3吕zi3子"),
        ("Émile", "émile"),
        ("", ""),
    ] {
        assert_eq!(sort_key(text), key);
    }
}

#[test]
fn words_are_found_inside_unspaced_text() {
    for (text, found, wanted) in [
        ("胸痛三天", "三 三天 天 痛 痛三 胸 胸痛", "三天 痛三 胸痛"),
        ("骨", "骨", "骨"),
        ("頭痛", "头 头痛 痛", "头痛"),
        ("ＣＴ示骨折，Naïve", "ct naïve 折 示 示骨 骨 骨折", "ct naïve 示骨 骨折"),
        ("骨 折", "折 骨", "折 骨"),
        ("-- !", "", ""),
        ("", "", ""),
    ] {
        assert_eq!(words(text), split(found), "{text}");
        assert_eq!(asked(text), split(wanted), "{text}");
    }
    for (query, document, is_in) in [
        ("痛", "胸痛三天", true),
        ("痛三天", "胸痛三天", true),
        ("天三", "胸痛三天", false),
        ("头", "胸痛三天", false),
        ("ct 骨折", "骨折 (CT)", true),
        ("c", "CT", false),
    ] {
        assert_eq!(is_subset(&asked(query), &words(document)), is_in, "{query} {document}");
    }
}

#[test]
fn the_tables_are_sorted_and_agree_with_the_crate() {
    assert_eq!((SIMPLIFIED.len(), READINGS.len()), (4_107, 3_017));
    assert!(SIMPLIFIED.is_sorted_by(|a, b| a.0 < b.0));
    assert!(READINGS.is_sorted_by(|a, b| a.0 < b.0));
    for (character, listed) in READINGS.iter() {
        let found = super::readings_of(*character);
        let found: Vec<&str> = found.iter().map(|reading| super::toneless(reading)).collect();
        assert_eq!(found.join(" "), *listed, "{character}");
    }
    for (traditional, simplified) in SIMPLIFIED.iter() {
        assert!(is_han(*traditional) && is_han(*simplified));
        assert_eq!(super::simplified(*simplified), *simplified);
    }
    let single = surnames::SINGLE.iter().map(|(surname, _)| *surname);
    for surname in single.chain(surnames::DOUBLE.iter().flat_map(|(surname, _)| *surname)) {
        assert_eq!(super::simplified(surname), surname);
        assert!(surname.to_pinyin().is_some());
    }
}

#[test]
fn every_reading_is_in_latin_letters() {
    for character in ('\u{2e80}'..='\u{3ffff}').filter(|character| is_han(*character)) {
        for spelling in readings(character.encode_utf8(&mut [0; 4])) {
            assert!(
                spelling.bytes().all(|byte| byte.is_ascii_lowercase()),
                "{character} {spelling}"
            );
        }
    }
}

#[test]
fn bounds_hold_for_long_texts() {
    let all: String = ('\u{4e00}'..='\u{9fff}').collect();
    assert!((191..=200).contains(&sort_key(&all).len()));
    assert!(readings(&("a".repeat(300) + "王")).iter().all(|spelling| spelling.len() == 200));
}

/// Each once, sorted.
fn words(text: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    super::words(text, |word| {
        found.insert(word.to_owned());
    });
    found.into_iter().collect()
}

fn is_subset(some: &[String], all: &[String]) -> bool {
    some.iter().all(|word| all.contains(word))
}

/// Names, and what may stand beside them.
const TEXT: &str =
    "[王單单吕乐長略a-zÉ０ \u{301}\u{fe00}\u{3007}\u{4e00}-\u{4fff}\u{20000}-\u{200ff}]{0,16}";
const HAN: &str = "[王單单吕乐長\u{3400}-\u{34ff}\u{4e00}-\u{9fff}\u{f900}-\u{f9ff}]{1,8}";

proptest! {
    #[test]
    fn any_text_is_answered_within_bounds(text in prop_oneof![".{0,300}", TEXT, HAN]) {
        for (list, max, length) in [
            (readings(&text), 48, 200),
            (initials(&text), 16, 800),
            (words(&text), 2_000, 4_000),
            (asked(&text), 2_000, 4_000),
        ] {
            prop_assert!(list.len() <= max);
            prop_assert!(list.iter().all(|item| !item.is_empty() && item.len() <= length));
            prop_assert!(list.is_sorted_by(|a, b| a < b));
        }
        prop_assert!(sort_key(&text).len() <= 200);
        prop_assert!(has_han(&text) || readings(&text).is_empty());
    }

    #[test]
    fn folding_twice_changes_nothing_and_keeps_the_number(text in prop_oneof![".{0,80}", TEXT, HAN]) {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once.clone());
        prop_assert_eq!(once.chars().count(), text.chars().count());
    }

    #[test]
    fn what_is_inside_is_found(before in prop_oneof![".{0,20}", TEXT], text in HAN, after in prop_oneof![".{0,20}", TEXT]) {
        let document = words(&format!("{before}{text}{after}"));
        prop_assert!(is_subset(&asked(&text), &document));
        prop_assert!(is_subset(&asked(&fold(&text)), &document));
        prop_assert!(!asked(&text).is_empty());
    }
}

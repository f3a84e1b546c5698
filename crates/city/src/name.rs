//! Surnames and given names with the way they are read, and how a HumanName is written (datatypes.html#HumanName).

use crate::dice::Dice;
use crate::person::Sex;
use serde_json::{Value, json};

/// A surname: simplified, traditional, pinyin, how often. Read as a surname: 单 is Shan, not Dan.
type Surname = (&'static str, &'static str, &'static str, u32);
/// A character of given names: simplified, traditional, pinyin, whose (m, f, or b for both).
type Given = (&'static str, &'static str, &'static str, char);

/// The representation of a name: IDE in ideographs, SYL in syllables.
const REPRESENTATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    Simplified,
    Traditional,
    Pinyin,
}

/// The name of a person, in all its writings.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    surname: Surname,
    given: Vec<Given>,
}

impl Name {
    pub(crate) fn roll(dice: &mut Dice, sex: Sex) -> Name {
        let surname = dice.weigh(&SURNAMES, |surname| surname.3);
        Name::with(dice, surname, sex)
    }

    /// A parent, a child, a brother: the same surname.
    pub(crate) fn relative(&self, dice: &mut Dice, sex: Sex) -> Name {
        Name::with(dice, self.surname, sex)
    }

    fn with(dice: &mut Dice, surname: Surname, sex: Sex) -> Name {
        let length = if dice.chance(82) { 2 } else { 1 };
        let mut given = Vec::with_capacity(length);
        while given.len() < length {
            let character = dice.pick(&GIVEN);
            if character.3 == 'b' || character.3 == sex.letter() {
                given.push(character);
            }
        }
        Name { surname, given }
    }

    pub(crate) fn family(&self, writing: Writing) -> &'static str {
        let (simplified, traditional, pinyin, _) = self.surname;
        match writing {
            Writing::Simplified => simplified,
            Writing::Traditional => traditional,
            Writing::Pinyin => pinyin,
        }
    }

    pub(crate) fn given(&self, writing: Writing) -> String {
        let characters = self.given.iter();
        match writing {
            Writing::Simplified => characters.map(|character| character.0).collect(),
            Writing::Traditional => characters.map(|character| character.1).collect(),
            Writing::Pinyin => capitalised(&characters.map(|it| it.2).collect::<String>()),
        }
    }

    /// As it is said: 王小明, Wang Xiaoming.
    pub(crate) fn text(&self, writing: Writing) -> String {
        let space = if writing == Writing::Pinyin { " " } else { "" };
        format!("{}{space}{}", self.family(writing), self.given(writing))
    }

    /// A HumanName.
    pub(crate) fn human(&self, writing: Writing) -> Value {
        let (code, usage) = match writing {
            Writing::Simplified => ("IDE", "official"),
            Writing::Traditional => ("IDE", "usual"),
            Writing::Pinyin => ("SYL", "usual"),
        };
        json!({
            "extension": [{ "url": REPRESENTATION, "valueCode": code }],
            "use": usage,
            "text": self.text(writing),
            "family": self.family(writing),
            "given": [self.given(writing)],
        })
    }

    /// In ideographs and in syllables, as most systems keep it.
    pub(crate) fn both(&self) -> Value {
        json!([self.human(Writing::Simplified), self.human(Writing::Pinyin)])
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

const SURNAMES: [Surname; 113] = [
    ("王", "王", "Wang", 72),
    ("李", "李", "Li", 72),
    ("张", "張", "Zhang", 67),
    ("刘", "劉", "Liu", 54),
    ("陈", "陳", "Chen", 50),
    ("杨", "楊", "Yang", 31),
    ("赵", "趙", "Zhao", 23),
    ("黄", "黃", "Huang", 22),
    ("周", "周", "Zhou", 22),
    ("吴", "吳", "Wu", 20),
    ("徐", "徐", "Xu", 18),
    ("孙", "孫", "Sun", 15),
    ("朱", "朱", "Zhu", 15),
    ("马", "馬", "Ma", 13),
    ("胡", "胡", "Hu", 12),
    ("郭", "郭", "Guo", 12),
    ("林", "林", "Lin", 11),
    ("何", "何", "He", 11),
    ("高", "高", "Gao", 10),
    ("梁", "梁", "Liang", 9),
    ("郑", "鄭", "Zheng", 9),
    ("罗", "羅", "Luo", 8),
    ("宋", "宋", "Song", 8),
    ("谢", "謝", "Xie", 8),
    ("唐", "唐", "Tang", 8),
    ("韩", "韓", "Han", 7),
    ("曹", "曹", "Cao", 7),
    ("许", "許", "Xu", 7),
    ("邓", "鄧", "Deng", 6),
    ("肖", "肖", "Xiao", 6),
    ("冯", "馮", "Feng", 6),
    ("曾", "曾", "Zeng", 6),
    ("程", "程", "Cheng", 5),
    ("蔡", "蔡", "Cai", 5),
    ("彭", "彭", "Peng", 5),
    ("潘", "潘", "Pan", 5),
    ("袁", "袁", "Yuan", 5),
    ("于", "于", "Yu", 5),
    ("董", "董", "Dong", 5),
    ("余", "余", "Yu", 5),
    ("苏", "蘇", "Su", 5),
    ("叶", "葉", "Ye", 5),
    ("吕", "呂", "Lyu", 5),
    ("魏", "魏", "Wei", 4),
    ("蒋", "蔣", "Jiang", 6),
    ("田", "田", "Tian", 4),
    ("杜", "杜", "Du", 4),
    ("丁", "丁", "Ding", 5),
    ("沈", "沈", "Shen", 9),
    ("姜", "姜", "Jiang", 4),
    ("范", "范", "Fan", 4),
    ("江", "江", "Jiang", 4),
    ("傅", "傅", "Fu", 3),
    ("钟", "鍾", "Zhong", 3),
    ("卢", "盧", "Lu", 3),
    ("汪", "汪", "Wang", 4),
    ("戴", "戴", "Dai", 3),
    ("崔", "崔", "Cui", 3),
    ("任", "任", "Ren", 3),
    ("陆", "陸", "Lu", 7),
    ("廖", "廖", "Liao", 3),
    ("姚", "姚", "Yao", 5),
    ("方", "方", "Fang", 3),
    ("金", "金", "Jin", 5),
    ("邱", "邱", "Qiu", 2),
    ("夏", "夏", "Xia", 3),
    ("谭", "譚", "Tan", 2),
    ("韦", "韋", "Wei", 2),
    ("贾", "賈", "Jia", 2),
    ("邹", "鄒", "Zou", 2),
    ("石", "石", "Shi", 2),
    ("熊", "熊", "Xiong", 2),
    ("孟", "孟", "Meng", 2),
    ("秦", "秦", "Qin", 2),
    ("阎", "閻", "Yan", 1),
    ("薛", "薛", "Xue", 2),
    ("侯", "侯", "Hou", 2),
    ("雷", "雷", "Lei", 2),
    ("白", "白", "Bai", 2),
    ("龙", "龍", "Long", 2),
    ("段", "段", "Duan", 2),
    ("郝", "郝", "Hao", 2),
    ("孔", "孔", "Kong", 2),
    ("邵", "邵", "Shao", 2),
    ("史", "史", "Shi", 2),
    ("毛", "毛", "Mao", 2),
    ("万", "萬", "Wan", 2),
    ("顾", "顧", "Gu", 6),
    ("康", "康", "Kang", 1),
    ("贺", "賀", "He", 1),
    ("严", "嚴", "Yan", 2),
    ("尹", "尹", "Yin", 1),
    ("钱", "錢", "Qian", 3),
    ("施", "施", "Shi", 3),
    ("俞", "俞", "Yu", 2),
    ("倪", "倪", "Ni", 2),
    ("庄", "莊", "Zhuang", 1),
    ("华", "華", "Hua", 1),
    ("费", "費", "Fei", 1),
    ("瞿", "瞿", "Qu", 1),
    ("单", "單", "Shan", 2),
    ("解", "解", "Xie", 2),
    ("仇", "仇", "Qiu", 2),
    ("区", "區", "Ou", 1),
    ("查", "查", "Zha", 1),
    ("翟", "翟", "Zhai", 1),
    ("乐", "樂", "Yue", 1),
    ("朴", "朴", "Piao", 1),
    ("尉迟", "尉遲", "Yuchi", 1),
    ("欧阳", "歐陽", "Ouyang", 1),
    ("司马", "司馬", "Sima", 1),
    ("诸葛", "諸葛", "Zhuge", 1),
    ("上官", "上官", "Shangguan", 1),
];

const GIVEN: [Given; 175] = [
    ("伟", "偉", "wei", 'm'),
    ("强", "強", "qiang", 'm'),
    ("磊", "磊", "lei", 'm'),
    ("军", "軍", "jun", 'm'),
    ("洋", "洋", "yang", 'm'),
    ("勇", "勇", "yong", 'm'),
    ("杰", "傑", "jie", 'm'),
    ("涛", "濤", "tao", 'm'),
    ("超", "超", "chao", 'm'),
    ("明", "明", "ming", 'm'),
    ("刚", "剛", "gang", 'm'),
    ("平", "平", "ping", 'b'),
    ("辉", "輝", "hui", 'm'),
    ("鹏", "鵬", "peng", 'm'),
    ("飞", "飛", "fei", 'm'),
    ("波", "波", "bo", 'm'),
    ("斌", "斌", "bin", 'm'),
    ("宇", "宇", "yu", 'm'),
    ("浩", "浩", "hao", 'm'),
    ("凯", "凱", "kai", 'm'),
    ("健", "健", "jian", 'm'),
    ("俊", "俊", "jun", 'm'),
    ("帆", "帆", "fan", 'b'),
    ("旭", "旭", "xu", 'm'),
    ("宁", "寧", "ning", 'b'),
    ("龙", "龍", "long", 'm'),
    ("林", "林", "lin", 'b'),
    ("建", "建", "jian", 'm'),
    ("国", "國", "guo", 'm'),
    ("华", "華", "hua", 'b'),
    ("志", "志", "zhi", 'm'),
    ("文", "文", "wen", 'b'),
    ("海", "海", "hai", 'm'),
    ("峰", "峰", "feng", 'm'),
    ("光", "光", "guang", 'm'),
    ("东", "東", "dong", 'm'),
    ("永", "永", "yong", 'm'),
    ("德", "德", "de", 'm'),
    ("庆", "慶", "qing", 'm'),
    ("新", "新", "xin", 'm'),
    ("福", "福", "fu", 'm'),
    ("生", "生", "sheng", 'm'),
    ("春", "春", "chun", 'b'),
    ("荣", "榮", "rong", 'm'),
    ("成", "成", "cheng", 'm'),
    ("忠", "忠", "zhong", 'm'),
    ("义", "義", "yi", 'm'),
    ("良", "良", "liang", 'm'),
    ("树", "樹", "shu", 'm'),
    ("金", "金", "jin", 'b'),
    ("宝", "寶", "bao", 'm'),
    ("根", "根", "gen", 'm'),
    ("祥", "祥", "xiang", 'm'),
    ("贵", "貴", "gui", 'm'),
    ("民", "民", "min", 'm'),
    ("友", "友", "you", 'm'),
    ("裕", "裕", "yu", 'm'),
    ("河", "河", "he", 'm'),
    ("哲", "哲", "zhe", 'm'),
    ("江", "江", "jiang", 'm'),
    ("亮", "亮", "liang", 'm'),
    ("政", "政", "zheng", 'm'),
    ("谦", "謙", "qian", 'm'),
    ("亨", "亨", "heng", 'm'),
    ("奇", "奇", "qi", 'm'),
    ("固", "固", "gu", 'm'),
    ("之", "之", "zhi", 'b'),
    ("轮", "輪", "lun", 'm'),
    ("翰", "翰", "han", 'm'),
    ("朗", "朗", "lang", 'm'),
    ("伯", "伯", "bo", 'm'),
    ("宏", "宏", "hong", 'm'),
    ("言", "言", "yan", 'b'),
    ("鸣", "鳴", "ming", 'm'),
    ("朋", "朋", "peng", 'm'),
    ("梁", "梁", "liang", 'm'),
    ("栋", "棟", "dong", 'm'),
    ("维", "維", "wei", 'm'),
    ("启", "啟", "qi", 'm'),
    ("克", "克", "ke", 'm'),
    ("伦", "倫", "lun", 'm'),
    ("翔", "翔", "xiang", 'm'),
    ("胜", "勝", "sheng", 'm'),
    ("学", "學", "xue", 'm'),
    ("博", "博", "bo", 'm'),
    ("诚", "誠", "cheng", 'm'),
    ("先", "先", "xian", 'm'),
    ("敬", "敬", "jing", 'b'),
    ("振", "振", "zhen", 'm'),
    ("壮", "壯", "zhuang", 'm'),
    ("思", "思", "si", 'b'),
    ("群", "群", "qun", 'b'),
    ("豪", "豪", "hao", 'm'),
    ("心", "心", "xin", 'b'),
    ("邦", "邦", "bang", 'm'),
    ("承", "承", "cheng", 'm'),
    ("绍", "紹", "shao", 'm'),
    ("松", "松", "song", 'm'),
    ("厚", "厚", "hou", 'm'),
    ("磐", "磐", "pan", 'm'),
    ("晨", "晨", "chen", 'b'),
    ("轩", "軒", "xuan", 'm'),
    ("子", "子", "zi", 'b'),
    ("睿", "睿", "rui", 'b'),
    ("小", "小", "xiao", 'b'),
    ("晓", "曉", "xiao", 'b'),
    ("佳", "佳", "jia", 'b'),
    ("嘉", "嘉", "jia", 'b'),
    ("欣", "欣", "xin", 'b'),
    ("秀", "秀", "xiu", 'f'),
    ("娟", "娟", "juan", 'f'),
    ("英", "英", "ying", 'f'),
    ("慧", "慧", "hui", 'f'),
    ("巧", "巧", "qiao", 'f'),
    ("美", "美", "mei", 'f'),
    ("娜", "娜", "na", 'f'),
    ("静", "靜", "jing", 'f'),
    ("淑", "淑", "shu", 'f'),
    ("惠", "惠", "hui", 'f'),
    ("珠", "珠", "zhu", 'f'),
    ("翠", "翠", "cui", 'f'),
    ("雅", "雅", "ya", 'f'),
    ("芝", "芝", "zhi", 'f'),
    ("玉", "玉", "yu", 'f'),
    ("萍", "萍", "ping", 'f'),
    ("红", "紅", "hong", 'f'),
    ("娥", "娥", "e", 'f'),
    ("玲", "玲", "ling", 'f'),
    ("芬", "芬", "fen", 'f'),
    ("芳", "芳", "fang", 'f'),
    ("燕", "燕", "yan", 'f'),
    ("彩", "彩", "cai", 'f'),
    ("兰", "蘭", "lan", 'f'),
    ("凤", "鳳", "feng", 'f'),
    ("洁", "潔", "jie", 'f'),
    ("梅", "梅", "mei", 'f'),
    ("琳", "琳", "lin", 'f'),
    ("素", "素", "su", 'f'),
    ("云", "雲", "yun", 'b'),
    ("莲", "蓮", "lian", 'f'),
    ("真", "真", "zhen", 'f'),
    ("环", "環", "huan", 'f'),
    ("雪", "雪", "xue", 'f'),
    ("爱", "愛", "ai", 'f'),
    ("妹", "妹", "mei", 'f'),
    ("霞", "霞", "xia", 'f'),
    ("香", "香", "xiang", 'f'),
    ("月", "月", "yue", 'f'),
    ("莺", "鶯", "ying", 'f'),
    ("媛", "媛", "yuan", 'f'),
    ("艳", "艷", "yan", 'f'),
    ("瑞", "瑞", "rui", 'b'),
    ("凡", "凡", "fan", 'b'),
    ("佩", "佩", "pei", 'f'),
    ("怡", "怡", "yi", 'f'),
    ("婷", "婷", "ting", 'f'),
    ("雯", "雯", "wen", 'f'),
    ("颖", "穎", "ying", 'f'),
    ("露", "露", "lu", 'f'),
    ("瑶", "瑤", "yao", 'f'),
    ("婧", "婧", "jing", 'f'),
    ("丽", "麗", "li", 'f'),
    ("敏", "敏", "min", 'f'),
    ("蕾", "蕾", "lei", 'f'),
    ("薇", "薇", "wei", 'f'),
    ("菁", "菁", "jing", 'f'),
    ("梦", "夢", "meng", 'f'),
    ("岚", "嵐", "lan", 'f'),
    ("倩", "倩", "qian", 'f'),
    ("璐", "璐", "lu", 'f'),
    ("诗", "詩", "shi", 'f'),
    ("雨", "雨", "yu", 'b'),
    ("涵", "涵", "han", 'b'),
    ("悦", "悅", "yue", 'f'),
    ("桂", "桂", "gui", 'f'),
];

#[cfg(test)]
mod tests {
    use super::{GIVEN, Name, REPRESENTATION, SURNAMES, Writing};
    use std::collections::HashSet;

    #[test]
    fn surnames_are_read_as_surnames() {
        for (surname, pinyin) in
            [("单", "Shan"), ("曾", "Zeng"), ("解", "Xie"), ("仇", "Qiu"), ("区", "Ou")]
        {
            assert!(
                SURNAMES.iter().any(|found| found.0 == surname && found.2 == pinyin),
                "{surname}"
            );
        }
        let different: HashSet<_> = SURNAMES.iter().map(|surname| surname.0).collect();
        assert_eq!(different.len(), SURNAMES.len());
        let different: HashSet<_> = GIVEN.iter().map(|given| given.0).collect();
        assert_eq!(different.len(), GIVEN.len());
        assert!(SURNAMES.len() >= 60 && GIVEN.len() >= 150);
    }

    #[test]
    fn a_name_is_written_as_fhir_does() {
        let given = vec![("小", "小", "xiao", 'b'), ("凤", "鳳", "feng", 'f')];
        let name = Name { surname: ("张", "張", "Zhang", 1), given };
        let names = name.both();
        assert_eq!(names[0]["text"], "张小凤");
        assert_eq!(names[0]["extension"][0]["url"], REPRESENTATION);
        assert_eq!(names[0]["extension"][0]["valueCode"], "IDE");
        assert_eq!(names[1]["text"], "Zhang Xiaofeng");
        assert_eq!(names[1]["family"], "Zhang");
        assert_eq!(names[1]["given"][0], "Xiaofeng");
        assert_eq!(names[1]["extension"][0]["valueCode"], "SYL");
        assert_eq!(name.human(Writing::Traditional)["text"], "張小鳳");
    }
}

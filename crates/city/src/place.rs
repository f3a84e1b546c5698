//! Districts, streets and addresses.

use crate::dice::Dice;
use serde_json::{Value, json};

/// Resident-id code, name, pinyin, postal code, how many live there.
pub(crate) type District = (&'static str, &'static str, &'static str, &'static str, u32);

pub(crate) const DISTRICTS: [District; 16] = [
    ("310101", "黄浦区", "Huangpu", "200001", 5),
    ("310104", "徐汇区", "Xuhui", "200030", 11),
    ("310105", "长宁区", "Changning", "200050", 7),
    ("310106", "静安区", "Jing'an", "200040", 10),
    ("310107", "普陀区", "Putuo", "200333", 12),
    ("310109", "虹口区", "Hongkou", "200080", 8),
    ("310110", "杨浦区", "Yangpu", "200082", 12),
    ("310112", "闵行区", "Minhang", "201100", 27),
    ("310113", "宝山区", "Baoshan", "201900", 22),
    ("310114", "嘉定区", "Jiading", "201800", 18),
    ("310115", "浦东新区", "Pudong", "200135", 57),
    ("310116", "金山区", "Jinshan", "201500", 8),
    ("310117", "松江区", "Songjiang", "201600", 19),
    ("310118", "青浦区", "Qingpu", "201700", 13),
    ("310120", "奉贤区", "Fengxian", "201400", 11),
    ("310151", "崇明区", "Chongming", "202150", 6),
];

const STREETS: [&str; 24] = [
    "中山路",
    "人民路",
    "解放路",
    "建设路",
    "和平路",
    "新村路",
    "长江路",
    "黄河路",
    "淮海路",
    "延安路",
    "南京路",
    "北京路",
    "四川路",
    "西藏路",
    "河南路",
    "江苏路",
    "杨树路",
    "梅花路",
    "桂林路",
    "龙华路",
    "张江路",
    "锦绣路",
    "友谊路",
    "城中路",
];

/// Where somebody lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    district: District,
    street: &'static str,
    lane: u32,
    house: u32,
    room: u32,
}

impl Home {
    pub(crate) fn roll(dice: &mut Dice) -> Home {
        let floor = 1 + dice.roll(18);
        Home {
            district: dice.weigh(&DISTRICTS, |district| district.4),
            street: dice.pick(&STREETS),
            lane: 1 + dice.roll(1_999),
            house: 1 + dice.roll(90),
            room: floor * 100 + 1 + dice.roll(6),
        }
    }

    pub(crate) fn district_name(&self) -> &'static str {
        self.district.1
    }

    /// What somebody else typed: another room, a road without its name's end, no room at all.
    pub(crate) fn mistyped(&self, dice: &mut Dice) -> Home {
        let mut home = *self;
        match dice.roll(4) {
            0 => home.room = 0,
            1 => home.house += 1,
            2 => home.lane = home.lane / 10 * 10 + (home.lane + 3) % 10,
            _ => home.street = home.street.strip_suffix('路').unwrap_or(home.street),
        }
        home
    }

    pub(crate) fn address(&self) -> Value {
        let room = if self.room == 0 { String::new() } else { format!("{}室", self.room) };
        let line = format!("{}{}弄{}号{room}", self.street, self.lane, self.house);
        let (_, district, _, postal_code, _) = self.district;
        json!({
            "use": "home",
            "type": "both",
            "text": format!("上海市{district}{line}"),
            "line": [line],
            "city": "上海市",
            "district": district,
            "state": "上海市",
            "postalCode": postal_code,
            "country": "CN",
        })
    }
}

/// The address of an institution in a district.
pub(crate) fn of_institution(dice: &mut Dice, district: District) -> Value {
    let line = format!("{}{}号", dice.pick(&STREETS), 1 + dice.roll(2_400));
    let (_, name, _, postal_code, _) = district;
    json!({
        "use": "work",
        "text": format!("上海市{name}{line}"),
        "line": [line],
        "city": "上海市",
        "district": name,
        "state": "上海市",
        "postalCode": postal_code,
        "country": "CN",
    })
}

//! JSON with its texts where they are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Number;

/// A JSON value whose texts are borrowed from the message, but for those with escapes: a burst of events is read without an allocation for
/// each of their members.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum MemberValue<'m> {
    Array(Vec<Self>),
    Bool(bool),
    Null,
    Number(Number),
    Object(Members<'m>),
    Text(Cow<'m, str>),
}

/// The members of a JSON object, in the order in which they are stated. Of several of one name the last counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Members<'m>(Vec<(Cow<'m, str>, MemberValue<'m>)>);

impl<'m> Members<'m> {
    /// Adds a member.
    pub(super) fn push(&mut self, name: &'static str, value: MemberValue<'m>) {
        self.0.push((Cow::Borrowed(name), value));
    }

    pub(super) fn get(&self, name: &str) -> Option<&MemberValue<'m>> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Hands each member to `each`, in the order of their names' UTF-16 units ([RFC 8785
    /// §3.2.3](https://www.rfc-editor.org/rfc/rfc8785#section-3.2.3)).
    pub(super) fn each_in_order(&self, mut each: impl FnMut(&str, &MemberValue<'m>)) {
        // Between texts of ASCII, the order is that of their bytes. Writers that sort leave nothing to do.
        let is_plain = self.0.iter().all(|(name, _)| name.is_ascii());
        if is_plain && self.0.is_sorted_by(|(one, _), (next, _)| one < next) {
            return self.0.iter().for_each(|(name, value)| each(name, value));
        }
        let mut members: Vec<_> = self.0.iter().collect();
        // Stable: the last of one name stays the last.
        members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
        for (nth, (name, value)) in members.iter().enumerate() {
            if members.get(nth + 1).is_none_or(|(next, _)| next != name) {
                each(name, value);
            }
        }
    }

    /// Keeps the texts, wherever they came from.
    pub(super) fn into_owned(self) -> Members<'static> {
        let owned =
            |(name, value): (Cow<'_, str>, MemberValue<'_>)| (Cow::Owned(name.into_owned()), value.into_owned());
        Members(self.0.into_iter().map(owned).collect())
    }
}

impl MemberValue<'_> {
    /// Returns the text, if it is one.
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn into_owned(self) -> MemberValue<'static> {
        match self {
            Self::Array(values) => MemberValue::Array(values.into_iter().map(MemberValue::into_owned).collect()),
            Self::Bool(is) => MemberValue::Bool(is),
            Self::Null => MemberValue::Null,
            Self::Number(number) => MemberValue::Number(number),
            Self::Object(members) => MemberValue::Object(members.into_owned()),
            Self::Text(text) => MemberValue::Text(Cow::Owned(text.into_owned())),
        }
    }
}

impl<'m> From<&'m str> for MemberValue<'m> {
    fn from(text: &'m str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for MemberValue<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'de: 'm, 'm> Deserialize<'de> for MemberValue<'m> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl Serialize for MemberValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Array(values) => values.serialize(serializer),
            Self::Bool(is) => serializer.serialize_bool(*is),
            Self::Null => serializer.serialize_unit(),
            Self::Number(number) => number.serialize(serializer),
            Self::Object(members) => members.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl Serialize for Members<'_> {
    /// Writes the members in the order in which they were added.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = MemberValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(MemberValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(MemberValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, is: bool) -> Result<Self::Value, E> {
        Ok(MemberValue::Bool(is))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(MemberValue::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(MemberValue::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        // JSON has no other numbers than finite ones.
        Ok(Number::from_f64(number).map_or(MemberValue::Null, MemberValue::Number))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(MemberValue::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut array = Vec::new();
        while let Some(value) = values.next_element()? {
            array.push(value);
        }
        Ok(MemberValue::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Vec::with_capacity(USUAL_MEMBERS);
        while let Some(name) = members.next_key_seed(NameVisitor)? {
            object.push((name, members.next_value()?));
        }
        Ok(MemberValue::Object(Members(object)))
    }
}

/// As many members as a message of a log has: it is read without a second allocation.
const USUAL_MEMBERS: usize = 12;

struct NameVisitor;

impl<'de> DeserializeSeed<'de> for NameVisitor {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Any JSON, with names that come twice, that are sorted otherwise by their bytes, and that have escapes.
    fn json() -> impl Strategy<Value = String> {
        let text = || {
            prop_oneof!["[a-c]{0,2}", "[\u{e000}-\u{e003}\u{10000}-\u{10003}\n\"é]{0,2}"]
                .prop_map(|text| Value::from(text).to_string())
        };
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|is| is.to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<u64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| Value::from(number).to_string()),
            text(),
        ];
        leaf.prop_recursive(3, 24, 5, move |inner| {
            let member = (text(), inner.clone()).prop_map(|(name, value)| format!("{name} : {value}"));
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(" , "))),
                proptest::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
            ]
        })
    }

    /// The same by serde's own tree, which keeps the last member of a name.
    fn slow(value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
                let written = members
                    .iter()
                    .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), slow(value)));
                format!("{{{}}}", written.collect::<Vec<_>>().join(","))
            }
            Value::Array(values) => format!("[{}]", values.iter().map(slow).collect::<Vec<_>>().join(",")),
            other => other.to_string(),
        }
    }

    fn fast(value: &MemberValue<'_>) -> String {
        match value {
            MemberValue::Object(members) => {
                let mut written = Vec::new();
                members.each_in_order(|name, value| written.push(format!("{}:{}", Value::from(name), fast(value))));
                format!("{{{}}}", written.join(","))
            }
            MemberValue::Array(values) => format!("[{}]", values.iter().map(fast).collect::<Vec<_>>().join(",")),
            other => serde_json::to_string(other).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn it_is_read_and_put_in_order_as_by_serdes_own_tree(json in json()) {
            let tree: MemberValue<'_> = serde_json::from_str(&json).unwrap();
            let value: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(fast(&tree), slow(&value));
            prop_assert_eq!(tree.clone().into_owned(), tree.clone());
            if let (MemberValue::Object(members), Value::Object(known)) = (&tree, &value) {
                for (name, value) in known {
                    prop_assert_eq!(serde_json::to_value(members.get(name)).unwrap(), value.clone());
                }
            }
        }
    }
}

//! A value of a key, or a list of values: operators write both.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer};

/// Takes one text or a list of texts.
pub(super) fn one_or_many<'de, T, D>(source: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Visitor<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            T::deserialize(de::value::StrDeserializer::new(text)).map(|one| vec![one])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                all.push(one);
            }
            if all.is_empty() {
                return Err(de::Error::custom("an empty list fits no call: leave the key out"));
            }
            Ok(all)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vec<T>, E> {
            Err(E::custom(format!("a number is written as a text: did you mean \"{number}\"?")))
        }
    }

    source.deserialize_any(Visitor(std::marker::PhantomData))
}

/// One value or several, within a table.
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        one_or_many(source).map(Self)
    }
}

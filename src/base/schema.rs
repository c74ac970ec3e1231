//! How values that are read by hand look to editors: a key that takes a text or a table, one value
//! or a list of them.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// An `A` or a `B`. It stands in `#[schemars(with = "...")]`, and nobody makes one.
#[derive(Debug)]
pub struct Either<A, B>(PhantomData<(A, B)>);

/// One value, or a list of them.
pub type OneOrMany<T> = Either<T, Vec<T>>;

impl<A: JsonSchema, B: JsonSchema> JsonSchema for Either<A, B> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}_or_{}", A::schema_name(), B::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [generator.subschema_for::<A>(), generator.subschema_for::<B>()],
        })
    }
}

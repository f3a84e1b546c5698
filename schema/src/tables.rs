//! The tables of fixed shape, for Diesel.

diesel::table! {
    hospital (id) {
        id -> Int4,
        code -> Text,
        name -> Text,
    }
}

diesel::table! {
    dictionary (id) {
        id -> Int2,
        resource_type -> Int2,
        content -> Bytea,
    }
}

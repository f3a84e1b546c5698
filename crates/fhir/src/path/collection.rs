//! Collections: most have no item or one, so that only the others cost an allocation.

use super::item::Item;

#[derive(Clone, Debug, Default)]
pub(super) enum Collection<'a> {
    #[default]
    Empty,
    One(Item<'a>),
    Many(Vec<Item<'a>>),
}

impl<'a> Collection<'a> {
    pub(super) fn as_slice(&self) -> &[Item<'a>] {
        match self {
            Collection::Empty => &[],
            Collection::One(item) => std::slice::from_ref(item),
            Collection::Many(items) => items,
        }
    }

    pub(super) fn push(&mut self, item: Item<'a>) {
        *self = match std::mem::take(self) {
            Collection::Empty => Collection::One(item),
            Collection::One(first) => Collection::Many(vec![first, item]),
            Collection::Many(mut items) => {
                items.push(item);
                Collection::Many(items)
            }
        };
    }

    pub(super) fn append(&mut self, other: Collection<'a>) {
        match (&mut *self, other) {
            (Collection::Empty, other) => *self = other,
            (_, Collection::Empty) => {}
            (Collection::Many(items), Collection::Many(others)) => items.extend(others),
            (_, other) => {
                for item in other.into_vec() {
                    self.push(item);
                }
            }
        }
    }

    pub(super) fn into_vec(self) -> Vec<Item<'a>> {
        match self {
            Collection::Empty => Vec::new(),
            Collection::One(item) => vec![item],
            Collection::Many(items) => items,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub(super) fn first(&self) -> Option<&Item<'a>> {
        self.as_slice().first()
    }

    pub(super) fn boolean(value: bool) -> Collection<'a> {
        Collection::One(Item::Boolean(value))
    }

    /// Nothing known is the empty collection.
    pub(super) fn maybe(item: Option<Item<'a>>) -> Collection<'a> {
        item.map(Collection::One).unwrap_or_default()
    }
}

impl<'a> FromIterator<Item<'a>> for Collection<'a> {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Collection<'a> {
        let mut found = Collection::Empty;
        for item in items {
            found.push(item);
        }
        found
    }
}

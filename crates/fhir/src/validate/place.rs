//! Where in a resource: a list along the stack, made into text only when there is something to say.

use std::fmt;

pub(super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
    depth: u32,
}

enum Step<'a> {
    Property(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    pub(super) fn root(name: &'a str) -> Place<'a> {
        Place { parent: None, step: Step::Property(name), depth: 0 }
    }

    pub(super) fn property(&'a self, name: &'a str) -> Place<'a> {
        Place { parent: Some(self), step: Step::Property(name), depth: self.depth + 1 }
    }

    pub(super) fn index(&'a self, index: usize) -> Place<'a> {
        Place { parent: Some(self), step: Step::Index(index), depth: self.depth }
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let mut steps = Vec::new();
        let mut current = Some(self);
        while let Some(place) = current {
            steps.push(&place.step);
            current = place.parent;
        }
        for (number, step) in steps.into_iter().rev().enumerate() {
            match step {
                Step::Property(name) if number == 0 => out.write_str(name)?,
                Step::Property(name) => write!(out, ".{name}")?,
                Step::Index(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}

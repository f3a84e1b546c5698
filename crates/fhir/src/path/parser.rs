//! From tokens to the syntax tree (FHIRPath section 9; precedence: section 6.8).

use super::Error;
use super::function::Function;
use super::lexer::{Lexer, Token};
use super::pattern::Pattern;
use super::quantity::{Calendar, Quantity, Unit};
use super::syntax::{Name, Operator, Step, Term, TypeName};
use rust_decimal::Decimal;

/// Bytes of an expression: the longest of the standard has about 2,000.
const LENGTH_MAX: usize = 64 * 1024;
/// Levels of the tree: what the evaluator descends, so that no expression can exhaust the stack.
const DEPTH_MAX: usize = 100;
/// Terms and steps together.
const TERMS_MAX: usize = 10_000;

/// `is` and `as` bind tighter than `|` and looser than `+`.
const TYPE_STRENGTH: u8 = 7;

pub(super) fn parse(text: &str) -> Result<Term, Error> {
    if text.len() > LENGTH_MAX {
        return Err(Error::syntax(0, format!("longer than {LENGTH_MAX} bytes")));
    }
    let mut parser = Parser::new(text)?;
    let (term, _) = parser.expression(0, DEPTH_MAX)?;
    match parser.token {
        Token::End => Ok(term),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    /// Byte where `token` starts.
    at: usize,
    terms: usize,
}

/// A term and the levels of its tree.
type Found = (Term, usize);

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Parser<'a>, Error> {
        let mut lexer = Lexer::new(text);
        let (token, at) = lexer.next()?;
        Ok(Parser { lexer, token, at, terms: 0 })
    }

    fn advance(&mut self) -> Result<Token<'a>, Error> {
        let (token, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn unexpected(&self) -> Error {
        let found = match &self.token {
            Token::End => "the end".to_owned(),
            Token::Word(word) => format!("`{word}`"),
            Token::Quoted(name) => format!("`{name}`"),
            Token::Number(number) => format!("`{number}`"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::Special(word) => format!("`${word}`"),
            Token::String(_) => "a text".to_owned(),
            Token::Date(_) | Token::DateTime(_) | Token::Time(_) => "a date or time".to_owned(),
        };
        Error::syntax(self.at, format!("unexpected {found}"))
    }

    fn accept(&mut self, sign: &'static str) -> Result<bool, Error> {
        let found = self.token == Token::Sign(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn require(&mut self, sign: &'static str) -> Result<(), Error> {
        if self.accept(sign)? { Ok(()) } else { Err(self.unexpected()) }
    }

    fn count(&mut self) -> Result<(), Error> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(Error::syntax(self.at, format!("more than {TERMS_MAX} terms")));
        }
        Ok(())
    }

    fn level(&self, depth: usize) -> Result<usize, Error> {
        if depth >= DEPTH_MAX {
            return Err(Error::syntax(self.at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(depth + 1)
    }

    /// What binds at least as tightly as `strength`, with `room` levels left for recursion.
    fn expression(&mut self, strength: u8, room: usize) -> Result<Found, Error> {
        let deeper = || Error::syntax(0, format!("nested deeper than {DEPTH_MAX} levels"));
        let room = room.checked_sub(1).ok_or_else(deeper)?;
        self.count()?;
        let (mut left, mut depth) = self.prefix(room)?;
        loop {
            if let Some(is_test) = self.type_operator(strength) {
                self.advance()?;
                let name = self.type_name()?;
                let operand = Box::new(left);
                left =
                    if is_test { Term::Is { operand, name } } else { Term::As { operand, name } };
                depth = self.level(depth)?;
                continue;
            }
            let Some(operator) = self.operator().filter(|found| found.strength() >= strength)
            else {
                return Ok((left, depth));
            };
            self.advance()?;
            let (right, right_depth) = self.expression(operator.strength() + 1, room)?;
            depth = self.level(depth.max(right_depth))?;
            left = Term::Binary { operator, left: Box::new(left), right: Box::new(right) };
        }
    }

    /// Whether `is` (true) or `as` (false) follows.
    fn type_operator(&self, strength: u8) -> Option<bool> {
        match self.token {
            Token::Word("is") if strength <= TYPE_STRENGTH => Some(true),
            Token::Word("as") if strength <= TYPE_STRENGTH => Some(false),
            _ => None,
        }
    }

    fn operator(&self) -> Option<Operator> {
        Some(match self.token {
            Token::Sign("*") => Operator::Multiply,
            Token::Sign("/") => Operator::Divide,
            Token::Word("div") => Operator::Quotient,
            Token::Word("mod") => Operator::Remainder,
            Token::Sign("+") => Operator::Add,
            Token::Sign("-") => Operator::Subtract,
            Token::Sign("&") => Operator::Join,
            Token::Sign("|") => Operator::Union,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::LessOrEqual,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::GreaterOrEqual,
            Token::Sign("=") => Operator::Equal,
            Token::Sign("!=") => Operator::NotEqual,
            Token::Sign("~") => Operator::Equivalent,
            Token::Sign("!~") => Operator::NotEquivalent,
            Token::Word("in") => Operator::In,
            Token::Word("contains") => Operator::Contains,
            Token::Word("and") => Operator::And,
            Token::Word("or") => Operator::Or,
            Token::Word("xor") => Operator::Xor,
            Token::Word("implies") => Operator::Implies,
            _ => return None,
        })
    }

    fn prefix(&mut self, room: usize) -> Result<Found, Error> {
        let negative = self.token == Token::Sign("-");
        if !negative && self.token != Token::Sign("+") {
            return self.path(room);
        }
        self.advance()?;
        // Above every operator: `-1 + 2` is `(-1) + 2`, but `-1.abs()` is `-(1.abs())`.
        let (operand, depth) = self.expression(10, room)?;
        let operand = Box::new(operand);
        let term = if negative { Term::Negative(operand) } else { Term::Positive(operand) };
        Ok((term, self.level(depth)?))
    }

    /// A literal, a variable, a name or a call, and the steps that follow it.
    fn path(&mut self, room: usize) -> Result<Found, Error> {
        let mut steps = Vec::new();
        let mut depth = 1;
        let start = match &self.token {
            Token::Word("true" | "false") => Term::Boolean(self.advance()? == Token::Word("true")),
            Token::Word(_) | Token::Quoted(_) => {
                let (step, step_depth) = self.invocation(room)?;
                steps.push(step);
                depth = depth.max(step_depth);
                Term::Focus
            }
            Token::Sign("(") => {
                self.advance()?;
                let (term, inner) = self.expression(0, room)?;
                self.require(")")?;
                depth = inner;
                term
            }
            _ => self.literal()?,
        };
        loop {
            let (step, inner) = if self.accept(".")? {
                self.invocation(room)?
            } else if self.accept("[")? {
                let (index, inner) = self.expression(0, room)?;
                self.require("]")?;
                (Step::At(index), inner)
            } else {
                break;
            };
            self.count()?;
            depth = depth.max(inner);
            steps.push(step);
        }
        if steps.is_empty() {
            return Ok((start, depth));
        }
        Ok((Term::Path { start: Box::new(start), steps }, self.level(depth)?))
    }

    fn literal(&mut self) -> Result<Term, Error> {
        if matches!(self.token, Token::End) {
            return Err(self.unexpected());
        }
        let error = self.unexpected();
        Ok(match self.advance()? {
            Token::String(text) => Term::String(text.into()),
            Token::Date(date) => Term::Date(date),
            Token::DateTime(moment) => Term::DateTime(moment),
            Token::Time(time) => Term::Time(time),
            Token::Number(digits) => self.number(digits)?,
            Token::Special("this") => Term::This,
            Token::Special("index") => Term::Index,
            Token::Special("total") => Term::Total,
            Token::Sign("{") => {
                self.require("}")?;
                Term::Empty
            }
            Token::Sign("%") => match self.advance()? {
                Token::Word(name) => Term::Variable(name.into()),
                Token::Quoted(name) | Token::String(name) => Term::Variable(name.into()),
                _ => return Err(error),
            },
            _ => return Err(error),
        })
    }

    /// A number, or with a unit behind it a quantity.
    fn number(&mut self, digits: &str) -> Result<Term, Error> {
        let at = self.at;
        let too_large = || Error::syntax(at, format!("the number {digits} is out of range"));
        let decimal = || Decimal::from_str_exact(digits).map_err(|_| too_large());
        let unit = match &self.token {
            Token::String(unit) => Some(Unit::Ucum(unit.as_str().into())),
            Token::Word(word) => Calendar::parse(word).map(Unit::Calendar),
            _ => None,
        };
        if let Some(unit) = unit {
            self.advance()?;
            return Ok(Term::Quantity(Box::new(Quantity { value: decimal()?, unit })));
        }
        if digits.contains('.') {
            return Ok(Term::Decimal(decimal()?));
        }
        digits.parse().map(Term::Integer).map_err(|_| too_large())
    }

    /// A name, or a call: `given`, `where(use = 'home')`, `$this`.
    fn invocation(&mut self, room: usize) -> Result<(Step, usize), Error> {
        let at = self.at;
        let name = self.identifier()?;
        if !self.accept("(")? {
            return Ok((Step::Member(Name::new(&name)), 0));
        }
        if let "is" | "as" | "ofType" = name.as_str() {
            let kind = self.type_name()?;
            self.require(")")?;
            let step = match name.as_str() {
                "is" => Step::Is(kind),
                "as" => Step::As(kind),
                _ => Step::OfType(kind),
            };
            return Ok((step, 0));
        }
        let Some(function) = Function::parse(&name) else {
            return Err(Error::syntax(at, format!("there is no function `{name}`")));
        };
        let (mut arguments, depth) = self.arguments(room)?;
        let (min, max) = function.arity();
        if !(min..=max).contains(&arguments.len()) {
            let wanted = if min == max { min.to_string() } else { format!("{min} to {max}") };
            return Err(Error::syntax(at, format!("`{name}` takes {wanted} arguments")));
        }
        if let Function::Matches | Function::MatchesFull | Function::ReplaceMatches = function
            && let Some(pattern) = arguments.first_mut()
            && let Term::String(text) = pattern
        {
            *pattern = Term::Pattern(Pattern::new(std::mem::take(text)));
        }
        Ok((Step::Call { function, arguments }, depth))
    }

    fn arguments(&mut self, room: usize) -> Result<(Vec<Term>, usize), Error> {
        let mut arguments = Vec::new();
        let mut depth = 0;
        if self.accept(")")? {
            return Ok((arguments, depth));
        }
        loop {
            let (argument, inner) = self.expression(0, room)?;
            depth = depth.max(inner);
            arguments.push(argument);
            if !self.accept(",")? {
                self.require(")")?;
                return Ok((arguments, depth));
            }
        }
    }

    /// Only the words that say nothing on their own may be names: `is`, `as`, `in`, `contains`.
    fn identifier(&mut self) -> Result<String, Error> {
        let error = self.unexpected();
        match self.advance()? {
            Token::Word("and" | "or" | "xor" | "implies" | "div" | "mod" | "true" | "false") => {
                Err(error)
            }
            Token::Word(name) => Ok(name.to_owned()),
            Token::Quoted(name) => Ok(name),
            _ => Err(error),
        }
    }

    fn type_name(&mut self) -> Result<TypeName, Error> {
        let first = self.identifier()?;
        if !self.accept(".")? {
            return Ok(TypeName::new(None, &first));
        }
        let name = self.identifier()?;
        Ok(TypeName::new(Some(&first), &name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{Step, Term};
    use super::parse;

    /// The tree with all its brackets.
    fn shape(term: &Term) -> String {
        match term {
            Term::Binary { operator, left, right } => {
                format!("({} {} {})", shape(left), operator.symbol(), shape(right))
            }
            Term::Is { operand, name } => format!("({} is {})", shape(operand), name.text),
            Term::As { operand, name } => format!("({} as {})", shape(operand), name.text),
            Term::Negative(operand) => format!("(-{})", shape(operand)),
            Term::Positive(operand) => format!("(+{})", shape(operand)),
            Term::Path { start, steps } => {
                steps.iter().fold(shape(start), |text, step| format!("{text}.{}", step_shape(step)))
            }
            Term::Focus => "_".to_owned(),
            Term::This => "$this".to_owned(),
            Term::Variable(name) => format!("%{name}"),
            Term::Integer(number) => number.to_string(),
            Term::Quantity(quantity) => format!("<{quantity}>"),
            other => format!("{other:?}"),
        }
    }

    fn step_shape(step: &Step) -> String {
        match step {
            Step::Member(name) => name.text.to_string(),
            Step::At(index) => format!("[{}]", shape(index)),
            Step::Is(name) => format!("is({})", name.text),
            Step::As(name) => format!("as({})", name.text),
            Step::OfType(name) => format!("ofType({})", name.text),
            Step::Call { function, arguments } => {
                let arguments: Vec<String> = arguments.iter().map(shape).collect();
                format!("{}({})", function.name(), arguments.join(", "))
            }
        }
    }

    fn check(text: &str, expected: Result<&str, &str>) {
        match (parse(text).map(|term| shape(&term)), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error} has no {part}");
            }
            (found, expected) => panic!("{text}: found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn precedence_is_that_of_the_specification() {
        check("1 + 2 * 3 = 7 and a or b", Ok("((((1 + (2 * 3)) = 7) and _.a) or _.b)"));
        check("a | b = c | d", Ok("((_.a | _.b) = (_.c | _.d))"));
        check("1 > 2 is Boolean", Ok("(1 > (2 is Boolean))"));
        check("a implies b or c", Ok("(_.a implies (_.b or _.c))"));
        check("1 - 2 - 3", Ok("((1 - 2) - 3)"));
        check("-1.abs() + 2", Ok("((-1.abs()) + 2)"));
        check("- 1 * 2", Ok("((-1) * 2)"));
        check("a as Quantity | b", Ok("((_.a as Quantity) | _.b)"));
    }

    #[test]
    fn words_may_be_names_where_no_operator_can_stand() {
        check("contains.is.in", Ok("_.contains.is.in"));
        check("a contains contains", Ok("(_.a contains _.contains)"));
        check("a.contains('b')", Ok("_.a.contains(String(\"b\"))"));
        check("`and`.`div`", Ok("_.and.div"));
        check("and", Err("unexpected `and`"));
        check("a.day", Ok("_.a.day"));
    }

    #[test]
    fn paths_are_flat() {
        check("a[0].b.where($this.c = %`ext-d`)", Ok("_.a.[0].b.where(($this.c = %ext-d))"));
        check("(a | b).ofType(FHIR.Quantity)", Ok("(_.a | _.b).ofType(FHIR.Quantity)"));
        check("4 days.toString()", Ok("<4 days>.toString()"));
        check("4 'mg'", Ok("<4 'mg'>"));
    }

    #[test]
    fn wrong_text_is_refused_with_its_place() {
        check("2 + 2 /", Err("unexpected the end at byte 7"));
        check("a b", Err("unexpected `b` at byte 2"));
        check("a.given1()", Err("no function `given1` at byte 2"));
        check("a.where()", Err("`where` takes 1 arguments"));
        check("99999999999", Err("out of range"));
        check("", Err("unexpected the end"));
        check("@T14:34:28Z.is(Time)", Err("unexpected `Z`"));
    }

    #[test]
    fn bounds_hold() {
        check(&"(".repeat(5000), Err("nested deeper"));
        check(&"-".repeat(5000), Err("nested deeper"));
        check(&format!("1{}", "+1".repeat(5000)), Err("nested deeper"));
        check(&format!("a{}", ".b".repeat(20_000)), Err("more than 10000 terms"));
        check(&" ".repeat(100_000), Err("longer than"));
        let nested = format!("{}a{}", "a.where(".repeat(40), ")".repeat(40));
        assert!(parse(&nested).is_ok());
    }
}

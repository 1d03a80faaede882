//! Templates: variables and filters, and nothing that reaches outside. Those of releases know more: see `release.rs`.

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

/// Steps that a template may take: far more than a text needs, and an end for one that loops.
const FUEL: u64 = 50_000;
/// Longest template and longest result, in bytes.
const LONGEST: usize = 256 * 1024;

/// A template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong; one line.
    pub message: String,
    /// From this byte of the template.
    pub start: usize,
    /// To before this byte.
    pub end: usize,
}

/// Renders a template. A variable that is not among `vars` is an error.
pub fn render(source: &str, vars: &[(&str, &str)]) -> Result<String, TemplateError> {
    run(&environment(source)?, source, Value::from_pairs(vars.iter().copied()))
}

/// Checks a template's form and its filters; not its variables (see [`variables`]).
pub fn parse(source: &str) -> Result<(), TemplateError> {
    check(&environment(source)?, source, &[])
}

/// The variables that a template uses, sorted.
pub fn variables(source: &str) -> Result<Vec<String>, TemplateError> {
    names(&environment(source)?, source)
}

pub(super) fn run(environment: &Environment<'_>, source: &str, context: Value) -> Result<String, TemplateError> {
    let template = environment.template_from_str(source).map_err(|error| told(source, &error))?;
    let out = template.render(context).map_err(|error| told(source, &error))?;
    if out.len() > LONGEST {
        return Err(whole(source, "the template makes a text of more than 256 KiB"));
    }
    Ok(out)
}

/// `own` are filters that were added to the environment.
pub(super) fn check(environment: &Environment<'_>, source: &str, own: &[&str]) -> Result<(), TemplateError> {
    environment.template_from_str(source).map_err(|error| told(source, &error))?;
    // The engine looks filters up when it comes to them; a calendar is to be told before.
    for (start, name) in filters(source).into_iter().filter(|(_, name)| !own.contains(name)) {
        let tried =
            environment.compile_expression(&format!("'' | {name}")).and_then(|tried| tried.eval(()).map(|_| ()));
        if tried.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            let message = format!("there is no filter `{name}`");
            return Err(TemplateError { message, start, end: start + name.len() });
        }
    }
    Ok(())
}

pub(super) fn names(environment: &Environment<'_>, source: &str) -> Result<Vec<String>, TemplateError> {
    let template = environment.template_from_str(source).map_err(|error| told(source, &error))?;
    let mut names: Vec<_> = template.undeclared_variables(false).into_iter().collect();
    names.sort_unstable();
    Ok(names)
}

/// The names behind a `|`, outside quotes, inside `{{ }}` and `{% %}`.
fn filters(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find(['{']).map(|open| at + open) {
        let Some(close) =
            ["{{", "{%"].iter().position(|mark| source[open..].starts_with(mark)).map(|kind| ["}}", "%}"][kind])
        else {
            at = open + 1;
            continue;
        };
        let mut quote = None;
        at = open + 2;
        while let Some(c) = source[at..].chars().next() {
            match (c, quote) {
                ('\\', Some(_)) => at += 1,
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(opened)) if c == opened => quote = None,
                ('|', None) => {
                    let name = source[at + 1..].trim_start();
                    let length = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                    found.push((source.len() - name.len(), &name[..length]));
                }
                (_, None) if source[at..].starts_with(close) => break,
                _ => {}
            }
            at += source[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// The variables of a UTM parameter.
pub const UTM_VARIABLES: [&str; 4] = ["account", "campaign", "network", "post"];

pub(super) fn environment(source: &str) -> Result<Environment<'static>, TemplateError> {
    if source.len() > LONGEST {
        return Err(whole(source, "the template is longer than 256 KiB"));
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    Ok(environment)
}

fn whole(source: &str, message: &str) -> TemplateError {
    TemplateError { message: message.to_owned(), start: 0, end: source.len() }
}

fn told(source: &str, error: &minijinja::Error) -> TemplateError {
    let range = error.range().filter(|range| range.start <= range.end && source.get(range.clone()).is_some());
    let (start, end) = range.map_or((0, source.len()), |range| (range.start, range.end));
    let message = match (error.kind(), error.detail()) {
        (ErrorKind::UndefinedError, _) => {
            format!("`{}` is not known here", source[start..end].trim_matches(['{', '}', ' ']))
        }
        (ErrorKind::OutOfFuel, _) => "the template takes too many steps".to_owned(),
        (kind, None) => kind.to_string(),
        (_, Some(detail)) => detail.to_owned(),
    };
    TemplateError { message, start, end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in() {
        assert_eq!(
            render("{{ network }}-{{ post|upper }}", &[("network", "feed"), ("post", "a")]),
            Ok("feed-A".into())
        );
        assert_eq!(render("a < b & c", &[]), Ok("a < b & c".into()));
        assert_eq!(render("{{ x }}", &[("x", "<b>")]), Ok("<b>".into()));
    }

    #[test]
    fn mistakes_have_a_place() {
        let error = render("from {{ netwrk }}!", &[("network", "feed")]).expect_err("unknown");
        assert_eq!(
            (error.message.as_str(), &"from {{ netwrk }}!"[error.start..error.end]),
            ("`netwrk` is not known here", "netwrk")
        );
        for bad in [
            "{{ a",
            "{% include 'x' %}",
            "{% if %}",
            "{{ a | nosuch }}",
            "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        ] {
            let error = render(bad, &[("a", "")]).expect_err(bad);
            assert!(!error.message.is_empty() && error.end <= bad.len());
        }
    }
}

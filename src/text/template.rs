//! Templates in UTM parameters and release texts: variables and filters, and nothing that reaches outside.

use minijinja::value::Kwargs;
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
    let environment = environment(source)?;
    let context = Value::from_pairs(vars.iter().copied());
    let template = environment.template_from_str(source).map_err(|error| told(source, &error))?;
    let out = template.render(context).map_err(|error| told(source, &error))?;
    if out.len() > LONGEST {
        return Err(whole(source, "the template makes a text of more than 256 KiB"));
    }
    Ok(out)
}

/// Checks a template's form, its filters and tests; not its variables (see [`variables`]).
pub fn parse(source: &str) -> Result<(), TemplateError> {
    let environment = environment(source)?;
    environment.template_from_str(source).map_err(|error| told(source, &error))?;
    // The engine looks filters up when it comes to them; a calendar is to be told before.
    for (start, name) in filters(source) {
        let tried =
            environment.compile_expression(&format!("'' | {name}")).and_then(|tried| tried.eval(()).map(|_| ()));
        if tried.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            let message = format!("there is no filter `{name}`");
            return Err(TemplateError { message, start, end: start + name.len() });
        }
    }
    Ok(())
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

/// The variables that a template uses, sorted.
pub fn variables(source: &str) -> Result<Vec<String>, TemplateError> {
    let environment = environment(source)?;
    let template = environment.template_from_str(source).map_err(|error| told(source, &error))?;
    let mut names: Vec<_> = template.undeclared_variables(false).into_iter().collect();
    names.sort_unstable();
    Ok(names)
}

/// The variables of a release text.
pub const RELEASE_VARIABLES: [&str; 8] =
    ["date", "notes", "prerelease", "previous", "project", "tag", "url", "version"];

/// The variables of a UTM parameter.
pub const UTM_VARIABLES: [&str; 4] = ["account", "campaign", "network", "post"];

fn environment(source: &str) -> Result<Environment<'static>, TemplateError> {
    if source.len() > LONGEST {
        return Err(whole(source, "the template is longer than 256 KiB"));
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // Known, so that a calendar with release texts can be checked; they are given their meaning where releases are.
    for name in ["fit", "bullets", "first_line", "plain", "hashtag"] {
        environment.add_filter(name, move |_: Value, _: Kwargs| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(
                ErrorKind::InvalidOperation,
                format!("the filter `{name}` is for the texts of releases"),
            ))
        });
    }
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

    #[test]
    fn release_texts_parse() {
        let text = "{{ project }} {{ version }} is out. {{ notes | fit }} {{ url }}";
        assert_eq!(parse(text), Ok(()));
        assert_eq!(variables(text), Ok(vec!["notes".into(), "project".into(), "url".into(), "version".into()]));
        assert!(parse("{{ notes | shorten }}").is_err());
    }
}

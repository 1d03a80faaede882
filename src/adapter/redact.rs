//! Takes secrets out of what a server says: it may send back what it was sent, and not always as it was written.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};

use crate::model::hex;

/// What stands in a secret's place.
const MARK: &str = "[secret]";

/// A shorter one is looked for as it is alone: its other forms would be found in any text.
const LONG: usize = 8;

/// The text without these secrets: as they are, as JSON and addresses write them, in base64 and in hex.
pub(super) fn redacted(text: String, secrets: &[SecretString]) -> String {
    let mut text = text;
    for secret in secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()) {
        for form in forms(secret) {
            if text.contains(&*form) {
                text = text.replace(&*form, MARK);
            }
        }
    }
    text
}

/// The forms of a secret, the longest that may hold another first.
fn forms(secret: &str) -> Vec<Cow<'_, str>> {
    let mut forms = vec![Cow::Borrowed(secret)];
    if secret.len() < LONG {
        return forms;
    }
    let quoted = serde_json::Value::from(secret).to_string();
    forms.push(quoted[1..quoted.len() - 1].to_owned().into());
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    forms.push(small_percent(&encoded).into());
    forms.push(encoded.into());
    let digits = hex(secret.as_bytes());
    forms.push(digits.to_ascii_uppercase().into());
    forms.push(digits.into());
    for before in 0..3 {
        let core = base64_core(secret.as_bytes(), before);
        forms.push(core.replace('+', "-").replace('/', "_").into());
        forms.push(core.into());
    }
    forms
}

/// `%2F` as `%2f`.
fn small_percent(encoded: &str) -> String {
    let mut left = 0;
    let small = |c: char| {
        left = if c == '%' { 2 } else { i32::max(left - 1, -1) };
        if left >= 0 && c != '%' { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(small).collect()
}

/// The digits of base64 that depend on these bytes alone, when so many others (0 to 2, of each group of three) come
/// before them.
fn base64_core(bytes: &[u8], before: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    // The first digit that holds none of the bits before, and as many whole ones as there are.
    let first = (before * 8).next_multiple_of(6) - before * 8;
    let whole = (bytes.len() * 8 - first) / 6;
    let digit = |number: usize| (0..6).fold(0, |value, at| value << 1 | bit(first + number * 6 + at));
    (0..whole).map(|number| char::from(DIGITS[usize::from(digit(number))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 21 bytes.
    const SECRET: &str = "s3cret+token/with=\"!\"";

    #[test]
    fn every_form_is_taken_out() {
        // By `base64`, `xxd -p` and a browser's encodeURIComponent.
        let forms = [
            SECRET,
            r#"s3cret+token/with=\"!\""#,
            "s3cret%2Btoken%2Fwith%3D%22%21%22",
            "s3cret%2btoken%2fwith%3d%22%21%22",
            "7333637265742b746f6b656e2f776974683d222122",
            "7333637265742B746F6B656E2F776974683D222122",
            "czNjcmV0K3Rva2VuL3dpdGg9IiEi",
        ];
        for form in forms {
            let said = redacted(format!("it was {form} today"), &[SECRET.into()]);
            assert!(said.starts_with("it was [secret]") && said.ends_with(" today"), "{form}: {said}");
        }
    }

    #[test]
    fn base64_is_found_wherever_it_begins() {
        // Of `Bearer s3cret…`, `:s3cret…` and `ab:s3cret…`, each with a `.` after it.
        let said = "QmVhcmVyIHMzY3JldCt0b2tlbi93aXRoPSIhIi4= OnMzY3JldCt0b2tlbi93aXRoPSIhIi4= YWI6czNjcmV0K3Rva2VuL3dpdGg9IiEiLg==";
        let left = redacted(said.to_owned(), &[SECRET.into()]);
        assert_eq!(left.matches(MARK).count(), 3, "{left}");
        assert!(!left.contains("Mz") && !left.contains("czNj"), "{left}");
    }

    #[test]
    fn a_short_one_is_taken_out_as_it_is_alone() {
        assert_eq!(redacted("abc YWJj 616263".to_owned(), &["abc".into()]), "[secret] YWJj 616263");
        assert_eq!(redacted("abc".to_owned(), &["".into()]), "abc");
    }
}

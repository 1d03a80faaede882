//! What a call carries.

use super::super::{Content, Fault};
use super::flow::Flow;

/// A call's body.
#[derive(Debug, Clone)]
pub enum Body {
    /// None.
    Empty,
    /// JSON.
    Json(serde_json::Value),
    /// A form, `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// Bytes of a MIME type.
    Bytes {
        /// The bytes.
        bytes: Content,
        /// Their MIME type.
        mime: String,
    },
    /// A multipart form.
    Multipart(Vec<Field>),
}

/// A field of a multipart form.
#[derive(Debug, Clone)]
pub enum Field {
    /// Text.
    Text {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A file.
    File {
        /// Its name.
        name: String,
        /// The file's name.
        file_name: String,
        /// Its MIME type.
        mime: String,
        /// The bytes.
        bytes: Content,
    },
}

impl Body {
    /// How many bytes of files it has.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Bytes { bytes, .. } => bytes.length(),
            Self::Multipart(fields) => fields.iter().map(Field::length).sum(),
            Self::Empty | Self::Json(_) | Self::Form(_) => 0,
        }
    }

    /// Puts it into a call. `flow` tells what goes wrong with files that are read meanwhile.
    pub(super) fn put(self, call: reqwest::RequestBuilder, flow: &Flow) -> Result<reqwest::RequestBuilder, Fault> {
        Ok(match self {
            Self::Empty => call,
            Self::Json(value) => call.json(&value),
            Self::Form(fields) => call.form(&fields),
            Self::Bytes { bytes, mime } => {
                let call = call.header("content-type", mime);
                match bytes {
                    Content::Held(bytes) => call.body(bytes),
                    // Without it the bytes would go in HTTP's own chunks, which many servers refuse.
                    Content::Unread(file) => call.header("content-length", file.length()).body(flow.body(file)),
                }
            }
            Self::Multipart(fields) => {
                let mut form = reqwest::multipart::Form::new();
                for field in fields {
                    form = field.put(form, flow)?;
                }
                call.multipart(form)
            }
        })
    }
}

impl Field {
    fn length(&self) -> u64 {
        match self {
            Self::Text { .. } => 0,
            Self::File { bytes, .. } => bytes.length(),
        }
    }

    fn put(self, form: reqwest::multipart::Form, flow: &Flow) -> Result<reqwest::multipart::Form, Fault> {
        use reqwest::multipart::Part;

        match self {
            Self::Text { name, value } => Ok(form.text(name, value)),
            Self::File { name, file_name, mime, bytes } => {
                let part = match bytes {
                    Content::Held(bytes) => Part::bytes(bytes),
                    Content::Unread(file) => {
                        let length = file.length();
                        Part::stream_with_length(flow.body(file), length)
                    }
                };
                let part = part.file_name(file_name).mime_str(&mime);
                let part = part.map_err(|error| Fault::NotSent(format!("`{mime}` is not a MIME type: {error}")))?;
                Ok(form.part(name, part))
            }
        }
    }
}

//! Questions of a runner to whoever has started it, and the answers.
//!
//! A runner inside an instance has neither credentials nor the SDK. It writes a question as one line of JSON among the lines
//! of its [`RunEvent`](super::RunEvent)s and reads the answer from its standard input:
//!
//! ```text
//! {"type":"ask","kind":"parameter","name":"/golden/version"}          runner → host
//! {"answer":"parameter","value":"1.4.2","secret":false}               host → runner, one line
//! {"answer":"chunk","etag":"\"abc\"","total":7,"length":7}\n1234567   host → runner, a line and `length` bytes
//! ```
//!
//! Every question has exactly one answer. An object is written with `write`, answered by `next`; then pieces in base64, each
//! answered by `next`, until `end` is answered by `done`. A refusal may stand in the place of any answer and ends a write.
//!
//! | end | what |
//! |---|---|
//! | [`Remote`] | the runner's: an [`Outside`] that asks |
//! | [`answer_all`] | the host's: answers with what another [`Outside`] knows |

use super::outside::{Chunk, Object, Outside, OutsideError, Parameter};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead, Read, Write};

/// The longest piece of an object in one question, in bytes before base64.
const PIECE: usize = 256 * 1024;

/// The longest line and the longest chunk of an answer that is believed, in bytes.
const LONGEST: u64 = 64 << 20;

/// What a line that is a question begins with. [`Question`] is written so, and no event is.
const MARK: &str = r#"{"type":"ask","#;

/// A question, as it stands on its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    r#type: String,
    #[serde(flatten)]
    question: Question,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Question {
    /// [`Outside::parameter`].
    Parameter {
        /// Its name.
        name: String,
    },
    /// [`Outside::metadata`].
    Metadata {
        /// The path below `meta-data/`.
        path: String,
    },
    /// [`Outside::document`].
    Document {
        /// Address or ARN.
        reference: String,
        /// The account that must own the bucket.
        owner: Option<String>,
    },
    /// [`Outside::list`].
    List {
        /// Bucket and prefix.
        prefix: Object,
    },
    /// [`Outside::read`].
    Read {
        /// Which object.
        object: Object,
        /// From where.
        offset: u64,
        /// Of which version.
        etag: Option<String>,
    },
    /// [`Outside::write`] begins.
    Write {
        /// Which object.
        object: Object,
    },
    /// The next piece of it.
    Piece {
        /// In base64.
        base64: String,
    },
    /// It is complete.
    End,
    /// It cannot be completed.
    Abandon {
        /// Why.
        reason: String,
    },
}

impl Question {
    /// The question on a line of a runner's output; `None` if the line is none.
    ///
    /// # Errors
    /// A line that is marked as a question and is not one that is known here: two versions of this program are at work.
    pub fn on(line: &str) -> Option<Result<Self, OutsideError>> {
        line.starts_with(MARK).then(|| {
            serde_json::from_str::<Line>(line)
                .map(|line| line.question)
                .map_err(|error| OutsideError(format!("the runner asks something that is not understood: {error}")))
        })
    }
}

/// The first line of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
enum Answer {
    Parameter(Parameter),
    Text { text: String },
    Keys { keys: Vec<String> },
    Chunk { etag: String, total: u64, length: u64 },
    Next,
    Done,
    Refused { reason: String },
}

impl Answer {
    fn refused(error: OutsideError) -> Self {
        Self::Refused { reason: error.0 }
    }

    fn bytes(&self, body: &[u8]) -> Vec<u8> {
        // Strings and numbers always have a JSON form.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(body);
        bytes
    }
}

/// The runner's end: asks whoever reads `out`, and reads `answers`.
pub struct Remote<'a, 'w> {
    out: &'a RefCell<&'w mut dyn Write>,
    answers: &'a mut dyn BufRead,
}

impl fmt::Debug for Remote<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

impl<'a, 'w> Remote<'a, 'w> {
    /// A channel over a pair of streams. `out` is shared with the events.
    pub fn new(out: &'a RefCell<&'w mut dyn Write>, answers: &'a mut dyn BufRead) -> Self {
        Self { out, answers }
    }

    fn ask(&mut self, question: Question) -> Result<(Answer, Vec<u8>), OutsideError> {
        let lost =
            |error: io::Error| OutsideError(format!("the program that started the runner does not answer: {error}"));
        let mut line = serde_json::to_vec(&Line { r#type: "ask".to_owned(), question })
            .map_err(|error| OutsideError(error.to_string()))?;
        line.push(b'\n');
        let mut out = self.out.borrow_mut();
        out.write_all(&line).and_then(|()| out.flush()).map_err(lost)?;
        drop(out);
        match self.hear().map_err(lost)? {
            (Answer::Refused { reason }, _) => Err(OutsideError(reason)),
            answer => Ok(answer),
        }
    }

    fn hear(&mut self) -> io::Result<(Answer, Vec<u8>)> {
        let mut line = Vec::new();
        (&mut self.answers).take(LONGEST).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let answer = serde_json::from_slice(&line)?;
        let mut body = Vec::new();
        if let Answer::Chunk { length, .. } = answer {
            if length > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk of impossible length"));
            }
            if (&mut self.answers).take(length).read_to_end(&mut body)? as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok((answer, body))
    }

    fn pieces(&mut self, next: &mut dyn FnMut() -> io::Result<Vec<u8>>) -> Result<(), OutsideError> {
        loop {
            let bytes = match next() {
                Ok(bytes) if bytes.is_empty() => return Ok(()),
                Ok(bytes) => bytes,
                Err(error) => {
                    let reason = error.to_string();
                    // The answer is a refusal with the same words.
                    self.ask(Question::Abandon { reason: reason.clone() })?;
                    return Err(OutsideError(reason));
                }
            };
            for piece in bytes.chunks(PIECE) {
                self.ask(Question::Piece { base64: BASE64.encode(piece) })?;
            }
        }
    }
}

fn strange<T>(answer: &Answer) -> Result<T, OutsideError> {
    Err(OutsideError(format!("the program that started the runner answers something else than was asked: {answer:?}")))
}

impl Outside for Remote<'_, '_> {
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError> {
        match self.ask(Question::Parameter { name: name.to_owned() })?.0 {
            Answer::Parameter(parameter) => Ok(parameter),
            other => strange(&other),
        }
    }

    fn metadata(&mut self, path: &str) -> Result<String, OutsideError> {
        match self.ask(Question::Metadata { path: path.to_owned() })?.0 {
            Answer::Text { text } => Ok(text),
            other => strange(&other),
        }
    }

    fn document(&mut self, reference: &str, owner: Option<&str>) -> Result<String, OutsideError> {
        let (reference, owner) = (reference.to_owned(), owner.map(str::to_owned));
        match self.ask(Question::Document { reference, owner })?.0 {
            Answer::Text { text } => Ok(text),
            other => strange(&other),
        }
    }

    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError> {
        match self.ask(Question::List { prefix: prefix.clone() })?.0 {
            Answer::Keys { keys } => Ok(keys),
            other => strange(&other),
        }
    }

    fn read(&mut self, object: &Object, offset: u64, etag: Option<&str>) -> Result<Chunk, OutsideError> {
        match self.ask(Question::Read { object: object.clone(), offset, etag: etag.map(str::to_owned) })? {
            (Answer::Chunk { etag, total, .. }, bytes) => Ok(Chunk { bytes, etag, total }),
            (other, _) => strange(&other),
        }
    }

    fn write(&mut self, object: &Object, next: &mut dyn FnMut() -> io::Result<Vec<u8>>) -> Result<(), OutsideError> {
        self.ask(Question::Write { object: object.clone() })?;
        self.pieces(next)?;
        match self.ask(Question::End)?.0 {
            Answer::Done => Ok(()),
            other => strange(&other),
        }
    }
}

/// The answer to a question that cannot be answered.
pub fn refusal(error: OutsideError) -> Vec<u8> {
    Answer::refused(error).bytes(&[])
}

/// The host's end: answers questions with what `outside` knows until `ask` has no more. `reply` is called exactly once for
/// each question, with the bytes for the runner's standard input.
pub fn answer_all(
    outside: &mut dyn Outside,
    ask: &mut dyn FnMut() -> Option<Question>,
    reply: &mut dyn FnMut(Vec<u8>),
) {
    while let Some(question) = ask() {
        let answer = match question {
            Question::Write { object } => receive(outside, &object, ask, reply),
            other => Some(answer(outside, other)),
        };
        if let Some(answer) = answer {
            reply(answer);
        }
    }
}

/// The answer to a question that stands alone.
fn answer(outside: &mut dyn Outside, question: Question) -> Vec<u8> {
    let mut body = Vec::new();
    let answer = match question {
        Question::Parameter { name } => outside.parameter(&name).map(Answer::Parameter),
        Question::Metadata { path } => outside.metadata(&path).map(|text| Answer::Text { text }),
        Question::Document { reference, owner } => {
            outside.document(&reference, owner.as_deref()).map(|text| Answer::Text { text })
        }
        Question::List { prefix } => outside.list(&prefix).map(|keys| Answer::Keys { keys }),
        Question::Read { object, offset, etag } => outside.read(&object, offset, etag.as_deref()).map(|chunk| {
            body = chunk.bytes;
            Answer::Chunk { etag: chunk.etag, total: chunk.total, length: body.len() as u64 }
        }),
        Question::Abandon { reason } => Err(OutsideError(reason)),
        Question::Write { .. } | Question::Piece { .. } | Question::End => {
            Err(OutsideError("a piece of an object that is not being written".to_owned()))
        }
    };
    answer.unwrap_or_else(Answer::refused).bytes(&body)
}

/// Has an object written whose pieces are the next questions. The last answer, which is still to be given; `None` if the
/// runner has gone.
fn receive(
    outside: &mut dyn Outside,
    object: &Object,
    ask: &mut dyn FnMut() -> Option<Question>,
    reply: &mut dyn FnMut(Vec<u8>),
) -> Option<Vec<u8>> {
    // Whether a question waits for its answer: the first does.
    let mut owing = true;
    let written = outside.write(object, &mut || {
        if std::mem::take(&mut owing) {
            reply(Answer::Next.bytes(&[]));
        }
        let question = ask().ok_or_else(|| io::Error::other("the runner has ended"))?;
        owing = true;
        match question {
            Question::Piece { base64 } => BASE64.decode(base64).map_err(io::Error::other),
            Question::End => Ok(Vec::new()),
            Question::Abandon { reason } => Err(io::Error::other(reason)),
            other => Err(io::Error::other(format!("in the middle of an object the runner asks {other:?}"))),
        }
    });
    owing.then(|| written.map_or_else(Answer::refused, |()| Answer::Done).bytes(&[]))
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;

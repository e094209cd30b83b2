use super::*;
use crate::runner::outside::Nowhere;
use crate::runner::table::{Table, Values};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::thread;

/// Runs `inside` against `outside` over a pair of sockets, as a runner and its host would.
fn over<T>(outside: &mut (dyn Outside + Send), inside: impl FnOnce(&mut dyn Outside) -> T) -> T {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut lines = BufReader::new(ours.try_clone().unwrap()).lines();
            let mut writer = ours;
            answer_all(outside, &mut || Question::on(&lines.next()?.unwrap()).map(Result::unwrap), &mut |answer| {
                writer.write_all(&answer).unwrap();
            });
        });
        let mut answers = BufReader::new(theirs.try_clone().unwrap());
        let mut writer = theirs;
        let out: RefCell<&mut dyn Write> = RefCell::new(&mut writer);
        let value = inside(&mut Remote::new(&out, &mut answers));
        drop(answers);
        value
    })
}

fn object(key: &str) -> Object {
    Object { bucket: "b".into(), key: key.into(), owner: Some("123456789012".into()) }
}

fn everything(remote: &mut dyn Outside, direct: &mut dyn Outside) {
    for name in ["/a", "/s", "/none"] {
        assert_eq!(remote.parameter(name), direct.parameter(name));
    }
    for path in ["placement/region", "none"] {
        assert_eq!(remote.metadata(path), direct.metadata(path));
    }
    for reference in ["arn:x", "arn:none"] {
        assert_eq!(remote.document(reference, Some("1")), direct.document(reference, Some("1")));
    }
    assert_eq!(remote.list(&object("t")), direct.list(&object("t")));
    for (key, offset) in [("t/one", 0), ("t/one", 2), ("t/one", 99), ("t/none", 0)] {
        assert_eq!(remote.read(&object(key), offset, None), direct.read(&object(key), offset, None));
    }
}

#[test]
fn a_remote_outside_is_no_different_from_a_near_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("t")).unwrap();
    std::fs::write(folder.path().join("t/one"), [0, 10, 13, 255, 10]).unwrap();
    std::fs::write(folder.path().join("child"), "line\nline \"2\"\n").unwrap();
    let values = Values {
        ssm: BTreeMap::from([("/a".into(), "one\ntwo ä".into())]),
        ssm_secret: BTreeMap::from([("/s".into(), "secret".into())]),
        imds: BTreeMap::from([("placement/region".into(), "r".into())]),
        s3: BTreeMap::from([("s3://b/t/".into(), folder.path().join("t"))]),
        documents: BTreeMap::from([("arn:x".into(), folder.path().join("child"))]),
    };
    let mut direct = Table::new(values.clone(), Nowhere);
    over(&mut Table::new(values, Nowhere), |remote| everything(remote, &mut direct));
}

/// Takes objects; refuses after so many bytes.
#[derive(Debug, Default)]
struct Store {
    content: Vec<u8>,
    finished: bool,
    room: Option<usize>,
}

impl Outside for Store {
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError> {
        Nowhere.parameter(name)
    }
    fn metadata(&mut self, path: &str) -> Result<String, OutsideError> {
        Nowhere.metadata(path)
    }
    fn document(&mut self, reference: &str, owner: Option<&str>) -> Result<String, OutsideError> {
        Nowhere.document(reference, owner)
    }
    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError> {
        Nowhere.list(prefix)
    }
    fn read(&mut self, object: &Object, offset: u64, etag: Option<&str>) -> Result<Chunk, OutsideError> {
        Nowhere.read(object, offset, etag)
    }
    fn write(&mut self, _: &Object, next: &mut dyn FnMut() -> io::Result<Vec<u8>>) -> Result<(), OutsideError> {
        loop {
            let piece = next().map_err(|error| OutsideError(error.to_string()))?;
            if piece.is_empty() {
                self.finished = true;
                return Ok(());
            }
            self.content.extend(piece);
            if self.room.is_some_and(|room| self.content.len() > room) {
                return Err(OutsideError("EntityTooLarge".into()));
            }
        }
    }
}

fn send(store: &mut Store, pieces: Vec<io::Result<Vec<u8>>>) -> Result<(), OutsideError> {
    let mut pieces = pieces.into_iter();
    over(store, |remote| {
        let sent = remote.write(&object("k"), &mut || pieces.next().unwrap_or(Ok(Vec::new())));
        // Whatever came of it, the channel is in order afterwards.
        assert!(remote.parameter("/a").unwrap_err().0.contains("the parameter /a"));
        sent
    })
}

#[test]
fn what_the_store_refuses_ends_the_upload() {
    let mut store = Store { room: Some(PIECE), ..Store::default() };
    let error = send(&mut store, vec![Ok(vec![7; 3 * PIECE])]).unwrap_err();
    assert_eq!(error.0, "EntityTooLarge");
    assert_eq!(store.content.len(), 2 * PIECE);
}

#[test]
fn an_upload_that_cannot_be_read_to_its_end_is_not_finished() {
    let mut store = Store::default();
    let error =
        send(&mut store, vec![Ok(b"begin".to_vec()), Err(io::Error::other("the disk is on fire"))]).unwrap_err();
    assert_eq!(error.0, "the disk is on fire");
    assert!(!store.finished);
}

#[test]
fn a_runner_that_ends_in_the_middle_finishes_nothing() {
    let mut store = Store::default();
    let mut questions =
        vec![Question::Piece { base64: BASE64.encode("half") }, Question::Write { object: object("k") }];
    let mut answers = 0;
    answer_all(&mut store, &mut || questions.pop(), &mut |_| answers += 1);
    assert_eq!((store.content.as_slice(), store.finished, answers), (&b"half"[..], false, 2));
}

#[test]
fn questions_out_of_turn_are_refused() {
    for questions in [
        vec![Question::End],
        vec![Question::Piece { base64: "AAAA".into() }],
        vec![Question::Write { object: object("k") }, Question::Metadata { path: "x".into() }],
        vec![Question::Write { object: object("k") }, Question::Piece { base64: "?".into() }],
    ] {
        let (mut store, count) = (Store::default(), questions.len());
        let mut questions = questions.into_iter();
        let mut answers = Vec::new();
        answer_all(&mut store, &mut || questions.next(), &mut |answer| answers.push(answer));
        assert_eq!(answers.len(), count);
        let last = String::from_utf8(answers.pop().unwrap()).unwrap();
        assert!(last.starts_with(r#"{"answer":"refused""#), "{last}");
        assert!(!store.finished);
    }
}

#[test]
fn a_host_that_is_gone_or_talks_nonsense_is_an_error() {
    for nonsense in ["", "{\"answer\":\"next\"", "nonsense\n", "{\"answer\":\"done\"}\n"] {
        let mut out = Vec::new();
        let out: RefCell<&mut dyn Write> = RefCell::new(&mut out);
        let mut answers = nonsense.as_bytes();
        assert!(Remote::new(&out, &mut answers).parameter("/a").is_err(), "{nonsense}");
    }
    let mut out = Vec::new();
    let out: RefCell<&mut dyn Write> = RefCell::new(&mut out);
    let mut answers: &[u8] = b"{\"answer\":\"chunk\",\"etag\":\"\",\"total\":9,\"length\":9}\n123";
    assert!(Remote::new(&out, &mut answers).read(&object("k"), 0, None).is_err());
}

#[test]
fn other_lines_are_no_questions() {
    assert!(Question::on("").is_none());
    assert!(Question::on(r#"{"type":"output","stream":"stdout","line":"{\"type\":\"ask\"}"}"#).is_none());
    assert!(Question::on(r#"{"type":"ask","kind":"future"}"#).unwrap().is_err());
}

proptest! {
    #[test]
    fn uploads_arrive_as_they_were_sent(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 0..6)) {
        let mut store = Store::default();
        send(&mut store, pieces.iter().cloned().map(Ok).collect()).unwrap();
        prop_assert_eq!(store.content, pieces.concat());
        prop_assert!(store.finished);
    }
}

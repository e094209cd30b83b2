use super::*;
use proptest::prelude::*;

/// The component vectors of patch-baselines.md 9.1, which were run against rpm there.
const COMPONENTS: &str = "
    1.0 = 1.0 | 1a < 1.0 | 1.0 < 2.0 | a1 < 1a | 2.0.1 < 2.0.1a | Z < a | 5.5p1 < 5.5p10 | 1.0~rc1 < 1.0
    5.5p2 < 5.6p1 | 1.0~rc1 < 1.0~rc2 | 10xyz < 10.1xyz | 1.0~rc1~git123 < 1.0~rc1 | xyz10 < xyz10.1 | 1.0~ < 1.0
    xyz.4 < 8 | 1.0~~ < 1.0~ | xyz.4 < 2 | 1.0^ > 1.0 | 6.0.rc1 > 6.0 | 1.0^git1 > 1.0 | 10b2 > 10a1
    1.0^git1 < 1.0^git2 | 1.0a < 1.0aa | 1.0^git1 < 1.01 | 10.0001 = 10.1 | 1.0^20160101 < 1.0.1 | 10.0001 < 10.0039
    1.0^20160102 > 1.0^20160101^git1 | 4.999.9 < 5.0 | 1.0~rc1^git1 > 1.0~rc1 | 20101121 < 20101122
    1.0^git1~pre < 1.0^git1 | 2_0 = 2.0 | 1.0^git1 > 1.0~rc1 | a+ = a_ | 1.0~^ > 1.0~ | + = _ | 1.0^~ < 1.0^
    1.0. = 1.0 | 1.0^~ > 1.0 | 1.05 = 1.5 | 1b.fc17 < 1.fc17 | 1.050 > 1.5 | 1g.fc17 > 1.fc17 | 00 = 0
    99999999999999999999 < 100000000000000000000 | 010 > 8 | 1.1.1k < 1.1.1w | 1.0.0 > 1.0 | 9.8.2 < 9.8.2rc1
    1.0a1 < 1.0.1 | 20240101git > 20240101 | 1.0.a > 1.0 | 1.α = 1.β";

/// The vectors of whole versions of 9.2.
const WHOLE: &str = "
    1:1.0-1 > 2.0-1 | 6.1.134-150.224.amzn2023 < 6.1.134-152.225.amzn2023 | 0:1.0-1 = 1.0-1
    1.0-1.el8_5 > 1.0-1.el8 | 1:1.0-1 < 1:1.0-2 | 1.0-1.el8_10 > 1.0-1.el8_9 | 1.0 < 1.0-1
    1.0-1.el8_6.1 < 1.0-1.el8_10 | 1.0-1 = 1.0-01 | 1.1.1k-7.el8_6 < 1.1.1k-12.el8_9 | 1.0-1 < 1.0-1.amzn2
    2:8.2.2637-20.el9_1 < 2:8.2.2637-21.el9 | 1.0-1.amzn2 < 1.0-1.amzn2.0.1
    1.0-1.module+el8.5.0+12582+56d94c81 < 1.0-1.module+el8.6.0+15324+abc | 1.0-1.amzn2.0.1 < 1.0-1.amzn2.0.2
    3.0.2-95.24.1 > 3.0-95.21.1 | 2.26-64.amzn2.0.2 < 2.26-64.amzn2.0.10 | 1.0-150500.3.10.1 > 1.0-150400.9.1
    1.12.28-1.amzn2023.0.1 > 1.12.28-1.amzn2023 | 1.0~beta-9 < 1.0-1
    4.14.355-275.570.amzn2 < 4.14.355-275.603.amzn2 | 1.0^git1-1 > 1.0-9";

fn check(vectors: &str, count: usize, compare: impl Fn(&str, &str) -> Ordering) {
    let vectors: Vec<&str> = vectors.split(['|', '\n']).map(str::trim).filter(|v| !v.is_empty()).collect();
    assert_eq!(vectors.len(), count);
    for vector in vectors {
        let [a, relation, b] = vector.split(' ').collect::<Vec<_>>()[..] else { panic!("{vector}") };
        let expected = match relation {
            "<" => Ordering::Less,
            ">" => Ordering::Greater,
            _ => Ordering::Equal,
        };
        assert_eq!(compare(a, b), expected, "{vector}");
        assert_eq!(compare(b, a), expected.reverse(), "{vector}, the other way round");
    }
}

#[test]
fn the_vectors_hold_in_both_directions() {
    check(COMPONENTS, 54, rpmvercmp);
    check(WHOLE, 22, |a, b| Evr::compare(a, b).unwrap());
}

#[test]
fn texts_are_split_as_rpm_splits_them() {
    let parts = |text: &str| {
        let evr: Evr = text.parse().unwrap();
        (evr.epoch, evr.version, evr.release.unwrap_or_else(|| "-".into()))
    };
    assert_eq!(parts("1:2-3-4"), (1, "2-3".into(), "4".into()));
    assert_eq!(parts(":2-3"), (0, "2".into(), "3".into()));
    assert_eq!(parts("007:2"), (7, "2".into(), "-".into()));
    assert_eq!(parts("a:2-3"), (0, "a:2".into(), "3".into()));
    assert_eq!(parts("0000000000000000000000001:2"), (1, "2".into(), "-".into()));
    assert_eq!("3:1.0-1".parse::<Evr>().unwrap().to_string(), "3:1.0-1");
    assert_eq!("0:1.0".parse::<Evr>().unwrap().to_string(), "1.0");
    assert_eq!("0:1:2".parse::<Evr>().unwrap().to_string(), "0:1:2");
}

#[test]
fn what_rpm_would_misread_is_an_error_that_says_where() {
    for (text, at, why) in [
        ("", 0, "version is empty"),
        ("1:", 2, "version is empty"),
        ("-1", 0, "version is empty"),
        ("1.0-", 4, "release after the last hyphen is empty"),
        ("4294967296:1", 0, "epoch is too great"),
        ("1.0 -1", 3, "space or a control character"),
        ("1.0-1\n", 5, "space or a control character"),
    ] {
        let error = text.parse::<Evr>().unwrap_err();
        assert!(error.why.contains(why) && error.at == at, "{text:?}: {error:?}");
    }
    let error = "1.0-".parse::<Evr>().unwrap_err().to_string();
    let expected = "is not a version of an RPM package: the release after the last hyphen is empty (at byte 4)";
    assert_eq!(error, format!("`1.0-` {expected}"));
}

#[test]
fn parts_of_databases_are_checked() {
    let evr = |epoch, version, release| Evr::from_parts(epoch, version, release);
    for epoch in ["", "0", "(none)", "00"] {
        assert_eq!(evr(epoch, "1.0", "1"), "1.0-1".parse(), "{epoch}");
    }
    assert_eq!(evr("2", "1.0", "1").unwrap().to_string(), "2:1.0-1");
    for (epoch, version, release) in [
        ("x", "1", "1"),
        ("", "", "1"),
        ("", "1", ""),
        ("", "1-2", "1"),
        ("", "1:2", "1"),
        ("", "1", "1-2"),
        ("", "1 2", "1"),
    ] {
        assert!(evr(epoch, version, release).is_err(), "{epoch} {version} {release}");
    }
}

#[test]
fn a_name_without_release_names_every_release() {
    let named = |own: &str, wanted: &str| own.parse::<Evr>().unwrap().is_named_by(&wanted.parse().unwrap());
    assert!(named("1.0-1", "1.0") && named("1.0-1", "1.00-01") && named("2:1-1", "2:1"));
    assert!(!named("1.0-1", "1.0-2") && !named("1:1.0-1", "1.0") && !named("1.0", "1.0-1"));
}

/// Few letters and digits, so that pairs are often nearly equal and every kind of neighbour meets.
fn component() -> impl Strategy<Value = String> {
    "([0-2abZ~^._+:]|0[01]|rc|git|α){1,8}"
}

fn whole() -> impl Strategy<Value = String> {
    ("([0-2]:)?", component(), "(-[0-2a~^.]{1,4})?")
        .prop_map(|(epoch, version, release)| format!("{epoch}{version}{release}"))
}

fn is_total_order<T: Ord>(a: &T, b: &T, c: &T) -> Result<(), TestCaseError> {
    prop_assert!(a.cmp(a).is_eq());
    prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
    prop_assert_eq!(a == b, a.cmp(b).is_eq());
    if a <= b && b <= c {
        prop_assert!(a <= c);
        prop_assert_eq!(a == c, a == b && b == c);
    }
    Ok(())
}

struct Component(String);

impl Ord for Component {
    fn cmp(&self, other: &Self) -> Ordering {
        rpmvercmp(&self.0, &other.0)
    }
}

impl PartialOrd for Component {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Component {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Component {}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn components_have_a_total_order(a in component(), b in component(), c in component()) {
        is_total_order(&Component(a), &Component(b), &Component(c))?;
    }

    #[test]
    fn versions_have_a_total_order(a in whole(), b in whole(), c in whole()) {
        let [a, b, c] = [a, b, c].map(|text| text.parse::<Evr>());
        let (Ok(a), Ok(b), Ok(c)) = (a, b, c) else { return Ok(()) };
        is_total_order(&a, &b, &c)?;
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same(text in whole()) {
        let Ok(evr) = text.parse::<Evr>() else { return Ok(()) };
        prop_assert_eq!(&evr.to_string().parse::<Evr>().unwrap(), &evr);
    }
}

use super::{Bench, code};
use crate::local::Fault;
use serde_json::{Value, json};

fn put(bench: &Bench, value: &str) -> Result<Value, super::Refusal> {
    bench.ssm("PutParameter", &json!({ "Name": "a", "Type": "String", "Value": value, "Overwrite": true }))
}

fn value(bench: &Bench) -> Option<String> {
    let answer = bench.ssm("GetParameter", &json!({ "Name": "a" })).ok()?;
    Some(answer["Parameter"]["Value"].as_str().unwrap().to_owned())
}

fn once(bench: &Bench, fault: Fault) {
    bench.local.set_faults(Some(Box::new(move |_, _, nth| (nth == 1).then_some(fault))));
}

#[test]
fn each_service_throttles_in_its_own_words() {
    let bench = Bench::new();
    bench.local.set_faults(Some(Box::new(|_, _, _| Some(Fault::Throttle))));
    let refusal = bench.builder("ListComponents", &json!({})).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (429, "CallRateLimitExceededException"));
    assert_eq!(code(bench.ec2("Action=DescribeImages")), "RequestLimitExceeded");
    assert_eq!(code(put(&bench, "1")), "ThrottlingException");
}

#[test]
fn a_failed_call_does_nothing_and_a_lost_answer_did_the_work() {
    let bench = Bench::new();
    once(&bench, Fault::Fail);
    assert_eq!(put(&bench, "1").unwrap_err().status, 500);
    assert_eq!(value(&bench), None);
    once(&bench, Fault::LoseResponse);
    assert_eq!(code(put(&bench, "2")), "InternalServerError");
    assert_eq!(value(&bench).unwrap(), "2");
}

#[test]
fn after_a_stop_nothing_happens_any_more() {
    let bench = Bench::new();
    for (fault, expected) in [(Fault::Stop, None), (Fault::StopAfter, Some("1"))] {
        once(&bench, fault);
        assert!(put(&bench, "1").is_err());
        assert!(put(&bench, "2").is_err());
        bench.local.set_faults(None);
        assert_eq!(value(&bench).as_deref(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_answer_comes_later_and_the_call_is_done() {
    let bench = Bench::scripted(
        crate::clock::Clock::with_tokio(time::macros::datetime!(2026-03-01 12:00 UTC)),
        crate::local::Builds::Real,
    );
    let cloud = crate::aws::testing::on(&bench.local);
    once(&bench, Fault::Delay(std::time::Duration::from_secs(5)));
    let began = tokio::time::Instant::now();
    let put = cloud.ssm(cloud.home()).put_parameter().name("a").value("1").overwrite(true);
    put.r#type(aws_sdk_ssm::types::ParameterType::String).send().await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(value(&bench).unwrap(), "1");
}

//! From an HTTP request to an operation and back.

use super::Local;
use super::autoscaling;
use super::compute;
use super::credentials::Denial;
use super::denial;
use super::ec2;
use super::faults::{self, Delay, Fault, FaultPlan};
use super::protocol::Call;
use super::random;
use super::service::Service;
use super::sigv4::Authorization;
use super::ssm;
use super::store::Transaction;
use super::wire::{Caller, ServiceError};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use time::OffsetDateTime;

impl Local {
    /// Answers one AWS request. Blocks for as long as the operation works; never panics on what a client sends.
    ///
    /// Who asks is proved by the signature, made with one of this environment's keys. That it was made just now is asked only of
    /// requests that come from outside of this process ([`serve`](super::serve())): here time may be a test's, and nobody has
    /// overheard anything.
    #[allow(clippy::needless_pass_by_value, reason = "the caller has no use for the request afterwards")]
    pub fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.admit(&request, false)
    }

    /// The same for a request that may have been on its way for long.
    #[allow(clippy::needless_pass_by_value, reason = "as above")]
    pub(super) fn handle_from_outside(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.admit(&request, true)
    }

    fn admit(&self, request: &Request<Bytes>, from_outside: bool) -> Response<Bytes> {
        let id = random::request_id();
        let authorization = match Authorization::of(request.headers()) {
            Ok(authorization) => authorization,
            Err(flaw) => {
                let service = Service::guess(request);
                return service.fault(&Denial::from(flaw).error(service), &id);
            }
        };
        let Some(service) = Service::named(&authorization.service) else {
            let known: Vec<&str> = Service::ALL.into_iter().map(Service::name).collect();
            let (asked, known) = (&authorization.service, known.join(", "));
            let text = format!("The service `{asked}` is not in the local environment; it has: {known}.");
            return Service::guess(request).fault(&ServiceError::new(400, "UnknownOperationException", text), &id);
        };
        let now = self.config.clock.now();
        let fresh = if from_outside { denial::fresh(service, &authorization, request, now) } else { Ok(()) };
        match fresh.and_then(|()| self.keys.caller(&authorization, request, now)) {
            Ok(caller) => self.respond(service, &caller, request, &id),
            Err(denial) => service.fault(&denial.error(service), &id),
        }
    }

    fn respond(&self, service: Service, caller: &Caller, request: &Request<Bytes>, id: &str) -> Response<Bytes> {
        let call = match service.parse(request) {
            Ok(call) => call,
            Err(error) => return service.fault(&error, id),
        };
        let fault = self.faults.next(service.name(), &call.operation);
        let mut response = match self.answer(service, caller, &call, fault) {
            Ok(answer) => service.success(&call.operation, &answer, id),
            Err(error) => service.fault(&error, id),
        };
        // What a head would be without its body: S3 asks for nothing else.
        if *request.method() == http::Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        if let Some(Fault::Delay(time)) = fault {
            response.extensions_mut().insert(Delay(time));
        }
        response
    }

    /// Makes calls go wrong as `plan` says, from now on; `None` ends that. For tests of failure paths.
    pub fn set_faults(&self, plan: Option<FaultPlan>) {
        self.faults.set(plan);
    }

    fn answer(
        &self,
        service: Service,
        caller: &Caller,
        call: &Call,
        fault: Option<Fault>,
    ) -> Result<Value, ServiceError> {
        let work = || self.perform(service, caller, &call.operation, &call.request);
        match fault {
            None | Some(Fault::Delay(_)) => work(),
            Some(Fault::Spoil) => {
                let answer = work()?;
                match service {
                    Service::AutoScaling => autoscaling::spoil(self, caller, &answer)?,
                    Service::Ec2 => ec2::spoil(self, &answer)?,
                    _ => {}
                }
                Ok(answer)
            }
            Some(kill @ (Fault::Kill | Fault::KillAfter)) => {
                if kill == Fault::KillAfter {
                    let _ = work();
                }
                faults::end_process();
                Err(faults::failed(service))
            }
            Some(Fault::Throttle) => Err(faults::throttled(service)),
            Some(Fault::Deny) => Err(faults::denied(service)),
            Some(Fault::Fail | Fault::Stop) => Err(faults::failed(service)),
            Some(Fault::LoseResponse | Fault::StopAfter) => {
                // Whether the work succeeded is exactly what the caller shall not learn.
                let _ = work();
                Err(faults::failed(service))
            }
        }
    }

    /// Ends what takes its time and is due. Looked for in one transaction, because every call does.
    fn settle(&self, now: OffsetDateTime) -> Result<(), ServiceError> {
        let due = |tx: &Transaction<'_>| {
            Ok::<_, ServiceError>(
                ec2::is_due(tx, now)?
                    || ssm::is_due(tx, now)?
                    || compute::is_due(tx, now)?
                    || autoscaling::is_due(tx, now)?,
            )
        };
        if self.store.read(due)? {
            compute::settle_instances(self, now)?;
            autoscaling::settle(self, now)?;
            ec2::settle(self, now)?;
            ssm::settle(self, now)?;
        }
        Ok(())
    }

    fn perform(
        &self,
        service: Service,
        caller: &Caller,
        operation: &str,
        request: &Value,
    ) -> Result<Value, ServiceError> {
        let Some(work) = service.operation(operation) else {
            return Err(service.lacks(operation));
        };
        // EC2 checks permissions only and then says this. Operations of `compute` have more to check and do it themselves.
        let dry = service == Service::Ec2 && request.get("DryRun").and_then(Value::as_str) == Some("true");
        if dry && service.own_operation(operation).is_some() {
            let text = "Request would have succeeded, but DryRun flag is set.";
            return Err(ServiceError::new(412, "DryRunOperation", text));
        }
        compute::settle(self, caller.now)?;
        self.settle(caller.now)?;
        tracing::debug!(service = service.name(), operation, account = %caller.scope.account, "local call");
        if service == Service::Ec2 {
            return self.lagging(caller, operation, request, || work(self, caller, request));
        }
        work(self, caller, request)
    }
}

//! Wires `StockTrendAnalysis` to its clients.

use aws_ports::{Calls, Clients, Report, Settings, trend::StockTrendAnalysis};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let clients = Clients::from_env().await;
    let environment = |name: &str| std::env::var(name).ok();
    let function = match StockTrendAnalysis::new(Settings(&environment), &clients) {
        Ok(function) => function,
        Err(error) => {
            let mut report = Report::new("", "", "not started");
            report.fails(&error).write();
            return Err(error.into());
        }
    };
    function.warm_up().await;
    let function = &function;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        let calls = Calls::until(event.context.deadline);
        function.handle(event.payload.get(), &event.context.request_id, &calls).await
    }))
    .await
}

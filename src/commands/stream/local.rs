//! `stream` into a pipeline on this machine, with its consumers unless another process runs them.

use super::{Feeding, Outcome, Output, PATIENCE, Plan};
use crate::{
    error::Error,
    interrupt::Interrupt,
    report::style,
    sources::Source,
    targets::{
        Target,
        local::{Local, Wake, producer::LocalProducer, stream},
    },
};
use std::{
    sync::{Arc, mpsc},
    time::Instant,
};

impl Outcome {
    /// Sends all that the source has, and waits until it is stored and archived.
    pub fn of(
        local: &Local,
        source: Box<dyn Source>,
        plan: &Plan,
        interrupt: &Interrupt,
        output: Output,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        let run = stream::new_run();
        let wake: Arc<Wake> = Arc::default();
        let (to_screen, shown) = mpsc::sync_channel(64);
        let (happened, events) = mpsc::channel();
        let consumers = local.start_consumers(
            &wake,
            Arc::new(move |event| {
                let _ = happened.send(event);
            }),
        )?;
        let on_ack = super::on_ack(output, &to_screen, interrupt);
        let producer = LocalProducer::start(local.folder(), run, Arc::clone(&wake), on_ack)?;
        let gauge = producer.gauge();
        style::say(&format!("{} → {}   Ctrl-C stops, nothing is lost", source.name(), local.title()));
        let feeding = Feeding {
            source,
            producer: Box::new(producer),
            gauge: &*gauge,
            plan,
            interrupt,
            output,
            to_screen,
            shown,
            events: &events,
            local: Some((local, run)),
        };
        let (mut screen, fed) = feeding.run()?;

        gauge.settle(PATIENCE);
        let last = local.last()?;
        let mut in_flight = None;
        let mut best = (u64::MAX, Instant::now());
        let drained = local.drain(&consumers, last, |_, lag| {
            in_flight.get_or_insert(lag.process);
            screen.draining(lag, &events);
            let waiting = lag.process + lag.archive;
            if waiting < best.0 {
                best = (waiting, Instant::now());
            }
            best.1.elapsed() < PATIENCE
        })?;
        consumers.stop();
        screen.events(&events);
        screen.below.finish(gauge.acknowledged());
        Ok(Self {
            sent: gauge.acknowledged(),
            run: Some(local.run(run)?),
            drained,
            elapsed: started.elapsed(),
            interrupted: interrupt.is_set(),
            in_flight: in_flight.unwrap_or(0),
            failure: fed.failure,
            missed: fed.missed,
        })
    }
}

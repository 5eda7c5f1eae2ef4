//! Compares the prediction of `ekey-ctl capacity` with what a crowd at a real daemon then waits.

use std::time::Duration;

use super::{Bound, Figure, Missing, Subject, Unit};
use crate::await_until;
use crate::daemon::DaemonPlan;
use crate::load::{Habit, Load};
use crate::scratch::Scratch;
use crate::software_key::KeyPlan;
use crate::status::Status;

pub(super) const SUBJECTS: &[Subject] =
    &[Subject { name: "capacity", title: "waits of a crowd, and their prediction", measure }];

fn measure() -> Result<Vec<Figure>, Missing> {
    const SPAN: Duration = Duration::from_secs(4);
    let scratch = Scratch::make();
    // 16,000 bytes a second.
    let plan = KeyPlan::named("key").rate(500);
    let key = plan.plug_in(&scratch);
    let daemon = DaemonPlan::default().key(&plan, &key).egd().pool(16_384).start(&scratch);
    await_until("the pool to fill", || (daemon.status(&scratch).count("/pool/bytes") > 10_000).then_some(()));
    let mut load = Load::new().with(100, Habit::at_intervals(120, Duration::from_millis(250)), &daemon.egd);
    let hours = (SPAN.as_secs_f64() / 3600.0).to_string();
    let arguments = ["capacity", "--json", "--clients", "100:burst:120/0.25s", "--supply", "16000", "--hours", &hours];
    let answer = Status::of(&daemon.ctl(&scratch, &arguments));
    let measured = load.run_for(SPAN);
    let figures = [(50, "p50"), (95, "p95")].map(|(hundredths, name)| {
        let predicted = answer.at(&format!("/waits_s/{name}")).as_f64().unwrap_or(f64::NAN);
        let seen = measured.percentile(hundredths).as_secs_f64();
        let figure =
            Figure::new(format!("{name} of 100 clients that ask for three times the supply"), Unit::Seconds, seen);
        figure.against("predicted", predicted).bound(Bound::Within(predicted / 1.6 - 0.2, predicted * 1.6 + 0.2))
    });
    Ok(figures.into())
}
